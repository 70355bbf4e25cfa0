//! Officers who must agree: whom rules and limits ask for, and whether they have.

use appliance_wire::{self as wire, ProblemCode, Wanted};

use crate::{policy::Approvers, refusal::Refusal};

/// What officers have agreed to of a request that waited.
#[derive(Clone, Copy, Debug)]
pub struct Approval<'a> {
    /// Index of the entry that waited.
    pub pending: u64,
    /// Service time since which it waited; none once it was accepted, for then the delay is over.
    pub since: Option<u64>,
    /// The officers who agreed.
    pub officers: &'a [String],
}

/// Who is asked for, and by what.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'p> {
    /// The rule or limit, as denials name them.
    pub(super) because: Because<'p>,
    pub(super) approvers: &'p Approvers,
}

/// What asks for officers.
#[derive(Clone, Copy, Debug)]
pub(super) enum Because<'p> {
    Rule(&'p str),
    Limit(&'p str),
}

impl std::fmt::Display for Because<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Rule(name) => write!(f, "rule \"{name}\""),
            Self::Limit(name) => write!(f, "limit \"{name}\" is spent"),
        }
    }
}

impl<'a> Approval<'a> {
    /// That of an acceptance: it waited long enough then.
    #[must_use]
    pub fn given(approval: &'a wire::Approval) -> Self {
        Self { pending: approval.pending, since: None, officers: &approval.officers }
    }

    /// Whether enough of them agreed, and it waited long enough.
    fn meets(&self, approvers: &Approvers, now: u64) -> bool {
        let agreed = approvers.of.iter().filter(|name| self.officers.contains(name)).count() as u64;
        let waited = self.since.is_none_or(|since| now >= since.saturating_add(approvers.delay_ms));
        agreed >= approvers.approve && waited
    }
}

/// Who must agree before a request may be signed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Wants {
    /// All of these.
    pub wanted: Vec<Wanted>,
    /// How long they have, in milliseconds of wall time: as long as the most impatient of them.
    pub expires_ms: u64,
}

/// What of all that is asked for is not met yet.
pub(super) fn unmet(asked: &[Asked<'_>], approval: Option<Approval<'_>>, now: u64) -> Option<Wants> {
    let is_met = |asked: &&Asked<'_>| approval.is_some_and(|approval| approval.meets(asked.approvers, now));
    if asked.iter().all(|asked| is_met(&asked)) {
        return None;
    }
    let wanted = asked.iter().map(|asked| Wanted {
        because: asked.because.to_string(),
        approve: asked.approvers.approve,
        of: asked.approvers.of.clone(),
    });
    Some(Wants {
        wanted: wanted.collect(),
        expires_ms: asked.iter().map(|asked| asked.approvers.expires_ms).min().unwrap_or_default(),
    })
}

/// Approvals run on wall time: while that cannot be trusted, none begins.
pub(super) fn clock_untrusted() -> Refusal {
    let detail = "it needs officers' approval, whose time is judged by the wall clock, and that stepped by more than a \
                  minute: have officers accept it (`chancery clock`)";
    Refusal::new(ProblemCode::Denied, detail).rule("clock")
}
