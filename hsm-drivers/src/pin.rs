//! PINs and passwords.

use std::fmt;

use zeroize::Zeroizing;

/// The user PIN or SO PIN of a token, or the password of a YubiHSM authentication key. Wiped when dropped.
///
/// It cannot be printed, cloned or compared; nothing outside this crate reads it.
pub struct Pin(Zeroizing<String>);

impl Pin {
    /// Takes the text over; a copy the caller keeps is the caller's to wipe.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pin(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_does_not_print() {
        assert_eq!(format!("{:?}", Pin::new("1234".to_owned())), "Pin(..)");
    }
}
