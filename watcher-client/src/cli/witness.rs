//! `witness`: a round, or one after the other until something stops it.

use std::{
    io::{self, Write},
    path::Path,
};

use super::{Shown, arguments::Witness as Arguments, failure::Failure};
use crate::{Client, Config, Error, Round, Witness, witness::generate};

pub(super) async fn run(arguments: &Arguments, config: &Config, client: Client, json: bool) -> Result<Shown, Failure> {
    let witness = Witness::open(config, client)?;
    if arguments.once {
        return once(&witness).await;
    }
    let listens = witness.listen().await?;
    tell(&match listens {
        Some(address) => format!("witness {} of {}, listening on {address}", witness.key(), config.url),
        None => format!("witness {} of {}", witness.key(), config.url),
    })?;
    let mut told = String::new();
    loop {
        let now = match witness.round().await {
            Ok(round) if json => serde_json::to_string(&round).map_err(|error| Failure::Failed(error.to_string()))?,
            Ok(round) => describe(&round),
            // The signer may come back. What only a person can mend is an end.
            Err(error) if is_passing(&error) => error.to_string(),
            Err(error) => return Err(error.into()),
        };
        if now != told {
            tell(&now)?;
            told = now;
        }
        witness.rest(arguments.every).await;
    }
}

async fn once(witness: &Witness) -> Result<Shown, Failure> {
    let round = witness.round().await?;
    let mut shown = Shown::new(describe(&round), &round)?;
    if !round.troubles.is_empty() {
        shown.failure = Some(Failure::Failed(round.troubles.join("\n")));
    }
    Ok(shown)
}

fn is_passing(error: &Error) -> bool {
    matches!(
        error,
        Error::Refused(_)
            | Error::Transport(_)
            | Error::Unexpected { .. }
            | Error::NotVerified { .. }
            | Error::State { .. }
    )
}

fn describe(round: &Round) -> String {
    let mut text = format!("{} entries, cosigned by {}", round.size, round.cosigned_by.join(", "));
    if !round.compared_with.is_empty() {
        text += &format!("; the same history as shown to {}", round.compared_with.join(", "));
    }
    if !round.handed_over {
        text += "; the signer takes no cosignatures";
    }
    for trouble in &round.troubles {
        text += &format!("\n  {trouble}");
    }
    text
}

/// A line at once, however the output is read.
fn tell(line: &str) -> Result<(), Failure> {
    let mut out = io::stdout();
    let written = writeln!(out, "{line}").and_then(|()| out.flush());
    written.map_err(|error| Failure::Failed(format!("writing: {error}")))
}

pub(super) fn make_key(name: &str, out: &Path) -> Result<Shown, Failure> {
    let key = generate(name, out)?;
    let json = serde_json::json!({ "name": name, "file": out, "key": key.to_string() });
    Shown::new(key.to_string(), &json)
}
