//! Plans as lines of text, for a simulator in another process: `refuse 0x0a on sign-ecdsa skip 2 count 3`.

use std::str::{FromStr, SplitWhitespace};

use super::{Fault, Plan};
use crate::yubihsm2::protocol::{Command, ErrorCode};

/// A line that is no plan.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("\"{line}\" is no fault: write NAME [NUMBER] [on COMMAND] [skip N] [count N]")]
pub struct BadFault {
    /// The line.
    pub line: String,
}

impl FromStr for Plan {
    type Err = BadFault;

    fn from_str(line: &str) -> Result<Self, BadFault> {
        read_plan(line).ok_or_else(|| BadFault { line: line.to_owned() })
    }
}

fn read_plan(line: &str) -> Option<Plan> {
    let mut words = line.split_whitespace();
    let mut plan = Plan::next(read_fault(&mut words)?);
    while let Some(word) = words.next() {
        match word {
            "on" => plan.command = Some(read_command(words.next()?)?),
            "skip" => plan.skip = read_number(&mut words)?,
            "count" => plan.count = read_number(&mut words)?,
            _ => return None,
        }
    }
    Some(plan)
}

fn read_fault(words: &mut SplitWhitespace<'_>) -> Option<Fault> {
    Some(match words.next()? {
        "drop-session" => Fault::DropSession,
        "power-cut" => Fault::PowerCut,
        "other-serial" => Fault::OtherSerial,
        "fill-sessions" => Fault::FillSessions,
        "fill-log" => Fault::FillLog { free: read_number(words)? },
        "log-unknown" => Fault::LogUnknown { command: read_number(words)? },
        "break-log-digest" => Fault::BreakLogDigest,
        "refuse" => Fault::Refuse(ErrorCode(read_number(words)?)),
        "flip-bit" => Fault::FlipBit(read_number(words)?),
        "other-key" => Fault::OtherKey,
        "high-s" => Fault::HighS,
        "zero-r" => Fault::ZeroR,
        "zero-s" => Fault::ZeroS,
        "wrong-mac" => Fault::WrongMac,
        "delay" => Fault::Delay { ms: read_number(words)? },
        "hang" => Fault::Hang,
        "close-after" => Fault::CloseAfter { bytes: read_number(words)? },
        "split-after" => Fault::SplitAfter { bytes: read_number(words)? },
        _ => return None,
    })
}

/// By name, or as a number.
fn read_command(word: &str) -> Option<Command> {
    let named = Command::NAMED.iter().copied().find(|command| command.name() == Some(word));
    named.or_else(|| read_number(&mut word.split_whitespace()).map(Command))
}

/// Decimal, or hexadecimal behind `0x`.
fn read_number<T: TryFrom<u64>>(words: &mut SplitWhitespace<'_>) -> Option<T> {
    let word = words.next()?;
    let number = match word.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => word.parse(),
    };
    T::try_from(number.ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_fault_and_when_it_happens() {
        let plan: Plan = "refuse 0x0a on sign-ecdsa skip 2 count 3".parse().unwrap();
        let refuse = Fault::Refuse(ErrorCode::LOG_FULL);
        assert_eq!(plan, Plan { fault: refuse, command: Some(Command::SIGN_ECDSA), skip: 2, count: 3 });
        assert_eq!("hang".parse(), Ok(Plan::next(Fault::Hang)));
        assert_eq!("delay 5 on 0x56".parse(), Ok(Plan::at(Fault::Delay { ms: 5 }, Command::SIGN_ECDSA)));
        for bad in ["", "hangs", "delay", "delay x", "hang on", "hang on nothing", "fill-log 300", "hang 5"] {
            assert_eq!(bad.parse::<Plan>(), Err(BadFault { line: bad.to_owned() }));
        }
    }
}
