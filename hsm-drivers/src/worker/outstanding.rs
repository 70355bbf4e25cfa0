//! The calls a worker has not answered yet. Each gets exactly one answer, also when the worker is gone.

use std::{
    collections::HashMap,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
};

use super::Response;
use crate::Error;

/// What is called with the answer.
pub(super) type Answer = Box<dyn FnOnce(Result<Response, Error>) + Send>;

pub(super) struct Outstanding {
    calls: Mutex<Calls>,
    gone: Condvar,
}

enum Calls {
    Open(HashMap<u64, Answer>),
    /// The worker is gone; why.
    Gone(String),
}

impl Outstanding {
    pub(super) fn new() -> Self {
        Self { calls: Mutex::new(Calls::Open(HashMap::new())), gone: Condvar::new() }
    }

    /// Whether the call is awaited now; answers it at once where the worker is gone.
    pub(super) fn insert(&self, id: u64, answer: Answer) -> bool {
        let reason = match &mut *self.lock() {
            Calls::Open(calls) => {
                calls.insert(id, answer);
                return true;
            }
            Calls::Gone(reason) => reason.clone(),
        };
        answer(Err(Error::WorkerGone { reason }));
        false
    }

    /// The call of this id, no longer awaited.
    pub(super) fn take(&self, id: u64) -> Option<Answer> {
        match &mut *self.lock() {
            Calls::Open(calls) => calls.remove(&id),
            Calls::Gone(_) => None,
        }
    }

    /// Answers every call that is left, and from now on every new one at once. The first reason stands.
    pub(super) fn close(&self, reason: &str) {
        let left = match &mut *self.lock() {
            Calls::Gone(_) => return,
            open => std::mem::replace(open, Calls::Gone(reason.to_owned())),
        };
        self.gone.notify_all();
        if let Calls::Open(calls) = left {
            for answer in calls.into_values() {
                answer(Err(Error::WorkerGone { reason: reason.to_owned() }));
            }
        }
    }

    pub(super) fn is_gone(&self) -> bool {
        matches!(&*self.lock(), Calls::Gone(_))
    }

    /// Blocks until the worker is gone; says why.
    pub(super) fn wait(&self) -> String {
        let mut calls = self.lock();
        loop {
            match &*calls {
                Calls::Gone(reason) => return reason.clone(),
                Calls::Open(_) => calls = self.gone.wait(calls).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Calls> {
        // No code of others runs under the lock, so a poisoned one guards a map that is whole.
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
