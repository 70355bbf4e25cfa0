//! The sessions of the child, one thread each, on one queue.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use hsm_types::KeyLabel;

use super::{Request, Response, answers::Answers, batch::Batch, frame};
use crate::{Device, DeviceLog, Disposition, Error};

/// How long sessions may take to finish what they are doing when the worker ends.
const GRACE: Duration = Duration::from_millis(500);

/// What all session threads share.
pub(super) struct Pool {
    tasks: Mutex<Tasks>,
    ready: Condvar,
    answers: Arc<Answers>,
    broken: AtomicBool,
}

struct Tasks {
    queue: VecDeque<Task>,
    closed: bool,
}

enum Task {
    Info { id: u64 },
    PublicKey { id: u64, key: KeyLabel },
    Protection { id: u64, key: KeyLabel },
    ChainCode { id: u64, key: KeyLabel },
    Attestation { id: u64, key: KeyLabel },
    AttestationIssuer { id: u64 },
    ReadDeviceLog { id: u64 },
    AcknowledgeDeviceLog { id: u64, through: u16 },
    ObjectId { id: u64, key: KeyLabel },
    ReadAnchor { id: u64 },
    WriteAnchor { id: u64, anchor: Vec<u8> },
    Sign { batch: Arc<Batch>, item: usize },
}

/// The threads: each holds a sender, and drops it when its session is closed.
pub(super) struct Sessions(mpsc::Receiver<()>);

impl Pool {
    pub(super) fn new(answers: Arc<Answers>) -> Self {
        Self {
            tasks: Mutex::new(Tasks { queue: VecDeque::new(), closed: false }),
            ready: Condvar::new(),
            answers,
            broken: AtomicBool::new(false),
        }
    }

    /// One thread for each device.
    pub(super) fn spawn(self: &Arc<Self>, devices: Vec<Box<dyn Device>>) -> std::io::Result<Sessions> {
        let (ended, all_ended) = mpsc::channel();
        for (number, device) in devices.into_iter().enumerate() {
            let (pool, ended) = (Arc::clone(self), ended.clone());
            thread::Builder::new().name(format!("session-{number}")).spawn(move || {
                let _ending = Ending(&pool);
                pool.run(device);
                drop(ended);
            })?;
        }
        Ok(Sessions(all_ended))
    }

    /// Puts a request into the queue, item by item.
    pub(super) fn push(&self, id: u64, request: Request) {
        let mut tasks = self.lock();
        match request {
            Request::Info => tasks.queue.push_back(Task::Info { id }),
            Request::PublicKey(key) => tasks.queue.push_back(Task::PublicKey { id, key }),
            Request::Protection(key) => tasks.queue.push_back(Task::Protection { id, key }),
            Request::ChainCode(key) => tasks.queue.push_back(Task::ChainCode { id, key }),
            Request::Attestation(key) => tasks.queue.push_back(Task::Attestation { id, key }),
            Request::AttestationIssuer => tasks.queue.push_back(Task::AttestationIssuer { id }),
            Request::ReadDeviceLog => tasks.queue.push_back(Task::ReadDeviceLog { id }),
            Request::AcknowledgeDeviceLog(through) => {
                tasks.queue.push_back(Task::AcknowledgeDeviceLog { id, through });
            }
            Request::ObjectId(key) => tasks.queue.push_back(Task::ObjectId { id, key }),
            Request::ReadAnchor => tasks.queue.push_back(Task::ReadAnchor { id }),
            Request::WriteAnchor(anchor) => tasks.queue.push_back(Task::WriteAnchor { id, anchor }),
            Request::Sign { inputs, .. } if inputs.is_empty() => {
                drop(tasks);
                return self.answer(id, Ok(Response::Signatures(Vec::new())));
            }
            Request::Sign { key, inputs } => {
                let batch = Arc::new(Batch::new(id, key, inputs));
                let items = (0..batch.len()).map(|item| Task::Sign { batch: Arc::clone(&batch), item });
                tasks.queue.extend(items);
            }
        }
        let several = tasks.queue.len() > 1;
        drop(tasks);
        if several { self.ready.notify_all() } else { self.ready.notify_one() }
    }

    /// Lets every session finish its task and close, no longer than the grace. Whether none was broken.
    pub(super) fn close(&self, sessions: &Sessions) -> bool {
        self.lock().closed = true;
        self.ready.notify_all();
        let deadline = Instant::now() + GRACE;
        // Nothing is ever sent: the channel closes when the last session has.
        let _ = sessions.0.recv_timeout(deadline.saturating_duration_since(Instant::now()));
        !self.broken.load(Ordering::SeqCst)
    }

    /// Works until the queue is closed or the session is broken.
    fn run(&self, mut device: Box<dyn Device>) {
        while let Some(task) = self.next() {
            let ended = match task {
                Task::Info { id } => self.finish(id, device.info().map(Response::Info)),
                Task::PublicKey { id, key } => self.finish(id, device.public_key(&key).map(Response::PublicKey)),
                Task::Protection { id, key } => self.finish(id, device.protection(&key).map(Response::Protection)),
                Task::ChainCode { id, key } => self.finish(id, device.chain_code(&key).map(Response::ChainCode)),
                Task::Attestation { id, key } => self.finish(id, device.attestation(&key).map(Response::Attestation)),
                Task::AttestationIssuer { id } => {
                    self.finish(id, device.attestation_issuer().map(Response::Attestation))
                }
                Task::ReadDeviceLog { id } => self.finish(id, read_log(&mut *device)),
                Task::AcknowledgeDeviceLog { id, through } => self.finish(id, acknowledge_log(&mut *device, through)),
                Task::ObjectId { id, key } => {
                    let log = || no_log(&format!("the object id of key {key}"));
                    let object_id = device.device_log().ok_or_else(log).and_then(|log| log.object_id(&key));
                    self.finish(id, object_id.map(Response::ObjectId))
                }
                Task::ReadAnchor { id } => self.finish(id, device.read_anchor().map(Response::Anchor)),
                Task::WriteAnchor { id, anchor } => {
                    self.finish(id, device.write_anchor(&anchor).map(|()| Response::AnchorWritten))
                }
                Task::Sign { batch, item } => {
                    let signed = batch.sign(item, &mut *device);
                    if let Some(answer) = signed.answer {
                        self.answer(batch.id, answer);
                    }
                    signed.session_ended
                }
            };
            if ended {
                self.broken.store(true, Ordering::SeqCst);
                return;
            }
        }
    }

    fn next(&self) -> Option<Task> {
        let mut tasks = self.lock();
        loop {
            if tasks.closed {
                return None;
            }
            match tasks.queue.pop_front() {
                Some(task) => return Some(task),
                None => tasks = self.ready.wait(tasks).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }

    /// Answers; whether the session must not be used again.
    fn finish(&self, id: u64, result: Result<Response, Error>) -> bool {
        let ended = result.as_ref().is_err_and(Error::ends_session);
        self.answer(id, result);
        ended
    }

    fn answer(&self, id: u64, result: Result<Response, Error>) {
        let ends_session = result.as_ref().is_err_and(Error::ends_session);
        let frame = frame::encode(Some(id), &result).or_else(|frame::TooLong(length)| {
            let error = Error::Call {
                attempted: "answer of the token worker".to_owned(),
                cause: format!("{length} bytes are too many"),
                disposition: Disposition::OutcomeUnknown,
            };
            frame::encode(Some(id), &Err::<Response, Error>(error))
        });
        if let Ok(frame) = frame {
            self.answers.send(&frame, ends_session || self.lock().queue.is_empty());
        }
    }

    fn lock(&self) -> MutexGuard<'_, Tasks> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read_log(device: &mut dyn Device) -> Result<Response, Error> {
    device.device_log().map(DeviceLog::read).transpose().map(Response::DeviceLog)
}

fn acknowledge_log(device: &mut dyn Device, through: u16) -> Result<Response, Error> {
    let none = || no_log(&format!("acknowledgement of the device log through {through}"));
    device.device_log().ok_or_else(none)?.acknowledge(through).map(|()| Response::DeviceLogAcknowledged)
}

fn no_log(attempted: &str) -> Error {
    Error::Call {
        attempted: attempted.to_owned(),
        cause: "the device keeps no log".to_owned(),
        disposition: Disposition::NotSent,
    }
}

/// A session thread that ends while the worker serves, by a broken session or a panic, ends the worker.
struct Ending<'a>(&'a Pool);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.broken.store(true, Ordering::SeqCst);
        }
        if self.0.broken.load(Ordering::SeqCst) {
            self.0.answers.close_requests();
        }
    }
}
