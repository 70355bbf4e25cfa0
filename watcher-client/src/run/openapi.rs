//! The OpenAPI 3.1 document of the daemon's API: schemas from the types, paths from the table in `calls`.

use std::{collections::BTreeMap, sync::LazyLock};

use appliance_wire::openapi::Schemas;
use serde_json::{Map, Value, json};

use super::{
    problem::{ProblemCode, WatcherProblem},
    words::{
        AssignedAnswer, ChainView, ChainsAnswer, DepositsAnswer, WatcherEventsAnswer, WithdrawalRequest,
        WithdrawalsAnswer,
    },
};
use crate::journal::{Assigned, Event, WithdrawalView};

mod calls;

use calls::{CALLS, Call};

/// The document, as indented JSON that ends in a newline.
#[must_use]
pub fn document() -> String {
    static DOCUMENT: LazyLock<String> = LazyLock::new(|| format!("{:#}\n", whole()));
    DOCUMENT.clone()
}

fn whole() -> Value {
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Chancery watcher daemon API",
            "version": env!("CARGO_PKG_VERSION"),
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
            "description": "Deposits and withdrawals of an exchange, by `chancery-watcher run`. HTTP/1.1; over TLS 1.3 \
                outside loopback. Every refusal is a problem document (RFC 9457) that says what to do.",
        },
        "servers": [{ "url": "/" }],
        "security": [{ "token": [] }],
        "paths": paths(),
        "components": {
            "schemas": schemas(),
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "The content of `run.token_file` of watcher.toml.",
                },
            },
        },
    })
}

fn paths() -> Value {
    let mut paths: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    for call in CALLS {
        paths.entry(call.path).or_default().insert(call.method.to_owned(), operation(call));
    }
    json!(paths)
}

fn operation(call: &Call) -> Value {
    let mut operation = json!({
        "operationId": call.id,
        "tags": [call.tag()],
        "summary": call.summary,
        "responses": responses(call),
    });
    let in_path = call.path.split('{').skip(1).filter_map(|part| part.split('}').next());
    let parameters: Vec<Value> =
        in_path.map(calls::in_path).chain(call.query.iter().map(|name| calls::in_query(name))).collect();
    if !parameters.is_empty() {
        operation["parameters"] = json!(parameters);
    }
    if let Some(body) = call.body {
        operation["requestBody"] = json!({ "required": true, "content": { "application/json": media(body) } });
    }
    if call.path == "/healthz" {
        operation["security"] = json!([]);
    }
    operation
}

fn responses(call: &Call) -> Value {
    let mut responses = Map::new();
    for (status, description, schema) in call.answers {
        let media_type = if *schema == "text" { "text/plain" } else { "application/json" };
        let content = json!({ media_type: media(schema) });
        responses.insert(status.to_string(), json!({ "description": description, "content": content }));
    }
    let mut by_status: BTreeMap<u16, Vec<String>> = BTreeMap::new();
    for code in call.problems.iter().flat_map(|codes| codes.iter()) {
        by_status.entry(code.status()).or_default().push(words(*code));
    }
    for (status, words) in by_status {
        let content = json!({ "application/problem+json": media("WatcherProblem") });
        responses.insert(status.to_string(), json!({ "description": words.join("; "), "content": content }));
    }
    Value::Object(responses)
}

fn words(code: ProblemCode) -> String {
    format!("`{}`: {}", code.name(), WatcherProblem::new(code, "").title)
}

fn media(schema: &str) -> Value {
    match schema {
        "text" => json!({ "schema": { "type": "string" } }),
        "object" => json!({ "schema": { "type": "object", "additionalProperties": true } }),
        name => json!({ "schema": { "$ref": format!("#/components/schemas/{name}") } }),
    }
}

fn schemas() -> Value {
    Schemas::default()
        .of::<WithdrawalRequest>()
        .of::<WithdrawalView>()
        .of::<WithdrawalsAnswer>()
        .of::<DepositsAnswer>()
        .of::<Assigned>()
        .of::<AssignedAnswer>()
        .of::<ChainView>()
        .of::<ChainsAnswer>()
        .of::<Event>()
        .of::<WatcherEventsAnswer>()
        .of::<WatcherProblem>()
        .with("Exported", calls::exported())
        .into_value()
}

#[cfg(test)]
mod tests;
