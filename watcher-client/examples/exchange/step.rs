//! What is told: a line for each step, with how long it took. And how a step waits.

use std::{
    error::Error,
    time::{Duration, Instant},
};

use super::{Result, ensure};

/// Far more than any step takes on a machine that has other work.
const PATIENCE: Duration = Duration::from_secs(60);
const BETWEEN_LOOKS: Duration = Duration::from_millis(25);

/// A step that goes on.
pub(crate) struct Step(Instant);

impl Step {
    pub(crate) fn begin() -> Self {
        Self(Instant::now())
    }

    /// Says what happened, and begins the next.
    pub(crate) fn done(&self, what: impl AsRef<str>) -> Self {
        println!("{:>5} ms  {}", self.0.elapsed().as_millis(), what.as_ref());
        Self::begin()
    }
}

/// A headline.
pub(crate) fn part(title: &str) {
    println!("\n          {title}");
}

/// What a look gives, as soon as it gives something.
pub(crate) async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Result<Option<T>>) -> Result<T> {
    let begun = Instant::now();
    loop {
        if let Some(found) = look().await? {
            return Ok(found);
        }
        ensure(begun.elapsed() < PATIENCE, || format!("after {} s it is not so that {what}", PATIENCE.as_secs()))?;
        tokio::time::sleep(BETWEEN_LOOKS).await;
    }
}

/// An error with what the daemon says about it.
pub(crate) fn explained(error: Box<dyn Error>, why: Option<String>) -> Box<dyn Error> {
    match why {
        Some(why) => format!("{error}: {why}").into(),
        None => error,
    }
}
