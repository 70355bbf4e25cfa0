//! A misbehaving module between an appliance and its token: `tests/pkcs11-shim`.

use std::{
    fs,
    io::{Read, Seek, SeekFrom},
    path::PathBuf,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use super::Installation;

/// The shim of one installation.
#[derive(Debug)]
pub(crate) struct Shim {
    faults: PathBuf,
    journal: PathBuf,
    read: Mutex<(u64, Vec<Call>)>,
    identity: AtomicU64,
}

/// A call the shim noted: one of the rarer functions, or one that a fault changed.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// Its number, and when it made its first call: numbers are given again.
    pub(crate) process: String,
    pub(crate) function: String,
    /// The name of the value returned; `met` where the call has met a fault and has no answer yet.
    pub(crate) value: String,
    /// Faults that had a part in it.
    pub(crate) faults: Vec<u64>,
}

impl Shim {
    /// Puts the shim between; it does nothing yet.
    pub(crate) fn between(installation: &Installation) -> Self {
        // Cargo builds the module of a package that tests depend on, and puts it beside them.
        let shim = std::env::current_exe().unwrap().with_file_name("libpkcs11_shim.so");
        assert!(shim.exists(), "{} was not built with the tests", shim.display());
        // In a folder that is all its own: where the appliance's files are, its worker sees none that is made later.
        fs::create_dir(installation.path("shim")).unwrap();
        let (faults, journal) = (installation.path("shim/faults"), installation.path("shim/journal"));
        installation.edit_config(|config| {
            let line = config.lines().find(|line| line.starts_with("module = ")).unwrap().to_owned();
            let module = line.trim_start_matches("module = ");
            let environment = format!(
                "environment = {{ PKCS11_SHIM_MODULE = {module}, PKCS11_SHIM_FAULTS = {faults:?}, \
                 PKCS11_SHIM_JOURNAL = {journal:?},"
            );
            config.replace(&line, &format!("module = {shim:?}")).replace("environment = {", &environment)
        });
        fs::write(&journal, "").unwrap();
        Self { faults, journal, read: Mutex::default(), identity: AtomicU64::new(1) }
    }

    /// From now on these are the faults, each `FUNCTION WHEN ACTION`; their identities.
    pub(crate) fn set(&self, faults: &[String]) -> Vec<u64> {
        let mut identities = Vec::new();
        let mut text = String::new();
        for fault in faults {
            let identity = self.identity.fetch_add(1, Ordering::Relaxed);
            text.push_str(&format!("{identity} {fault}\n"));
            identities.push(identity);
        }
        // Renamed into place: a process that looks meanwhile sees all or nothing.
        fs::write(self.faults.with_extension("next"), text).unwrap();
        fs::rename(self.faults.with_extension("next"), &self.faults).unwrap();
        identities
    }

    pub(crate) fn clear(&self) {
        self.set(&[]);
    }

    /// Every call noted so far.
    pub(crate) fn calls(&self) -> Vec<Call> {
        let mut read = self.read.lock().unwrap();
        let mut file = fs::File::open(&self.journal).unwrap();
        file.seek(SeekFrom::Start(read.0)).unwrap();
        let mut text = String::new();
        file.read_to_string(&mut text).unwrap();
        let end = text.rfind('\n').map_or(0, |end| end + 1);
        read.0 += end as u64;
        let calls = text[..end].lines().map(|line| {
            let mut words = line.split(' ');
            let mut word = || words.next().unwrap().to_owned();
            let (process, function, value) = (word(), word(), word());
            Call { process, function, value, faults: words.map(|fault| fault.parse().unwrap()).collect() }
        });
        let calls: Vec<Call> = calls.collect();
        read.1.extend(calls);
        read.1.clone()
    }

    /// Whether a call has met this fault.
    pub(crate) fn has_fired(&self, identity: u64) -> bool {
        self.calls().iter().any(|call| call.faults.contains(&identity))
    }

    /// Every login that was answered.
    pub(crate) fn logins(&self) -> Vec<Call> {
        self.calls().into_iter().filter(|call| call.function == "C_Login" && call.value != "met").collect()
    }
}
