//! `pki renew`.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use crate::{
    Error, files,
    pki::{Authority, LEAF_DAYS},
    programs,
    report::Report,
};

/// Issue a certificate anew, for the same names and over the same key.
///
/// The one before stays beside it as NAME.crt.old-NUMBER, so that `pki revoke NAME` names it too. The appliance takes
/// up its own by itself; a watcher does when it starts.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  chancery-provision pki renew btc-watcher --directory trial/pki\n  \
    chancery-provision pki renew btc-watcher --new-key --directory trial/pki")]
pub(super) struct Renew {
    /// Name of the files.
    name: String,
    /// The directory of ca.crt and ca.key.
    #[arg(long)]
    directory: PathBuf,
    /// How long it is valid.
    #[arg(long, default_value_t = LEAF_DAYS, value_parser = clap::value_parser!(u32).range(1..=3650))]
    days: u32,
    /// Over a new key; the policy must name it beside the old one before the watcher uses it.
    #[arg(long)]
    new_key: bool,
}

impl Renew {
    pub(super) fn run(self, report: &Report) -> Result<(), Error> {
        let directory = files::absolute(&self.directory)?;
        let _lock = files::lock_directory(&directory)?;
        let renewed = Authority::open(&directory)?.renew(&directory, &self.name, self.days, self.new_key)?;
        let issued = &renewed.issued;
        let (made, before) = (programs::shown(&issued.certificate), programs::shown(&renewed.before));
        let mut text = format!("renewed {made}; the one before is {before}");
        if renewed.new_key && renewed.for_watcher {
            text.push_str(&format!(
                "\nin the policy's [[watcher]], beside the old one, before the watcher uses it:\n{}",
                issued.policy_line()
            ));
        }
        let answer = json!({
            "certificate": issued.certificate,
            "key": issued.key,
            "public_key_sha256": issued.public_key_sha256,
            "new_key": renewed.new_key,
            "before": renewed.before,
        });
        report.finish(&text, &answer);
        Ok(())
    }
}
