//! `sign`: one request, its signatures, its receipt. Transactions are signed by `sign_transaction`.

use std::{
    fs,
    io::{self, Read},
    path::Path,
};

use appliance_wire::{Item, Receipt, RequestId, RequestStatus, SignatureAnswer, SignatureRequest, Transfer};

use super::{
    Shown,
    arguments::{Sign, What},
    explain,
    failure::Failure,
    table::{row, table},
};
use crate::Client;

pub(super) async fn run(sign: &Sign, client: &Client) -> Result<Shown, Failure> {
    let request = request(sign)?;
    let Some(id) = sign.id.as_ref().or(sign.named.as_ref()) else {
        return Err(Failure::Usage("ID is missing".to_owned()));
    };
    if sign.dry_run {
        return explain::run(client, id, &request).await;
    }
    let answer = ask(sign, client, id, &request).await?;
    let mut shown = show(&answer)?;
    if let Some(told) = receipt(sign, client, id, &answer, &mut shown).await {
        shown.text += &told;
    }
    Ok(shown)
}

/// Asks for the signatures; with `--wait` again once officers have decided.
pub(super) async fn ask(
    sign: &Sign,
    client: &Client,
    id: &RequestId,
    request: &SignatureRequest,
) -> Result<SignatureAnswer, Failure> {
    let mut answer = client.sign(id, request).await?;
    while sign.wait && answer.status == RequestStatus::Pending {
        client.wait_for_officers(id, &answer).await?;
        answer = client.sign(id, request).await?;
    }
    Ok(answer)
}

/// Waits for the receipt that was asked for and writes it; the line that says so. Signatures are good without it, so
/// they are shown first.
pub(super) async fn receipt(
    sign: &Sign,
    client: &Client,
    id: &RequestId,
    answer: &SignatureAnswer,
    shown: &mut Shown,
) -> Option<String> {
    let file = sign.receipt.as_ref().filter(|_| answer.status == RequestStatus::Signed)?;
    let receipt = client.wait_for_receipt(id, sign.deadline()).await.map_err(Failure::from);
    match receipt.and_then(|receipt| write_receipt(file, &receipt)) {
        Ok(()) => Some(format!("receipt verified and written to {}\n", file.display())),
        Err(failure) => {
            shown.failure = Some(failure);
            None
        }
    }
}

/// The request of the arguments, or of the file they name.
pub(super) fn request(sign: &Sign) -> Result<SignatureRequest, Failure> {
    if let Some(file) = &sign.what.request {
        let text = read_text(file)?;
        return serde_json::from_str(&text)
            .map_err(|error| Failure::Failed(format!("{} holds no signature request: {error}", file.display())));
    }
    let [key] = sign.key.as_slice() else {
        return Err(Failure::Usage("one --key signs digests and messages, no more".to_owned()));
    };
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
        RequestStatus::Pending => (
            format!(
                "{id}: pending: waits for officers; ask again with `status {id}`, or the same `sign` with --wait\n"
            ),
            None,
        ),
        RequestStatus::Accepted => {
            (format!("{id}: accepted, not signed yet; ask again with `status {id}` or the same `sign`\n"), None)
        }
        RequestStatus::Lapsed => (String::new(), Some("lapsed: accepted, but no longer allowed; it is never signed")),
        RequestStatus::Rejected => (String::new(), Some("rejected by an officer; it is never signed")),
        RequestStatus::Withdrawn => {
            (String::new(), Some("withdrawn by the watcher, or replaced by another request; it is never signed"))
        }
        RequestStatus::Expired => {
            (String::new(), Some("expired: its time was over before the officers decided; ask again under a new id"))
        }
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
    let failed = |error: String| Failure::Failed(format!("reading {}: {error}", file.display()));
    String::from_utf8(read_bytes(file)?).map_err(|error| failed(error.to_string()))
}

/// Likewise, whatever is in it.
pub(super) fn read_bytes(file: &Path) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let read = if file == Path::new("-") { io::stdin().read_to_end(&mut bytes).map(|_| bytes) } else { fs::read(file) };
    read.map_err(|error| Failure::Failed(format!("reading {}: {error}", file.display())))
}

fn write_receipt(file: &Path, receipt: &Receipt) -> Result<(), Failure> {
    let failed = |error: String| Failure::Failed(format!("writing {}: {error}", file.display()));
    let text = serde_json::to_string_pretty(receipt).map_err(|error| failed(error.to_string()))?;
    fs::write(file, text + "\n").map_err(|error| failed(error.to_string()))
}
