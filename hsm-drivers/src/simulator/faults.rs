//! Faults: what the simulator does wrong, at which command, from when on, how often.

mod text;

use std::sync::{Arc, Mutex, PoisonError};

pub use self::text::BadFault;
use crate::yubihsm2::protocol::{Command, ErrorCode};

/// One thing that goes wrong.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fault {
    /// The session of the command is forgotten before it is run.
    DropSession,
    /// All sessions are forgotten before the command is run, and the boot is logged: the power was away.
    PowerCut,
    /// As a power cut, and it comes back with the next serial number: another device was plugged in.
    OtherSerial,
    /// All free sessions are taken, by nobody: they come free when they were idle for 30 seconds.
    FillSessions,
    /// The log is filled until this many entries are free.
    FillLog {
        /// Entries left.
        free: u8,
    },
    /// An entry of this command code, which no client knows, appears in the log.
    LogUnknown {
        /// The code.
        command: u8,
    },
    /// The newest entry of the log gets a wrong digest.
    BreakLogDigest,
    /// The command is not run and answered with this code.
    Refuse(ErrorCode),
    /// One bit of the signature is the other way round: bit 0 is the highest of r, 511 the lowest of s.
    FlipBit(u16),
    /// The signature is by another key of the same algorithm.
    OtherKey,
    /// s is the greater of the two (ECDSA); otherwise it is either, as on a device.
    HighS,
    /// r is 0.
    ZeroR,
    /// s is 0.
    ZeroS,
    /// The MAC of the answer is wrong.
    WrongMac,
    /// The answer comes this many milliseconds late. The command was run.
    Delay {
        /// Milliseconds.
        ms: u64,
    },
    /// The answer never comes. The command was run.
    Hang,
    /// The connection is closed after this many bytes of the HTTP response. The command was run.
    CloseAfter {
        /// Bytes.
        bytes: usize,
    },
    /// The HTTP response comes in two parts, the first of this many bytes. The command was run.
    SplitAfter {
        /// Bytes.
        bytes: usize,
    },
}

/// A fault and when it happens.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Plan {
    /// What goes wrong.
    pub fault: Fault,
    /// At this command only; at any where there is none.
    pub command: Option<Command>,
    /// How many such commands go well first.
    pub skip: u32,
    /// How often it happens then.
    pub count: u32,
}

impl Plan {
    /// Once, at the next command of any kind.
    #[must_use]
    pub const fn next(fault: Fault) -> Self {
        Self { fault, command: None, skip: 0, count: 1 }
    }

    /// Once, at the next such command.
    #[must_use]
    pub const fn at(fault: Fault, command: Command) -> Self {
        Self { fault, command: Some(command), skip: 0, count: 1 }
    }
}

/// The plans of one simulator. Clones are handles on the same.
#[derive(Clone, Debug, Default)]
pub struct Faults(Arc<Mutex<Vec<Plan>>>);

impl Faults {
    /// Adds a plan.
    pub fn arm(&self, plan: Plan) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(plan);
    }

    /// Forgets all plans.
    pub fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// The plans that have not happened yet as often as they are to.
    #[must_use]
    pub fn armed(&self) -> Vec<Plan> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Counts this command and gives the faults that happen at it.
    pub(super) fn at(&self, command: Command) -> Vec<Fault> {
        let mut plans = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut happening = Vec::new();
        for plan in plans.iter_mut().filter(|plan| plan.command.is_none_or(|wanted| wanted == command)) {
            if plan.skip > 0 {
                plan.skip -= 1;
            } else if plan.count > 0 {
                plan.count -= 1;
                happening.push(plan.fault);
            }
        }
        plans.retain(|plan| plan.count > 0);
        happening
    }
}
