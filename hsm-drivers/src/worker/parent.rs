//! The appliance's side of a worker.

mod checked;
mod threads;

use std::{
    fmt,
    io::{self, Write},
    net::Shutdown,
    os::{fd::OwnedFd, unix::net::UnixStream},
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use self::{
    checked::{Expected, encode},
    threads::{read_answers, write_frames},
};
use super::{Opened, Opening, Request, Response, frame, outstanding::Outstanding, process::Process, wire::Bytes};
use crate::{DeviceInfo, Disposition, Error};

/// One child process with one token. Dropping it ends and reaps the child.
pub struct Worker {
    process: Arc<Process>,
    caveats: Vec<String>,
    socket: UnixStream,
    outstanding: Arc<Outstanding>,
    outgoing: mpsc::Sender<Vec<u8>>,
    next_id: AtomicU64,
    reader: Option<JoinHandle<()>>,
}

impl Worker {
    /// Spawns `command`, sends it the opening, and waits until its token is open.
    ///
    /// Program, arguments and environment of `command` are the caller's; its stdin becomes the worker's socket. The
    /// child must call [`serve`](super::serve()). It is killed when the thread that called this ends, and so with its
    /// process: Linux counts the thread as the parent.
    ///
    /// # Errors
    /// What the child reports (the PIN was tried at most once), or that it ended, or did not open within `deadline`.
    /// No child is left behind.
    pub fn start(command: Command, opening: Opening, deadline: Duration) -> Result<(Self, DeviceInfo), Error> {
        let program = command.get_program().to_string_lossy().into_owned();
        let (socket, process) = spawn(command)?;
        let process = Arc::new(process);
        let opened = open(&socket, &process, opening, Instant::now() + deadline);
        let worker = opened.and_then(|Opened { info, caveats }| {
            let worker = Self::run(socket, Arc::clone(&process), caveats);
            Ok((worker.map_err(|error| cannot_start(&program, &error))?, info))
        });
        if worker.is_err() {
            process.end(Duration::ZERO);
        }
        worker
    }

    fn run(socket: UnixStream, process: Arc<Process>, caveats: Vec<String>) -> io::Result<Self> {
        let outstanding = Arc::new(Outstanding::new());
        let (outgoing, queued) = mpsc::channel();
        let (reading, writing) = (socket.try_clone()?, socket.try_clone()?);
        thread::Builder::new()
            .name(format!("worker-{}-writer", process.pid()))
            .spawn(move || write_frames(&queued, &writing))?;
        let (answered, reaped) = (Arc::clone(&outstanding), Arc::clone(&process));
        let reader = thread::Builder::new()
            .name(format!("worker-{}-reader", process.pid()))
            .spawn(move || read_answers(reading, &answered, &reaped))?;
        let (next_id, reader) = (AtomicU64::new(0), Some(reader));
        Ok(Self { process, caveats, socket, outstanding, outgoing, next_id, reader })
    }

    /// Queues the request. `answer` is called exactly once, on the worker's reader thread, or on this one where the
    /// worker is gone or the request cannot travel. It must not block: later answers wait behind it.
    pub fn call(&self, request: Request, answer: impl FnOnce(Result<Response, Error>) + Send + 'static) {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let frame = match encode(id, &request) {
            Ok(frame) => frame,
            Err(error) => return answer(Err(error)),
        };
        let expected = Expected::of(&request);
        let checked = move |result: Result<Response, Error>| answer(result.and_then(|got| expected.check(got)));
        if self.outstanding.insert(id, Box::new(checked)) {
            // The writer is gone only when the socket is, and then the reader answers this call.
            let _ = self.outgoing.send(frame);
        }
    }

    /// Whether the child has ended. No call to it can succeed any more.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.outstanding.is_gone()
    }

    /// Blocks until the child has ended and was reaped; says how it ended.
    #[must_use]
    pub fn wait(&self) -> String {
        self.outstanding.wait()
    }

    /// Ends the child at once: for one whose module hangs.
    pub fn kill(&self) {
        self.process.kill();
    }

    /// What of its confinement this kernel, or the way the appliance was started, did not allow: each a clause. Where
    /// the list is not empty, tell people.
    #[must_use]
    pub fn caveats(&self) -> &[String] {
        &self.caveats
    }

    /// Process id of the child.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // The child closes its sessions and ends when its socket does; the reader kills it if it does not, and reaps it.
        let _ = self.socket.shutdown(Shutdown::Both);
        if let Some(reader) = self.reader.take()
            && reader.thread().id() != thread::current().id()
        {
            let _ = reader.join();
        }
    }
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker").field("pid", &self.pid()).field("gone", &self.is_gone()).finish_non_exhaustive()
    }
}

/// The child, and the socket whose other end is its stdin.
pub(super) fn spawn(mut command: Command) -> Result<(UnixStream, Process), Error> {
    let program = command.get_program().to_string_lossy().into_owned();
    let (socket, childs_end) = UnixStream::pair().map_err(|error| cannot_start(&program, &error))?;
    command.stdin(Stdio::from(OwnedFd::from(childs_end)));
    let child = command.spawn().map_err(|error| cannot_start(&program, &error))?;
    // The command holds a copy of the child's end: while it is open, the child's end is never seen to close.
    drop(command);
    Ok((socket, Process::new(child)))
}

/// Sends the opening and reads its answer.
fn open(socket: &UnixStream, process: &Process, opening: Opening, deadline: Instant) -> Result<Opened, Error> {
    let failed = |cause: String| Error::Call {
        attempted: "opening of the token worker".to_owned(),
        cause,
        disposition: Disposition::Broken,
    };
    let frame = frame::encode_secret(opening.capacity(), &opening).map_err(|_| failed("it is too long".to_owned()))?;
    drop(opening);
    (&*socket).write_all(&frame).map_err(|error| failed(error.to_string()))?;
    drop(frame);

    let left = deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
    socket.set_read_timeout(Some(left)).map_err(|error| failed(error.to_string()))?;
    let content = match frame::read(&mut &*socket) {
        Ok(Some(content)) => content,
        Ok(None) => return Err(failed(process.end(Duration::from_secs(1)))),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            return Err(failed("no answer within the deadline".to_owned()));
        }
        Err(error) => return Err(failed(error.to_string())),
    };
    socket.set_read_timeout(None).map_err(|error| failed(error.to_string()))?;
    Bytes::decode_all::<Result<Opened, Error>>(&content).map_err(|malformed| failed(malformed.to_string()))?
}

fn cannot_start(program: &str, error: &io::Error) -> Error {
    Error::Call {
        attempted: format!("start of the token worker {program}"),
        cause: error.to_string(),
        disposition: Disposition::NotSent,
    }
}
