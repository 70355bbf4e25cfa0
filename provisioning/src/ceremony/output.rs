//! The files an appliance starts from, written from the plan and from what was made.

use appliance_wire::{
    LogKey,
    ceremony::{Files, LOG_KEY_LABEL, Policy, What},
    sha256_hex,
};

use hsm_drivers::yubihsm2::ceremony::RoleName;

use super::Run;
use crate::{
    Error, files,
    pki::{Authority, IssuedCertificate, LEAF_DAYS, Leaf, Use},
    plan::{PlannedKind, PlannedToken},
    secret::PinSource,
    templates::quoted,
};

const CHANCERY: &str = include_str!("../templates/signer.toml");
const WATCHER: &str = include_str!("../templates/signer-watcher.toml");

impl Run {
    pub(super) fn write_files(&mut self, head: &str) -> Result<(), Error> {
        let lines = [
            "chancery.toml, with each token pinned; policy.toml; watcher.toml; where the plan says so, pki/ with a"
                .to_owned(),
            "certificate authority, the appliance's certificate and those of its watchers.".to_owned(),
        ];
        self.screen.show(head, &lines);
        self.screen.confirm("write")?;
        let mut written = Vec::new();
        let watchers = self.certificates(&mut written)?;
        let policy = filled(&self.plan.policy, watchers.iter().cloned());
        let sha256 = sha256_hex(policy.as_bytes());
        written.push(self.keep("policy.toml", policy.as_bytes())?);
        written.push(self.keep("chancery.toml", self.chancery_toml().as_bytes())?);
        written.push(self.keep("watcher.toml", self.watcher_toml()?.as_bytes())?);
        for file in &written {
            self.screen.say(&format!("    {}  {}", file.sha256, file.path));
        }
        if !self.acts().any(|what| matches!(what, What::Policy(_))) {
            self.steps.append(What::Policy(Policy { sha256 }))?;
        }
        self.steps.append(What::Files(Files { files: written }))
    }

    /// Names of watchers and the SHA-256 of their keys.
    fn certificates(
        &self,
        written: &mut Vec<appliance_wire::ceremony::FileHash>,
    ) -> Result<Vec<(String, String)>, Error> {
        let Some(pki) = &self.plan.pki else { return self.brought_certificates().map(|()| Vec::new()) };
        let directory = self.path("pki");
        files::create_directory(&directory)?;
        Authority::make(&directory)?;
        let mut server = Leaf::loopback_server();
        if !pki.server_names.is_empty() {
            server.usage = Use::Server(pki.server_names.clone());
        }
        let watcher =
            |name: &String| Leaf { file: name.clone(), subject: name.clone(), usage: Use::Watcher, days: LEAF_DAYS };
        let mut hashes = Vec::new();
        for leaf in std::iter::once(server).chain(pki.watchers.iter().map(watcher)) {
            let issued = if files::exists(&directory.join(format!("{}.crt", leaf.file)))? {
                IssuedCertificate::read(&directory, &leaf.file)?
            } else {
                Authority::open(&directory)?.issue(&directory, &leaf)?
            };
            hashes.push((leaf.file, issued.public_key_sha256));
        }
        for name in std::iter::once("ca").chain(hashes.iter().map(|(name, _)| name.as_str())) {
            let path = format!("pki/{name}.crt");
            let sha256 = sha256_hex(files::read(&self.path(&path))?.as_bytes());
            written.push(appliance_wire::ceremony::FileHash { path, sha256 });
        }
        Ok(hashes)
    }

    /// Where the plan makes no certificates they come from elsewhere, before the configuration names them.
    fn brought_certificates(&self) -> Result<(), Error> {
        for name in ["ca.crt", "server.crt", "server.key"] {
            let path = self.path("pki").join(name);
            if !files::exists(&path)? {
                let reason = "the plan makes no certificates: bring this one here, from your own authority, and go on \
                              with --resume";
                return Err(Error::Config { path, reason: reason.to_owned() });
            }
        }
        Ok(())
    }

    fn chancery_toml(&self) -> String {
        let plan = &self.plan;
        let serial = |token: &PlannedToken| {
            let ready = |what: &What| {
                if let What::Token(ready) = what {
                    (ready.name == token.name).then(|| ready.serial.clone())
                } else {
                    None
                }
            };
            self.acts().find_map(ready)
        };
        let tokens = plan.tokens.iter().filter(|token| !token.spare);
        let tokens: String = tokens.map(|token| token_section(token, &serial(token).unwrap_or_default())).collect();
        CHANCERY
            .replace("@PROFILE@", &quoted(&plan.profile))
            .replace("@ORIGIN@", &quoted(&plan.origin))
            .replace("@WATCHERS@", &quoted(&plan.watcher_address.to_string()))
            .replace("@MONITOR@", &quoted(&plan.monitor_address.to_string()))
            .replace("@TOKENS@", &tokens)
    }

    fn watcher_toml(&self) -> Result<String, Error> {
        let first = self.plan.pki.as_ref().and_then(|pki| pki.watchers.first());
        let name = first.map_or("watcher", String::as_str);
        Ok(WATCHER
            .replace("@URL@", &quoted(&format!("https://{}", self.plan.watcher_address)))
            .replace("@NAME@", name)
            .replace("@LOG_KEY@", &quoted(&self.log_key()?.to_string())))
    }

    /// The verifier key of the log to be.
    pub(super) fn log_key(&self) -> Result<LogKey, Error> {
        let log_key = |what: &What| {
            let What::Key(key) = what else { return None };
            (key.label.as_str() == LOG_KEY_LABEL).then(|| hex::decode(&key.public_key).ok()).flatten()
        };
        let made = self.acts().find_map(log_key);
        LogKey::new(&self.plan.origin, &made.unwrap_or_default())
            .map_err(|error| Error::Key { what: "log key", reason: error.to_string() })
    }
}

/// A policy with the hashes of the watchers whose certificates are made here in place of `@NAME@`.
pub(super) fn filled(policy: &str, watchers: impl Iterator<Item = (String, String)>) -> String {
    watchers.fold(policy.to_owned(), |text, (name, sha256)| text.replace(&format!("@{name}@"), &sha256))
}

fn token_section(token: &PlannedToken, serial: &str) -> String {
    let environment: Vec<String> =
        token.environment.iter().map(|(name, value)| format!("{name} = {}", quoted(value))).collect();
    let environment = format!("environment = {{ {} }}\n", environment.join(", "));
    let head = format!("[[token]]\nname = {}\ndriver = {}\n", quoted(&token.name), quoted(token.driver()));
    let rest = match &token.kind {
        PlannedKind::Pkcs11 { module, label, pin, .. } => format!(
            "module = {}\nlabel = {}\nserial = {}\n{environment}pin = {}\n",
            quoted(&module.to_string_lossy()),
            quoted(label),
            quoted(serial),
            source(pin)
        ),
        PlannedKind::Yubihsm { connector, roles, attestation_ca } => {
            let signer = roles.iter().find(|role| role.role == RoleName::Signer);
            let (id, password) = signer.map_or((0, String::new()), |role| (role.id, source(&role.password)));
            let ca = attestation_ca
                .as_ref()
                .map_or_else(String::new, |path| format!("attestation_ca = {}\n", quoted(&path.to_string_lossy())));
            format!(
                "# The device with serial number {serial}.\nconnector = {}\n{environment}authentication_key = {id}\n\
                 password = {password}\n{ca}",
                quoted(&connector.to_string())
            )
        }
    };
    format!("{head}{rest}\n")
}

fn source(source: &PinSource) -> String {
    match source {
        PinSource::File { file } => format!("{{ file = {} }}", quoted(&file.to_string_lossy())),
        PinSource::Credential { credential } => format!("{{ credential = {} }}", quoted(credential)),
        PinSource::Prompt { .. } => "{ prompt = true }".to_owned(),
    }
}
