//! The words of a YubiHSM 2: codes, frames, and both ends of the secure channel. Knows no transport and holds no device.
//!
//! Sources: Yubico, "YubiHSM 2 User Guide" (core concepts and command reference), and GlobalPlatform, "Secure Channel
//! Protocol '03'" (GPC_SPE_014). All numbers are big-endian.

mod capability;
pub mod channel;
mod code;
mod device_info;
mod domains;
mod frame;
mod log_entry;
mod object;
mod reader;

pub use capability::{Capabilities, NotACapability};
pub use code::{Algorithm, Command, ErrorCode, ObjectType, OptionTag};
pub use device_info::DeviceInfoPage;
pub use domains::Domains;
pub use frame::{BadFrame, Frame};
pub use log_entry::{LogEntries, LogEntry};
pub use object::{Label, ListEntry, ListFilter, ObjectInfo, Origin};
pub use reader::{Reader, TooShort};

/// Most bytes of a whole message from firmware 2.4 on; before it was 2,048.
pub const LONGEST_FRAME: usize = 3136;
/// Most bytes of a whole message before firmware 2.4.
pub const LONGEST_FRAME_BEFORE_2_4: usize = 2048;
/// A device holds this many sessions, with the numbers 0 to 15.
pub const SESSIONS: u8 = 16;
/// A device forgets a session after so many idle seconds.
pub const SESSION_IDLE_SECONDS: u64 = 30;
/// Entries the log store of a device holds.
pub const LOG_CAPACITY: usize = 62;
/// Option value of force-audit and command-audit: not logged, not enforced.
pub const AUDIT_OFF: u8 = 0;
/// Option value of force-audit and command-audit: on until it is set off.
pub const AUDIT_ON: u8 = 1;
/// Option value of force-audit and command-audit: on until the device is reset.
pub const AUDIT_FIXED: u8 = 2;

#[cfg(test)]
mod tests;
