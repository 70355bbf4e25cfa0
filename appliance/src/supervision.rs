//! What the service manager hears while the appliance serves: how it stands, and that it lives. Knows nothing of how it
//! is told.

use std::{sync::Arc, time::Duration};

use service_manager::ServiceManager;
use tokio::{
    select,
    time::{MissedTickBehavior, interval, sleep},
};
use tokio_util::sync::CancellationToken;

use crate::operations::Operations;

const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Says that it serves, and then each change of how it stands, until `stop`.
pub(crate) async fn keep_telling(manager: Arc<ServiceManager>, operations: Arc<Operations>, stop: CancellationToken) {
    if stop.is_cancelled() {
        return;
    }
    let mut told = operations.in_a_sentence();
    manager.ready(&told);
    loop {
        select! { () = stop.cancelled() => return, () = sleep(LOOK_EVERY) => {} }
        let now = operations.in_a_sentence();
        if now != told {
            manager.status(&now);
            told = now;
        }
    }
}

/// Where there is a watchdog, says twice within its time that the runtime turns and the log's writer answers. Nothing
/// else counts: another start mends neither a token that is down nor a log that cannot be written, and every limit would
/// be charged for it.
pub(crate) async fn keep_alive(manager: Arc<ServiceManager>, operations: Arc<Operations>) {
    let Some(watchdog) = manager.watchdog() else { return };
    let mut due = interval(watchdog / 2);
    // An answer that was late is not to be followed by a long pause.
    due.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        due.tick().await;
        if operations.is_answered().await {
            manager.alive();
        }
    }
}
