//! `policy sign`: an officer's signature for a policy, made with the officer's own OpenSSH key.

use std::{
    path::{Path, PathBuf},
    process::{Command as Process, Stdio},
};

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::{
    Error,
    environment::Invocation,
    files,
    programs::{self, CHANCERY, Programs, expect_success},
    report::Report,
};

/// Sign policies.
#[derive(Args, Debug)]
#[command(
    after_help = "Example:\n  chancery-provision policy sign policy.toml --key ~/.ssh/id_ed25519_sk --config chancery.toml"
)]
pub(super) struct Policy {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Ask the running appliance for the text that installs this policy, show it, and sign it with `ssh-keygen -Y sign`.
    #[command(
        after_help = "Example:\n  chancery-provision policy sign policy.toml --key ~/.ssh/id_ed25519_sk --out alice.sig --config \
                      chancery.toml\n  chancery policy install policy.toml --signature alice.sig --signature bob.sig --config \
                      chancery.toml"
    )]
    Sign {
        /// The policy.
        file: PathBuf,
        /// The officer's key, as `ssh-keygen -f` takes it: a private key, or the public half of one in an agent or a
        /// security key.
        #[arg(long, value_name = "KEY")]
        key: PathBuf,
        /// Where the signature goes; beside the policy without.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// The appliance's configuration.
        #[arg(long, default_value = "/etc/chancery/chancery.toml")]
        config: PathBuf,
    },
}

impl Policy {
    pub(super) fn run(self, invocation: &Invocation, report: &Report) -> Result<(), Error> {
        let Command::Sign { file, key, out, config } = self.command;
        let text = text_of(invocation, &file, &config)?;
        report.say(text["text"].as_str().unwrap_or_default());
        let out = out.unwrap_or_else(|| file.with_extension("sig"));
        let signature = sign(&text, &key)?;
        files::replace(&out, &signature)?;
        let shown = programs::shown(&out);
        report.finish(
            &format!("signed; hand it in: chancery policy install {} --signature {shown}", programs::shown(&file)),
            &json!({ "signature": out, "namespace": text["namespace"], "quorum": text["quorum"] }),
        );
        Ok(())
    }
}

/// What the appliance makes of it.
fn text_of(invocation: &Invocation, file: &Path, config: &Path) -> Result<Value, Error> {
    let (programs, name) = Programs::beside(invocation, config);
    let file = files::absolute(file)?;
    let arguments = ["policy", "install", &*file.to_string_lossy(), "--text", "--json", "--config", &name];
    let text = programs.output(CHANCERY, &arguments)?;
    serde_json::from_str(&text)
        .map_err(|error| Error::Program { program: CHANCERY.to_owned(), reason: format!("its text: {error}") })
}

/// What `ssh-keygen` makes of the text. It asks for passphrase, PIN or touch by itself.
fn sign(text: &Value, key: &Path) -> Result<String, Error> {
    let failed = |reason: String| Error::Program { program: "ssh-keygen -Y sign".to_owned(), reason };
    let namespace = text["namespace"].as_str().unwrap_or_default();
    let mut signing = Process::new("ssh-keygen")
        .args(["-Y", "sign", "-n", namespace, "-f"])
        .arg(key)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| failed(format!("could not be started (package openssh-client): {error}")))?;
    if let Some(mut input) = signing.stdin.take() {
        use std::io::Write;
        let written = input.write_all(text["text"].as_str().unwrap_or_default().as_bytes());
        written.map_err(|error| failed(error.to_string()))?;
    }
    let ended = signing.wait_with_output().map_err(|error| failed(error.to_string()))?;
    expect_success("ssh-keygen -Y sign", ended.status)?;
    String::from_utf8(ended.stdout).map_err(|_| failed("its signature is no text".to_owned()))
}
