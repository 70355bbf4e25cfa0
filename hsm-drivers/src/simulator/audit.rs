//! Options of a device: whether it insists on its log being read, and which commands it logs.

use std::collections::BTreeMap;

use crate::yubihsm2::protocol::{AUDIT_FIXED, AUDIT_OFF, Command, ErrorCode, OptionTag};

/// The commands of firmware 2.4 in the order in which it lists them (user guide, "Set Command Audit Option").
const COMMANDS: [u8; 65] = [
    0x01, 0x03, 0x04, 0x05, 0x06, 0x07, 0x09, 0x08, 0x40, 0x41, 0x42, 0x43, 0x44, 0x45, 0x46, 0x47, 0x55, 0x56, 0x48,
    0x49, 0x57, 0x4a, 0x4b, 0x4c, 0x4d, 0x67, 0x4e, 0x4f, 0x50, 0x51, 0x52, 0x53, 0x54, 0x58, 0x59, 0x5a, 0x5b, 0x5c,
    0x5d, 0x5e, 0x5f, 0x60, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x68, 0x69, 0x6a, 0x6b, 0x6c, 0x0a, 0x6d, 0x6e, 0x6f,
    0x70, 0x71, 0x72, 0x73, 0x74, 0x75, 0x76, 0x77,
];

/// The settings. Those of a fresh device are all off, as the user guide has it.
#[derive(Clone, Debug, Default)]
pub(super) struct Audit {
    pub(super) force: u8,
    /// By command code; none is off.
    pub(super) commands: BTreeMap<u8, u8>,
}

impl Audit {
    pub(super) const fn is_forced(&self) -> bool {
        self.force != AUDIT_OFF
    }

    pub(super) fn logs(&self, command: Command) -> bool {
        self.commands.get(&command.0).is_some_and(|value| *value != AUDIT_OFF)
    }

    pub(super) fn get(&self, option: OptionTag) -> Result<Vec<u8>, ErrorCode> {
        match option {
            OptionTag::FORCE_AUDIT => Ok(vec![self.force]),
            OptionTag::COMMAND_AUDIT => {
                let value = |code: u8| self.commands.get(&code).copied().unwrap_or(AUDIT_OFF);
                Ok(COMMANDS.iter().flat_map(|code| [*code, value(*code)]).collect())
            }
            _ => Err(ErrorCode::INVALID_DATA),
        }
    }

    /// All of it, or nothing. What is fixed stays (which code the device gives for that is not documented).
    pub(super) fn set(&mut self, option: OptionTag, value: &[u8]) -> Result<(), ErrorCode> {
        match (option, value) {
            (OptionTag::FORCE_AUDIT, [value]) => replace(&mut self.force, *value),
            (OptionTag::FORCE_AUDIT, _) => Err(ErrorCode::WRONG_LENGTH),
            (OptionTag::COMMAND_AUDIT, pairs) => {
                let mut commands = self.commands.clone();
                for pair in pairs.chunks(2) {
                    let &[code, value] = pair else { return Err(ErrorCode::WRONG_LENGTH) };
                    if !COMMANDS.contains(&code) {
                        return Err(ErrorCode::INVALID_DATA);
                    }
                    replace(commands.entry(code).or_insert(AUDIT_OFF), value)?;
                }
                self.commands = commands;
                Ok(())
            }
            _ => Err(ErrorCode::INVALID_DATA),
        }
    }
}

fn replace(setting: &mut u8, value: u8) -> Result<(), ErrorCode> {
    if value > AUDIT_FIXED || (*setting == AUDIT_FIXED && value != AUDIT_FIXED) {
        return Err(ErrorCode::INVALID_DATA);
    }
    *setting = value;
    Ok(())
}
