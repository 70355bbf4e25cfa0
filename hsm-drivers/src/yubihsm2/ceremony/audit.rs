//! What a device writes down of what it does, and that it must be read.

use super::failed;
use crate::{
    Disposition, Error,
    yubihsm2::{
        protocol::{AUDIT_FIXED, AUDIT_OFF, Command, OptionTag},
        session::Session,
    },
};

/// Commands that only look, and that an appliance gives often: noted, they would fill the log's 62 entries by looking.
/// A session message is noted by what is in it. All others are noted, also those that are not known here.
const NOT_NOTED: &[Command] = &[
    Command::ECHO,
    Command::SESSION_MESSAGE,
    Command::DEVICE_INFO,
    Command::GET_DEVICE_PUBLIC_KEY,
    Command::GET_STORAGE_INFO,
    Command::LIST_OBJECTS,
    Command::GET_OBJECT_INFO,
    Command::GET_PUBLIC_KEY,
    Command::GET_OPAQUE,
    Command::GET_LOG_ENTRIES,
    Command::SET_LOG_INDEX,
    Command::GET_OPTION,
    Command::GET_PSEUDO_RANDOM,
    Command::GET_TEMPLATE,
    Command::BLINK_DEVICE,
];

/// Has the device note all other commands, and refuse to work while its log is full, both until it is reset (user guide,
/// "Set Option": 0x02). What it then says of its options is what counts.
pub(super) fn fix(session: &mut Session) -> Result<(), Error> {
    let what = "the audit of the device";
    let value = session.option(OptionTag::COMMAND_AUDIT).map_err(|error| failed(&error, "Get Option", what))?;
    let open = unfixed(&value);
    let change: Vec<u8> = open.iter().flat_map(|command| [command.0, AUDIT_FIXED]).collect();
    if !change.is_empty() {
        let set = session.set_option(OptionTag::COMMAND_AUDIT, &change);
        set.map_err(|error| failed(&error, "Set Option", what))?;
    }
    if session.option(OptionTag::FORCE_AUDIT).map_err(|error| failed(&error, "Get Option", what))? != [AUDIT_FIXED] {
        let set = session.set_option(OptionTag::FORCE_AUDIT, &[AUDIT_FIXED]);
        set.map_err(|error| failed(&error, "Set Option", what))?;
    }
    check(session)
}

/// Whether the device is as [`fix`] leaves it.
pub(super) fn check(session: &mut Session) -> Result<(), Error> {
    let what = "the audit of the device";
    let value = session.option(OptionTag::COMMAND_AUDIT).map_err(|error| failed(&error, "Get Option", what))?;
    let forced = session.option(OptionTag::FORCE_AUDIT).map_err(|error| failed(&error, "Get Option", what))?;
    let looking = pairs(&value).find(|(command, value)| NOT_NOTED.contains(command) && *value != AUDIT_OFF);
    let cause = if forced != [AUDIT_FIXED] {
        "force-audit is not fixed".to_owned()
    } else if let Some(command) = unfixed(&value).first() {
        format!("the audit of {command} is not fixed")
    } else if let Some((command, _)) = looking {
        format!("{command} is noted, so that the log is filled by looking")
    } else {
        return Ok(());
    };
    Err(Error::Call { attempted: format!("Get Option for {what}"), cause, disposition: Disposition::NotSent })
}

/// Lets the device forget what is in its log; how many entries that were.
pub(super) fn forget_log(session: &mut Session) -> Result<usize, Error> {
    let what = "the log of the device";
    let page = session.log_entries().map_err(|error| failed(&error, "Get Log Entries", what))?;
    if let Some(last) = page.entries.last() {
        session.set_log_index(last.number).map_err(|error| failed(&error, "Set Log Index", what))?;
    }
    Ok(page.entries.len())
}

fn unfixed(value: &[u8]) -> Vec<Command> {
    let open = pairs(value).filter(|(command, value)| !NOT_NOTED.contains(command) && *value != AUDIT_FIXED);
    open.map(|(command, _)| command).collect()
}

/// The value of the option: every command the device has, each with its setting.
fn pairs(value: &[u8]) -> impl Iterator<Item = (Command, u8)> {
    value.as_chunks().0.iter().map(|[command, value]| (Command(*command), *value))
}
