//! What a manager hears of a program that serves, for as long as these are polled: how it stands, and that it lives.

use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::ServiceManager;

const LOOK_EVERY: Duration = Duration::from_secs(1);

impl ServiceManager {
    /// Says that it serves, and then each change of how it stands. It ends by being dropped.
    pub async fn keep_telling(&self, standing: impl Fn() -> String) {
        let mut told = standing();
        self.ready(&told);
        loop {
            sleep(LOOK_EVERY).await;
            let now = standing();
            if now != told {
                self.status(&now);
                told = now;
            }
        }
    }

    /// Where there is a watchdog, asks twice within its time whether it lives, and says so. It ends by being dropped.
    pub async fn keep_alive<L: Future<Output = bool>>(&self, lives: impl Fn() -> L) {
        let Some(watchdog) = self.watchdog() else { return };
        let mut due = interval(watchdog / 2);
        // An answer that was late is not to be followed by a long pause.
        due.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            due.tick().await;
            if lives().await {
                self.alive();
            }
        }
    }
}
