//! What is looked at when somebody asks: values as they are now.

use jiff::Timestamp;

/// What an operator should know first.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ApplianceState {
    /// Every key of the policy can be signed with, as far as is known without trying.
    Operational,
    /// Somebody froze everything.
    Frozen,
    /// The log cannot be used, or a key of the policy is in no token that is up.
    Failed,
}

impl ApplianceState {
    pub(super) const ALL: [Self; 3] = [Self::Operational, Self::Frozen, Self::Failed];

    /// The word.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Operational => "operational",
            Self::Frozen => "frozen",
            Self::Failed => "failed",
        }
    }
}

/// Everything that is measured and not counted.
#[derive(Clone, Debug)]
pub struct Readings {
    /// How it is.
    pub state: ApplianceState,
    /// When this process began.
    pub started: Timestamp,
    /// Version of the policy in force.
    pub policy_version: u64,
    /// Freezes in force.
    pub freezes: usize,
    /// Keys of the policy that no token can sign with now.
    pub keys_unavailable: usize,
    /// Each token by name, and whether it is up.
    pub tokens: Vec<(String, bool)>,
    /// The audit log.
    pub log: LogReading,
    /// Where a mirror is configured: whether it is written, and how many bytes it does not hold yet.
    pub mirror: Option<(bool, u64)>,
    /// Bytes free on the disk of the log.
    pub disk_free_bytes: u64,
    /// Whether the ballast file is there.
    pub ballast_kept: bool,
    /// Those who vouch for the log.
    pub witnesses: Vec<WitnessReading>,
    /// The files of the watcher listener, with their ends.
    pub certificates: Vec<(&'static str, Timestamp)>,
    /// The earliest end of each watcher's certificates.
    pub client_certificates: Vec<(String, Timestamp)>,
    /// Whether changed files were refused.
    pub certificates_not_reloaded: bool,
    /// Lines of the program's log that nobody read in time, since the start.
    pub log_lines_lost: u64,
    /// What the log's state says; none where it gave no answer in time, then what it said before stays.
    pub waiting: Option<WaitingReading>,
}

/// The audit log, and what vouches for it.
#[derive(Clone, Copy, Debug, Default)]
pub struct LogReading {
    /// Entries.
    pub size: u64,
    /// Entries checked since the start.
    pub checked: u64,
    /// Whether all that were are as they must be.
    pub is_whole: bool,
    /// Whether it can be written.
    pub is_writable: bool,
    /// Entries the newest checkpoint covers.
    pub checkpoint_size: u64,
    /// When that was made.
    pub checkpoint_at: Option<Timestamp>,
    /// When the anchor in the token was written last by this process.
    pub anchor_at: Option<Timestamp>,
    /// Whether there is anything beyond the anchor that is worth a writing.
    pub anchor_is_behind: bool,
}

/// A witness.
#[derive(Clone, Debug)]
pub struct WitnessReading {
    /// Its name in the config.
    pub name: String,
    /// Entries it vouched for, 0 where it never did.
    pub size: u64,
    /// When, in seconds since 1970, 0 where it never did.
    pub timestamp: u64,
}

/// What waits, and what is left to spend.
#[derive(Clone, Debug, Default)]
pub struct WaitingReading {
    /// Accepted requests not signed yet.
    pub open_requests: usize,
    /// Requests that wait for officers.
    pub pending_requests: usize,
    /// Since how many seconds the oldest of them waits.
    pub oldest_pending_s: u64,
    /// Policies that wait to come into force.
    pub policies: usize,
    /// Whether the wall clock stepped and is not trusted.
    pub wall_clock_stepped: bool,
    /// The limits of the policy.
    pub limits: Vec<LimitReading>,
}

/// A limit, for one key or watcher where it has a sum for each. Limits per destination are never here.
#[derive(Clone, Debug, PartialEq)]
pub struct LimitReading {
    /// Its name.
    pub limit: String,
    /// The key or watcher it is of; empty where it has one sum for all.
    pub scope: String,
    /// Its asset, or `signatures`.
    pub asset: String,
    /// The most, in main units of the asset.
    pub max: f64,
    /// What is left, likewise.
    pub remaining: f64,
    /// Length of its window in seconds; none where it holds for ever.
    pub window_s: Option<u64>,
}
