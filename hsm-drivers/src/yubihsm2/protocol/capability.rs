//! Capabilities: what an object may do, or may have done to it; delegated ones bound what is created through it.

use std::{fmt, ops, str::FromStr};

/// A set of capabilities, as the device writes it.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct Capabilities(pub u64);

/// A word that names no capability.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("\"{word}\" is no capability of a YubiHSM 2: write names like sign-ecdsa, with commas between")]
pub struct NotACapability {
    /// The word.
    pub word: String,
}

macro_rules! capabilities {
    ($($constant:ident = $bit:literal $name:literal,)*) => {
        impl Capabilities {
            $(#[doc = concat!("`", $name, "`")] pub const $constant: Self = Self(1 << $bit);)*

            /// Every capability with its name, by ascending bit.
            pub const NAMED: &'static [(Self, &'static str)] = &[$((Self::$constant, $name),)*];
        }
    };
}

capabilities! {
    GET_OPAQUE = 0 "get-opaque",
    PUT_OPAQUE = 1 "put-opaque",
    PUT_AUTHENTICATION_KEY = 2 "put-authentication-key",
    PUT_ASYMMETRIC_KEY = 3 "put-asymmetric-key",
    GENERATE_ASYMMETRIC_KEY = 4 "generate-asymmetric-key",
    SIGN_PKCS = 5 "sign-pkcs",
    SIGN_PSS = 6 "sign-pss",
    SIGN_ECDSA = 7 "sign-ecdsa",
    SIGN_EDDSA = 8 "sign-eddsa",
    DECRYPT_PKCS = 9 "decrypt-pkcs",
    DECRYPT_OAEP = 10 "decrypt-oaep",
    DERIVE_ECDH = 11 "derive-ecdh",
    EXPORT_WRAPPED = 12 "export-wrapped",
    IMPORT_WRAPPED = 13 "import-wrapped",
    PUT_WRAP_KEY = 14 "put-wrap-key",
    GENERATE_WRAP_KEY = 15 "generate-wrap-key",
    EXPORTABLE_UNDER_WRAP = 16 "exportable-under-wrap",
    SET_OPTION = 17 "set-option",
    GET_OPTION = 18 "get-option",
    GET_PSEUDO_RANDOM = 19 "get-pseudo-random",
    PUT_HMAC_KEY = 20 "put-hmac-key",
    GENERATE_HMAC_KEY = 21 "generate-hmac-key",
    SIGN_HMAC = 22 "sign-hmac",
    VERIFY_HMAC = 23 "verify-hmac",
    GET_LOG_ENTRIES = 24 "get-log-entries",
    SIGN_SSH_CERTIFICATE = 25 "sign-ssh-certificate",
    GET_TEMPLATE = 26 "get-template",
    PUT_TEMPLATE = 27 "put-template",
    RESET_DEVICE = 28 "reset-device",
    DECRYPT_OTP = 29 "decrypt-otp",
    CREATE_OTP_AEAD = 30 "create-otp-aead",
    RANDOMIZE_OTP_AEAD = 31 "randomize-otp-aead",
    REWRAP_FROM_OTP_AEAD_KEY = 32 "rewrap-from-otp-aead-key",
    REWRAP_TO_OTP_AEAD_KEY = 33 "rewrap-to-otp-aead-key",
    SIGN_ATTESTATION_CERTIFICATE = 34 "sign-attestation-certificate",
    PUT_OTP_AEAD_KEY = 35 "put-otp-aead-key",
    GENERATE_OTP_AEAD_KEY = 36 "generate-otp-aead-key",
    WRAP_DATA = 37 "wrap-data",
    UNWRAP_DATA = 38 "unwrap-data",
    DELETE_OPAQUE = 39 "delete-opaque",
    DELETE_AUTHENTICATION_KEY = 40 "delete-authentication-key",
    DELETE_ASYMMETRIC_KEY = 41 "delete-asymmetric-key",
    DELETE_WRAP_KEY = 42 "delete-wrap-key",
    DELETE_HMAC_KEY = 43 "delete-hmac-key",
    DELETE_TEMPLATE = 44 "delete-template",
    DELETE_OTP_AEAD_KEY = 45 "delete-otp-aead-key",
    CHANGE_AUTHENTICATION_KEY = 46 "change-authentication-key",
    PUT_SYMMETRIC_KEY = 47 "put-symmetric-key",
    GENERATE_SYMMETRIC_KEY = 48 "generate-symmetric-key",
    DELETE_SYMMETRIC_KEY = 49 "delete-symmetric-key",
    DECRYPT_ECB = 50 "decrypt-ecb",
    ENCRYPT_ECB = 51 "encrypt-ecb",
    DECRYPT_CBC = 52 "decrypt-cbc",
    ENCRYPT_CBC = 53 "encrypt-cbc",
    PUT_PUBLIC_WRAP_KEY = 54 "put-public-wrap-key",
    DELETE_PUBLIC_WRAP_KEY = 55 "delete-public-wrap-key",
}

impl Capabilities {
    /// No capability.
    pub const NONE: Self = Self(0);

    /// Every capability that has a name.
    pub const ALL: Self = Self((1 << 56) - 1);

    /// Whether all of `other` are in this set.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether there is one in both.
    #[must_use]
    pub const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Those of this set that are not in `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Their names, by ascending bit, as Yubico writes them; a bit without a name as a number.
    #[must_use]
    pub fn names(self) -> Vec<String> {
        self.iter().map(|one| one.to_string()).collect()
    }

    /// The set of these names.
    ///
    /// # Errors
    /// The first that names no capability.
    pub fn from_names<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self, NotACapability> {
        names.into_iter().try_fold(Self::NONE, |set, word| {
            let named = Self::NAMED.iter().find(|(_, name)| *name == word);
            named.map(|(one, _)| set | *one).ok_or_else(|| NotACapability { word: word.to_owned() })
        })
    }

    /// Each on its own, by ascending bit, those without a name too.
    pub fn iter(self) -> impl Iterator<Item = Self> {
        (0..64).map(|bit| Self(1 << bit)).filter(move |one| self.contains(*one))
    }
}

impl ops::BitOr for Capabilities {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// Their names with commas between; a bit without a name as a number.
impl fmt::Display for Capabilities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, one) in self.iter().enumerate() {
            f.write_str(if position == 0 { "" } else { "," })?;
            match Self::NAMED.iter().find(|(named, _)| *named == one) {
                Some((_, name)) => f.write_str(name)?,
                None => write!(f, "{:#x}", one.0)?,
            }
        }
        Ok(())
    }
}

/// Names with commas between. The empty text is the empty set.
impl FromStr for Capabilities {
    type Err = NotACapability;

    fn from_str(text: &str) -> Result<Self, NotACapability> {
        Self::from_names(text.split(',').map(str::trim).filter(|word| !word.is_empty()))
    }
}
