//! `pki list`.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use crate::{Error, files, pki, report::Report};

/// List the certificates of a directory: use, key, end, and whether they are revoked.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  chancery-provision pki list --directory trial/pki --json")]
pub(super) struct List {
    /// The directory.
    #[arg(long)]
    directory: PathBuf,
}

impl List {
    pub(super) fn run(self, report: &Report) -> Result<(), Error> {
        let certificates = pki::list(&files::absolute(&self.directory)?)?;
        let lines = certificates.iter().map(|one| {
            let revoked = if one.revoked { "  REVOKED" } else { "" };
            format!("{:<28} {:<8} {}  {}{revoked}", one.file, one.usage, one.not_after, one.public_key_sha256)
        });
        report.finish(&lines.collect::<Vec<_>>().join("\n"), &json!({ "certificates": certificates }));
        Ok(())
    }
}
