//! `pki issue`, and the commands beside it.

mod list;
mod renew;
mod revoke;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::json;

use crate::{
    Error, files,
    pki::{Authority, LEAF_DAYS, Leaf, Use},
    programs,
    report::Report,
};

/// Issue, renew, revoke and list certificates.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  chancery-provision pki issue btc-watcher-2 --directory trial/pki")]
pub(super) struct Pki {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Issue(Issue),
    Renew(renew::Renew),
    Revoke(revoke::Revoke),
    List(list::List),
}

/// Issue a watcher's certificate, signed by ca.crt of the directory, and print its line for the policy.
///
/// Where NAME.key is there the certificate is issued over that key. A certificate that is there is not overwritten:
/// `pki renew` replaces it.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  chancery-provision pki issue btc-watcher-2 --directory trial/pki --days 90\n  \
    chancery-provision pki issue signer-1 --server --san signer-1.internal --san 10.0.0.7 --directory trial/pki")]
struct Issue {
    /// Name of the files and of the subject.
    name: String,
    /// The directory of ca.crt and ca.key.
    #[arg(long)]
    directory: PathBuf,
    /// How long it is valid.
    #[arg(long, default_value_t = LEAF_DAYS, value_parser = clap::value_parser!(u32).range(1..=3650))]
    days: u32,
    /// For the appliance's listener, not for a watcher.
    #[arg(long, requires = "san")]
    server: bool,
    /// A name or address the server is reached at; may be given more than once.
    #[arg(long, requires = "server", value_name = "NAME")]
    san: Vec<String>,
}

impl Pki {
    pub(super) fn run(self, report: &Report) -> Result<(), Error> {
        match self.command {
            Command::Issue(issue) => issue.run(report),
            Command::Renew(renew) => renew.run(report),
            Command::Revoke(revoke) => revoke.run(report),
            Command::List(list) => list.run(report),
        }
    }
}

impl Issue {
    fn run(self, report: &Report) -> Result<(), Error> {
        let directory = files::absolute(&self.directory)?;
        let _lock = files::lock_directory(&directory)?;
        let path = directory.join(format!("{}.crt", self.name));
        if files::exists(&path)? {
            let reason = "is there and is not overwritten: `pki renew` replaces it";
            return Err(Error::InTheWay { path, reason: reason.to_owned() });
        }
        let usage = if self.server { Use::Server(self.san) } else { Use::Watcher };
        let for_watcher = usage == Use::Watcher;
        let leaf = Leaf { file: self.name.clone(), subject: self.name, usage, days: self.days };
        let issued = Authority::open(&directory)?.issue(&directory, &leaf)?;
        let mut text = format!("made {} and {}", programs::shown(&issued.certificate), programs::shown(&issued.key));
        if for_watcher {
            text.push_str(&format!("\nin the policy's [[watcher]]:\n{}", issued.policy_line()));
        }
        let answer = json!({
            "certificate": issued.certificate,
            "key": issued.key,
            "public_key_sha256": issued.public_key_sha256,
        });
        report.finish(&text, &answer);
        Ok(())
    }
}
