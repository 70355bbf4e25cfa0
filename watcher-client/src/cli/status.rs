//! `status`: of one request, or of the signer.

use std::path::Path;

use appliance_wire::{Checkpoint, KeysAnswer, LimitsAnswer, RequestId};
use serde_json::json;

use super::{Shown, chains, daemon::Daemon, failure::Failure, limits::limits_table, sign};
use crate::{Client, Config, Standing};

pub(super) async fn of_request(client: &Client, id: &RequestId) -> Result<Shown, Failure> {
    sign::show(&client.status(id).await?)
}

pub(super) async fn withdraw(client: &Client, id: &RequestId) -> Result<Shown, Failure> {
    let answer = client.withdraw(id).await?;
    let text = format!("{id}: withdrawn: it is never signed, and what it held is free\n");
    Shown::new(text, &answer)
}

/// The signer, and the daemon where this is one: neither hides where the other stands.
pub(super) async fn of_all(config: &Config, file: &Path, client: &Client, bars: bool) -> Result<Shown, Failure> {
    let of_signer = of_signer(client, bars).await;
    if config.run.is_none() {
        return of_signer;
    }
    let (text, json) = match Daemon::new(config, file) {
        Ok(daemon) => chains::status(&daemon).await,
        Err(failure) => (format!("daemon      {}\n", failure.text()), json!({ "error": failure.text() })),
    };
    let mut shown = match of_signer {
        Ok(shown) => shown,
        Err(failure) => {
            let json = json!({ "reachable": false, "error": failure.text() });
            let text = format!("signer      {} CANNOT be used\n", client.url());
            Shown { failure: Some(failure), ..Shown::new(text, &json)? }
        }
    };
    shown.text = format!("{}\n\n{text}", shown.text.trim_end());
    shown.json["daemon"] = json;
    Ok(shown)
}

/// The signer as a whole: the log first, because an inconsistent one makes everything else worthless.
pub(super) async fn of_signer(client: &Client, bars: bool) -> Result<Shown, Failure> {
    let (checkpoint, standing) = client.checkpoint().await?;
    let keys = client.keys().await?;
    let limits = client.limits().await?;
    let text = format!(
        "signer      {} answers\ncheckpoint  {} entries, {}\nkeys        {} granted\n\n{}",
        client.url(),
        checkpoint.size(),
        describe(standing),
        keys.keys.len(),
        limits_table(&limits, bars)
    );
    Shown::new(text, &whole(client, &checkpoint, standing, &keys, &limits))
}

fn describe(standing: Standing) -> String {
    match standing {
        Standing::First => "the first one seen: remembered from now on".to_owned(),
        Standing::Same => "the one remembered".to_owned(),
        Standing::Grown { from } => format!("consistent with the {from} remembered"),
        Standing::Older => "a beginning of the log remembered".to_owned(),
    }
}

fn whole(
    client: &Client,
    checkpoint: &Checkpoint,
    standing: Standing,
    keys: &KeysAnswer,
    limits: &LimitsAnswer,
) -> serde_json::Value {
    let remembered = match standing {
        Standing::First => None,
        Standing::Same | Standing::Older => Some(checkpoint.size()),
        Standing::Grown { from } => Some(from),
    };
    serde_json::json!({
        "url": client.url(),
        "reachable": true,
        "checkpoint": { "size": checkpoint.size(), "note": checkpoint.note() },
        "remembered_size": remembered,
        "consistent": true,
        "keys": keys.keys.len(),
        "limits": limits.limits,
    })
}
