//! The backup secret: made, split, handed out share by share, and put together again from what custodians type.

use std::{fs, path::PathBuf};

use appliance_wire::ceremony::{ShareConfirmed, SharesVoid, Split, What};
use hsm_drivers::ceremony::BackupKey;
use zeroize::Zeroizing;

use super::{Run, Screen, task};
use crate::{
    Error, files, secret,
    shares::{BadShare, Commitments, Secret, Share, grouped},
};

/// A secret that was split and whose backups are not made yet.
pub(super) struct Live {
    pub(super) secret: Secret,
    shares: Vec<Share>,
    commitments: Commitments,
}

/// Where shares come from.
#[derive(Clone, Debug)]
pub enum Given {
    /// Custodians type them.
    Typed,
    /// Each is in a file.
    Files(Vec<PathBuf>),
}

impl Run {
    /// The split whose shares are not void.
    pub(super) fn split_in_force(&self) -> Option<&Split> {
        let last = self.acts().rev().find(|what| matches!(what, What::Split(_) | What::SharesVoid(_)))?;
        if let What::Split(split) = last { Some(split) } else { None }
    }

    /// Shares of the split in force that their custodians have not typed back.
    pub(super) fn unconfirmed(&self) -> Vec<u8> {
        let Some(split) = self.split_in_force() else { return Vec::new() };
        let confirmed = |index: &u8| {
            self.acts().any(|what| matches!(what, What::Share(share) if share.id == split.id && share.index == *index))
        };
        (1..).take(split.custody.custodians.len()).filter(|index| !confirmed(index)).collect()
    }

    pub(super) fn split(&mut self, head: &str) -> Result<(), Error> {
        let Some(custody) = self.plan.backup.clone() else { return Ok(()) };
        secret::refuse_dumps()?;
        let count = custody.custodians.len();
        let lines = [
            format!(
                "A secret is made of random numbers of this machine and of a token, and split into {count} shares;"
            ),
            format!(
                "{} of them give it back. From it come the backup key, under which keys are wrapped, and the renewal",
                custody.threshold
            ),
            "key, which can replace officers who fell below their quorum. Each custodian writes one share down."
                .to_owned(),
        ];
        self.screen.show(head, &lines);
        self.screen.confirm("split")?;
        if let Some(id) = self.split_in_force().map(|split| split.id.clone()) {
            self.screen.say(
                "    The interruption came before every share was confirmed: those handed out are void. Burn them.",
            );
            self.steps.append(What::SharesVoid(SharesVoid { id }))?;
        }
        let Some(first) = self.plan.tokens.iter().find(|token| !token.spare).cloned() else { return Ok(()) };
        let random = self.tokens.get(&first)?.device.random(32)?;
        let random: Zeroizing<[u8; 32]> = Zeroizing::new(random[..].try_into().map_err(|_| BadShare::NoRandom)?);
        let secret = Secret::random(&random)?;
        let (shares, commitments) = secret.split(custody.threshold, u8::try_from(count).unwrap_or(u8::MAX))?;
        let renewal_key =
            secret.renewal_key(&format!("renewal@{}", self.plan.origin)).and_then(|key| key.public_key().to_openssh());
        let split = Split {
            id: commitments.id.to_string(),
            custody,
            commitments: commitments.to_hex(),
            backup_key: hex::encode(BackupKey::from_secret(secret.bytes()).fingerprint()),
            renewal_key: renewal_key.map_err(|error| Error::Key { what: "renewal key", reason: error.to_string() })?,
        };
        self.screen.say(&format!("    secret {}, backup key {}", split.id, split.backup_key));
        self.steps.append(What::Split(split))?;
        self.live = Some(Live { secret, shares, commitments });
        Ok(())
    }

    pub(super) fn hand_out(&mut self, index: u8, head: &str) -> Result<(), Error> {
        let custodian = task::custodian(&self.plan, index).to_owned();
        let Some(live) = &self.live else { return Err(Error::Interrupted) };
        let Some(share) = live.shares.iter().find(|share| share.index == index) else { return Ok(()) };
        if self.screen.automatic {
            self.screen.show(head, &[]);
            let path = self.share_file(&custodian);
            hand_out_file(&path, share, &live.commitments)?;
            eprintln!(
                "chancery-provision: --yes: share {index} of {custodian} is in {}: bring it there, and destroy the file",
                path.display()
            );
        } else {
            hand_out_typed(&self.screen, head, &custodian, share, &live.commitments)?;
        }
        let id = share.id.to_string();
        self.steps.append(What::Share(ShareConfirmed { id, custodian, index }))
    }

    /// The secret, from what custodians type, and the numbers of their shares.
    pub(super) fn gathered(&self) -> Result<(Secret, Vec<u8>), Error> {
        let split = self.split_in_force().ok_or(Error::Interrupted)?;
        let backup = appliance_wire::ceremony::CeremonyBackup {
            id: split.id.clone(),
            threshold: split.custody.threshold,
            custodians: split.custody.custodians.clone(),
            commitments: split.commitments.clone(),
            backup_key: split.backup_key.clone(),
            renewal_key: split.renewal_key.clone(),
        };
        let commitments = Commitments::of(&backup)?;
        let given = if self.screen.automatic {
            let enough = usize::from(split.custody.threshold);
            Given::Files(split.custody.custodians.iter().take(enough).map(|name| self.share_file(name)).collect())
        } else {
            Given::Typed
        };
        gather(&self.screen, &given, Some(&commitments))
    }

    fn share_file(&self, custodian: &str) -> PathBuf {
        self.path("shares").join(format!("{custodian}.txt"))
    }
}

/// The secret that shares give, and their numbers; what is typed and will not do is said, and asked for again.
///
/// # Errors
/// The input ends, or a file will not do.
pub fn gather(screen: &Screen, given: &Given, commitments: Option<&Commitments>) -> Result<(Secret, Vec<u8>), Error> {
    secret::refuse_dumps()?;
    let mut shares: Vec<Share> = Vec::new();
    match given {
        Given::Files(paths) => {
            for path in paths {
                let text = Zeroizing::new(files::read(path)?);
                let share = Share::parse(&text).and_then(|share| share.fits(&shares, commitments).map(|()| share));
                shares.push(share.map_err(|bad| Error::Config { path: path.clone(), reason: bad.to_string() })?);
            }
        }
        Given::Typed => {
            while shares.first().is_none_or(|first| shares.len() < usize::from(first.threshold)) {
                let of = shares.first().map_or_else(String::new, |first| format!(" of {}", first.threshold));
                let prompt = format!("Share {}{of} (its custodian alone looks): ", shares.len() + 1);
                let share = read_share(screen, &prompt)?;
                screen.clear();
                match share.and_then(|share| share.fits(&shares, commitments).map(|()| share)) {
                    Ok(share) => {
                        screen.say(&format!("Share {} is good.", share.index));
                        shares.push(share);
                    }
                    Err(bad) => screen.say(&format!("Not taken: {bad}.")),
                }
            }
        }
    }
    let secret = Secret::recover(&shares, commitments)?;
    Ok((secret, shares.iter().map(|share| share.index).collect()))
}

/// A share in as many lines as its custodian types; an empty line ends it before its length does.
fn read_share(screen: &Screen, prompt: &str) -> Result<Result<Share, BadShare>, Error> {
    let mut typed = Zeroizing::new(String::new());
    let mut prompt = prompt;
    loop {
        let line = screen.line(prompt)?;
        typed.push_str(&line);
        let length = typed.chars().filter(|character| !character.is_whitespace() && *character != '-').count();
        if line.trim().is_empty() || length >= LENGTH {
            return Ok(Share::parse(&typed));
        }
        prompt = "";
    }
}

fn hand_out_typed(
    screen: &Screen,
    head: &str,
    custodian: &str,
    share: &Share,
    commitments: &Commitments,
) -> Result<(), Error> {
    let lines = [format!("{custodian} alone comes to the screen. The others look away. No photographs.")];
    screen.show(head, &lines);
    screen.wait(&format!("    {custodian}: press Enter when nobody else sees this screen: "))?;
    loop {
        screen.clear();
        screen.say(&format!("{custodian}, write this down, on paper, in these groups:\n"));
        for line in grouped(&share.text()).lines() {
            screen.say(&Zeroizing::new(format!("    {line}")));
        }
        screen.wait("\n    Press Enter when you have; it will not be seen any more, and you type it back: ")?;
        screen.clear();
        let typed = read_share(screen, "Type your share back, from the paper: ")?;
        screen.clear();
        let checked = typed.and_then(|typed| {
            if typed.id == share.id && typed.index != share.index {
                let (index, expected) = (typed.index, share.index);
                return Err(BadShare::NotYours { index, custodian: custodian.to_owned(), expected });
            }
            commitments.check(&typed)
        });
        match checked {
            Ok(()) => {
                screen.say(&format!("{head}: good. Keep it where nobody else comes."));
                return Ok(());
            }
            Err(bad) => {
                screen.say(&format!("Not taken: {bad}."));
                screen.wait("    Press Enter to see the share again, and mend the paper: ")?;
            }
        }
    }
}

/// The share in a file, read back from it.
fn hand_out_file(path: &PathBuf, share: &Share, commitments: &Commitments) -> Result<(), Error> {
    if let Some(parent) = path.parent() {
        files::create_directory(parent)?;
    }
    // What is there is of a secret that is void.
    match fs::remove_file(path) {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(source) => return Err(Error::File { attempted: "replace", path: path.clone(), source }),
    }
    let text = Zeroizing::new(format!("{}\n", *grouped(&share.text())));
    files::create(path, text.as_bytes(), files::SECRET)?;
    let read = Zeroizing::new(files::read(path)?);
    commitments.check(&Share::parse(&read)?)?;
    Ok(())
}

/// Characters of a share's text.
const LENGTH: usize = 84;
