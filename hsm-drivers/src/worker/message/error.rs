//! [`Error`] between parent and child: the parent decides by it, so it travels whole and not as a text.

use hsm_types::KeyLabel;

use super::{Bytes, Malformed, Wire};
use crate::{Disposition, Error, Login, TriesLeft};

impl Wire for Error {
    fn encode(&self, to: &mut Vec<u8>) {
        match self {
            Self::PinRefused { token, login, tries_left } => {
                put_two(to, 0, token, login);
                tries_left.encode(to);
            }
            Self::PinNotTried { token, login, tries_left } => {
                put_two(to, 1, token, login);
                tries_left.encode(to);
            }
            Self::TokenNotFound { token, found } => put_two(to, 2, token, found),
            Self::AmbiguousToken { token, serials } => put_two(to, 3, token, serials),
            Self::TokenExists { token } => put_one(to, 4, token),
            Self::UnknownKey { key } => put_one(to, 5, key),
            Self::AmbiguousKey { key } => put_one(to, 6, key),
            Self::KeyExists { key } => put_one(to, 7, key),
            Self::KeyUnfit { key, findings } => put_two(to, 8, key, findings),
            Self::WrongInput { key, reason } => put_two(to, 9, key, reason),
            Self::Call { attempted, cause, disposition } => {
                put_two(to, 10, attempted, cause);
                disposition.encode(to);
            }
            Self::WorkerGone { reason } => put_one(to, 11, reason),
            Self::FactoryPassword { token } => put_one(to, 12, token),
            Self::SessionsFull { token } => put_one(to, 13, token),
            Self::WrapRights { token, rights } => put_two(to, 14, token, rights),
            Self::ModuleUnfit { module, reason } => put_two(to, 15, module, reason),
            Self::SessionLimit { token, opened, wanted } => {
                put_two(to, 16, token, &(*opened as u64));
                (*wanted as u64).encode(to);
            }
        }
    }

    fn decode(from: &mut Bytes<'_>) -> Result<Self, Malformed> {
        Ok(match from.take_tag()? {
            0 => {
                let (token, login) = (String::decode(from)?, Login::decode(from)?);
                Self::PinRefused { token, login, tries_left: TriesLeft::decode(from)? }
            }
            1 => {
                let (token, login) = (String::decode(from)?, Login::decode(from)?);
                Self::PinNotTried { token, login, tries_left: TriesLeft::decode(from)? }
            }
            2 => Self::TokenNotFound { token: String::decode(from)?, found: String::decode(from)? },
            3 => Self::AmbiguousToken { token: String::decode(from)?, serials: Vec::decode(from)? },
            4 => Self::TokenExists { token: String::decode(from)? },
            5 => Self::UnknownKey { key: KeyLabel::decode(from)? },
            6 => Self::AmbiguousKey { key: KeyLabel::decode(from)? },
            7 => Self::KeyExists { key: KeyLabel::decode(from)? },
            8 => Self::KeyUnfit { key: KeyLabel::decode(from)?, findings: Vec::decode(from)? },
            9 => Self::WrongInput { key: KeyLabel::decode(from)?, reason: String::decode(from)? },
            10 => Self::Call {
                attempted: String::decode(from)?,
                cause: String::decode(from)?,
                disposition: Disposition::decode(from)?,
            },
            11 => Self::WorkerGone { reason: String::decode(from)? },
            12 => Self::FactoryPassword { token: String::decode(from)? },
            13 => Self::SessionsFull { token: String::decode(from)? },
            14 => Self::WrapRights { token: String::decode(from)?, rights: String::decode(from)? },
            15 => Self::ModuleUnfit { module: String::decode(from)?, reason: String::decode(from)? },
            16 => {
                let (token, opened, wanted) = (String::decode(from)?, u64::decode(from)?, u64::decode(from)?);
                let count = |count| usize::try_from(count).unwrap_or(usize::MAX);
                Self::SessionLimit { token, opened: count(opened), wanted: count(wanted) }
            }
            _ => return Err(Malformed("an unknown error")),
        })
    }
}

fn put_one(to: &mut Vec<u8>, tag: u8, value: &impl Wire) {
    to.push(tag);
    value.encode(to);
}

fn put_two(to: &mut Vec<u8>, tag: u8, first: &impl Wire, second: &impl Wire) {
    put_one(to, tag, first);
    second.encode(to);
}

impl Wire for Login {
    fn encode(&self, to: &mut Vec<u8>) {
        to.push(match self {
            Self::User => 0,
            Self::SecurityOfficer => 1,
        });
    }

    fn decode(from: &mut Bytes<'_>) -> Result<Self, Malformed> {
        match from.take_tag()? {
            0 => Ok(Self::User),
            1 => Ok(Self::SecurityOfficer),
            _ => Err(Malformed("nobody who logs in")),
        }
    }
}

impl Wire for TriesLeft {
    fn encode(&self, to: &mut Vec<u8>) {
        to.push(match self {
            Self::Unknown => 0,
            Self::CountLow => 1,
            Self::FinalTry => 2,
            Self::Locked => 3,
        });
    }

    fn decode(from: &mut Bytes<'_>) -> Result<Self, Malformed> {
        match from.take_tag()? {
            0 => Ok(Self::Unknown),
            1 => Ok(Self::CountLow),
            2 => Ok(Self::FinalTry),
            3 => Ok(Self::Locked),
            _ => Err(Malformed("an unknown number of tries")),
        }
    }
}

impl Wire for Disposition {
    fn encode(&self, to: &mut Vec<u8>) {
        to.push(match self {
            Self::NotSent => 0,
            Self::Refused => 1,
            Self::OutcomeUnknown => 2,
            Self::Broken => 3,
        });
    }

    fn decode(from: &mut Bytes<'_>) -> Result<Self, Malformed> {
        match from.take_tag()? {
            0 => Ok(Self::NotSent),
            1 => Ok(Self::Refused),
            2 => Ok(Self::OutcomeUnknown),
            3 => Ok(Self::Broken),
            _ => Err(Malformed("an unknown disposition")),
        }
    }
}
