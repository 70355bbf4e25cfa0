//! Renewal: custodians bring back officers who fell below their quorum, by signing a policy with the key of their shares.
//!
//! Knows of the policy no more than its hash; the appliance says in its text what it does.

use appliance_wire::{LogKey, ceremony::Ceremony, sha256_hex};
use ssh_key::{HashAlg, LineEnding};

use super::{Given, Screen, gather};
use crate::{Error, shares::Commitments};

/// The namespace of such a signature (OpenSSH, PROTOCOL.sshsig).
const NAMESPACE: &str = "chancery-renewal";

/// The signature over `text`, which must be about this policy and the log of this ceremony.
///
/// # Errors
/// It is about another; the ceremony made no renewal key; shares will not do.
pub fn renew(ceremony: &Ceremony, policy: &str, text: &str, given: &Given, screen: &Screen) -> Result<String, Error> {
    let wrong = |reason: String| Error::Argument { argument: "--text", reason };
    let backup = ceremony.backup.as_ref().ok_or_else(|| Error::Argument {
        argument: "--transcript",
        reason: "the ceremony split no secret, so that nobody has shares of a renewal key".to_owned(),
    })?;
    let log_key = LogKey::parse(&ceremony.log_key).map_err(|error| wrong(error.to_string()))?;
    for (name, value) in [("origin", log_key.origin()), ("sha256", &sha256_hex(policy.as_bytes()))] {
        let line = format!("{name}: {value}");
        if !text.lines().any(|one| one == line) {
            let reason = format!(
                "the text has no line \"{line}\": it is of another appliance or another policy. Make it with `chancery policy \
                 install POLICY --renewal --text`"
            );
            return Err(wrong(reason));
        }
    }
    screen.show("What the custodians sign", &text.lines().map(str::to_owned).collect::<Vec<_>>());
    screen.confirm("renew")?;
    let (secret, _) = gather(screen, given, Some(&Commitments::of(backup)?))?;
    let failed = |error: ssh_key::Error| Error::Key { what: "signature", reason: error.to_string() };
    let key = secret.renewal_key(&format!("renewal@{}", ceremony.origin)).map_err(failed)?;
    if key.public_key().to_openssh().map_err(failed)? != backup.renewal_key {
        let reason = "these shares give another renewal key than the transcript names".to_owned();
        return Err(Error::Key { what: "signature", reason });
    }
    let signature = key.sign(NAMESPACE, HashAlg::Sha512, text.as_bytes()).map_err(failed)?;
    signature.to_pem(LineEnding::LF).map_err(failed)
}
