//! A directory an appliance can start from.

use std::{
    fs::File,
    path::{Path, PathBuf},
    time::Duration,
};

use hsm_types::{KeyLabel, PublicKey};

use crate::{
    Error,
    appliance_config::{Access, ApplianceConfig},
    environment::Invocation,
    files,
    pki::{self, Authority, IssuedCertificate, Leaf},
    programs,
    report::{Outcome, Report},
    templates::{self, Values},
    token::{self, Device, PlannedKey, SoftToken, TokenKind, YubiToken},
};

/// What is to be made.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Where; made unless it is there.
    pub directory: PathBuf,
    /// Origin of the audit log.
    pub origin: String,
    /// The kind of token, where the directory has none yet.
    pub token: TokenKind,
    /// The PKCS#11 module, where one is named.
    pub module: Option<PathBuf>,
    /// Where watchers will connect.
    pub watcher_port: u16,
    /// Where the monitor will listen.
    pub monitor_port: u16,
    /// Whether the console page will be there.
    pub console: bool,
    /// Keys beside the appliance's own.
    pub keys: Vec<PlannedKey>,
    /// The template of its policy.
    pub policy: &'static str,
}

/// A key and its public half.
pub type MadeKey = (KeyLabel, PublicKey);

/// A directory that is ready.
#[derive(Debug)]
pub struct Initialised {
    /// Its path from the root.
    pub directory: PathBuf,
    /// Its `chancery.toml`.
    pub configuration: PathBuf,
    /// The keys of the plan and the appliance's own.
    pub keys: Vec<MadeKey>,
    /// Keeps other runs out of the directory while it lives.
    pub lock: File,
}

/// Makes everything a first start needs, each unless it is there.
pub fn initialise(plan: &Plan, invocation: &Invocation, report: &mut Report) -> Result<Initialised, Error> {
    check_origin(&plan.origin)?;
    files::create_directory(&plan.directory)?;
    let directory = files::absolute(&plan.directory)?;
    let configuration = directory.join("chancery.toml");

    // From its configuration on, a directory is what that says, and not what a second run would choose.
    let (lock, mut device, section) = if files::exists(&configuration)? {
        let config = ApplianceConfig::read(&configuration)?;
        let token = config.token(None)?;
        invocation.ensure(&config.variables(token))?;
        let lock = begin(&directory, report)?;
        let password_file = Some(directory.join(token::ADMINISTRATOR_PASSWORD));
        let access = Access { administrator: token::ADMINISTRATOR, password_file };
        (lock, report.step("token", || Ok((Outcome::Kept, config.open(token, &access)?)))?, None)
    } else {
        make_token(&directory, plan, invocation, report)?
    };
    let keys = make_keys(&mut device, &plan.keys, report)?;
    let watcher = make_certificates(&directory.join("pki"), report)?;
    let values = Values {
        origin: &plan.origin,
        token: section,
        watcher_port: plan.watcher_port,
        monitor_port: plan.monitor_port,
        console: plan.console,
        watcher_key_sha256: &watcher.public_key_sha256,
    };
    write_files(&directory, plan.policy, &values, report)?;
    if let Device::Yubihsm(ceremony) = &mut device {
        ApplianceConfig::read(&configuration)?.leave(ceremony)?;
    }
    Ok(Initialised { directory, configuration, keys, lock })
}

/// The token of a new directory, and its section of `chancery.toml`.
fn make_token(
    directory: &Path,
    plan: &Plan,
    invocation: &Invocation,
    report: &mut Report,
) -> Result<(File, Device, Option<String>), Error> {
    match &plan.token {
        TokenKind::SoftHsm => {
            let token = SoftToken::of(directory);
            invocation.ensure(&token.variables())?;
            let lock = begin(directory, report)?;
            let module = token::find_module(plan.module.as_deref())?;
            let device = Device::Pkcs11(token.make(&module, report)?);
            Ok((lock, device, Some(templates::softhsm_section(&module, token::LABEL))))
        }
        TokenKind::Yubihsm(address) => {
            let lock = begin(directory, report)?;
            let device = Device::Yubihsm(YubiToken::of(directory, address).make(report)?);
            Ok((lock, device, Some(templates::yubihsm_section(address, token::SIGNER))))
        }
    }
}

/// From here on the environment is right, and the program does not begin afresh.
fn begin(directory: &Path, report: &Report) -> Result<File, Error> {
    report.say(&format!("in {}:", programs::shown(directory)));
    files::lock_directory(directory)
}

fn make_keys(device: &mut Device, further: &[PlannedKey], report: &mut Report) -> Result<Vec<MadeKey>, Error> {
    let mut wanted = Vec::new();
    for (label, algorithm) in token::OWN_KEYS {
        let label = label.parse().map_err(|error| Error::Argument { argument: "key", reason: format!("{error}") })?;
        wanted.push(PlannedKey { label, algorithm, children: false });
    }
    wanted.extend_from_slice(further);
    let mut made = Vec::new();
    for key in wanted {
        let children = if key.children { ", with children" } else { "" };
        let what = format!("key \"{}\" ({}{children})", key.label, key.algorithm);
        let public_key = report.step(&what, || token::ensure_key(device, &key))?;
        made.push((key.label, public_key));
    }
    Ok(made)
}

fn make_certificates(directory: &Path, report: &mut Report) -> Result<IssuedCertificate, Error> {
    files::create_directory(directory)?;
    report.step("pki/ca.crt, pki/ca.key", || Ok((Authority::make(directory)?, ())))?;
    let mut certificate = |leaf: &Leaf| {
        let name = &leaf.file;
        let issued = report.step(&format!("pki/{name}.crt, pki/{name}.key"), || {
            if files::exists(&directory.join(format!("{name}.crt")))? {
                return Ok((Outcome::Kept, IssuedCertificate::read(directory, name)?));
            }
            Ok((Outcome::Made, Authority::open(directory)?.issue(directory, leaf)?))
        })?;
        if pki::expires_within(&issued.certificate, SOON)? {
            let path = issued.certificate.display();
            report.note(format!("{path} expires within 30 days or has: move it away and run again; its key stays"));
        }
        Ok(issued)
    };
    certificate(&Leaf::loopback_server())?;
    certificate(&Leaf::first_watcher())
}

fn write_files(directory: &Path, policy: &str, values: &Values<'_>, report: &mut Report) -> Result<(), Error> {
    // The configuration last: it says that all it names is there.
    for (name, text) in [
        ("policy.toml", templates::policy_toml(policy, values)),
        ("watcher.toml", templates::watcher_toml(values)),
        ("chancery.toml", templates::chancery_toml(values)),
    ] {
        report.step(name, || Ok((files::create(&directory.join(name), text.as_bytes(), files::PUBLIC)?, ())))?;
    }
    Ok(())
}

/// What a checkpoint's origin line may be, and a little less, so that it needs no quoting anywhere.
pub(crate) fn check_origin(origin: &str) -> Result<(), Error> {
    let fits = (1..=200).contains(&origin.len())
        && origin.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-/:".contains(&byte))
        && origin.starts_with(|first: char| first.is_ascii_alphanumeric())
        && !origin.ends_with('/');
    if fits {
        return Ok(());
    }
    let reason = format!("\"{origin}\" is no origin: letters, digits and . _ - / : such as exchange.example/signer-1");
    Err(Error::Argument { argument: "--origin", reason })
}

const SOON: Duration = Duration::from_secs(30 * 86_400);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_fits_the_first_line_of_a_checkpoint() {
        check_origin("exchange.example/signer-1").unwrap();
        for bad in ["", "a b", "a+b", "/a", "a/", "a\nb", "a\"b", &"a".repeat(201)] {
            assert_eq!(check_origin(bad).unwrap_err().exit_status(), 2, "{bad:?}");
        }
    }
}
