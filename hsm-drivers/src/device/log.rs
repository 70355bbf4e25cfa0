//! The log a device keeps by itself. Only the YubiHSM 2 has one, so its words are used.

pub use crate::yubihsm2::protocol::{LogEntries as DeviceLogPage, LogEntry as DeviceLogEntry};
use hsm_types::KeyLabel;

use crate::{Error, yubihsm2::protocol::Command};

/// A log that must be emptied: a device told to audit everything refuses commands while it is full.
pub trait DeviceLog {
    /// All entries the device still holds, oldest first. Nothing is forgotten by reading.
    ///
    /// # Errors
    /// As of any call to the device.
    fn read(&mut self) -> Result<DeviceLogPage, Error>;

    /// Lets the device forget the entries up to number `through`. To be called when they are on stable storage.
    ///
    /// # Errors
    /// As of any call to the device; it refuses a number it has no entry for.
    fn acknowledge(&mut self, through: u16) -> Result<(), Error>;

    /// The number by which entries name this key.
    ///
    /// # Errors
    /// As [`Device::public_key`](crate::Device::public_key).
    fn object_id(&mut self, key: &KeyLabel) -> Result<u16, Error>;
}

/// Two entries that do not follow on each other: between them one was taken out, put in or altered, or the device was
/// reset.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("entry {number} of the device log does not follow on entry {previous}: its number or digest is another")]
pub struct BrokenChain {
    /// The last good entry.
    pub previous: u16,
    /// The one after it.
    pub number: u16,
}

impl DeviceLogEntry {
    /// The command by its name in Yubico's documentation, `boot` and `reset`; none where it is not known here.
    #[must_use]
    pub const fn command_name(&self) -> Option<&'static str> {
        match self.command {
            Self::BOOT => Some("boot"),
            Self::RESET => Some("reset"),
            code => Command(code).name(),
        }
    }

    /// Whether it is of no more than a session opened or closed, or of this log being read.
    #[must_use]
    pub fn is_of_reading(&self) -> bool {
        let session = [Command::CREATE_SESSION, Command::AUTHENTICATE_SESSION, Command::CLOSE_SESSION];
        let log = [Command::GET_LOG_ENTRIES, Command::SET_LOG_INDEX];
        session.into_iter().chain(log).any(|command| command.0 == self.command)
    }
}

/// Whether each entry follows on the one before, the first on `previous`. Without that the first is taken as it is.
///
/// # Errors
/// [`BrokenChain`] names the first that does not.
pub fn verify_chain(previous: Option<&DeviceLogEntry>, entries: &[DeviceLogEntry]) -> Result<(), BrokenChain> {
    let before = previous.into_iter().chain(entries);
    let behind = entries.iter().skip(usize::from(previous.is_none()));
    match before.zip(behind).find(|(before, behind)| !behind.follows(before)) {
        Some((before, behind)) => Err(BrokenChain { previous: before.number, number: behind.number }),
        None => Ok(()),
    }
}

/// Those of a page that come after `previous`: a page that was recorded but never acknowledged is read again.
#[must_use]
pub fn entries_after<'a>(previous: Option<&DeviceLogEntry>, entries: &'a [DeviceLogEntry]) -> &'a [DeviceLogEntry] {
    let seen = previous.and_then(|previous| entries.iter().position(|entry| entry == previous));
    entries.get(seen.map_or(0, |position| position + 1)..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Our own: any digests will do, the first has none before it.
    fn entries(count: u16) -> Vec<DeviceLogEntry> {
        let mut entries: Vec<DeviceLogEntry> = Vec::new();
        for number in 0..count {
            let mut entry = DeviceLogEntry {
                number: number.wrapping_add(65_530),
                command: 0x56,
                length: 34,
                session_key: 2,
                target_key: 7,
                second_key: DeviceLogEntry::NO_KEY,
                result: 0xd6,
                tick: 100 + u32::from(number),
                digest: [0xa5; 16],
            };
            if let Some(previous) = entries.last() {
                entry.digest = entry.digest_after(&previous.digest);
            }
            entries.push(entry);
        }
        entries
    }

    #[test]
    fn a_chain_holds_whole_and_in_pages_over_the_wrap_of_its_numbers() {
        let all = entries(12);
        assert_eq!(verify_chain(None, &all), Ok(()));
        for cut in 1..all.len() {
            assert_eq!(verify_chain(Some(&all[cut - 1]), &all[cut..]), Ok(()), "cut at {cut}");
        }
        assert_eq!(verify_chain(None, &[]), Ok(()));
        assert_eq!(verify_chain(Some(&all[0]), &[]), Ok(()));
    }

    #[test]
    fn an_entry_left_out_repeated_or_altered_breaks_the_chain() {
        let all = entries(6);
        let mut without = all.clone();
        without.remove(3);
        let broken = BrokenChain { previous: all[2].number, number: all[4].number };
        assert_eq!(verify_chain(None, &without), Err(broken));
        assert_eq!(verify_chain(Some(&all[2]), &all[4..]), Err(broken));
        assert!(verify_chain(Some(&all[2]), &all[2..]).is_err());
        for (position, field) in (1..6).flat_map(|position| (0..7).map(move |field| (position, field))) {
            let mut altered = all.clone();
            let entry = &mut altered[position];
            match field {
                0 => entry.command ^= 1,
                1 => entry.length ^= 1,
                2 => entry.session_key ^= 1,
                3 => entry.target_key ^= 1,
                4 => entry.result ^= 1,
                5 => entry.tick ^= 1,
                _ => entry.digest[15] ^= 1,
            }
            let error = verify_chain(None, &altered).unwrap_err();
            assert_eq!(error.number, all[position].number, "field {field}");
        }
    }

    #[test]
    fn entries_seen_before_are_skipped() {
        let all = entries(5);
        assert_eq!(entries_after(None, &all), all);
        assert_eq!(entries_after(Some(&all[2]), &all), &all[3..]);
        assert_eq!(entries_after(Some(&all[4]), &all), &[]);
        assert_eq!(entries_after(Some(&all[0]), &all[2..]), &all[2..], "not there any more");
    }

    #[test]
    fn a_signature_is_counted_for_its_key_and_a_refused_one_is_not() {
        let mut entry = entries(1)[0];
        assert!(entry.signed_with(7) && !entry.signed_with(2) && !entry.signed_with(8));
        entry.result = 0x0a;
        assert!(!entry.signed_with(7), "log-full");
        let like = |command, second_key| DeviceLogEntry { command, second_key, result: 0xff, ..entries(1)[0] };
        assert!(!like(0x54, 0xffff).signed_with(7), "get-public-key");
        assert!(!like(0x64, 0).signed_with(7) && like(0x64, 9).signed_with(9), "sign-attestation-certificate");
        assert!(like(0xee, 0xffff).signed_with(7) && like(0xee, 9).signed_with(9), "nobody knows what it does");
        let boot = DeviceLogEntry { command: DeviceLogEntry::BOOT, target_key: 0, ..entries(1)[0] };
        assert!(!boot.signed_with(0));
    }

    #[test]
    fn an_entry_reads_as_it_is_written() {
        let entry = entries(1)[0];
        assert_eq!(DeviceLogEntry::decode(&entry.encode()), Ok(entry));
        assert!(DeviceLogEntry::decode(&entry.encode()[1..]).is_err());
    }

    #[test]
    fn a_command_nobody_knows_yet_has_no_name_and_is_an_entry_still() {
        let mut all = entries(3);
        assert_eq!(all[0].command_name(), Some("sign-ecdsa"));
        all[0].command = 0xee;
        assert_eq!(all[0].command_name(), None);
        all[0].command = DeviceLogEntry::BOOT;
        assert_eq!(all[0].command_name(), Some("boot"));
    }
}
