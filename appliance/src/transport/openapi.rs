//! The OpenAPI 3.1 document of the watcher API: schemas from the wire types, paths from the table in `calls`.

use std::{collections::BTreeMap, sync::LazyLock};

use appliance_wire::{
    AddressesAnswer, AddressesRequest, EntryAnswer, EventsAnswer, Explanation, KeyAnswer, KeysAnswer, LimitsAnswer,
    Problem, ProblemCode, ProofAnswer, SignatureAnswer, SignatureRequest, openapi::Schemas,
};
use serde_json::{Map, Value, json};

mod calls;
mod examples;
mod links;

use calls::{Answer, CALLS, Call};

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
            "title": "Chancery watcher API",
            "version": env!("CARGO_PKG_VERSION"),
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
            "description": "Signatures under the keys of a signing appliance. TLS 1.3 with a client certificate whose \
                public key the policy names. Every refusal is a problem document (RFC 9457) that says what to do.",
        },
        "servers": [{ "url": "/" }],
        "security": [{ "client_certificate": [] }],
        "paths": paths(),
        "components": {
            "schemas": schemas(),
            "examples": examples::problems(),
            "securitySchemes": {
                "client_certificate": {
                    "type": "mutualTLS",
                    "description": "Issued by the configured CA; its public key is looked up in the policy for every request.",
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
    if !call.parameters.is_empty() {
        operation["parameters"] = call.parameters.iter().map(|name| calls::parameter(name)).collect();
    }
    if let Some(body) = call.body {
        let media_type = if body == "text" { "text/plain" } else { "application/json" };
        operation["requestBody"] = json!({ "required": true, "content": { media_type: media(body) } });
    }
    operation
}

fn responses(call: &Call) -> Value {
    let mut responses = Map::new();
    for answer in call.answers {
        responses.insert(answer.status.to_string(), success(call, answer));
    }
    let mut by_status: BTreeMap<u16, Vec<ProblemCode>> = BTreeMap::new();
    for code in call.problems.iter().flat_map(|codes| codes.iter()) {
        by_status.entry(code.status()).or_default().push(*code);
    }
    for (status, codes) in by_status {
        responses.insert(status.to_string(), refusal(&codes));
    }
    Value::Object(responses)
}

fn success(call: &Call, answer: &Answer) -> Value {
    let mut response =
        json!({ "description": answer.description, "content": { answer.media_type: media(answer.schema) } });
    if answer.status == 202 {
        response["headers"] = retry_after();
    }
    if let Some(links) = links::after(call.id).filter(|_| answer.media_type == "application/json") {
        response["links"] = links;
    }
    response
}

fn media(schema: &str) -> Value {
    let example = examples::of(schema);
    match schema {
        "text" => json!({ "schema": { "type": "string" }, "example": example }),
        "object" => json!({ "schema": { "type": "object", "additionalProperties": true } }),
        name => json!({ "schema": { "$ref": format!("#/components/schemas/{name}") }, "example": example }),
    }
}

fn refusal(codes: &[ProblemCode]) -> Value {
    let one = |code: &ProblemCode| format!("`{}`: {}", code.name(), Problem::new(*code, "").title);
    let reference = |code: &ProblemCode| {
        (code.name().to_owned(), json!({ "$ref": format!("#/components/examples/{}", code.name()) }))
    };
    json!({
        "description": codes.iter().map(one).collect::<Vec<_>>().join("; "),
        "headers": retry_after(),
        "content": {
            "application/problem+json": {
                "schema": { "$ref": "#/components/schemas/Problem" },
                "examples": codes.iter().map(reference).collect::<Map<_, _>>(),
            },
        },
    })
}

fn retry_after() -> Value {
    json!({ "Retry-After": {
        "description": "Seconds to wait, where waiting helps.",
        "schema": { "type": "integer", "minimum": 0 },
    } })
}

fn schemas() -> Value {
    Schemas::default()
        .of::<SignatureRequest>()
        .of::<SignatureAnswer>()
        .of::<KeysAnswer>()
        .of::<KeyAnswer>()
        .of::<AddressesRequest>()
        .of::<AddressesAnswer>()
        .of::<Explanation>()
        .of::<LimitsAnswer>()
        .of::<EventsAnswer>()
        .of::<EntryAnswer>()
        .of::<ProofAnswer>()
        .of::<Problem>()
        .with_more("Item", calls::either_digest_or_message())
        .with("CosignaturesAnswer", calls::cosignatures_answer())
        .with("FreezeRequest", calls::freeze_request())
        .with("FreezeAnswer", calls::freeze_answer())
        .into_value()
}

#[cfg(test)]
mod tests;
