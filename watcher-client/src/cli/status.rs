//! `status`: of one request, or of the signer.

use appliance_wire::{Checkpoint, KeysAnswer, LimitsAnswer, RequestId};

use super::{Shown, failure::Failure, limits::limits_table, sign};
use crate::{Client, Standing};

pub(super) async fn of_request(client: &Client, id: &RequestId) -> Result<Shown, Failure> {
    sign::show(&client.status(id).await?)
}

pub(super) async fn withdraw(client: &Client, id: &RequestId) -> Result<Shown, Failure> {
    let answer = client.withdraw(id).await?;
    let text = format!("{id}: withdrawn: it is never signed, and what it held is free\n");
    Shown::new(text, &answer)
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
    Shown::new(text, &json(client, &checkpoint, standing, &keys, &limits))
}

fn describe(standing: Standing) -> String {
    match standing {
        Standing::First => "the first one seen: remembered from now on".to_owned(),
        Standing::Same => "the one remembered".to_owned(),
        Standing::Grown { from } => format!("consistent with the {from} remembered"),
        Standing::Older => "a beginning of the log remembered".to_owned(),
    }
}

fn json(
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
