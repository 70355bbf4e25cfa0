//! `chancery doctor`: looks at each token and says what works, what is odd and what to configure.

use std::{path::Path, time::Duration};

use serde_json::json;

use super::{
    Failure,
    output::{escape, print, print_json},
};
use crate::{
    config::{Config, TokenConfig},
    tokens::{Probe, probe},
};
use hsm_drivers::probe::Level;

mod facts;
mod machine;
mod text;

/// Which tokens, and how thoroughly.
#[derive(clap::Args, Debug)]
pub(super) struct Doctor {
    /// Only this token; every token of the configuration where left out.
    #[arg(long, value_name = "NAME")]
    token: Option<String>,
    /// The most signatures of a measurement, all with the key `chancery-self-test`; 0 makes none. Where left out, the
    /// device decides; one that logs its signatures makes none.
    #[arg(long, value_name = "COUNT")]
    signatures: Option<u64>,
}

pub(super) fn run(path: &Path, doctor: &Doctor, as_json: bool) -> Result<(), Failure> {
    let config = Config::load(path)?;
    let meant = |settings: &&TokenConfig| doctor.token.as_ref().is_none_or(|name| *name == settings.name);
    let tokens: Vec<&TokenConfig> = config.tokens.iter().filter(meant).collect();
    if let (Some(name), []) = (&doctor.token, &tokens[..]) {
        let names: Vec<&str> = config.tokens.iter().map(|settings| settings.name.as_str()).collect();
        let message = format!("--token {name}: {} has no such token, only {}", path.display(), names.join(", "));
        return Err(Failure::usage(message));
    }
    let mut probes = Vec::new();
    for settings in tokens {
        let found = look(&config, settings, doctor.signatures);
        if !as_json {
            print(text::screen(settings, &found.report));
        }
        probes.push((settings, found));
    }
    if as_json {
        let tokens: Vec<_> = probes.iter().map(|(settings, found)| machine::token(settings, &found.report)).collect();
        print_json(&json!({ "tokens": tokens }));
    }
    judge(&probes)
}

fn look(config: &Config, settings: &TokenConfig, signatures: Option<u64>) -> Probe {
    // Hidden by itself where stderr is no terminal.
    let spinner = indicatif::ProgressBar::new_spinner();
    spinner.enable_steady_tick(Duration::from_millis(100));
    let found = probe(config, settings, signatures, |step| spinner.set_message(format!("{}: {step}", settings.name)));
    spinner.finish_and_clear();
    found
}

fn judge(probes: &[(&TokenConfig, Probe)]) -> Result<(), Failure> {
    let mut reasons = Vec::new();
    for (settings, found) in probes {
        let wrong = found.report.findings.iter().filter(|finding| finding.level == Level::Wrong);
        let wrong: Vec<String> = wrong.map(|finding| escape(&finding.what)).collect();
        if !wrong.is_empty() {
            reasons.push(format!("token {} cannot serve: {}", settings.name, wrong.join("; ")));
        }
    }
    if reasons.is_empty() {
        return Ok(());
    }
    let message = reasons.join("\nchancery: ");
    let pin_refused = probes.iter().any(|(_, found)| found.pin_refused);
    Err(if pin_refused { Failure::fatal(message) } else { Failure::failed(message) })
}
