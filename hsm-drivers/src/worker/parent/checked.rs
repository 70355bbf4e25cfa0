//! What may be asked of a worker, and what it may answer to that.

use crate::{
    Disposition, Error,
    worker::{
        Request, Response,
        frame::{self, TooLong},
        message::MOST_INPUTS,
    },
};

/// The frame of a request that a worker would accept.
pub(super) fn encode(id: u64, request: &Request) -> Result<Vec<u8>, Error> {
    let too_large = |cause: String| Error::Call {
        attempted: "request to the token worker".to_owned(),
        cause,
        disposition: Disposition::NotSent,
    };
    if let Request::Sign { inputs, .. } = request
        && inputs.len() > MOST_INPUTS
    {
        return Err(too_large(format!("{} inputs are more than {MOST_INPUTS}", inputs.len())));
    }
    frame::encode(Some(id), request).map_err(|TooLong(length)| too_large(format!("{length} bytes are too many")))
}

/// The kind of response a request must get: a worker that mixes them up is broken.
pub(super) enum Expected {
    Info,
    PublicKey,
    Protection,
    ChainCode,
    Signatures(usize),
    Attestation,
    DeviceLog,
    DeviceLogAcknowledged,
    ObjectId,
    Anchor,
    AnchorWritten,
}

impl Expected {
    pub(super) fn of(request: &Request) -> Self {
        match request {
            Request::Info => Self::Info,
            Request::PublicKey(_) => Self::PublicKey,
            Request::Protection(_) => Self::Protection,
            Request::ChainCode(_) => Self::ChainCode,
            Request::Sign { inputs, .. } => Self::Signatures(inputs.len()),
            Request::Attestation(_) | Request::AttestationIssuer => Self::Attestation,
            Request::ReadDeviceLog => Self::DeviceLog,
            Request::AcknowledgeDeviceLog(_) => Self::DeviceLogAcknowledged,
            Request::ObjectId(_) => Self::ObjectId,
            Request::ReadAnchor => Self::Anchor,
            Request::WriteAnchor(_) => Self::AnchorWritten,
        }
    }

    pub(super) fn check(&self, response: Response) -> Result<Response, Error> {
        let fits = match (self, &response) {
            (Self::Info, Response::Info(_))
            | (Self::PublicKey, Response::PublicKey(_))
            | (Self::Protection, Response::Protection(_))
            | (Self::ChainCode, Response::ChainCode(_))
            | (Self::Attestation, Response::Attestation(_))
            | (Self::DeviceLog, Response::DeviceLog(_))
            | (Self::DeviceLogAcknowledged, Response::DeviceLogAcknowledged)
            | (Self::ObjectId, Response::ObjectId(_))
            | (Self::Anchor, Response::Anchor(_))
            | (Self::AnchorWritten, Response::AnchorWritten) => true,
            (Self::Signatures(wanted), Response::Signatures(signatures)) => *wanted == signatures.len(),
            _ => false,
        };
        if fits {
            return Ok(response);
        }
        Err(Error::Call {
            attempted: "request to the token worker".to_owned(),
            cause: "its answer is to another request".to_owned(),
            disposition: Disposition::OutcomeUnknown,
        })
    }
}
