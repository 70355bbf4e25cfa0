//! What a login came to, in words: who logged in, what the token says of further tries, and what a person does about it.

/// Who logs in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Login {
    /// Who uses keys: the user PIN, or the password of an authentication key.
    User,
    /// Who makes tokens and sets the user PIN: the SO PIN.
    SecurityOfficer,
}

/// How many tries of the PIN are left, as far as the flags of `CK_TOKEN_INFO` tell.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TriesLeft {
    /// No flag is set, or the device has no such counter.
    Unknown,
    /// `CKF_USER_PIN_COUNT_LOW`: a wrong PIN was entered since the last right one.
    CountLow,
    /// `CKF_USER_PIN_FINAL_TRY`: one more wrong PIN locks the token.
    FinalTry,
    /// `CKF_USER_PIN_LOCKED`.
    Locked,
}

impl TriesLeft {
    /// Completes the sentence "the token ...".
    pub(super) fn in_words(self) -> &'static str {
        match self {
            Self::Unknown => "does not tell how many tries are left",
            Self::CountLow => "says that fewer tries are left than at first, not how many",
            Self::FinalTry => "says that one try is left: another wrong PIN locks it",
            Self::Locked => "is locked, no try is left",
        }
    }

    /// What a person does about it. Whom the officer's own PIN locks out, no officer helps (PKCS #11 v2.40, 5.5).
    pub(super) fn remedy(self, login: Login) -> &'static str {
        match (login, self) {
            (Login::User, Self::Unknown | Self::CountLow) => {
                "put the right PIN where the configuration says, then start again"
            }
            (Login::User, Self::FinalTry) => {
                "have the security officer set the PIN anew, or log in once by hand with the right one"
            }
            (Login::User, Self::Locked) => "have the security officer set the PIN anew",
            (Login::SecurityOfficer, Self::Unknown | Self::CountLow) => "find the right SO PIN, then run this again",
            (Login::SecurityOfficer, Self::FinalTry) => {
                "be sure of the SO PIN, and log in once by hand with it: where it is locked, nobody can set PINs or make \
                 tokens any more but by the maker's reset, which destroys every key"
            }
            (Login::SecurityOfficer, Self::Locked) => {
                "the user PIN and the keys still work; the SO PIN itself comes back only with the maker's reset, which \
                 destroys every key: move them to another token first"
            }
        }
    }
}
