//! A question about a token and the report on it, between parent and child, field by field.

use super::{Bytes, Malformed, Wire};
use crate::probe::{
    Curve, Finding, KeyFacts, Level, Mechanism, Pkcs11Facts, Question, Rate, Report, Sessions, Signing, Support,
    TokenFacts, YubihsmFacts,
};

/// A struct as its fields, in this order.
macro_rules! wire_fields {
    ($($name:ident { $($field:ident),* $(,)? })*) => {$(
        impl Wire for $name {
            fn encode(&self, to: &mut Vec<u8>) {
                $(self.$field.encode(to);)*
            }

            fn decode(from: &mut Bytes<'_>) -> Result<Self, Malformed> {
                Ok(Self { $($field: Wire::decode(from)?),* })
            }
        }
    )*};
}

wire_fields! {
    Question { key, inputs, signatures, shared }
    Report { device, pkcs11, yubihsm, curves, keys, other_keys, sessions, signing, findings }
    Finding { level, what, advice }
    Pkcs11Facts {
        cryptoki_version, library_manufacturer, library_description, library_version, token, mechanism_count, mechanisms,
    }
    TokenFacts {
        pin_tries, pin_initialized, login_required, protected_authentication_path, write_protected, most_sessions,
        open_sessions,
    }
    Mechanism { name, min_key_size, max_key_size, hardware, signs, generates, wraps }
    YubihsmFacts {
        algorithms, log_used, log_capacity, unlogged, force_audit, audited, audited_for_ever, authentication_key, domains,
        capabilities, delegated_capabilities, has_key_1,
    }
    Curve { name, support }
    KeyFacts { label, algorithm, public_key, protection, point_form, params_form, unfit }
    Sessions { opened, refusal }
    Signing { algorithm, signatures, made, high_s, p50_us, p99_us, rates }
    Rate { sessions, per_second }
}

impl Wire for Level {
    fn encode(&self, to: &mut Vec<u8>) {
        to.push(match self {
            Self::Works => 0,
            Self::Odd => 1,
            Self::Wrong => 2,
        });
    }

    fn decode(from: &mut Bytes<'_>) -> Result<Self, Malformed> {
        match from.take_tag()? {
            0 => Ok(Self::Works),
            1 => Ok(Self::Odd),
            2 => Ok(Self::Wrong),
            _ => Err(Malformed("an unknown level")),
        }
    }
}

impl Wire for Support {
    fn encode(&self, to: &mut Vec<u8>) {
        to.push(match self {
            Self::Used => 0,
            Self::Named => 1,
            Self::Possible => 2,
            Self::Absent => 3,
        });
    }

    fn decode(from: &mut Bytes<'_>) -> Result<Self, Malformed> {
        match from.take_tag()? {
            0 => Ok(Self::Used),
            1 => Ok(Self::Named),
            2 => Ok(Self::Possible),
            3 => Ok(Self::Absent),
            _ => Err(Malformed("an unknown support")),
        }
    }
}
