//! `ceremony run`, `rehearse`, `verify` and `officers`.

use std::path::PathBuf;

use appliance_wire::ceremony::{Ceremony as Facts, Transcript};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::shares::Shares;
use crate::{
    Error,
    ceremony::{self, Options},
    environment::Invocation,
    files, programs,
    report::Report,
    words,
};

/// Carry out a key ceremony from its plan, practise it, or check its transcript.
#[derive(Args, Debug)]
#[command(
    after_help = "Example:\n  chancery-provision ceremony rehearse plan.toml --out rehearsal\n  chancery-provision ceremony run \
                        plan.toml --out signer-1\n  chancery-provision ceremony verify signer-1/transcript.json"
)]
pub(super) struct Ceremony {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Carry the plan out: tokens, keys, shares, backups and their proof, certificates, first policy. Every step is shown,
    /// confirmed by typing, and written into the transcript.
    #[command(after_help = "Example:\n  chancery-provision ceremony run plan.toml --out signer-1")]
    Run(Arguments),
    /// The same on tokens made for it and thrown away: SoftHSM, and a simulated YubiHSM 2. REHEARSAL stands on every screen.
    #[command(after_help = "Example:\n  chancery-provision ceremony rehearse plan.toml --out rehearsal")]
    Rehearse(Arguments),
    /// Check a transcript: the chain of its steps, what each says after those before it, and the signature of the log key.
    /// Exit status 3: it is not valid.
    #[command(after_help = "Example:\n  chancery-provision ceremony verify signer-1/transcript.json")]
    Verify {
        /// The transcript.
        transcript: PathBuf,
    },
    /// Sign a policy with the key of the custodians' shares, where officers fell below the quorum that could install it.
    #[command(
        after_help = "Example:\n  chancery policy install policy.toml --renewal --text --config chancery.toml > renewal.txt\n  \
                      chancery-provision ceremony officers policy.toml --transcript transcript.json --text renewal.txt \
                      --signature-out renewal.sig\n  chancery policy install policy.toml --renewal --signature renewal.sig --config \
                      chancery.toml"
    )]
    Officers {
        /// The policy with the new officers.
        policy: PathBuf,
        /// The ceremony's transcript.
        #[arg(long, value_name = "FILE")]
        transcript: PathBuf,
        /// What the appliance printed for it.
        #[arg(long, value_name = "FILE")]
        text: PathBuf,
        /// Where the signature goes.
        #[arg(long, value_name = "FILE")]
        signature_out: PathBuf,
        #[command(flatten)]
        shares: Shares,
    },
}

#[derive(Args, Debug)]
struct Arguments {
    /// The plan.
    plan: PathBuf,
    /// Where everything is kept; made unless it is there.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Ask nobody: confirmations are taken as given, and shares go into files, which is no way to keep them.
    #[arg(long)]
    yes: bool,
    /// Go on after an interruption.
    #[arg(long)]
    resume: bool,
}

impl Ceremony {
    pub(super) fn run(self, invocation: &Invocation, report: &Report) -> Result<(), Error> {
        match self.command {
            Command::Run(arguments) => carry_out(arguments, false, invocation, report),
            Command::Rehearse(arguments) => carry_out(arguments, true, invocation, report),
            Command::Verify { transcript } => {
                let text_of_file = files::read_known(&transcript)?;
                match judged(&text_of_file) {
                    Ok(ceremony) => report.finish(&text(&ceremony), &value(&ceremony)),
                    Err((step, reason)) => {
                        if report.is_json() {
                            report.finish("", &json!({ "valid": false, "step": step, "reason": reason }));
                        }
                        return Err(Error::NotValid { path: transcript, reason });
                    }
                }
                Ok(())
            }
            Command::Officers { policy, transcript, text, signature_out, shares } => {
                let ceremony = verified(&transcript)?;
                let (policy, text) = (files::read(&policy)?, files::read(&text)?);
                let signature = ceremony::renew(&ceremony, &policy, &text, &shares.given(), &shares.screen(report))?;
                files::replace(&signature_out, &signature)?;
                let shown = programs::shown(&signature_out);
                let said = format!(
                    "the custodians' signature is in {shown}; hand it in on the box:\n  chancery policy install POLICY \
                     --renewal --signature {shown}"
                );
                report.finish(&said, &json!({ "signature": signature_out, "renewal_key": ceremony.renewal_key() }));
                Ok(())
            }
        }
    }
}

fn carry_out(arguments: Arguments, rehearsal: bool, invocation: &Invocation, report: &Report) -> Result<(), Error> {
    let Arguments { plan, out, yes: automatic, resume } = arguments;
    let directory = ceremony::run(&Options { plan, out, automatic, resume, rehearsal }, invocation, report)?;
    let transcript = directory.join("transcript.json");
    let ceremony = verified(&transcript)?;
    let mut said = text(&ceremony);
    said.push_str(&next(&directory, &ceremony));
    report.finish(&said, &value(&ceremony));
    Ok(())
}

/// The facts of a transcript that is valid.
pub(super) fn verified(path: &std::path::Path) -> Result<Facts, Error> {
    judged(&files::read_known(path)?).map_err(|(_, reason)| Error::NotValid { path: path.to_owned(), reason })
}

/// The facts of a transcript's text; or the first bad step, where it is one, and what is wrong.
fn judged(text: &str) -> Result<Facts, (Option<u64>, String)> {
    let transcript = Transcript::parse(text).map_err(|error| (None, error.to_string()))?;
    transcript.verify().map_err(|error| (error.step(), error.to_string()))
}

fn text(ceremony: &Facts) -> String {
    let mut lines = Vec::new();
    if ceremony.rehearsal {
        lines.push("REHEARSAL: nothing made in it is of value".to_owned());
    }
    lines.push(format!("\"{}\" is whole, and signed by the log key of {}", ceremony.name, ceremony.origin));
    lines.push(format!("  transcript  SHA-256 {}", ceremony.sha256));
    lines.push(format!("              in words: {}", words::fingerprint(ceremony.sha256.as_bytes())));
    lines.push(format!("  log key     {}", ceremony.log_key));
    for token in &ceremony.tokens {
        let spare = if token.spare { ", spare" } else { "" };
        lines.push(format!("  token       {} ({}, serial number {}{spare})", token.name, token.driver, token.serial));
    }
    for key in &ceremony.keys {
        let backup = if key.backup { "backed up, and restored once" } else { "never leaves" };
        lines.push(format!("  key         {} ({}, in {}, {backup})", key.label, key.algorithm, key.token));
        lines.push(format!("              {} = {}", key.public_key, words::of_public_key(&key.public_key)));
    }
    if let Some(backup) = &ceremony.backup {
        let custodians = backup.custodians.join(", ");
        lines.push(format!("  shares      {} of {}: {custodians}", backup.threshold, backup.custodians.len()));
        lines.push(format!("  renewal key {}", backup.renewal_key));
    }
    if let Some(policy) = &ceremony.policy_sha256 {
        lines.push(format!("  policy      SHA-256 {policy}"));
    }
    lines.join("\n")
}

fn next(directory: &std::path::Path, ceremony: &Facts) -> String {
    let file = |name: &str| programs::shown(&directory.join(name));
    if ceremony.rehearsal {
        let directory = programs::shown(directory);
        return format!("\n\nThe rehearsal is over. Throw it away:\n  rm -r {directory}");
    }
    format!(
        "\n\nNext:\n\
         \x20 1. Print {page}, and have everybody sign it.\n\
         \x20 2. Put {backup} and the transcript on two media, and bring them to two places. Spare tokens go to a safe.\n\
         \x20 3. Check the transcript on another machine:\n\
         \x20      chancery-provision ceremony verify {transcript}\n\
         \x20 4. Start the appliance:\n\
         \x20      chancery serve --config {config}",
        page = file("transcript.html"),
        backup = file("backup"),
        transcript = file("transcript.json"),
        config = file("chancery.toml"),
    )
}

fn value(ceremony: &Facts) -> Value {
    let keys = ceremony.keys.iter().map(|key| {
        json!({
            "key": key.label, "token": key.token, "algorithm": key.algorithm, "public_key": key.public_key,
            "chain_code": key.chain_code, "backup": key.backup, "backup_sha256": key.backup_sha256,
        })
    });
    let tokens = ceremony.tokens.iter().map(
        |token| json!({ "name": token.name, "driver": token.driver, "serial": token.serial, "spare": token.spare }),
    );
    let backup = ceremony.backup.as_ref().map(|backup| {
        json!({
            "id": backup.id, "threshold": backup.threshold, "custodians": backup.custodians,
            "backup_key": backup.backup_key, "renewal_key": backup.renewal_key,
        })
    });
    json!({
        "valid": true, "name": ceremony.name, "origin": ceremony.origin, "profile": ceremony.profile,
        "rehearsal": ceremony.rehearsal, "sha256": ceremony.sha256, "plan_sha256": ceremony.plan_sha256,
        "policy_sha256": ceremony.policy_sha256, "log_key": ceremony.log_key, "tokens": tokens.collect::<Value>(),
        "keys": keys.collect::<Value>(), "backup": backup,
    })
}
