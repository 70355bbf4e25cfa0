//! `pki revoke`.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use crate::{
    Error, files,
    pki::{Authority, LEAF_DAYS},
    programs,
    report::Report,
};

/// Put watchers' certificates on the CA's revocation list, revoked.crl, those they replaced included.
///
/// Without a name the list is only signed anew, or begun. The appliance takes it up where its watcher_listener.client_crl
/// names that file. Taking the key out of the policy puts a watcher out too, and at once.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  chancery-provision pki revoke btc-watcher-2 --directory trial/pki")]
pub(super) struct Revoke {
    /// Names of the files.
    names: Vec<String>,
    /// The directory of ca.crt and ca.key.
    #[arg(long)]
    directory: PathBuf,
    /// When the next list is due; this one holds on.
    #[arg(long, default_value_t = LEAF_DAYS, value_parser = clap::value_parser!(u32).range(1..=3650))]
    days: u32,
}

impl Revoke {
    pub(super) fn run(self, report: &Report) -> Result<(), Error> {
        let directory = files::absolute(&self.directory)?;
        let _lock = files::lock_directory(&directory)?;
        let revoked = Authority::open(&directory)?.revoke(&directory, &self.names, self.days)?;
        let mut text: String =
            revoked.added.iter().map(|path| format!("revoked {}\n", programs::shown(path))).collect();
        text.push_str(&format!(
            "{} names {} certificates; the next one is due {}",
            programs::shown(&revoked.list),
            revoked.total,
            revoked.next_update
        ));
        for key in &revoked.public_keys_sha256 {
            text.push_str(&format!("\ntake it out of the policy too: {key}"));
        }
        let answer = json!({
            "list": revoked.list,
            "added": revoked.added,
            "total": revoked.total,
            "public_keys_sha256": revoked.public_keys_sha256,
            "next_update": revoked.next_update.to_string(),
        });
        report.finish(&text, &answer);
        Ok(())
    }
}
