//! What a contract is told: nothing, an ERC-20 `transfer`, or something else.

use super::Call;
use crate::Amount;

/// `transfer(address,uint256)` (ERC-20).
const TRANSFER: [u8; 4] = [0xa9, 0x05, 0x9c, 0xbb];

/// A `transfer` with other than 68 bytes, with padding that is not zero or with wei sent along is no transfer here: it
/// is what contracts disagree on.
pub(super) fn read(data: &[u8], value: Amount) -> Call {
    if data.is_empty() {
        return Call::None;
    }
    let transfer = if value == Amount::ZERO { transfer(data) } else { None };
    transfer.unwrap_or_else(|| Call::Other { data: data.to_vec() })
}

fn transfer(data: &[u8]) -> Option<Call> {
    let rest = data.strip_prefix(&TRANSFER)?.strip_prefix(&[0; 12])?;
    let (recipient, amount) = rest.split_first_chunk::<20>()?;
    let amount = Amount::from_be_bytes(amount.try_into().ok()?);
    Some(Call::Erc20Transfer { recipient: *recipient, amount })
}
