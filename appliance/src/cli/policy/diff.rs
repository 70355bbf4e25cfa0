//! `chancery policy diff`.

use std::path::Path;

use serde::Serialize;

use super::{
    super::{
        Failure,
        output::{print, print_json},
    },
    read,
};
use crate::{
    audit::installed_policy,
    config::Config,
    policy::{Change, Exposure, Loosening, Policy, changes, exposure, loosenings},
};

mod words;

/// A policy against another.
#[derive(Debug, Serialize)]
struct Diff {
    before: Version,
    after: Version,
    /// Section by section, as they are written.
    changes: Vec<Change>,
    /// None: it is proved that it only tightens.
    loosens: Vec<Loosening>,
    exposure: BeforeAndAfter,
    /// None where the policy before has no officers.
    #[serde(skip_serializing_if = "Option::is_none")]
    takes: Option<Takes>,
    /// Version of a policy that waits already, and keeps another that loosens out.
    #[serde(skip_serializing_if = "Option::is_none")]
    waiting: Option<u64>,
    /// What is allowed and probably not meant.
    warnings: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Version {
    version: u64,
    sha256: String,
}

#[derive(Debug, Serialize)]
struct BeforeAndAfter {
    before: Exposure,
    after: Exposure,
}

/// What it takes to install it, by the quorum of the policy before.
#[derive(Debug, Serialize)]
struct Takes {
    /// Which number of the quorum: `policy` or `loosen`.
    quorum: &'static str,
    officers: u64,
    of: Vec<String>,
    /// From its entry in the log until it is in force.
    delay_seconds: u64,
}

pub(super) fn run(config: &Path, file: &Path, against: Option<&Path>, as_json: bool) -> Result<(), Failure> {
    let after = parse(file)?;
    let (before, waiting) = match against {
        Some(against) => (parse(against)?, None),
        None => installed(config)?,
    };
    let diff = Diff::between(&before, after, waiting);
    if as_json {
        print_json(&diff);
    } else {
        print(words::text(&diff));
    }
    Ok(())
}

fn parse(file: &Path) -> Result<Policy, Failure> {
    let policy = Policy::parse(&read(file)?);
    policy.map_err(|mistakes| Failure::failed(format!("policy {}:\n{mistakes}", file.display())))
}

fn installed(config: &Path) -> Result<(Policy, Option<u64>), Failure> {
    let directory = Config::load(config)?.state_directory;
    let failed = |reason: String| Failure::failed(format!("the log in {} {reason}", directory.display()));
    let installed = installed_policy(&directory).map_err(|finding| failed(format!("cannot be read: {finding}")))?;
    let installed =
        installed.ok_or_else(|| failed("has no policy yet: name one to compare with by --against".to_owned()))?;
    Ok((installed.in_force, installed.waiting))
}

impl Diff {
    fn between(before: &Policy, after: Policy, waiting: Option<u64>) -> Self {
        let loosens = loosenings(before, &after);
        let takes = before.quorum.as_ref().map(|quorum| {
            let (name, officers, delay_ms) = if loosens.is_empty() {
                ("policy", quorum.policy, 0)
            } else {
                ("loosen", quorum.loosen, quorum.loosen_delay_ms)
            };
            let of = before.officers.iter().map(|officer| officer.name.clone()).collect();
            Takes { quorum: name, officers, of, delay_seconds: delay_ms / 1000 }
        });
        Self {
            before: Version { version: before.version, sha256: before.sha256.clone() },
            after: Version { version: after.version, sha256: after.sha256.clone() },
            changes: changes(before, &after),
            waiting: waiting.filter(|_| !loosens.is_empty()),
            loosens,
            exposure: BeforeAndAfter { before: exposure(before), after: exposure(&after) },
            takes,
            warnings: after.warnings,
        }
    }
}

#[cfg(test)]
mod tests;
