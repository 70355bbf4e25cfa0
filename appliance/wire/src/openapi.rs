//! Parts of OpenAPI 3.1 documents that appliance and watcher write alike: the schemas of types, and where references
//! lead. Knows no calls.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use utoipa::{ToSchema, openapi::RefOr, openapi::schema::Schema};

/// Schemas by their names.
#[derive(Debug, Default)]
pub struct Schemas(BTreeMap<String, Value>);

impl Schemas {
    /// With a type's, and those that it refers to.
    #[must_use]
    pub fn of<T: ToSchema>(mut self) -> Self {
        let mut found: Vec<(String, RefOr<Schema>)> = vec![(T::name().into_owned(), T::schema())];
        T::schemas(&mut found);
        self.0.extend(found.into_iter().map(|(name, schema)| (name, json!(schema))));
        self
    }

    /// With one that is no type's.
    #[must_use]
    pub fn with(mut self, name: &str, schema: Value) -> Self {
        self.0.insert(name.to_owned(), schema);
        self
    }

    /// With more members in one that is there.
    #[must_use]
    pub fn with_more(mut self, name: &str, more: Value) -> Self {
        if let (Some(Value::Object(schema)), Value::Object(more)) = (self.0.get_mut(name), more) {
            schema.extend(more);
        }
        self
    }

    /// What stands at `/components/schemas`. A member of an answer that is not there is left out, and never null; only
    /// what is read, which is what takes no unknown members, may have nulls.
    #[must_use]
    pub fn into_value(mut self) -> Value {
        for schema in self.0.values_mut().filter(|schema| schema["additionalProperties"] != false) {
            let members = schema.get_mut("properties").and_then(Value::as_object_mut);
            members.into_iter().flat_map(|members| members.values_mut()).for_each(never_null);
        }
        json!(self.0)
    }
}

fn never_null(schema: &mut Value) {
    let other_than = |null: Value, options: &mut Vec<Value>| {
        options.retain(|option| *option != null);
        if options.len() == 1 { options.pop() } else { None }
    };
    if let Some(types) = schema.get_mut("type").and_then(Value::as_array_mut) {
        if let Some(only) = other_than(json!("null"), types) {
            schema["type"] = only;
        }
    } else if let Some(options) = schema.get_mut("oneOf").and_then(Value::as_array_mut)
        && let Some(only) = other_than(json!({ "type": "null" }), options)
    {
        *schema = only;
    }
}

/// The references of a document that lead nowhere in it.
#[must_use]
pub fn broken_references(document: &Value) -> Vec<&str> {
    let mut found = references(document);
    found.retain(|reference| document.pointer(reference.trim_start_matches('#')).is_none());
    found
}

/// Every reference in a document.
#[must_use]
pub fn references(value: &Value) -> Vec<&str> {
    let members = value.as_object().into_iter().flat_map(|members| members.values());
    let within = members.chain(value.as_array().into_iter().flatten()).flat_map(references);
    value.get("$ref").and_then(Value::as_str).into_iter().chain(within).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Event, SignatureAnswer, SignatureRequest};

    #[test]
    fn an_answer_has_no_nulls_and_a_request_may() {
        let schemas = Schemas::default().of::<SignatureAnswer>().of::<SignatureRequest>().of::<Event>().into_value();
        let member = |schema: &str, name: &str| schemas[schema]["properties"][name].clone();
        assert_eq!(member("SignatureAnswer", "entry")["type"], "integer");
        assert_eq!(member("SignatureAnswer", "signatures")["type"], "array");
        assert_eq!(member("SignatureAnswer", "receipt")["$ref"], "#/components/schemas/Receipt");
        assert_eq!(member("Event", "status")["$ref"], "#/components/schemas/RequestStatus");
        assert_eq!(member("SignatureRequest", "expires_at")["type"], json!(["string", "null"]));
        assert_eq!(member("SignatureRequest", "transfer")["oneOf"][1]["type"], "null");
    }

    #[test]
    fn references_that_lead_nowhere_are_found() {
        let document = json!({ "a": [{ "$ref": "#/b" }, { "x": { "$ref": "#/c/0" } }], "c": [{ "$ref": "#/c/1" }] });
        assert_eq!(references(&document).len(), 3);
        assert_eq!(broken_references(&document), ["#/b", "#/c/1"]);
    }
}
