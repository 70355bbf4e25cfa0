//! The log a device keeps by itself: emptied into ours before it is full, for then the device refuses to work.
//!
//! Its room is handed out before the device is asked: every request takes as many entries as it can make, and they come
//! back once they were read, recorded and acknowledged. So no request finds the log full, however many come at once.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use appliance_wire::Scope;
use hsm_drivers::{
    DeviceLogEntry, DeviceLogPage, Error,
    worker::{Request, Response, Worker},
};
use hsm_types::KeyLabel;
use tokio::sync::{Mutex as AsyncMutex, Notify, Semaphore};

use super::line::{ANSWER_WITHIN, answer_channel, answer_within, ask_worker};
use crate::{
    audit::{Audit, DeviceLogReading},
    freezes::Freezes,
    metrics::Metrics,
};

/// Who records what devices say, once the log can be written.
pub(super) type Accountant = OnceLock<Bookkeeping>;

/// What an accountant needs.
#[derive(Debug)]
pub(super) struct Bookkeeping {
    pub(super) audit: Arc<Audit>,
    pub(super) freezes: Arc<Freezes>,
    pub(super) metrics: Arc<Metrics>,
}

/// The log of one open device.
#[derive(Debug)]
pub(super) struct DeviceLog {
    token: String,
    serial: String,
    accountant: Arc<Accountant>,
    /// Entries that may still be made.
    room: Semaphore,
    sent: Mutex<Sent>,
    wanted: Notify,
    /// What was read is acknowledged before it is read again.
    reading: AsyncMutex<()>,
    keys: Mutex<BTreeMap<KeyLabel, u16>>,
}

/// What the device was sent since it was opened, in entries of its log.
#[derive(Debug, Default)]
struct Sent {
    taken: u64,
    sent: u64,
    /// Signatures with keys of the appliance's own, not recorded yet.
    own: BTreeMap<KeyLabel, u64>,
}

/// Entries handed out. The device holds 62; the rest is for what the reading itself and others' sessions leave there.
const ROOM: u64 = 40;
/// With no more than this left the log is read.
const LOW: usize = 20;
/// Also without need: somebody else may be signing.
const READ_EVERY: Duration = Duration::from_secs(60);
const ROOM_WITHIN: Duration = Duration::from_secs(8);
const AGAIN_AFTER: Duration = Duration::from_millis(250);

/// Most signatures asked for in one request.
pub(super) const MOST_AT_ONCE: usize = 16;

impl DeviceLog {
    pub(super) fn new(token: &str, serial: &str, accountant: Arc<Accountant>) -> Self {
        Self {
            token: token.to_owned(),
            serial: serial.to_owned(),
            accountant,
            room: Semaphore::new(ROOM as usize),
            sent: Mutex::default(),
            wanted: Notify::new(),
            reading: AsyncMutex::default(),
            keys: Mutex::default(),
        }
    }

    /// Takes room for a request; waits where there is none. Before the audit log is open nobody could make any: then the
    /// device is asked all the same, and refuses where it must.
    ///
    /// # Errors
    /// None came free in time.
    pub(super) async fn take(&self, request: &Request) -> Result<(), String> {
        let entries = entries(request);
        if self.accountant.get().is_some() {
            let taken = tokio::time::timeout(ROOM_WITHIN, self.room.acquire_many(entries)).await;
            let full = || "the device's own log is full and could not be emptied".to_owned();
            taken.ok().and_then(Result::ok).ok_or_else(full)?.forget();
        }
        self.lock().taken += u64::from(entries);
        if self.room.available_permits() <= LOW {
            self.want();
        }
        Ok(())
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
        sent.sent += u64::from(entries(&request));
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
        self.wanted.notify_one();
    }

    /// Empties the log whenever it must be, for as long as it is run.
    pub(super) async fn keep(&self, worker: &Worker) {
        loop {
            let needed = tokio::time::timeout(READ_EVERY, self.wanted.notified()).await.is_ok();
            while let Err(reason) = self.empty(worker, needed).await {
                tracing::error!(token = self.token, reason, "the device's own log could not be emptied");
                tokio::time::sleep(AGAIN_AFTER).await;
            }
        }
    }

    /// Reads the log, has it recorded, and only then lets the device forget it. Where that is not `needed` and it shows
    /// no more than readings, nothing is recorded, or readings would make entries for ever.
    ///
    /// # Errors
    /// What went wrong; the device still holds what was not recorded.
    pub(super) async fn empty(&self, worker: &Worker, needed: bool) -> Result<(), String> {
        let Some(bookkeeping) = self.accountant.get() else { return Ok(()) };
        let _reading = self.reading.lock().await;
        let (page, sent, own) = self.read(worker).await?;
        if !needed && page.entries.len() < LOW && page.entries.iter().all(DeviceLogEntry::is_of_reading) {
            return Ok(());
        }
        let last = page.entries.last().map(|entry| entry.number);
        self.record(bookkeeping, page, &own).await?;
        if let Some(last) = last {
            let forgotten = ask_worker(worker, Request::AcknowledgeDeviceLog(last)).await;
            forgotten.map_err(|error| error.to_string())?;
        }
        self.forgotten(sent, &own);
        Ok(())
    }

    async fn record(
        &self,
        bookkeeping: &Bookkeeping,
        page: DeviceLogPage,
        own: &BTreeMap<KeyLabel, u64>,
    ) -> Result<(), String> {
        let (token, metrics) = (&self.token, &bookkeeping.metrics);
        let (unlogged_boots, unlogged_authentications) = (page.unlogged_boots, page.unlogged_authentications);
        if unlogged_boots > 0 || unlogged_authentications > 0 {
            tracing::error!(token, unlogged_boots, unlogged_authentications, "the device's own log was full meanwhile");
        }
        let keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let (token_name, serial) = (token.clone(), self.serial.clone());
        let reading = DeviceLogReading { token: token_name, serial, page, keys, own: own.clone() };
        let recorded = bookkeeping.audit.record_device_log(reading).await.map_err(|refusal| refusal.problem.detail)?;
        metrics.device_log_recorded(token, recorded.entries);
        if let Some(gap) = recorded.gap {
            tracing::error!(token, %gap, "something is missing in the device's own log");
        }
        for key in recorded.frozen {
            bookkeeping.freezes.begin(Scope::Key(key.as_str().to_owned()));
            metrics.unexplained_signatures(token);
            tracing::error!(token, %key, "frozen: the device made signatures with it that nobody can explain");
        }
        Ok(())
    }

    /// The log, and what the device had been sent before it was read.
    async fn read(&self, worker: &Worker) -> Result<(DeviceLogPage, u64, BTreeMap<KeyLabel, u64>), String> {
        let (answer, answered) = answer_channel();
        let (entries, own) = {
            let sent = self.lock();
            worker.call(Request::ReadDeviceLog, answer);
            (sent.sent, sent.own.clone())
        };
        let answer = answer_within(worker, ANSWER_WITHIN, answered).await.map_err(|error| error.to_string())?;
        let Response::DeviceLog(Some(page)) = answer else { return Err("the device shows no log any more".to_owned()) };
        Ok((page, entries, own))
    }

    /// What had been `sent` is no longer in the device: its room comes back.
    fn forgotten(&self, sent_before: u64, own: &BTreeMap<KeyLabel, u64>) {
        let mut sent = self.lock();
        for (key, asked) in own {
            if let Some(still) = sent.own.get_mut(key) {
                *still = still.saturating_sub(*asked);
            }
        }
        let free = ROOM.saturating_sub(sent.taken.saturating_sub(sent_before)) as usize;
        self.room.add_permits(free.saturating_sub(self.room.available_permits()));
    }

    fn lock(&self) -> MutexGuard<'_, Sent> {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the device keeps a log.
pub(super) async fn is_kept(worker: &Worker) -> Result<bool, Error> {
    let answer = ask_worker(worker, Request::ReadDeviceLog).await?;
    if let Response::DeviceLog(page) = answer { Ok(page.is_some()) } else { Err(super::nonsense()) }
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
        Request::ReadAnchor => 3,
        // Looked for like that, then one put and one or two deleted.
        Request::WriteAnchor(_) => 7,
        Request::ReadDeviceLog | Request::AcknowledgeDeviceLog(_) => 0,
    }
}
