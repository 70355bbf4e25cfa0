//! One round: the signer's newest checkpoint, everybody's cosignatures, and what the others were shown.

use appliance_wire::{AddCheckpoint, Checkpoint};
use serde::Serialize;
use tokio::task::JoinSet;

use super::{Witness, ledger::Refusal};
use crate::Error;

/// How often a round begins again because another's submission came in between.
const ATTEMPTS: usize = 3;

/// What a round came to.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Round {
    /// The log.
    pub origin: String,
    /// Its size.
    pub size: u64,
    /// Witnesses whose cosignatures were collected, ourselves first.
    pub cosigned_by: Vec<String>,
    /// Whether the signer took them: not where no witness is configured there.
    pub handed_over: bool,
    /// Other witnesses whose newest checkpoint is of the same history.
    pub compared_with: Vec<String>,
    /// What went wrong with others, each with what it was; no alarm.
    pub troubles: Vec<String>,
}

impl Witness {
    pub(super) async fn go_round(&self) -> Result<Round, Error> {
        if let Some((why, file)) = self.ledger.found_fork()? {
            return Err(Error::Forked { why, file });
        }
        while let Some(suspect) = self.ledger.suspect() {
            self.client.accept(&suspect, 0).await?;
            self.ledger.clear(&suspect);
        }
        let (checkpoint, own) = self.follow().await?;
        let mut round = Round {
            origin: checkpoint.origin().to_owned(),
            size: checkpoint.size(),
            cosigned_by: vec![self.key().name().to_owned()],
            handed_over: false,
            compared_with: Vec::new(),
            troubles: Vec::new(),
        };
        // Compared first: who is shown another history may be gone once it knows. It is told all the same.
        let compared = self.compare_notes(&mut round).await;
        let lines = self.collect(&checkpoint, &mut round).await;
        compared?;
        let note = format!("{}{own}\n{}", checkpoint.bare_note(), lines.concat());
        match self.client.hand_cosignatures(&note).await {
            Ok(taken) => round.handed_over = taken,
            Err(error) => round.troubles.push(format!("handing over the cosignatures: {error}")),
        }
        Ok(round)
    }

    /// The signer's newest checkpoint, consistent with all seen before, and our cosignature of it.
    async fn follow(&self) -> Result<(Checkpoint, String), Error> {
        for _ in 0..ATTEMPTS {
            let (checkpoint, _) = self.client.checkpoint().await?;
            let known = self.ledger.newest(checkpoint.origin())?;
            let old = known.as_ref().map_or(0, Checkpoint::size);
            if let Some(known) = &known {
                // Another may have submitted a larger one: then the signer must show that too.
                self.client.accept(known.note(), 0).await?;
            }
            if old > checkpoint.size() {
                continue;
            }
            let proof = if (1..checkpoint.size()).contains(&old) {
                self.client.consistency(old, checkpoint.size()).await?
            } else {
                Vec::new()
            };
            let request = AddCheckpoint { old, proof, note: checkpoint.bare_note().to_owned() };
            match self.ledger.add(&request.to_string())? {
                Ok(line) => return Ok((checkpoint, line)),
                Err(Refusal::Conflict(_) | Refusal::Stopped) => {
                    if let Some((why, file)) = self.ledger.found_fork()? {
                        return Err(Error::Forked { why, file });
                    }
                }
                Err(refusal) => {
                    let what =
                        format!("the checkpoint of {} entries is not one to cosign ({refusal:?})", checkpoint.size());
                    return Err(Error::NotVerified { what });
                }
            }
        }
        let what = "the log grows faster than it can be cosigned, by what others submit; the next round tries again";
        Err(Error::NotVerified { what: what.to_owned() })
    }

    /// The other witnesses' signature lines, all asked at once.
    async fn collect(&self, checkpoint: &Checkpoint, round: &mut Round) -> Vec<String> {
        let mut asked = JoinSet::new();
        for other in &self.others {
            let (other, client, checkpoint) = (other.clone(), self.client.clone(), checkpoint.clone());
            asked.spawn(async move { (other.name().to_owned(), other.submit(&client, &checkpoint).await) });
        }
        let mut answers: Vec<_> = asked.join_all().await;
        answers.sort();
        let mut lines = Vec::new();
        for (name, answer) in answers {
            match answer {
                Ok(Some(line)) => {
                    lines.push(format!("{line}\n"));
                    round.cosigned_by.push(name);
                }
                Ok(None) => {}
                Err(trouble) => round.troubles.push(trouble),
            }
        }
        lines
    }

    /// Holds what the others cosigned last against the signer's log. Each note is the log key's own word.
    async fn compare_notes(&self, round: &mut Round) -> Result<(), Error> {
        for other in &self.others {
            match other.newest(&round.origin).await {
                Ok(None) => {}
                Ok(Some(note)) => match self.client.accept(&note, 0).await {
                    Ok(_) => round.compared_with.push(other.name().to_owned()),
                    Err(Error::Checkpoint(error)) => {
                        round.troubles.push(format!("what {} shows is not the log's: {error}", other.name()));
                    }
                    Err(error) => return Err(error),
                },
                // Said when it is asked for its cosignature.
                Err(_) => {}
            }
        }
        Ok(())
    }
}
