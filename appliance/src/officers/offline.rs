//! Consent to what changes a log while nothing serves: recovery, and another token.

use std::sync::OnceLock;

use appliance_wire::OfficerSignature;

use super::{Act, ToSign, agreed};
use crate::{clock::Moment, config::Profile, state::State};

/// How consent is given.
#[derive(Debug)]
pub struct Consent {
    profile: Profile,
    /// None where only the text is asked for.
    signatures: Option<Vec<String>>,
    to_sign: OnceLock<ToSign>,
}

impl Consent {
    /// By these signatures, in their armour; where there are none to be had, only the text is made.
    #[must_use]
    pub fn new(profile: Profile, signatures: Option<Vec<String>>) -> Self {
        Self { profile, signatures, to_sign: OnceLock::new() }
    }

    /// The text, where it was asked for and could be made.
    #[must_use]
    pub fn to_sign(&self) -> Option<&ToSign> {
        self.to_sign.get()
    }

    /// What was signed for an act, by officers of the policy of `state`. Nobody but they can do without them: only a
    /// policy without officers, in profile `development`, needs none.
    ///
    /// # Errors
    /// They are not enough, or only the text is wanted.
    pub fn to(&self, state: &State, act: &Act) -> Result<Vec<OfficerSignature>, String> {
        let policy = state.policy.as_deref().ok_or("the log has no policy")?;
        if policy.quorum.is_none() {
            let free = self.profile == Profile::Development && self.signatures.is_some();
            return if free { Ok(Vec::new()) } else { Err("the policy of this log has no officers".to_owned()) };
        }
        let now = jiff::Timestamp::now();
        let Some(signatures) = &self.signatures else {
            let _ = self.to_sign.set(act.to_sign(state, now)?);
            return Err("only the text was asked for".to_owned());
        };
        let moment = Moment { time: now, elapsed: state.elapsed, wall_trusted: true };
        agreed(state, act, signatures, moment).map_err(|refusal| refusal.problem.detail)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::policy::Policy;

    fn under(policy: &str, consent: &Consent) -> Result<Vec<OfficerSignature>, String> {
        let policy = Policy::parse(policy).unwrap_or_else(|mistakes| panic!("{mistakes}"));
        let state = State { policy: Some(Arc::new(policy)), ..State::default() };
        consent.to(&state, &Act::recover(7, "00", "drill"))
    }

    #[test]
    fn only_profile_development_does_without_officers() {
        let given = |profile| Consent::new(profile, Some(Vec::new()));
        assert_eq!(under("version = 1", &given(Profile::Development)), Ok(Vec::new()));
        assert!(under("version = 1", &given(Profile::Production)).unwrap_err().contains("has no officers"));
        // Where only the text is asked for nothing is done in any profile.
        assert!(under("version = 1", &Consent::new(Profile::Development, None)).is_err());
    }
}
