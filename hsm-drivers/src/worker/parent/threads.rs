//! The two threads beside a worker: one writes requests, one reads answers and, in the end, reaps the child.

use std::{
    io::{BufReader, Write},
    net::Shutdown,
    os::unix::net::UnixStream,
    sync::mpsc,
    time::Duration,
};

use crate::worker::{
    frame,
    outstanding::Outstanding,
    process::Process,
    wire::{Bytes, Numbered},
};

/// How long a child whose socket has closed may take to end by itself.
const GRACE: Duration = Duration::from_secs(1);

/// Writes what is queued, all that waits in one call, until the worker is dropped or its socket closes.
pub(super) fn write_frames(queued: &mpsc::Receiver<Vec<u8>>, mut socket: &UnixStream) {
    while let Ok(mut frames) = queued.recv() {
        for frame in queued.try_iter() {
            frames.extend_from_slice(&frame);
        }
        if socket.write_all(&frames).is_err() {
            // So that the reader ends as well: it is the one that answers what is outstanding.
            let _ = socket.shutdown(Shutdown::Both);
            return;
        }
    }
}

/// Answers calls until the socket closes or carries nonsense; then reaps the child and answers what is left.
pub(super) fn read_answers(socket: UnixStream, outstanding: &Outstanding, process: &Process) {
    // Also when an answer's code panics: nobody may wait for ever.
    let _closing = Closing(outstanding);
    let mut from = BufReader::with_capacity(1 << 16, socket);
    let nonsense = loop {
        match frame::read(&mut from) {
            Ok(Some(content)) => match Bytes::decode_all(&content) {
                Ok(Numbered { id, value: result }) => {
                    if let Some(answer) = outstanding.take(id) {
                        answer(result);
                    }
                }
                Err(malformed) => break Some(malformed.to_string()),
            },
            Ok(None) => break None,
            Err(error) => break Some(error.to_string()),
        }
    };
    let reason = match nonsense {
        None => process.end(GRACE),
        Some(nonsense) => format!("{}, for its socket gave: {nonsense}", process.end(Duration::ZERO)),
    };
    outstanding.close(&reason);
}

struct Closing<'a>(&'a Outstanding);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        self.0.close("its reader ended");
    }
}
