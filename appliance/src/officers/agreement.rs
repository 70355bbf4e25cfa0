//! Who signed an act, and whether they are enough.

use appliance_wire::{CUSTODIANS, OfficerSignature, ProblemCode};
use ssh_key::{Algorithm, PublicKey, SshSig};

use super::Act;
use crate::{
    clock::Moment,
    policy::{Officer, OfficerKey, Policy, Quorum},
    refusal::Refusal,
    state::State,
};

/// Officers who signed one act, each once.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Agreement {
    signatures: Vec<OfficerSignature>,
}

impl Agreement {
    /// What they signed, for the log.
    #[must_use]
    pub fn into_signatures(self) -> Vec<OfficerSignature> {
        self.signatures
    }

    /// Their names.
    pub fn officers(&self) -> impl Iterator<Item = &str> {
        self.signatures.iter().map(|signature| signature.officer.as_str())
    }

    /// Lets through what as many agreed to as the act takes.
    ///
    /// # Errors
    /// `denied`.
    pub fn at_least(self, quorum: &Quorum, act: &Act) -> Result<Self, Refusal> {
        let quorum = act.needs.of(quorum);
        let agreed = self.signatures.len() as u64;
        if agreed >= quorum {
            return Ok(self);
        }
        let who = self.officers().collect::<Vec<_>>().join(", ");
        let who = if who.is_empty() { who } else { format!(" ({who})") };
        let officers = if quorum == 1 { "officer" } else { "officers" };
        let detail = format!("it takes {quorum} {officers}, and {agreed}{who} signed: have the text signed by more");
        Err(denied(act, detail))
    }
}

/// What officers signed for `act`, enough of them; nothing where the policy in force has no officers.
///
/// # Errors
/// `denied`, as [`agreement`] and [`Agreement::at_least`].
pub fn agreed(
    state: &State,
    act: &Act,
    signatures: &[String],
    moment: Moment,
) -> Result<Vec<OfficerSignature>, Refusal> {
    let policy = state.policy.as_ref().ok_or_else(|| Refusal::log_unavailable("it has no policy"))?;
    let Some(quorum) = &policy.quorum else { return Ok(Vec::new()) };
    let origin = state.origin().map_err(Refusal::log_unavailable)?;
    let agreement = agreement(policy, act, &act.texts_in_time(&origin, moment.time), signatures, moment)?;
    Ok(agreement.at_least(quorum, act)?.into_signatures())
}

/// Reads who signed `act`: each signature must be good, made under a key of an officer of `policy`, for one of its texts,
/// and no officer counts twice.
///
/// # Errors
/// `denied`, with the first signature that is not good and why.
pub fn agreement(
    policy: &Policy,
    act: &Act,
    texts: &[String],
    signatures: &[String],
    moment: Moment,
) -> Result<Agreement, Refusal> {
    if !moment.wall_trusted && act.namespace != CLOCK {
        let detail = "the wall clock stepped by more than a minute, so when a text expires cannot be judged: have officers \
                      accept the clock first (`chancery clock`)";
        return Err(denied(act, detail.to_owned()));
    }
    let mut agreed: Vec<OfficerSignature> = Vec::new();
    for (place, pem) in signatures.iter().enumerate() {
        let bad = |reason: String| denied(act, format!("signature {}: {reason}", place + 1));
        let signature = SshSig::from_pem(pem.trim())
            .map_err(|_| bad("is none of OpenSSH: hand in the file that `ssh-keygen -Y sign` wrote".to_owned()))?;
        let (officer, key) = signer(policy, &signature).map_err(&bad)?;
        if signature.namespace() != act.namespace {
            let reason = format!(
                "of {} is for namespace {}, this act takes `ssh-keygen -Y sign -n {}`",
                officer.name,
                signature.namespace(),
                act.namespace
            );
            return Err(bad(reason));
        }
        check_presence(&signature).map_err(|reason| bad(format!("of {}: {reason}", officer.name)))?;
        let text = texts.iter().find(|text| verifies(key, &signature, act.namespace, text)).ok_or_else(|| {
            bad(format!(
                "of {} is not for this text, or the text expired: print it again with --text and have it signed",
                officer.name
            ))
        })?;
        if agreed.iter().any(|other| other.officer == officer.name) {
            return Err(bad(format!("is a second one of {}: an officer counts once", officer.name)));
        }
        agreed.push(OfficerSignature {
            officer: officer.name.clone(),
            key: key.text(),
            text: text.clone(),
            signature: pem.trim().to_owned(),
        });
    }
    Ok(Agreement { signatures: agreed })
}

/// Reads the signature of the key that custodians make of their shares.
///
/// # Errors
/// `denied`.
pub fn renewal(
    key: Option<&str>,
    act: &Act,
    texts: &[String],
    signatures: &[String],
    moment: Moment,
) -> Result<OfficerSignature, Refusal> {
    let key = key.ok_or_else(|| {
        denied(
            act,
            "this log began without a ceremony that made a renewal key: only officers install policies".to_owned(),
        )
    })?;
    let [pem] = signatures else {
        return Err(denied(act, "a renewal takes one signature, by the key of the custodians' shares".to_owned()));
    };
    let public = PublicKey::from_openssh(key).map_err(Refusal::log_unavailable)?;
    let signature =
        SshSig::from_pem(pem.trim()).map_err(|_| denied(act, "the signature is none of OpenSSH".to_owned()))?;
    let mut texts = texts.iter().filter(|_| moment.wall_trusted);
    let text = texts.find(|text| public.verify(act.namespace, text.as_bytes(), &signature).is_ok());
    let text = text.ok_or_else(|| {
        denied(act, format!("the signature is not for this text by {key}, or the text expired: print it again"))
    })?;
    let officer = CUSTODIANS.to_owned();
    Ok(OfficerSignature { officer, key: key.to_owned(), text: text.clone(), signature: pem.trim().to_owned() })
}

/// The officer whose key made it.
fn signer<'a>(policy: &'a Policy, signature: &SshSig) -> Result<(&'a Officer, &'a OfficerKey), String> {
    let officers = policy.officers.iter();
    let mut keys = officers.flat_map(|officer| officer.ssh_keys.iter().map(move |key| (officer, key)));
    keys.find(|(_, key)| key.data() == signature.public_key()).ok_or_else(|| {
        let key = PublicKey::new(signature.public_key().clone(), "").to_openssh().unwrap_or_default();
        format!("is by {key}, which is no officer's key in policy version {}", policy.version)
    })
}

/// A security key must have been touched: it says so in what it signs (OpenSSH, PROTOCOL.u2f; FIDO2 CTAP, flags).
/// The verification itself covers that byte and does not look at it.
fn check_presence(signature: &SshSig) -> Result<(), String> {
    if !matches!(signature.algorithm(), Algorithm::SkEd25519 | Algorithm::SkEcdsaSha2NistP256) {
        return Ok(());
    }
    let bytes = signature.signature_bytes();
    let flags = bytes.len().checked_sub(FLAGS_AND_COUNTER).and_then(|at| bytes.get(at));
    match flags {
        Some(flags) if flags & USER_PRESENT != 0 => Ok(()),
        _ => Err("was made by a security key that nobody touched (no user presence)".to_owned()),
    }
}

fn verifies(key: &OfficerKey, signature: &SshSig, namespace: &str, text: &str) -> bool {
    let key = PublicKey::new(key.data().clone(), "");
    key.verify(namespace, text.as_bytes(), signature).is_ok()
}

fn denied(act: &Act, detail: String) -> Refusal {
    Refusal::new(ProblemCode::Denied, detail).rule(act.namespace)
}

/// The act that mends a clock nobody trusts.
pub(super) const CLOCK: &str = "chancery-clock";
/// At the end of a security key's signature: one byte of flags, four of a counter.
const FLAGS_AND_COUNTER: usize = 5;
const USER_PRESENT: u8 = 1;

#[cfg(test)]
mod tests;
