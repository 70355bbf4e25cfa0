//! What a server's or a watcher's certificate says.

use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, KeyUsagePurpose, SanType};

use super::LEAF_DAYS;

/// Which end of a connection a certificate is for; it is good for no other.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Use {
    /// The appliance, under these names and addresses.
    Server(Vec<String>),
    /// A watcher.
    Watcher,
}

/// A certificate to issue.
#[derive(Clone, Debug)]
pub struct Leaf {
    /// File name without ending.
    pub file: String,
    /// Common name.
    pub subject: String,
    /// Which end it is for.
    pub usage: Use,
    /// How long it is valid.
    pub days: u32,
}

impl Leaf {
    /// The appliance's, for this machine.
    #[must_use]
    pub fn loopback_server() -> Self {
        let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).to_vec();
        Self {
            file: "server".to_owned(),
            subject: "chancery server".to_owned(),
            usage: Use::Server(names),
            days: LEAF_DAYS,
        }
    }

    /// The first watcher's.
    #[must_use]
    pub fn first_watcher() -> Self {
        Self { file: "watcher".to_owned(), subject: "btc-watcher".to_owned(), usage: Use::Watcher, days: LEAF_DAYS }
    }

    pub(super) fn apply(&self, params: &mut CertificateParams) -> Result<(), rcgen::Error> {
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        match &self.usage {
            Use::Watcher => params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth],
            Use::Server(names) => {
                params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
                params.subject_alt_names = names.iter().map(|name| alternative_name(name)).collect::<Result<_, _>>()?;
            }
        }
        Ok(())
    }
}

fn alternative_name(name: &str) -> Result<SanType, rcgen::Error> {
    match name.parse() {
        Ok(address) => Ok(SanType::IpAddress(address)),
        Err(_) => Ok(SanType::DnsName(name.try_into()?)),
    }
}
