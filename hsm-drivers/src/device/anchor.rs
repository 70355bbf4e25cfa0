//! How devices keep an anchor: each writing is an object with a number of its own before the content, for where an
//! interruption leaves two. Knows nothing of what the content means.

use hsm_types::KeyLabel;

use crate::{Disposition, Error};

/// Label of the object. No policy can name a key so.
pub(crate) const ANCHOR: &str = "chancery-anchor";

/// The most bytes an anchor has.
pub const LONGEST_ANCHOR: usize = 256;

const NUMBER: usize = size_of::<u64>();

/// The anchors found in a device, each with where it is.
pub(crate) struct Generations<P> {
    found: Vec<(u64, P, Vec<u8>)>,
}

impl<P: Copy> Generations<P> {
    /// Of the values found, oldest first. Two of one number were made by two writers at once: for whoever reads them the
    /// same one is the newer, that with the greater content. The writer of the other does not find what it wrote.
    ///
    /// # Errors
    /// [`Error::KeyUnfit`] where one is no anchor.
    pub(crate) fn read(values: impl IntoIterator<Item = (P, Vec<u8>)>) -> Result<Self, Error> {
        let mut found = Vec::new();
        for (place, value) in values {
            let (number, content) = value
                .split_first_chunk::<NUMBER>()
                .filter(|(_, content)| content.len() <= LONGEST_ANCHOR)
                .ok_or_else(|| unfit(format!("an object of this label has {} bytes and is none", value.len())))?;
            found.push((u64::from_be_bytes(*number), place, content.to_vec()));
        }
        found.sort_by(|(one, _, content), (other, _, of_other)| (one, content).cmp(&(other, of_other)));
        Ok(Self { found })
    }

    /// What the newest says.
    pub(crate) fn newest(mut self) -> Option<Vec<u8>> {
        self.found.pop().map(|(_, _, content)| content)
    }

    /// Where the newest is, and where those are that an interruption left.
    pub(crate) fn places(&self) -> (Option<P>, impl Iterator<Item = P>) {
        let older = self.found.len().saturating_sub(1);
        (self.found.last().map(|(_, place, _)| *place), self.found.iter().take(older).map(|(_, place, _)| *place))
    }

    /// The number of the next.
    pub(crate) fn next(&self) -> u64 {
        self.found.last().map_or(1, |(number, _, _)| number.saturating_add(1))
    }
}

/// What is kept for the anchor of this number.
pub(crate) fn kept(number: u64, anchor: &[u8]) -> Vec<u8> {
    [&number.to_be_bytes()[..], anchor].concat()
}

/// Refuses an anchor that no reader would accept.
pub(crate) fn too_long(anchor: &[u8]) -> Result<(), Error> {
    if anchor.len() <= LONGEST_ANCHOR {
        return Ok(());
    }
    Err(Error::Call {
        attempted: "writing of the anchor".to_owned(),
        cause: format!("{} bytes are more than {LONGEST_ANCHOR}", anchor.len()),
        disposition: Disposition::NotSent,
    })
}

fn unfit(finding: String) -> Error {
    match ANCHOR.parse::<KeyLabel>() {
        Ok(key) => Error::KeyUnfit { key, findings: vec![finding] },
        Err(error) => Error::Call {
            attempted: "reading of the anchor".to_owned(),
            cause: error.to_string(),
            disposition: Disposition::Refused,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newer_of_two_counts_and_is_followed() {
        let found = Generations::read([('a', kept(8, b"new")), ('b', kept(7, b"old"))]).unwrap();
        assert_eq!(found.next(), 9);
        let (newest, older) = found.places();
        assert_eq!((newest, older.collect::<Vec<_>>()), (Some('a'), vec!['b']));
        assert_eq!(found.newest().unwrap(), b"new");
        let none = Generations::<char>::read([]).unwrap();
        assert_eq!((none.next(), none.newest()), (1, None));
    }

    #[test]
    fn of_two_with_one_number_every_reader_takes_the_same() {
        let mut two = [('a', kept(7, b"open 12")), ('b', kept(7, b"open 13"))];
        for _ in 0..2 {
            let found = Generations::read(two.clone()).unwrap();
            let (newest, older) = found.places();
            assert_eq!((newest, older.collect::<Vec<_>>(), found.next()), (Some('b'), vec!['a'], 8));
            assert_eq!(found.newest().unwrap(), b"open 13");
            two.reverse();
        }
    }

    #[test]
    fn what_is_no_anchor_is_refused() {
        assert!(Generations::read([('a', vec![0; NUMBER - 1])]).is_err());
        assert!(Generations::read([('a', vec![0; NUMBER + LONGEST_ANCHOR + 1])]).is_err());
        assert!(too_long(&[0; LONGEST_ANCHOR + 1]).is_err() && too_long(&[0; LONGEST_ANCHOR]).is_ok());
    }
}
