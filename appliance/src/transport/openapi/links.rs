//! What can be asked next, with what an answer says.

use serde_json::{Value, json};

const REQUEST: &str = "$request.path.request_id";

/// The links of a call's good answers, where it has some.
pub(super) fn after(call: &str) -> Option<Value> {
    let one =
        |call: &str, parameter: &str, value: &str| json!({ "operationId": call, "parameters": { parameter: value } });
    Some(match call {
        "putSignatures" => json!({
            "state": one("getSignatures", "request_id", REQUEST),
            "withdrawal": one("deleteSignatures", "request_id", REQUEST),
            "entry": one("getEntry", "index", "$response.body#/entry"),
        }),
        "getSignatures" => json!({ "entry": one("getEntry", "index", "$response.body#/entry") }),
        "getKeys" => json!({
            "key": one("getKey", "key", "$response.body#/keys/0/name"),
            "addresses": one("getAddresses", "key", "$response.body#/keys/0/name"),
        }),
        "postAddresses" => json!({ "addresses": one("getAddresses", "key", "$request.path.key") }),
        "getEvents" => json!({ "next": one("getEvents", "after", "$response.body#/next") }),
        _ => return None,
    })
}
