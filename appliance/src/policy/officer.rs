//! The sections `[[officer]]` and `[quorum]`: people, by their OpenSSH keys, and how many of them it takes.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};
use ssh_key::{
    PublicKey,
    public::{EcdsaPublicKey, KeyData, SkEd25519},
};

use super::{
    Watcher,
    catalogue::{Catalogue, name_of},
    duration::{self, Duration},
};
use crate::toml_document::{Element, Section};

/// A person who decides. Counts once, with whichever key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Officer {
    /// The name in entries and in `of`.
    pub name: String,
    /// First and spare; at least one. Each is one officer's only.
    pub ssh_keys: Vec<OfficerKey>,
}

/// What an officer signs with: an OpenSSH key of type ed25519 or ecdsa on P-256, or one of these kept by a FIDO2 device.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct OfficerKey {
    data: KeyData,
}

/// How many officers an act takes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Quorum {
    /// To install a policy that only tightens.
    pub policy: u64,
    /// To install any other, after the delay.
    pub loosen: u64,
    /// How long a policy that loosens waits, in milliseconds of service time.
    pub loosen_delay_ms: u64,
    /// To end a freeze, and for all else that is no policy: `clock`, `release`, `recover`, `token replace`, `key`.
    pub unfreeze: u64,
}

/// Who must agree before something is signed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Approvers {
    /// So many.
    pub approve: u64,
    /// Of these officers.
    pub of: Vec<String>,
    /// How long they have, in milliseconds of wall time.
    pub expires_ms: u64,
    /// How long it waits at the least, in milliseconds of service time.
    pub delay_ms: u64,
}

impl OfficerKey {
    /// The key as OpenSSH writes it, without a comment.
    #[must_use]
    pub fn text(&self) -> String {
        PublicKey::new(self.data.clone(), "").to_openssh().unwrap_or_default().trim().to_owned()
    }

    /// What signatures are verified with.
    #[must_use]
    pub fn data(&self) -> &KeyData {
        &self.data
    }

    /// The bare public key, hexadecimal, as the log writes those of tokens: one key has one use.
    #[must_use]
    pub fn public_key(&self) -> String {
        let ed25519 = self.data.ed25519().or_else(|| self.data.sk_ed25519().map(SkEd25519::public_key));
        let in_file = self.data.ecdsa().and_then(|key| {
            if let EcdsaPublicKey::NistP256(point) = key { Some(hex::encode(point.compress())) } else { None }
        });
        let point = in_file.or_else(|| Some(hex::encode(self.data.sk_ecdsa_p256()?.ec_point().compress())));
        ed25519.map(|key| hex::encode(key.0)).or(point).unwrap_or_default()
    }

    /// SHA-256 of its SubjectPublicKeyInfo, as policies name watchers' keys (RFC 8410, RFC 5480). Keys of FIDO2 devices
    /// are in no certificate.
    fn spki_sha256(&self) -> Option<[u8; 32]> {
        let ed25519 = self.data.ed25519().map(|key| (ED25519_SPKI, &key.0[..]));
        let (prefix, key) = ed25519.or_else(|| self.data.ecdsa().map(|key| (P256_SPKI, key.as_sec1_bytes())))?;
        Some(Sha256::new().chain_update(prefix).chain_update(key).finalize().into())
    }

    fn parse(text: &str) -> Result<Self, String> {
        let key = PublicKey::from_openssh(text)
            .map_err(|_| "is no OpenSSH public key: write a line of a .pub file, such as \"ssh-ed25519 AAAA...\"")?;
        let parsed = Self { data: key.key_data().clone() };
        if parsed.public_key().is_empty() {
            return Err(format!(
                "is of type {}: officers sign with ed25519, ecdsa on nistp256, or a security key (sk-) of either",
                key.algorithm()
            ));
        }
        Ok(parsed)
    }
}

impl Approvers {
    /// As people say it: `2 of alice, bob, carol`.
    #[must_use]
    pub fn words(&self) -> String {
        format!("{} of {}", self.approve, self.of.join(", "))
    }

    /// Likewise, with the times: `2 of alice, bob, carol within 4h`.
    #[must_use]
    pub fn words_with_times(&self) -> String {
        let after = (self.delay_ms > 0).then(|| format!(", not before {}", duration::words(self.delay_ms)));
        format!("{} within {}{}", self.words(), duration::words(self.expires_ms), after.unwrap_or_default())
    }

    /// Whether all that passes with these would pass with `others`, no sooner and no later than there: whoever approves
    /// here, enough of them are of the others.
    #[must_use]
    pub fn demand_as_much_as(&self, others: &Self) -> bool {
        let strangers = self.of.iter().filter(|name| !others.of.contains(name)).count() as u64;
        let known = self.approve.saturating_sub(strangers);
        known >= others.approve && self.delay_ms >= others.delay_ms && self.expires_ms <= others.expires_ms
    }
}

/// The officers. A key of a watcher is no officer's.
pub(super) fn officers(root: &Section<'_>, watchers: &Catalogue<Watcher>) -> Catalogue<Officer> {
    let mut known = BTreeMap::new();
    for watcher in watchers.items() {
        let of_watcher = format!("watcher \"{}\"", watcher.name);
        known.extend(watcher.public_keys_sha256.iter().map(|sha256| (hex::encode(sha256), of_watcher.clone())));
    }
    Catalogue::read(root, "officer", |section| officer(section, &mut known))
}

fn officer(section: &Section<'_>, known: &mut BTreeMap<String, String>) -> Option<Officer> {
    let name = name_of(section);
    let elements = section.texts(KEYS)?;
    if elements.is_empty() {
        section.mistake(KEYS, "is empty; write at least one");
    }
    let of = format!("officer \"{}\"", name.as_deref().unwrap_or_default());
    let keys: Vec<_> = elements.iter().map(|element| key(section, element, &of, known)).collect();
    Some(Officer { name: name?, ssh_keys: keys.into_iter().collect::<Option<_>>()? })
}

fn key(section: &Section<'_>, element: &Element, of: &str, known: &mut BTreeMap<String, String>) -> Option<OfficerKey> {
    let key = OfficerKey::parse(&element.text)
        .map_err(|why| section.mistake_on(element.line, KEYS, format!("\"{}\" {why}", brief(&element.text))))
        .ok()?;
    if let Some(other) = key.spki_sha256().and_then(|sha256| known.get(&hex::encode(sha256))) {
        section.mistake_on(element.line, KEYS, format!("\"{}\" is a key of {other} already", brief(&element.text)));
    }
    // By the key and not by its text: a comment, or a security key's application, makes no second one of it.
    if let Some(other) = known.insert(key.public_key(), of.to_owned()) {
        let message =
            format!("\"{}\" is a key of {other} already: one key is one officer's, once", brief(&element.text));
        section.mistake_on(element.line, KEYS, message);
    }
    Some(key)
}

fn brief(text: &str) -> String {
    let mut brief: String = text.chars().take(LONGEST_SHOWN).collect();
    if brief.len() < text.len() {
        brief.push_str("...");
    }
    brief
}

/// The quorum: there with officers, and only with them.
pub(super) fn quorum(root: &Section<'_>, officers: &Catalogue<Officer>) -> Option<Quorum> {
    let count = officers.count();
    if count == 0 {
        root.refuse("quorum", "there is no [[officer]] to make a quorum of");
        return None;
    }
    let section = root.section("quorum")?;
    let many = |key| section.integer(key, 1..=count);
    let (policy, loosen, unfreeze) = (many("policy"), many("loosen"), many("unfreeze"));
    if let (Some(policy), Some(loosen)) = (policy, loosen)
        && loosen < policy
    {
        section.mistake("loosen", format!("is less than policy, which is {policy}: loosening takes as many at least"));
    }
    let delay: Option<Duration> = section.parsed("loosen_delay");
    Some(Quorum { policy: policy?, loosen: loosen?, loosen_delay_ms: delay?.milliseconds, unfreeze: unfreeze? })
}

/// The table `{ approve = 2, of = [...], expires = "4h" }` under `key`.
pub(super) fn approvers(section: &Section<'_>, key: &'static str, officers: &Catalogue<Officer>) -> Option<Approvers> {
    let table = section.section(key)?;
    let of = officers.listed_under(&table, "of");
    // By the names that are there, so that a mistaken one is one mistake.
    let listed = table.texts("of").map_or(0, |names| names.len() as u64);
    let most = if listed > 0 { listed } else { officers.count().max(1) };
    let approve = table.integer("approve", 1..=most);
    let expires: Option<Duration> = table.parsed("expires");
    let delay: Option<Duration> = table.optional_parsed("delay");
    if table.has("delay") && delay.is_none() {
        return None;
    }
    if let (Some(expires), Some(delay)) = (expires, delay)
        && expires.milliseconds <= delay.milliseconds
    {
        table.mistake("delay", "is not shorter than expires: it could never be signed");
    }
    Some(Approvers {
        approve: approve?,
        of: of?.into_iter().map(|officer| officer.name.clone()).collect(),
        expires_ms: expires?.milliseconds,
        delay_ms: delay.map_or(0, |delay| delay.milliseconds),
    })
}

const KEYS: &str = "ssh_keys";
const LONGEST_SHOWN: usize = 60;
/// DER of a SubjectPublicKeyInfo up to the key.
const ED25519_SPKI: &[u8] = &[0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
const P256_SPKI: &[u8] = &[
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce,
    0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
