//! Bodies: bounded in length, in time, and in how many are held at once.

use std::sync::Arc;

use appliance_wire::ProblemCode;
use axum::{body::Body, extract::Request};
use http_body_util::BodyExt;
use hyper::{
    HeaderMap,
    body::{Body as _, Bytes},
    header::{CONTENT_ENCODING, CONTENT_TYPE},
};
use serde::de::DeserializeOwned;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

use crate::{
    refusal::Refusal,
    transport::{Limits, problem::malformed},
};

/// Longest body of a call that takes a few words, in bytes.
const SMALL: usize = 16 << 10;

/// Reads bodies within the bounds of one listener.
#[derive(Clone, Debug)]
pub(in crate::transport) struct Bodies {
    limits: Limits,
    room: Arc<Semaphore>,
}

/// A body, and the room it takes for as long as its request lasts.
#[derive(Debug)]
pub(in crate::transport) struct Received {
    pub(in crate::transport) bytes: Bytes,
    _room: OwnedSemaphorePermit,
}

impl Bodies {
    pub(in crate::transport) fn new(limits: &Limits) -> Self {
        Self { limits: limits.clone(), room: Arc::new(Semaphore::new(limits.bodies_bytes)) }
    }

    /// The body of `request`, where it says nothing but JSON.
    pub(in crate::transport) async fn read(&self, request: Request) -> Result<Received, Refusal> {
        self.read_within(self.limits.body_bytes, "application/json", request).await
    }

    /// A small body of plain text.
    pub(in crate::transport) async fn read_text(&self, request: Request) -> Result<String, Refusal> {
        let received = self.read_within(SMALL, "text/plain", request).await?;
        String::from_utf8(received.bytes.to_vec()).map_err(|_| malformed("the body is not UTF-8: send text"))
    }

    /// Likewise, for a body that holds a few words.
    pub(in crate::transport) async fn read_small<T: DeserializeOwned>(&self, request: Request) -> Result<T, Refusal> {
        parse(&self.read_within(SMALL, "application/json", request).await?)
    }

    async fn read_within(&self, most: usize, kind: &str, request: Request) -> Result<Received, Refusal> {
        let (parts, mut body) = request.into_parts();
        only(kind, &parts.headers)?;
        let declared = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
        if declared > most {
            return Err(too_large(most));
        }
        timeout(self.limits.body, self.collect(most, &mut body)).await.unwrap_or_else(|_| Err(self.too_slow()))
    }

    async fn collect(&self, most: usize, body: &mut Body) -> Result<Received, Refusal> {
        let mut room = self.room(0)?;
        let mut bytes = Vec::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| malformed("the body broke off: put the same request again"))?;
            let Ok(data) = frame.into_data() else { continue };
            if bytes.len() + data.len() > most {
                return Err(too_large(most));
            }
            room.merge(self.room(data.len())?);
            bytes.extend_from_slice(&data);
        }
        Ok(Received { bytes: bytes.into(), _room: room })
    }

    fn room(&self, bytes: usize) -> Result<OwnedSemaphorePermit, Refusal> {
        let permit = u32::try_from(bytes).ok().and_then(|n| Arc::clone(&self.room).try_acquire_many_owned(n).ok());
        permit.ok_or_else(|| {
            let mut full =
                Refusal::new(ProblemCode::RateLimited, "too many bodies at once: put the same request again");
            full.problem.retry_after_s = Some(1);
            full
        })
    }

    fn too_slow(&self) -> Refusal {
        let limit = self.limits.body;
        malformed(format!("the body did not arrive within {limit:?}, so the connection is closed: send it faster"))
    }
}

fn too_large(most: usize) -> Refusal {
    Refusal::new(ProblemCode::TooLarge, format!("this call takes a body of at most {most} bytes: send less"))
}

/// What a body that claims to be something else would mean is not guessed.
fn only(kind: &str, headers: &HeaderMap) -> Result<(), Refusal> {
    let is_it = |value: &[u8]| {
        let essence = value.split(|byte| *byte == b';').next().unwrap_or_default();
        essence.trim_ascii().eq_ignore_ascii_case(kind.as_bytes())
    };
    if !headers.get_all(CONTENT_TYPE).iter().all(|value| is_it(value.as_bytes())) {
        return Err(malformed(format!("the body has another content-type than {kind}: send that")));
    }
    if headers.contains_key(CONTENT_ENCODING) {
        return Err(malformed("the body has a content-encoding: send it as it is"));
    }
    Ok(())
}

/// Reads a small body whose shape is the transport's own.
pub(in crate::transport) fn parse<T: DeserializeOwned>(body: &Received) -> Result<T, Refusal> {
    serde_json::from_slice(&body.bytes)
        .map_err(|error| malformed(format!("the body is not of the documented form: {error}")))
}

#[cfg(test)]
mod tests;
