//! What a device wrote down by itself, at the writer: recorded, and held against what the log lets happen.

use std::collections::BTreeMap;

use appliance_wire::{Body, DeviceLogRecord, Frozen, Scope, TokenEntry, TokenEvent};
use hsm_drivers::{BrokenChain, entries_after, verify_chain};
use hsm_types::KeyLabel;

use super::{Draft, Writer, settle};
use crate::{
    audit::{
        device_log::{DeviceLogReading, RecordedDeviceLog},
        job::Reply,
    },
    refusal::Refusal,
    state::Account,
};

impl Writer {
    pub(super) fn device_log(&mut self, draft: &mut Draft, reading: DeviceLogReading, reply: Reply<RecordedDeviceLog>) {
        let recorded = self.record_device_log(draft, reading);
        settle(draft, reply, recorded);
    }

    fn record_device_log(
        &mut self,
        draft: &mut Draft,
        reading: DeviceLogReading,
    ) -> Result<RecordedDeviceLog, Refusal> {
        let DeviceLogReading { token, serial, page, keys, own } = reading;
        let last = self.state.accounts.last_of(&serial);
        let entries = entries_after(last.as_ref(), &page.entries);
        let keys = self.state.accounts.new_keys(&serial, &keys);
        if entries.is_empty() && keys.is_empty() {
            return Ok(RecordedDeviceLog::default());
        }
        let gap = verify_chain(last.as_ref(), entries).err();
        let device_log = DeviceLogRecord {
            entries: entries.iter().map(|entry| hex::encode(entry.encode())).collect(),
            keys,
            own: own.into_iter().filter(|(_, asked)| *asked > 0).collect::<BTreeMap<_, _>>(),
            gap: gap.is_some(),
            unlogged_boots: page.unlogged_boots,
            unlogged_authentications: page.unlogged_authentications,
        };
        self.push(
            draft,
            Body::Token(TokenEntry { token: token.clone(), serial, event: TokenEvent::DeviceLog(device_log) }),
        )?;
        let frozen = self.freeze_suspects(draft, &format!("the device log of token {token}"), gap)?;
        Ok(RecordedDeviceLog { entries: entries.len() as u64, gap, frozen })
    }

    /// Freezes keys whose signatures are not all explained, where nobody has yet.
    pub(in crate::audit) fn freeze_suspects(
        &mut self,
        draft: &mut Draft,
        by: &str,
        gap: Option<BrokenChain>,
    ) -> Result<Vec<KeyLabel>, Refusal> {
        let suspects: Vec<KeyLabel> = self.state.unfrozen_suspects().cloned().collect();
        for key in &suspects {
            let (what, by) = (Scope::Key(key.as_str().to_owned()), by.to_owned());
            let reason = suspicion(self.state.accounts.of(key), gap);
            self.push(draft, Body::Frozen(Frozen { what, by, reason }))?;
        }
        Ok(suspects)
    }
}

/// Why the key is frozen, for whoever must find out what happened.
fn suspicion(account: Account, gap: Option<BrokenChain>) -> String {
    let Account { allowed, made } = account;
    match gap {
        _ if made > allowed => format!(
            "devices show {made} signatures with it, the log explains {allowed}: somebody else signed with it; find out \
             who can reach the device and its authentication keys"
        ),
        Some(BrokenChain { previous, number }) => format!(
            "the device log goes on with entry {number} behind entry {previous}: what is missing may have been \
             signatures; find out who read the log away, or whether the device was reset"
        ),
        None => "the device log had a gap: what is missing may have been signatures".to_owned(),
    }
}
