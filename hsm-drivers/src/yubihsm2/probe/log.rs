//! The log of the device: what is written into it, how full it is, and whether its entries follow on each other.
//! Nothing is acknowledged: that is the appliance's alone.

use crate::{
    DeviceLog, Error,
    probe::Examiner,
    verify_chain,
    yubihsm2::{
        Yubihsm2Device, failure,
        protocol::{AUDIT_FIXED, AUDIT_OFF, Command, OptionTag},
    },
};

/// What a look at keys is made of.
const READING: &[Command] = &[Command::LIST_OBJECTS, Command::GET_OBJECT_INFO, Command::GET_PUBLIC_KEY];

/// What a look at the device costs its log.
pub(super) struct Audit {
    /// Whether openings of sessions are entries.
    pub(super) logs_sessions: bool,
    /// Whether looking at keys makes entries.
    pub(super) logs_reading: bool,
    /// Whether signatures are entries.
    pub(super) logs_signatures: bool,
    /// Entries there is room for.
    pub(super) free: u64,
}

pub(super) fn examine(examiner: &mut Examiner<'_>, device: &mut Yubihsm2Device) -> Result<Audit, Error> {
    let forced = option(examiner, device, OptionTag::FORCE_AUDIT)?;
    let commands = option(examiner, device, OptionTag::COMMAND_AUDIT)?;
    let settings = logged_commands(commands.as_deref().unwrap_or_default());
    let logged = |wanted: &[Command]| settings.iter().any(|(command, _)| wanted.contains(command));
    // Where the settings are not known, what would do harm is taken for logged.
    let may_be_logged = |wanted: &[Command]| commands.is_none() || logged(wanted);
    let force = forced.as_ref().and_then(|value| value.first().copied());
    note_options(examiner, force, &settings);
    let shows_reading = read(examiner, device)?;
    let (used, capacity) =
        examiner.report.yubihsm.as_ref().map_or((0, 0), |facts| (facts.log_used, facts.log_capacity));
    let audit = Audit {
        logs_sessions: may_be_logged(&[Command::CREATE_SESSION, Command::AUTHENTICATE_SESSION]),
        logs_reading: shows_reading || logged(READING),
        logs_signatures: may_be_logged(&[Command::SIGN_ECDSA, Command::SIGN_EDDSA]),
        free: capacity.saturating_sub(used),
    };
    if commands.is_some() {
        judge(examiner, force, &settings, &audit);
    }
    Ok(audit)
}

/// Pairs of a command and its setting; those that are off left out (user guide, "Set Command Audit Option").
fn logged_commands(option: &[u8]) -> Vec<(Command, u8)> {
    let (pairs, _) = option.as_chunks::<2>();
    pairs.iter().filter(|[_, value]| *value != AUDIT_OFF).map(|[command, value]| (Command(*command), *value)).collect()
}

/// None where the authentication key may not know; that is said elsewhere.
fn option(examiner: &mut Examiner<'_>, device: &mut Yubihsm2Device, tag: OptionTag) -> Result<Option<Vec<u8>>, Error> {
    examiner.step(&format!("Get Option {tag}"));
    let failed = |error| failure::command_failed(&error, &format!("Get Option {tag}"));
    match device.run(|session| session.option(tag).map_err(failed)) {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.ends_session() => Err(error),
        Err(_) => Ok(None),
    }
}

fn note_options(examiner: &mut Examiner<'_>, force: Option<u8>, settings: &[(Command, u8)]) {
    let Some(facts) = &mut examiner.report.yubihsm else { return };
    facts.force_audit = force.map(|value| {
        let word = if value == AUDIT_OFF {
            "off"
        } else if value == AUDIT_FIXED {
            "fixed"
        } else {
            "on"
        };
        word.to_owned()
    });
    facts.audited = settings.iter().map(|(command, _)| command.to_string()).collect();
    let fixed = settings.iter().filter(|(_, value)| *value == AUDIT_FIXED);
    facts.audited_for_ever = fixed.map(|(command, _)| command.to_string()).collect();
}

/// Looks at the entries that are there now; whether some are of a look at keys.
fn read(examiner: &mut Examiner<'_>, device: &mut Yubihsm2Device) -> Result<bool, Error> {
    examiner.step("Get Log Entries");
    let page = match DeviceLog::read(device) {
        Ok(page) => page,
        Err(error) if error.ends_session() => return Err(error),
        // For want of a capability, which is said elsewhere.
        Err(_) => return Ok(false),
    };
    let unlogged = u64::from(page.unlogged_boots) + u64::from(page.unlogged_authentications);
    if let Some(facts) = &mut examiner.report.yubihsm {
        facts.unlogged = Some(unlogged);
        facts.log_used = page.entries.len() as u64;
    }
    if unlogged > 0 {
        examiner.odd(
            format!(
                "{} boots and {} openings of sessions found no room in the device's log",
                page.unlogged_boots, page.unlogged_authentications
            ),
            "what was done then is known by number only: find out who did it, and let the appliance empty the log",
        );
    }
    match verify_chain(None, &page.entries) {
        Ok(()) => examiner
            .works(format!("the device's log is whole: its {} entries follow on each other", page.entries.len())),
        Err(broken) => examiner.odd(broken.to_string(), "take it for an attack on the device until it is explained"),
    }
    Ok(page.entries.iter().any(|entry| READING.contains(&Command(entry.command))))
}

fn judge(examiner: &mut Examiner<'_>, force: Option<u8>, settings: &[(Command, u8)], audit: &Audit) {
    let forced = force.is_some_and(|value| value != AUDIT_OFF);
    let fixed = force == Some(AUDIT_FIXED) && settings.iter().all(|(_, value)| *value == AUDIT_FIXED);
    let used = examiner.report.yubihsm.as_ref().map_or(0, |facts| facts.log_used);
    match (forced, audit.logs_signatures) {
        (true, true) if fixed => {
            examiner.works("signatures are logged, the device stops when its log is full, and only a reset changes that");
        }
        (true, true) => examiner.odd(
            "signatures are logged and the device stops when its log is full, but whoever may set options can end that",
            "make force-audit and the audit of commands permanent (option value 2) in the ceremony",
        ),
        (true, false) => examiner.odd(
            "the device stops when its log is full, yet signatures are not logged",
            "switch on the audit of sign-ecdsa and sign-eddsa: otherwise nobody sees a signature too many",
        ),
        (false, _) => examiner.odd(
            "the device goes on when its log is full (force-audit is off): signatures may be missing from it",
            "set force-audit and the audit of sign-ecdsa and sign-eddsa in the ceremony, where the log is to be relied on",
        ),
    }
    if forced && audit.free == 0 {
        examiner.wrong(
            format!("the device's log is full ({used} entries): it refuses to sign until entries are acknowledged"),
            "start the appliance, which empties it, or empty it with the tools of its vendor",
        );
    } else if forced && audit.free < used / 2 {
        examiner.odd(
            format!("the device's log has {used} entries and room for {}", audit.free),
            "it stops when it is full: let the appliance empty it",
        );
    }
}
