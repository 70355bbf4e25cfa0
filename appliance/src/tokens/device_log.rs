//! The log a device keeps by itself: emptied into ours before it is full, for then the device refuses to work.
//!
//! Its room is handed out before the device is asked: every request takes as many entries as it can make, and gets them
//! back once they were read, recorded and acknowledged. So no request ever finds the log full, however many come at once.

use std::{
    collections::BTreeMap,
    sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, mpsc},
    time::Duration,
};

use appliance_wire::Scope;
use hsm_drivers::{
    DeviceLogEntry, DeviceLogPage, Error,
    worker::{Request, Response, Worker},
};
use hsm_types::KeyLabel;
use tokio::sync::Semaphore;

use crate::{
    audit::{DeviceLogReading, DeviceLogRecorder},
    freezes::Freezes,
    metrics::Metrics,
};

/// Who records what devices say, once the log can be written.
pub(super) type Accountant = OnceLock<Bookkeeping>;

/// What an accountant needs.
#[derive(Debug)]
pub(super) struct Bookkeeping {
    pub(super) recorder: DeviceLogRecorder,
    pub(super) freezes: Arc<Freezes>,
    pub(super) metrics: Arc<Metrics>,
}

/// The log of one open device.
#[derive(Debug)]
pub(super) struct DeviceLog {
    /// Entries that may still be made.
    room: Semaphore,
    sent: Mutex<Sent>,
    wanted: Condvar,
    /// One reader at a time: what it read is acknowledged before the next one reads.
    reading: Mutex<()>,
    keys: Mutex<BTreeMap<KeyLabel, u16>>,
}

/// What the device was sent since it was opened.
#[derive(Debug, Default)]
struct Sent {
    entries: u32,
    /// Of these, how many it has forgotten again.
    forgotten: u32,
    own: BTreeMap<KeyLabel, u64>,
    wanted: bool,
    closed: bool,
}

/// Entries handed out. The device holds 62; the rest is for what the reading itself and others' sessions leave there.
const ROOM: u32 = 40;
/// With no more than this left the log is read.
const LOW: usize = 20;
/// Also without need: somebody else may be signing.
const READ_EVERY: Duration = Duration::from_secs(60);
const ROOM_WITHIN: Duration = Duration::from_secs(8);
const CALL_WITHIN: Duration = Duration::from_secs(20);
const AGAIN_AFTER: Duration = Duration::from_millis(250);

/// Most signatures asked for in one request.
pub(super) const MOST_AT_ONCE: usize = 16;

impl DeviceLog {
    pub(super) fn new() -> Self {
        Self {
            room: Semaphore::new(ROOM as usize),
            sent: Mutex::default(),
            wanted: Condvar::new(),
            reading: Mutex::default(),
            keys: Mutex::default(),
        }
    }

    /// Takes room for a request; waits where there is none.
    ///
    /// # Errors
    /// None came free in time.
    pub(super) async fn take(&self, request: &Request) -> Result<(), String> {
        let taken = tokio::time::timeout(ROOM_WITHIN, self.room.acquire_many(entries(request))).await;
        match taken {
            Ok(Ok(room)) => room.forget(),
            Ok(Err(_)) | Err(_) => return Err("the device's own log is full and could not be emptied".to_owned()),
        }
        if self.room.available_permits() <= LOW {
            self.want();
        }
        Ok(())
    }

    /// Takes room for a request where there is some. Whether there was.
    pub(super) fn try_take(&self, request: &Request) -> bool {
        self.room.try_acquire_many(entries(request)).map(|room| room.forget()).is_ok()
    }

    /// Sends a request that has its room. The worker does one thing after the other, so that a reading sent later shows
    /// what this one made.
    pub(super) fn send(
        &self,
        worker: &Worker,
        request: Request,
        answer: impl FnOnce(Result<Response, Error>) + Send + 'static,
    ) {
        let mut sent = self.lock();
        sent.entries = sent.entries.wrapping_add(entries(&request));
        if let Request::Sign { key, inputs } = &request
            && super::is_own(key)
        {
            *sent.own.entry(key.clone()).or_default() += inputs.len() as u64;
        }
        worker.call(request, answer);
    }

    /// Entries name this key so.
    pub(super) fn know(&self, key: KeyLabel, id: u16) {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner).insert(key, id);
    }

    /// Has the log read soon.
    pub(super) fn want(&self) {
        self.lock().wanted = true;
        self.wanted.notify_all();
    }

    /// Ends [`DeviceLog::keep`].
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.wanted.notify_all();
    }

    /// Empties the log whenever it must be, until it is closed.
    pub(super) fn keep(&self, token: &str, serial: &str, worker: &Worker, accountant: &Accountant) {
        let mut wait = READ_EVERY;
        loop {
            let sent = self.lock();
            let idle = |sent: &mut Sent| !sent.closed && !sent.wanted;
            let (mut sent, _) =
                self.wanted.wait_timeout_while(sent, wait, idle).unwrap_or_else(PoisonError::into_inner);
            if sent.closed {
                return;
            }
            let needed = std::mem::take(&mut sent.wanted);
            drop(sent);
            wait = READ_EVERY;
            let Some(bookkeeping) = accountant.get() else { continue };
            if let Err(reason) = self.empty(token, serial, worker, bookkeeping, needed) {
                tracing::error!(token, reason, "the device's own log could not be emptied");
                if worker.is_gone() {
                    return;
                }
                wait = AGAIN_AFTER;
            }
        }
    }

    /// Reads the log, has it recorded, and only then lets the device forget it. Where that is not `needed` and it shows
    /// no more than readings, nothing is recorded, or readings would make entries for ever.
    ///
    /// # Errors
    /// What went wrong; the device still holds what was not recorded.
    pub(super) fn empty(
        &self,
        token: &str,
        serial: &str,
        worker: &Worker,
        bookkeeping: &Bookkeeping,
        needed: bool,
    ) -> Result<(), String> {
        let _reading = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        let (page, sent, own) = self.read(worker)?;
        if !needed && page.entries.len() < LOW && page.entries.iter().all(DeviceLogEntry::is_of_reading) {
            return Ok(());
        }
        let keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let (unlogged_boots, unlogged_authentications) = (page.unlogged_boots, page.unlogged_authentications);
        if unlogged_boots > 0 || unlogged_authentications > 0 {
            tracing::error!(token, unlogged_boots, unlogged_authentications, "the device's own log was full meanwhile");
        }
        let last = page.entries.last().map(|entry| entry.number);
        let reading =
            DeviceLogReading { token: token.to_owned(), serial: serial.to_owned(), page, keys, own: own.clone() };
        let recorded = bookkeeping.recorder.record(reading).map_err(|refusal| refusal.problem.detail)?;
        bookkeeping.metrics.device_log_recorded(token, recorded.entries);
        if let Some(gap) = recorded.gap {
            tracing::error!(token, %gap, "something is missing in the device's own log");
        }
        for key in recorded.frozen {
            bookkeeping.freezes.begin(Scope::Key(key.as_str().to_owned()));
            bookkeeping.metrics.unexplained_signatures(token);
            tracing::error!(token, %key, "frozen: the device made signatures with it that nobody can explain");
        }
        if let Some(last) = last {
            ask(worker, Request::AcknowledgeDeviceLog(last)).map_err(|error| error.to_string())?;
        }
        self.forgotten(sent, &own);
        Ok(())
    }

    /// The log, and what the device had been sent before it was read.
    fn read(&self, worker: &Worker) -> Result<(DeviceLogPage, u32, BTreeMap<KeyLabel, u64>), String> {
        let (answer, answered) = mpsc::sync_channel(1);
        let sent = self.lock();
        worker.call(Request::ReadDeviceLog, move |result| {
            let _ = answer.send(result);
        });
        let (entries, own) = (sent.entries, sent.own.clone());
        drop(sent);
        let answer = wait(worker, &answered).map_err(|error| error.to_string())?;
        let Response::DeviceLog(Some(page)) = answer else { return Err("the device shows no log any more".to_owned()) };
        Ok((page, entries, own))
    }

    /// What had been `sent` is no longer in the device.
    fn forgotten(&self, entries: u32, own: &BTreeMap<KeyLabel, u64>) {
        let mut sent = self.lock();
        let freed = entries.wrapping_sub(sent.forgotten);
        sent.forgotten = entries;
        for (key, asked) in own {
            if let Some(still) = sent.own.get_mut(key) {
                *still = still.saturating_sub(*asked);
            }
        }
        drop(sent);
        self.room.add_permits(freed as usize);
    }

    fn lock(&self) -> MutexGuard<'_, Sent> {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Entries a request makes at most, in a device that writes down everything.
fn entries(request: &Request) -> u32 {
    match request {
        // The key was found before; finding it anew is what the rest of the device's room is for.
        Request::Sign { inputs, .. } => u32::try_from(inputs.len()).unwrap_or(u32::MAX),
        Request::PublicKey(_) | Request::Protection(_) | Request::ObjectId(_) => 3,
        Request::ChainCode(_) => 5,
        Request::Attestation(_) => 4,
        Request::Info | Request::AttestationIssuer => 1,
        Request::ReadDeviceLog | Request::AcknowledgeDeviceLog(_) => 0,
    }
}

/// Asks the worker and waits.
pub(super) fn ask(worker: &Worker, request: Request) -> Result<Response, Error> {
    let (answer, answered) = mpsc::sync_channel(1);
    worker.call(request, move |result| {
        let _ = answer.send(result);
    });
    wait(worker, &answered)
}

/// Waits for an answer; a worker that gives none is ended.
pub(super) fn wait(worker: &Worker, answered: &mpsc::Receiver<Result<Response, Error>>) -> Result<Response, Error> {
    answered.recv_timeout(CALL_WITHIN).unwrap_or_else(|_| {
        worker.kill();
        Err(Error::WorkerGone { reason: format!("no answer within {} s", CALL_WITHIN.as_secs()) })
    })
}
