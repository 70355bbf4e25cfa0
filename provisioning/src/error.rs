//! What can go wrong, in words for the person who has to mend it.

use std::{error::Error as _, io, path::PathBuf};

use appliance_wire::NewerFormat;

/// A failure of any command of `chancery-provision`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or directory could not be used.
    #[error("{attempted} {}", path.display())]
    File {
        /// Completes "…  PATH": `write`, `read the PIN from`.
        attempted: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },

    /// A file says something that cannot be; another start will not mend it.
    #[error("{}: {reason}", path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// What is wrong and what to do.
        reason: String,
    },

    /// A ceremony's plan that cannot be carried out.
    #[error("{}: the plan cannot be carried out:\n{mistakes}", path.display())]
    Plan {
        /// The plan.
        path: PathBuf,
        /// Every mistake with its line, one a line.
        mistakes: String,
    },

    /// A transcript that proves nothing.
    #[error("{} is NOT valid: {reason}", path.display())]
    NotValid {
        /// Its file.
        path: PathBuf,
        /// The first thing that is wrong.
        reason: String,
    },

    /// Something made of a key could not be made.
    #[error("make the {what}: {reason}")]
    Key {
        /// What.
        what: &'static str,
        /// Why not.
        reason: String,
    },

    /// Shares that will not do.
    #[error(transparent)]
    Share(#[from] crate::shares::BadShare),

    /// A file stands in the way, and is not overwritten.
    #[error("{}: {reason}", path.display())]
    InTheWay {
        /// The file.
        path: PathBuf,
        /// Why it stays, and what to do.
        reason: String,
    },

    /// An argument has the right form but not a possible value.
    #[error("{argument}: {reason}")]
    Argument {
        /// The argument as typed.
        argument: &'static str,
        /// What is wrong with its value.
        reason: String,
    },

    /// `init` makes what is for development.
    #[error(
        "init makes an installation to try things out: its policy has no officers, and a software token (SoftHSM, or the \
         simulator) has its keys in files on this disk, which whoever reads the disk has too. The profile \"production\" \
         admits neither. To try things out, say --development"
    )]
    SoftwareToken,

    /// There is no PKCS#11 module.
    #[error(
        "no SoftHSM module: neither --module nor SOFTHSM2_MODULE names one, and there is none in the usual places nor \
         at {}; install the package softhsm2, or run `make quickstart`, which does",
        unpacked.display()
    )]
    NoModule {
        /// Where a locally unpacked one would be.
        unpacked: PathBuf,
    },

    /// There is no way to the device.
    #[error("token \"{token}\": {cause}")]
    Connector {
        /// Its name in the configuration.
        token: String,
        /// Why, and what to do.
        cause: String,
    },

    /// The token, or the driver, said no.
    #[error(transparent)]
    Device(#[from] hsm_drivers::Error),

    /// A key that is there already was to get children.
    #[error(
        "key \"{key}\": the device has one already, made without children (it has no usable chain code), and a key gets \
         them only when it is made: make another under a new name with --children, and leave this one for what it is used \
         for"
    )]
    MadeWithoutChildren {
        /// Its name.
        key: hsm_types::KeyLabel,
    },

    /// A key was to be replicated that never leaves its token.
    #[error(
        "key \"{key}\": it was made without --backup, so that it never leaves its token, and that cannot be changed: to have \
         a key in two tokens, make another under a new name with --backup"
    )]
    MadeWithoutBackup {
        /// Its name.
        key: hsm_types::KeyLabel,
    },

    /// A certificate could not be made.
    #[error("make the certificate \"{name}\"")]
    Certificate {
        /// Its file name without ending.
        name: String,
        /// What the library said.
        source: rcgen::Error,
    },

    /// A listener's port is not free.
    #[error(
        "port {port} on 127.0.0.1 is taken by another program (perhaps a quickstart that still runs): stop that one, or \
         choose another port with {flag} PORT (0 picks a free one)"
    )]
    PortTaken {
        /// The port.
        port: u16,
        /// The flag that chooses another.
        flag: &'static str,
    },

    /// A program we run ended badly, or is not there.
    #[error("{program}: {reason}")]
    Program {
        /// The program with its subcommand.
        program: String,
        /// How it ended.
        reason: String,
    },

    /// The appliance did not come up, or went down.
    #[error("the appliance {reason}; the end of {}:\n{log_end}", log.display())]
    Appliance {
        /// Completes "the appliance …".
        reason: String,
        /// Its log file.
        log: PathBuf,
        /// The last lines of it.
        log_end: String,
    },

    /// A newer version made the file.
    #[error("{}: {newer}", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Which version.
        newer: NewerFormat,
    },

    /// Ctrl-C before the end.
    #[error("interrupted; the same command goes on from here (a ceremony with --resume)")]
    Interrupted,
}

impl Error {
    /// The program's exit status: 2 for a wrong argument, 3 for what is not valid, 78 for what a restart cannot mend, 1 for the rest.
    #[must_use]
    pub fn exit_status(&self) -> u8 {
        match self {
            Self::Argument { .. } => 2,
            Self::NotValid { .. } => 3,
            Self::Config { .. } | Self::Plan { .. } => 78,
            Self::Device(hsm_drivers::Error::PinRefused { .. } | hsm_drivers::Error::PinNotTried { .. }) => 78,
            Self::File { .. }
            | Self::InTheWay { .. }
            | Self::SoftwareToken
            | Self::NoModule { .. }
            | Self::Connector { .. }
            | Self::Device(_)
            | Self::Share(_)
            | Self::Key { .. }
            | Self::MadeWithoutChildren { .. }
            | Self::MadeWithoutBackup { .. }
            | Self::Certificate { .. }
            | Self::PortTaken { .. }
            | Self::Program { .. }
            | Self::Appliance { .. }
            | Self::Newer { .. }
            | Self::Interrupted => 1,
        }
    }

    /// The error and what caused it, in one line.
    #[must_use]
    pub fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut source = self.source();
        while let Some(cause) = source {
            text.push_str(": ");
            text.push_str(&cause.to_string());
            source = cause.source();
        }
        text
    }
}
