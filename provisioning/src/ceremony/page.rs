//! The transcript as a page to print and sign: HTML that names nothing outside itself and runs nothing.
//!
//! What it says is what the verified transcript says; nothing is known here beside it.

use appliance_wire::ceremony::{Ceremony, Fact, FileHash, KeyMade, Participant, Step, TokenReady, What};

use crate::words;

const STYLE: &str = include_str!("page/style.css");

/// The whole page.
#[must_use]
pub fn page(ceremony: &Ceremony, steps: &[Step]) -> String {
    let mut body = String::new();
    let banner = if ceremony.rehearsal {
        "<p class=\"rehearsal\">REHEARSAL &mdash; nothing made here is of value</p>"
    } else {
        ""
    };
    body.push_str(&format!("{banner}<h1>{}</h1>", escaped(&ceremony.name)));
    body.push_str(&facts(ceremony));
    body.push_str(
        "<h2>Steps</h2><table class=\"steps\"><tr><th>No.</th><th>Time (UTC)</th><th>What was done</th></tr>",
    );
    for step in steps {
        let (number, time) = (step.number, escaped(&step.time));
        let mark = if step.rehearsal { "REHEARSAL: " } else { "" };
        body.push_str(&format!("<tr><td>{number}</td><td>{time}</td><td>{mark}{}</td></tr>", said(&step.what)));
    }
    body.push_str("</table>");
    body.push_str(&signatures(steps));
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{}</title>\n<style>\n{STYLE}</style></head>\n\
         <body>{body}</body></html>\n",
        escaped(&ceremony.name)
    )
}

fn facts(ceremony: &Ceremony) -> String {
    let mut rows = vec![
        ("Origin", ceremony.origin.clone()),
        ("Profile", ceremony.profile.clone()),
        ("Log key", ceremony.log_key.clone()),
        ("SHA-256 of transcript.json", ceremony.sha256.clone()),
        ("The same in words", words::fingerprint(ceremony.sha256.as_bytes())),
        ("SHA-256 of the plan", ceremony.plan_sha256.clone()),
    ];
    if let Some(policy) = &ceremony.policy_sha256 {
        rows.push(("SHA-256 of the first policy", policy.clone()));
    }
    if let Some(backup) = &ceremony.backup {
        rows.push((
            "Backup",
            format!("{} of {}: {}", backup.threshold, backup.custodians.len(), backup.custodians.join(", ")),
        ));
        rows.push(("Backup key (fingerprint)", backup.backup_key.clone()));
        rows.push(("Renewal key", backup.renewal_key.clone()));
    }
    let rows: String =
        rows.iter().map(|(name, value)| format!("<tr><th>{name}</th><td>{}</td></tr>", escaped(value))).collect();
    format!("<table class=\"facts\">{rows}</table>")
}

/// What a step says, as HTML.
fn said(what: &What) -> String {
    match what {
        What::Begun(begun) => format!(
            "begun with program {} (SHA-256 {})<br>present: {}",
            escaped(&begun.program),
            escaped(&begun.program_sha256),
            people(&begun.participants.iter().map(|one| format!("{} ({})", one.name, one.role)).collect::<Vec<_>>())
        ),
        What::Token(token) => token_ready(token),
        What::Split(split) => format!(
            "backup secret {} made and split: {} of {}; commitments:<br>{}",
            escaped(&split.id),
            split.custody.threshold,
            split.custody.custodians.len(),
            escaped(&split.commitments.join("\n")).replace('\n', "<br>")
        ),
        What::Share(share) => format!("share {} typed back by <b>{}</b>", share.index, escaped(&share.custodian)),
        What::SharesVoid(void) => format!("interrupted: every share of secret {} is void", escaped(&void.id)),
        What::Key(key) => key_made(key),
        What::Attestation(attested) => format!(
            "attestation of key <b>{}</b> by token {} validated: {}",
            escaped(attested.label.as_str()),
            escaped(&attested.token),
            escaped(&attested.validated)
        ),
        What::Backup(backup) => format!(
            "key <b>{}</b> of token {} wrapped into {} (SHA-256 {})",
            escaped(backup.label.as_str()),
            escaped(&backup.token),
            escaped(&backup.file.path),
            escaped(&backup.file.sha256)
        ),
        What::Restore(restored) => format!(
            "backup of key <b>{}</b> restored in token {} from shares {}, and proven by a signature",
            escaped(restored.label.as_str()),
            escaped(&restored.token),
            restored.shares.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
        ),
        What::Policy(policy) => format!("first policy: SHA-256 {}", escaped(&policy.sha256)),
        What::Files(files) => {
            let line = |file: &FileHash| format!("{} {}", escaped(&file.sha256), escaped(&file.path));
            format!("files written:<br>{}", files.files.iter().map(line).collect::<Vec<_>>().join("<br>"))
        }
        What::Resumed(resumed) => {
            format!("gone on after an interruption (program {})", escaped(&resumed.program_sha256))
        }
        What::Ended(_) => "ended".to_owned(),
    }
}

fn token_ready(token: &TokenReady) -> String {
    let roles = token.roles.iter().map(|role| {
        format!("<br>{}, object {}: {}", escaped(&role.role), role.id, escaped(&role.capabilities.join(", ")))
    });
    format!(
        "token <b>{}</b>{} is ready: {} {}, firmware {}, serial number <b>{}</b>{}",
        escaped(&token.name),
        if token.spare { " (spare)" } else { "" },
        escaped(&token.driver),
        escaped(&token.model),
        escaped(&token.firmware),
        escaped(&token.serial),
        roles.collect::<String>()
    )
}

fn key_made(key: &KeyMade) -> String {
    format!(
        "key <b>{}</b> ({}{}) made in token {}<br>public key {}<br>in words: <b>{}</b>{}<br>{}",
        escaped(key.label.as_str()),
        key.algorithm,
        if key.backup { ", leaves wrapped only" } else { ", never leaves" },
        escaped(&key.token),
        escaped(&key.public_key),
        words::of_public_key(&key.public_key),
        key.chain_code.as_ref().map_or_else(String::new, |code| format!("<br>chain code {}", escaped(code))),
        read_back(&key.facts)
    )
}

fn read_back(facts: &[Fact]) -> String {
    let line = |fact: &Fact| {
        format!("{}: {} [required {}]", escaped(&fact.name), escaped(&fact.found), escaped(&fact.required))
    };
    facts.iter().map(line).collect::<Vec<_>>().join("<br>")
}

/// A box for each person who was there.
fn signatures(steps: &[Step]) -> String {
    let begun = steps.iter().find_map(|step| if let What::Begun(begun) = &step.what { Some(begun) } else { None });
    let line = |one: &Participant| {
        format!(
            "<div class=\"sign\"><p>{}<br>{}</p><p class=\"line\">Date, signature</p></div>",
            escaped(&one.name),
            escaped(&one.role)
        )
    };
    let boxes: String = begun.iter().flat_map(|begun| &begun.participants).map(line).collect();
    format!("<h2>We were there, and saw this</h2><div class=\"signs\">{boxes}</div>")
}

fn people(names: &[String]) -> String {
    escaped(&names.join(", "))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
