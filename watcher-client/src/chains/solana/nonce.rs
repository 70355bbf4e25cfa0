//! What a nonce account holds. Knows no node.

use super::Address;

/// The nonce to be used next, and who may use it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Nonce {
    /// Who signs for it.
    pub authority: Address,
    /// What stands for the blockhash.
    pub value: [u8; 32],
}

/// `Versions::Current`: only it can be used, as earlier accounts could be mistaken for blockhashes.
const CURRENT: [u8; 4] = 1u32.to_le_bytes();
/// `State::Initialized`.
const INITIALIZED: [u8; 4] = 1u32.to_le_bytes();
/// Version, state, authority, nonce, and the fee of the time it was stored, which nobody reads any more.
const LENGTH: usize = 4 + 4 + 32 + 32 + 8;

impl Nonce {
    /// Reads the data of a nonce account: `Versions` of the crate `solana-nonce` in bincode.
    ///
    /// # Errors
    /// What it is instead.
    pub fn read(data: &[u8]) -> Result<Self, &'static str> {
        if data.len() != LENGTH {
            return Err("it is no nonce account");
        }
        let part = |from: usize| data.get(from..).and_then(<[u8]>::first_chunk::<32>).copied();
        let (Some(authority), Some(value)) = (part(8), part(40)) else { return Err("it is no nonce account") };
        match (data.get(..4), data.get(4..8)) {
            (Some(version), Some(state)) if version == CURRENT && state == INITIALIZED => {
                Ok(Self { authority: Address(authority), value })
            }
            (Some(version), _) if version == CURRENT => Err("it is not initialised"),
            _ => Err("it is of an old version; upgrade it with `solana upgrade-nonce-account`"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of LiteSVM 0.29 (`solders`), after `create_nonce_account` with authority 01..01; the nonce is as it came.
    const DATA: &str = "010000000100000001010101010101010101010101010101010101010101010101010101010101014a18e975f0f2004e108861bd18a11a2271f32977fc279db6f33ec80a0b60c8e08813000000000000";

    #[test]
    fn a_nonce_account_is_read_as_the_runtime_wrote_it() {
        let nonce = Nonce::read(&hex::decode(DATA).unwrap()).unwrap();
        assert_eq!(nonce.authority, Address([1; 32]));
        assert_eq!(hex::encode(nonce.value), "4a18e975f0f2004e108861bd18a11a2271f32977fc279db6f33ec80a0b60c8e0");
    }

    #[test]
    fn another_account_an_old_and_an_empty_one_are_refused() {
        let good = hex::decode(DATA).unwrap();
        let with = |place: usize, byte: u8| {
            let mut data = good.clone();
            data[place] = byte;
            Nonce::read(&data).unwrap_err()
        };
        assert!(with(0, 0).contains("old version"));
        assert!(with(0, 2).contains("old version"));
        assert!(with(4, 0).contains("not initialised"));
        for other in [&good[..79], &[&good[..], &[0]].concat(), &[]] {
            assert!(Nonce::read(other).unwrap_err().contains("no nonce account"));
        }
    }
}
