//! What the service manager hears while the appliance serves. Knows nothing of how it is told.

use std::sync::Arc;

use service_manager::ServiceManager;
use tokio::select;
use tokio_util::sync::CancellationToken;

use crate::operations::Operations;

/// Says that it serves, and then each change of how it stands, until `stop`.
pub(crate) async fn keep_telling(manager: Arc<ServiceManager>, operations: Arc<Operations>, stop: CancellationToken) {
    select! {
        biased;
        () = stop.cancelled() => {}
        () = manager.keep_telling(|| operations.in_a_sentence()) => {}
    }
}

/// Says that the runtime turns and the log's writer answers. Nothing else counts: another start mends neither a token
/// that is down nor a log that cannot be written, and every limit would be charged for it.
pub(crate) async fn keep_alive(manager: Arc<ServiceManager>, operations: Arc<Operations>) {
    manager.keep_alive(|| operations.is_answered()).await;
}
