//! What the daemon tells the monitoring, in Prometheus' text format 0.0.4: all of it read off when somebody asks.
//!
//! Labels are names of the config: no address, no amount, no withdrawal, and a webhook only by its place.

use std::fmt::Display;

use super::{
    desk::Desk,
    problem::Refusal,
    words::{ChainView, ReceiverView},
};
use crate::{
    flows::ChainStanding,
    journal::{Filter, Withdrawal, WithdrawalState},
};

/// More open withdrawals than this are counted no further: by then another number is the alarm.
const MOST_COUNTED: usize = 10_000;

/// The states that a withdrawal does not stay in.
const OPEN: [(WithdrawalState, &str); 3] =
    [(WithdrawalState::Created, "created"), (WithdrawalState::Signed, "signed"), (WithdrawalState::Sent, "sent")];

/// One chain, as it is now.
struct Chain {
    view: ChainView,
    standing: ChainStanding,
    open: Vec<Withdrawal>,
}

/// The text.
pub(super) async fn text(desk: &Desk) -> Result<String, Refusal> {
    let (views, receivers) = super::api::standing(desk).await?;
    let mut chains = Vec::with_capacity(views.len());
    for view in views {
        let filter = Filter { chain: Some(view.name.clone()), open: true, ..Filter::default() };
        let open = desk.off(move |journal| journal.withdrawals(&filter, MOST_COUNTED)).await?;
        chains.push(Chain { standing: desk.board.standing(&view.name), view, open });
    }
    let mut text = Text::default();
    text.family("build_info", "gauge", "This program");
    text.sample("build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1);
    text.family("process_start_time_seconds", "gauge", "When this process began, in seconds since 1970");
    text.sample("process_start_time_seconds", &[], desk.started.as_second());
    of_chains(&mut text, &chains);
    of_withdrawals(&mut text, &chains);
    of_receivers(&mut text, &receivers);
    Ok(text.0)
}

fn of_chains(text: &mut Text, chains: &[Chain]) {
    text.of_each(chains, "chain_height", "gauge", "The last block that was read for deposits", |chain| {
        chain.view.height
    });
    text.of_each(chains, "chain_node_height", "gauge", "The newest block the node knows of", |chain| {
        Some(chain.view.height? + chain.view.lag_blocks?)
    });
    text.of_each(
        chains,
        "chain_node_reachable",
        "gauge",
        "1 where the node answers and is of the right chain",
        |chain| Some(u64::from(chain.standing.reachable)),
    );
    text.of_each(chains, "chain_node_errors_total", "counter", "Rounds that an error of the node ended", |chain| {
        Some(chain.standing.node_errors)
    });
    text.of_each(chains, "chain_trouble", "gauge", "1 where the last round did not come to its end", |chain| {
        Some(u64::from(chain.standing.trouble.is_some()))
    });
    let help = "1 where a deep reorganisation stopped the chain until a person goes on";
    text.of_each(chains, "chain_stopped", "gauge", help, |chain| Some(u64::from(chain.view.alarm.is_some())));
    let help = "1 where the signer gave no answer to what was asked of it last";
    text.of_each(chains, "signer_silent", "gauge", help, |chain| Some(u64::from(chain.standing.signer_silent)));
    text.of_each(chains, "deposits_pending", "gauge", "Deposits seen and not believed yet", |chain| {
        Some(chain.view.pending_deposits)
    });
}

fn of_withdrawals(text: &mut Text, chains: &[Chain]) {
    text.family("withdrawals_open", "gauge", "Withdrawals that are not settled");
    for Chain { view, open, .. } in chains {
        for (state, name) in OPEN {
            let count = open.iter().filter(|withdrawal| withdrawal.state == state).count();
            text.sample("withdrawals_open", &[("chain", &view.name), ("state", name)], count);
        }
    }
    let help = "When the oldest of them was made, in seconds since 1970, 0 where there is none";
    text.of_each(chains, "withdrawals_oldest_timestamp_seconds", "gauge", help, |chain| {
        let since = chain.view.oldest.as_ref().and_then(|oldest| oldest.since.parse::<jiff::Timestamp>().ok());
        Some(since.map_or(0, |since| u64::try_from(since.as_second()).unwrap_or(0)))
    });
}

fn of_receivers(text: &mut Text, receivers: &[(ReceiverView, u64)]) {
    let mut each = |name: &str, kind: &str, help: &str, value: fn(&(ReceiverView, u64)) -> u64| {
        text.family(name, kind, help);
        for (place, receiver) in receivers.iter().enumerate() {
            text.sample(name, &[("receiver", &(place + 1).to_string())], value(receiver));
        }
    };
    each("webhook_behind_events", "gauge", "Events that a webhook has not taken yet", |(view, _)| view.behind);
    each("webhook_failing", "gauge", "1 where a webhook does not take the next event", |(view, _)| {
        u64::from(view.trouble.is_some())
    });
    each("webhook_failures_total", "counter", "Times an event was not taken", |(_, failures)| *failures);
}

/// A text in the making.
#[derive(Default)]
struct Text(String);

impl Text {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        self.0 += &format!("# HELP chancery_watcher_{name} {help}.\n# TYPE chancery_watcher_{name} {kind}\n");
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        let labels: Vec<String> = labels.iter().map(|(label, text)| format!("{label}=\"{}\"", escaped(text))).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        self.0 += &format!("chancery_watcher_{name}{labels} {value}\n");
    }

    /// A family with a value for each chain that has one.
    fn of_each(&mut self, chains: &[Chain], name: &str, kind: &str, help: &str, value: fn(&Chain) -> Option<u64>) {
        self.family(name, kind, help);
        for chain in chains {
            if let Some(value) = value(chain) {
                self.sample(name, &[("chain", &chain.view.name)], value);
            }
        }
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
