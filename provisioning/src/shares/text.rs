//! A share as its custodian writes it down: bech32m (BIP 350), in groups of four.

use bech32::{
    Bech32m, Hrp,
    primitives::decode::{CheckedHrpstring, UncheckedHrpstring},
};
use zeroize::Zeroizing;

use super::{BadShare, Share, SplitId};

const HRP: Hrp = Hrp::parse_unchecked("chancery");
const VERSION: u8 = 1;
/// Version, id, threshold, index, value.
const BYTES: usize = 1 + 8 + 1 + 1 + 32;
const GROUP: usize = 4;
const GROUPS_IN_A_LINE: usize = 6;

impl Share {
    /// The text, without spaces.
    #[must_use]
    pub fn text(&self) -> Zeroizing<String> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(BYTES));
        bytes.push(VERSION);
        bytes.extend_from_slice(&self.id.0);
        bytes.extend_from_slice(&[self.threshold, self.index]);
        bytes.extend_from_slice(&self.value[..]);
        // It cannot fail: the code carries ten times as much.
        Zeroizing::new(bech32::encode::<Bech32m>(HRP, &bytes).unwrap_or_default())
    }

    /// Reads what a custodian typed: spaces, dashes and line ends count for nothing.
    ///
    /// # Errors
    /// [`BadShare::Form`] and [`BadShare::Checksum`].
    pub fn parse(text: &str) -> Result<Self, BadShare> {
        let close = |c: &char| !c.is_whitespace() && *c != '-';
        let text: Zeroizing<String> = Zeroizing::new(text.chars().filter(close).collect());
        let form = BadShare::Form;
        let unchecked = UncheckedHrpstring::new(&text)
            .map_err(|_| form("it does not begin with chancery1, or has other characters"))?;
        if unchecked.hrp() != HRP {
            return Err(form("it does not begin with chancery1"));
        }
        unchecked.validate_checksum::<Bech32m>().map_err(|_| BadShare::Checksum)?;
        let checked: CheckedHrpstring<'_> = unchecked.remove_checksum::<Bech32m>();
        let bytes: Zeroizing<Vec<u8>> = Zeroizing::new(checked.byte_iter().collect());
        let (version, rest) = bytes.split_first().ok_or(form("it is empty"))?;
        let rest: &[u8; BYTES - 1] = rest.try_into().map_err(|_| form("it is not as long as one"))?;
        if *version != VERSION {
            return Err(form("it is of a version that is not known here"));
        }
        let (id, rest) = rest.split_first_chunk::<8>().ok_or(form("it is not as long as one"))?;
        let [threshold, index, value @ ..] = rest else { return Err(form("it is not as long as one")) };
        if *threshold < 2 || *index == 0 {
            return Err(form("its numbers cannot be"));
        }
        let value = Zeroizing::new(value.try_into().map_err(|_| form("it is not as long as one"))?);
        Ok(Self { id: SplitId(*id), threshold: *threshold, index: *index, value })
    }
}

/// The text in groups of four, six in a line, as it is shown and written down.
#[must_use]
pub fn grouped(text: &str) -> Zeroizing<String> {
    let mut shown = Zeroizing::new(String::with_capacity(text.len() * 2));
    for (position, character) in text.chars().enumerate() {
        if position > 0 && position % (GROUP * GROUPS_IN_A_LINE) == 0 {
            shown.push('\n');
        } else if position > 0 && position % GROUP == 0 {
            shown.push(' ');
        }
        shown.push(character);
    }
    shown
}
