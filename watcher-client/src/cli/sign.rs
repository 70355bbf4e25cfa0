//! `sign`: one request, its signatures, its receipt.

use std::{
    fs,
    io::{self, Read},
    path::Path,
};

use appliance_wire::{Item, Receipt, RequestStatus, SignatureAnswer, SignatureRequest, Transfer};

use super::{
    Shown,
    arguments::{Sign, What},
    failure::Failure,
    table::{row, table},
};
use crate::Client;

pub(super) async fn run(sign: &Sign, client: &Client) -> Result<Shown, Failure> {
    let request = request(sign)?;
    let answer = client.sign(&sign.id, &request).await?;
    let mut shown = show(&answer)?;
    if let Some(file) = &sign.receipt
        && answer.status == RequestStatus::Signed
    {
        let receipt = client.wait_for_receipt(&sign.id, sign.deadline()).await.map_err(Failure::from);
        match receipt.and_then(|receipt| write_receipt(file, &receipt)) {
            Ok(()) => shown.text += &format!("receipt verified and written to {}\n", file.display()),
            // The signatures are good all the same, so they are shown first.
            Err(failure) => shown.failure = Some(failure),
        }
    }
    Ok(shown)
}

/// The request of the arguments, or of the file they name.
pub(super) fn request(sign: &Sign) -> Result<SignatureRequest, Failure> {
    if let Some(file) = &sign.what.request {
        let text = read_text(file)?;
        return serde_json::from_str(&text)
            .map_err(|error| Failure::Failed(format!("{} holds no signature request: {error}", file.display())));
    }
    let Some(key) = &sign.key else { return Err(Failure::Failed("--key is missing".to_owned())) };
    let What { digest, message, .. } = &sign.what;
    let digests = digest.iter().map(|digest| (Some(*digest), None));
    let messages = message.iter().map(|message| (None, Some(message.clone())));
    let item = |(digest, message)| Item { key: key.clone(), digest, message };
    let transfer =
        sign.asset.clone().map(|asset| Transfer { asset, fee: sign.fee.clone(), outputs: sign.output.clone() });
    Ok(SignatureRequest {
        items: digests.chain(messages).map(item).collect(),
        transfer,
        evidence: None,
        replaces: None,
        expires_at: sign.expires_at.clone(),
    })
}

/// Status and signatures; a status that ends the request without signatures is a failure.
pub(super) fn show(answer: &SignatureAnswer) -> Result<Shown, Failure> {
    let id = &answer.request_id;
    let (text, ended) = match answer.status {
        RequestStatus::Signed => (format!("{id}: signed\n"), None),
        RequestStatus::Pending => (format!("{id}: pending: waits for officers; ask again with `status {id}`\n"), None),
        RequestStatus::Accepted => {
            (format!("{id}: accepted, not signed yet; ask again with `status {id}` or the same `sign`\n"), None)
        }
        RequestStatus::Lapsed => (String::new(), Some("lapsed: accepted, but no longer allowed; it is never signed")),
        RequestStatus::Rejected => (String::new(), Some("rejected by an officer")),
        RequestStatus::Withdrawn => (String::new(), Some("withdrawn by the watcher")),
        RequestStatus::Expired => (String::new(), Some("expired before the officers decided")),
    };
    let mut shown = Shown::new(text, answer)?;
    if let Some(signatures) = &answer.signatures {
        let mut rows = vec![row(["key", "signature", "public key"])];
        for signature in signatures {
            let signed = signature.der.as_ref().unwrap_or(&signature.signature);
            rows.push(row([&signature.key.to_string(), signed, &signature.public_key]));
        }
        shown.text += &table(&rows);
    }
    if let Some(entry) = answer.entry {
        let receipt = if answer.receipt.is_some() { ", with a verified receipt" } else { "" };
        shown.text += &format!("entry {entry} of the audit log{receipt}\n");
    }
    shown.failure = ended.map(|ended| Failure::Failed(format!("{id}: {ended}")));
    Ok(shown)
}

/// Reads a file, or standard input where it is `-`.
pub(super) fn read_text(file: &Path) -> Result<String, Failure> {
    let mut text = String::new();
    let read = if file == Path::new("-") {
        io::stdin().read_to_string(&mut text).map(|_| text)
    } else {
        fs::read_to_string(file)
    };
    read.map_err(|error| Failure::Failed(format!("reading {}: {error}", file.display())))
}

fn write_receipt(file: &Path, receipt: &Receipt) -> Result<(), Failure> {
    let failed = |error: String| Failure::Failed(format!("writing {}: {error}", file.display()));
    let text = serde_json::to_string_pretty(receipt).map_err(|error| failed(error.to_string()))?;
    fs::write(file, text + "\n").map_err(|error| failed(error.to_string()))
}
