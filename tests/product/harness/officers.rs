//! Officers as they are: people with OpenSSH keys, who sign texts with `ssh-keygen -Y sign`.

use std::{
    cell::Cell,
    fs,
    path::PathBuf,
    process::{Command, Output, Stdio},
};

use serde_json::Value;
use tempfile::TempDir;

use super::Installation;

pub(crate) struct Officers {
    directory: TempDir,
    texts: Cell<u32>,
}

/// Three officers; a request of key `raw` takes two of them, and hot's budget may be exceeded with one.
const QUORUM: &str = r#"
[quorum]
policy = 2
loosen = 3
loosen_delay = "1s"
unfreeze = 2
"#;

impl Officers {
    /// Alice and bob with ed25519 keys, carol with an ecdsa one.
    pub(crate) fn new() -> Self {
        let officers = Self { directory: tempfile::tempdir().unwrap(), texts: Cell::new(0) };
        for (name, kind) in [("alice", "ed25519"), ("bob", "ed25519"), ("carol", "ecdsa"), ("mallory", "ed25519")] {
            officers.make_key(name, kind);
        }
        officers
    }

    /// A key file of this name.
    pub(crate) fn make_key(&self, name: &str, kind: &str) {
        let made = Command::new("ssh-keygen")
            .args(["-q", "-t", kind, "-N", "", "-C", name, "-f", name])
            .current_dir(self.directory.path())
            .stdin(Stdio::null())
            .output()
            .unwrap_or_else(|error| panic!("ssh-keygen, of openssh-client: {error}"));
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    }

    /// A key file.
    pub(crate) fn key_file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The public key of a key file, as `.pub` has it.
    pub(crate) fn public_key(&self, name: &str) -> String {
        fs::read_to_string(self.directory.path().join(format!("{name}.pub"))).unwrap().trim().to_owned()
    }

    /// A policy with these officers.
    pub(crate) fn policy(&self, policy: &str) -> String {
        self.policy_with(policy, &["alice", "bob", "carol"], QUORUM)
    }

    /// A policy with officers of these names.
    pub(crate) fn policy_with(&self, policy: &str, names: &[&str], quorum: &str) -> String {
        let officer =
            |name: &&str| format!("\n[[officer]]\nname = \"{name}\"\nssh_keys = [{:?}]\n", self.public_key(name));
        policy.to_owned() + quorum + &names.iter().map(officer).collect::<String>()
    }

    /// The text that an act comes to, and its namespace.
    pub(crate) fn text(&self, installation: &Installation, act: &[&str]) -> (String, String) {
        let output = installation.run("chancery", &[act, &["--text", "--json"]].concat());
        let text: Value = serde_json::from_slice(&output.stdout).unwrap();
        let field = |name: &str| text[name].as_str().unwrap().to_owned();
        (field("text"), field("namespace"))
    }

    /// Signs a text; the file with the signature.
    pub(crate) fn sign(&self, name: &str, namespace: &str, text: &str) -> PathBuf {
        self.texts.set(self.texts.get() + 1);
        let file = self.directory.path().join(format!("act-{}.txt", self.texts.get()));
        fs::write(&file, text).unwrap();
        let signed = Command::new("ssh-keygen")
            .args(["-Y", "sign", "-n", namespace, "-f"])
            .arg(self.directory.path().join(name))
            .arg(&file)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(signed.status.success(), "{}", String::from_utf8_lossy(&signed.stderr));
        file.with_extension("txt.sig")
    }

    /// Hands an act in with the signatures of these officers over its text as it is now.
    pub(crate) fn try_act(&self, installation: &Installation, act: &[&str], names: &[&str]) -> Output {
        let (text, namespace) = self.text(installation, act);
        let files: Vec<PathBuf> = names.iter().map(|name| self.sign(name, &namespace, &text)).collect();
        Self::hand_in(installation, act, &files)
    }

    /// Hands an act in with these signatures.
    pub(crate) fn hand_in(installation: &Installation, act: &[&str], files: &[PathBuf]) -> Output {
        let files = files.iter().flat_map(|file| ["--signature", file.to_str().unwrap()]);
        let arguments: Vec<&str> = act.iter().copied().chain(files).chain(["--json"]).collect();
        installation.command("chancery", &arguments).output().unwrap()
    }

    /// As [`Self::try_act`], and it must be done.
    pub(crate) fn act(&self, installation: &Installation, act: &[&str], names: &[&str]) -> Value {
        let output = self.try_act(installation, act, names);
        assert!(output.status.success(), "{act:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Not even a text is made of it, and these words say why.
    pub(crate) fn refused_text(&self, installation: &Installation, act: &[&str], words: &str) {
        refused(&installation.command("chancery", &[act, &["--text"]].concat()).output().unwrap(), words);
    }

    /// As [`Self::try_act`], and it must be refused with these words.
    pub(crate) fn refused(&self, installation: &Installation, act: &[&str], names: &[&str], words: &str) {
        refused(&self.try_act(installation, act, names), words);
    }
}

/// It must have been refused, with these words.
pub(crate) fn refused(output: &Output, words: &str) {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains(words), "{words:?} is not in {stderr}");
}
