//! How the commands end that change a log while nothing serves.

use super::{Failure, acts::Officers, serve::runtime};
use crate::{audit::RebuildError, config::Config, error_chain::chain, officers::Consent, recovery::RecoveryError};

/// Runs what opens tokens; nothing of theirs is left behind.
pub(super) fn run_to_end<T>(work: impl Future<Output = T>) -> Result<T, Failure> {
    let runtime = runtime()?;
    let done = runtime.block_on(work);
    runtime.shutdown_background();
    Ok(done)
}

/// What officers signed, or nothing where only the text is wanted.
pub(super) fn consent(config: &Config, officers: &Officers) -> Result<Consent, Failure> {
    let signatures = if officers.text { None } else { Some(officers.signatures()?) };
    Ok(Consent::new(config.profile, signatures))
}

/// Exit status 3 where a copy is not valid, 78 where a restart cannot mend it.
pub(super) fn failure(error: &RecoveryError) -> Failure {
    let message = chain(error);
    match error {
        RecoveryError::Copy(RebuildError::NotValid(_)) => Failure::not_valid(message),
        RecoveryError::Serve(serve) if serve.is_final() => Failure::fatal(message),
        RecoveryError::Serve(_)
        | RecoveryError::Copy(RebuildError::Failed(_))
        | RecoveryError::Refused(_)
        | RecoveryError::Unanchored { .. } => Failure::failed(message),
    }
}
