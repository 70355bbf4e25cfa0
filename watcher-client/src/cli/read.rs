//! `keys`, `limits` and `freeze`: one call, one table.

use super::{
    Shown,
    failure::Failure,
    limits::limits_table,
    table::{row, table},
};
use crate::Client;

pub(super) async fn keys(client: &Client) -> Result<Shown, Failure> {
    let answer = client.keys().await?;
    if answer.keys.is_empty() {
        return Shown::new("no key is granted to this watcher; a rule of the policy must name it".to_owned(), &answer);
    }
    let mut rows = vec![row(["key", "algorithm", "evidence", "state", "public key", "address"])];
    for key in &answer.keys {
        let address = key.address.as_deref().unwrap_or("-");
        rows.push(row([&key.name, key.algorithm.name(), &key.evidence, &key.state, &key.public_key, address]));
    }
    Shown::new(table(&rows), &answer)
}

pub(super) async fn limits(client: &Client, bars: bool) -> Result<Shown, Failure> {
    let answer = client.limits().await?;
    Shown::new(limits_table(&answer, bars), &answer)
}

pub(super) async fn freeze(client: &Client, reason: &str) -> Result<Shown, Failure> {
    client.freeze(reason).await?;
    let json = serde_json::json!({ "frozen": true, "reason": reason });
    Shown::new("frozen: nothing this watcher asks for leaves the signer until it is unfrozen".to_owned(), &json)
}
