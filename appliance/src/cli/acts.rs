//! Acts of officers on the command line: `--text` prints what they sign, `--signature FILE` hands it in.

use std::{fs, path::Path, path::PathBuf};

use clap::Args;
use hyper::Method;
use serde_json::{Value, json};

use super::{
    Failure,
    output::{print, print_json},
    serve::runtime,
};
use crate::{
    config::Config,
    officers::{ActRequest, RENEWAL},
    transport::call,
};

/// How officers take part.
#[derive(Args, Clone, Debug, Default)]
pub(super) struct Officers {
    /// Print the text that officers sign, and do nothing else.
    #[arg(long, conflicts_with = "signature")]
    pub(super) text: bool,
    /// What `ssh-keygen -Y sign` made of the text; once for each officer.
    #[arg(long, value_name = "FILE")]
    pub(super) signature: Vec<PathBuf>,
}

impl Officers {
    /// The text, where there is no signature: without one this act never is done.
    pub(super) fn or_text(&self) -> Self {
        Self { text: self.text || self.signature.is_empty(), signature: self.signature.clone() }
    }

    /// The signatures, in their armour.
    pub(super) fn signatures(&self) -> Result<Vec<String>, Failure> {
        let read = |file: &PathBuf| {
            let text = fs::read_to_string(file);
            text.map_err(|error| Failure::failed(format!("reading signature {}: {error}", file.display())))
        };
        self.signature.iter().map(read).collect()
    }
}

/// Prints the text of an act, or does it.
pub(super) fn run(config: &Path, request: &ActRequest, officers: &Officers, as_json: bool) -> Result<(), Failure> {
    let (socket, _) = Config::admin_socket_of(config)?;
    let to_json = |error: serde_json::Error| Failure::failed(error.to_string());
    let request = serde_json::to_value(request).map_err(to_json)?;
    if officers.text {
        let text: Value = runtime()?.block_on(call(&socket, Method::POST, "/acts/text", Some(request)))?;
        print_text(&text, as_json);
        return Ok(());
    }
    let body = json!({ "request": request, "signatures": officers.signatures()? });
    let done: Value = runtime()?.block_on(call(&socket, Method::POST, "/acts", Some(body)))?;
    if as_json {
        print_json(&done);
    } else {
        print(in_words(&done));
    }
    Ok(())
}

/// The text alone goes to the output, so that it can be redirected; how to sign it goes beside it.
pub(super) fn print_text(text: &Value, as_json: bool) {
    if as_json {
        return print_json(text);
    }
    print(text["text"].as_str().unwrap_or_default().trim_end_matches('\n'));
    let Some(namespace) = text["namespace"].as_str() else { return };
    let by = match text["quorum"].as_u64() {
        _ if namespace == RENEWAL => "the custodians".to_owned(),
        None | Some(0) => return eprintln!("the policy has no officers: nobody need sign it"),
        Some(1) => "one officer".to_owned(),
        Some(quorum) => format!("{quorum} officers"),
    };
    eprintln!("to be signed by {by}: ssh-keygen -Y sign -n {namespace} -f KEY FILE");
}

fn in_words(done: &Value) -> String {
    match (done["done"].as_str(), done["standing"].as_str()) {
        (Some(title), _) => {
            let officers: Vec<&str> =
                done["officers"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            let by = if officers.is_empty() { String::new() } else { format!(", by {}", officers.join(", ")) };
            format!("done: {title}{by} (entry {})", done["entry"])
        }
        (None, Some("waiting")) => {
            let loosens = done["loosens"].as_array().into_iter().flatten().filter_map(Value::as_str);
            let loosens: String = loosens.map(|what| format!("\n  loosens: {what}")).collect();
            format!(
                "policy version {} waits, and is in force in {} s of service time unless an officer vetoes it{loosens}",
                done["version"], done["in_force_in_s"]
            )
        }
        (None, _) => {
            let ended = done["ends_waiting"].as_u64();
            let ended = ended.map(|version| format!("; version {version}, which waited, never comes in"));
            format!("policy version {} is in force{}", done["version"], ended.unwrap_or_default())
        }
    }
}
