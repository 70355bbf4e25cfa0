//! Where a command gets custodians' shares from.

use std::path::PathBuf;

use clap::Args;

use crate::{
    ceremony::{Given, Screen},
    report::Report,
};

#[derive(Args, Debug)]
pub(super) struct Shares {
    /// A share in a file of mode 0600, once for each; typed by their custodians without.
    #[arg(long, value_name = "FILE")]
    share_file: Vec<PathBuf>,
}

impl Shares {
    pub(super) fn given(&self) -> Given {
        if self.share_file.is_empty() { Given::Typed } else { Given::Files(self.share_file.clone()) }
    }

    /// Nobody is at a screen where shares come from files.
    pub(super) fn screen(&self, report: &Report) -> Screen {
        Screen { automatic: !self.share_file.is_empty(), rehearsal: false, json: report.is_json() }
    }
}
