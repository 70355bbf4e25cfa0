//! The SoftHSM token of a directory.

use std::{
    fs,
    path::{Path, PathBuf},
};

use hsm_drivers::{
    Error as DeviceError,
    pkcs11::ceremony::{self, Ceremony},
};

use crate::{
    Error,
    environment::Variables,
    files,
    report::{Outcome, Report},
    secret,
};

/// The label of every token `init` makes.
pub const LABEL: &str = "chancery";

/// Where a SoftHSM token, its PINs and its configuration lie.
#[derive(Clone, Debug)]
pub struct SoftToken {
    directory: PathBuf,
}

impl SoftToken {
    /// The token of `directory`, an absolute path.
    #[must_use]
    pub fn of(directory: &Path) -> Self {
        Self { directory: directory.join("token") }
    }

    /// What must be in the environment before the module is loaded.
    #[must_use]
    pub fn variables(&self) -> Variables {
        Variables::from([("SOFTHSM2_CONF".to_owned(), self.configuration().into_os_string())])
    }

    /// Makes PINs, configuration and token, each unless it is there, and opens it.
    pub fn make(&self, module: &Path, report: &mut Report) -> Result<Ceremony, Error> {
        files::create_directory(&self.objects())?;
        self.clear_half_made(report)?;
        self.refuse_lost_pin()?;
        for name in ["pin", "so-pin"] {
            report.step(&format!("token/{name}"), || Ok((secret::create(&self.directory.join(name))?, ())))?;
        }
        let text = format!(
            "directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\n",
            self.objects().display()
        );
        report.step("token/softhsm2.conf", || {
            Ok((files::create(&self.configuration(), text.as_bytes(), files::PUBLIC)?, ()))
        })?;
        report.step(&format!("token \"{LABEL}\""), || self.open_or_initialize(module))
    }

    fn open_or_initialize(&self, module: &Path) -> Result<(Outcome, Ceremony), Error> {
        let pin = secret::read(&self.directory.join("pin"))?;
        match Ceremony::open(module, LABEL, None, &pin) {
            Err(DeviceError::TokenNotFound { .. }) => {}
            opened => return Ok((Outcome::Kept, opened?)),
        }
        let so_pin = secret::read(&self.directory.join("so-pin"))?;
        // A token is made by two calls. The mark says, should we end between them, that no key is in it yet.
        files::create(&self.mark(), b"", files::SECRET)?;
        ceremony::initialize_token(module, LABEL, &so_pin, &pin)?;
        fs::remove_file(self.mark()).map_err(|source| self.failed("remove", self.mark(), source))?;
        Ok((Outcome::Made, Ceremony::open(module, LABEL, None, &pin)?))
    }

    /// Moves away what an interrupted run made of a token: it has no user PIN, and no key.
    fn clear_half_made(&self, report: &mut Report) -> Result<(), Error> {
        if !files::exists(&self.mark())? {
            return Ok(());
        }
        let aside = self.directory.join(format!("objects.half-made-{}", std::process::id()));
        fs::rename(self.objects(), &aside).map_err(|source| self.failed("move away", self.objects(), source))?;
        files::create_directory(&self.objects())?;
        fs::remove_file(self.mark()).map_err(|source| self.failed("remove", self.mark(), source))?;
        report.note(format!("a token made by half, without keys, was moved to {}", aside.display()));
        Ok(())
    }

    /// A new PIN would not open the old token, and trying it would use up tries.
    fn refuse_lost_pin(&self) -> Result<(), Error> {
        let objects = self.objects();
        let mut entries = fs::read_dir(&objects).map_err(|source| self.failed("read", objects, source))?;
        let pin = self.directory.join("pin");
        if entries.next().is_none() || files::exists(&pin)? {
            return Ok(());
        }
        let reason = "the PIN of the token beside it is gone: bring the file back, or, if the token's keys are worth \
                      nothing, remove the whole directory and begin anew";
        Err(Error::Config { path: pin, reason: reason.to_owned() })
    }

    fn configuration(&self) -> PathBuf {
        self.directory.join("softhsm2.conf")
    }

    fn objects(&self) -> PathBuf {
        self.directory.join("objects")
    }

    fn mark(&self) -> PathBuf {
        self.directory.join("half-made")
    }

    fn failed(&self, attempted: &'static str, path: PathBuf, source: std::io::Error) -> Error {
        Error::File { attempted, path, source }
    }
}

/// The module to use: the one named, the one installed, or the one unpacked under `var/softhsm`.
pub fn find_module(named: Option<&Path>) -> Result<PathBuf, Error> {
    let unpacked = PathBuf::from("var/softhsm/usr/lib/softhsm/libsofthsm2.so");
    let found = match named {
        Some(path) => Some(path.to_owned()),
        None => ceremony::find_softhsm().or_else(|| unpacked.exists().then(|| unpacked.clone())),
    };
    let path = found.ok_or(Error::NoModule { unpacked })?;
    path.canonicalize().map_err(|source| Error::File { attempted: "find the PKCS#11 module", path, source })
}
