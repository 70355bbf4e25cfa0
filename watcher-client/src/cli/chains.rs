//! `chains`, `chain resume`, and the part of `status` about the daemon.

use serde_json::{Value, json};

use super::{
    Shown,
    daemon::{Daemon, Unanswered},
    failure::Failure,
};
use crate::run::words::{ChainView, ChainsAnswer, ReceiverView};

pub(super) async fn list(daemon: &Daemon) -> Result<Shown, Failure> {
    let answer: ChainsAnswer = daemon.get(&["chains"]).await?;
    Shown::new(text(&answer), &answer)
}

pub(super) async fn resume(daemon: &Daemon, name: &str) -> Result<Shown, Failure> {
    let view: ChainView = daemon.post(&["chains", name, "resume"], None::<&()>).await?;
    let text = format!("{name}: goes on as soon as its node answers; `chancery-watcher chains` shows how\n");
    Shown::new(text, &view)
}

/// What `status` says of the daemon: a line where it does not answer.
pub(super) async fn status(daemon: &Daemon) -> (String, Value) {
    match daemon.get::<ChainsAnswer>(&["chains"]).await {
        Ok(answer) => (text(&answer), json!(answer)),
        Err(Unanswered::NotRunning(what) | Unanswered::Failed(what)) => {
            (format!("daemon      {what}\n"), json!({ "error": what }))
        }
    }
}

fn text(answer: &ChainsAnswer) -> String {
    let mut text: String = answer.chains.iter().map(chain).collect::<Vec<_>>().join("\n");
    for receiver in answer.receivers.iter().filter(|receiver| receiver.behind > 0 || receiver.trouble.is_some()) {
        text += &lagging(receiver);
    }
    text
}

/// One screen for a chain.
fn chain(chain: &ChainView) -> String {
    let mut text = format!("chain       {} ({})", chain.name, chain.network);
    text += if chain.reachable { ", its node answers\n" } else { ", its node does NOT answer\n" };
    if let Some(alarm) = &chain.alarm {
        text += &format!("ALARM       since {}: {}\n", alarm.since, alarm.what);
        text += &format!("            then go on with `chancery-watcher chain resume {}`\n", chain.name);
    }
    if let Some(trouble) = &chain.trouble {
        text += &format!("trouble     {trouble}\n");
    }
    text += &match chain.height {
        Some(height) => format!("height      {height}, {}\n", lag(chain)),
        None => "height      nothing was read yet\n".to_owned(),
    };
    text += &format!("deposits    {} pending\n", chain.pending_deposits);
    text += &format!("withdrawals {} unconfirmed", chain.unconfirmed_withdrawals);
    if let Some(oldest) = &chain.oldest {
        text += &format!(", the oldest {} since {}", oldest.id, oldest.since);
    }
    text + &match &chain.pool {
        Some(pool) => format!("\naddresses   {} ready to be given out\n", pool.free),
        None => "\naddresses   one for all, with a memo\n".to_owned(),
    }
}

fn lag(chain: &ChainView) -> String {
    let blocks = match chain.lag_blocks {
        None => "the node's is not known".to_owned(),
        Some(0) => "the node's last block".to_owned(),
        Some(1) => "1 block behind the node".to_owned(),
        Some(blocks) => format!("{blocks} blocks behind the node"),
    };
    let age = chain.lag_seconds.map(|seconds| format!(", made {} ago", duration(seconds)));
    blocks + &age.unwrap_or_default()
}

fn duration(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        _ => format!("{} h", seconds / 3_600),
    }
}

fn lagging(receiver: &ReceiverView) -> String {
    let mut text = format!("\nwebhook     {}: {} events behind", receiver.url, receiver.behind);
    if let (Some(trouble), Some(since)) = (&receiver.trouble, &receiver.since) {
        text += &format!(", since {since}: {trouble}");
    }
    text + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::{Alarm, PoolStanding};

    fn view() -> ChainView {
        ChainView {
            name: "bitcoin".to_owned(),
            network: "bitcoin-regtest".to_owned(),
            reachable: true,
            trouble: None,
            height: Some(800),
            safe: None,
            lag_blocks: Some(2),
            lag_seconds: Some(600),
            pending_deposits: 3,
            unconfirmed_withdrawals: 1,
            oldest: Some(crate::run::words::OldestView {
                id: "wd-1".parse().unwrap(),
                since: "2030-01-01T00:00:00Z".to_owned(),
            }),
            pool: Some(PoolStanding { free: 20, last_child: Some(19) }),
            alarm: None,
        }
    }

    #[test]
    fn a_chain_fills_one_screen() {
        assert_eq!(
            chain(&view()),
            "chain       bitcoin (bitcoin-regtest), its node answers\n\
             height      800, 2 blocks behind the node, made 10 min ago\n\
             deposits    3 pending\n\
             withdrawals 1 unconfirmed, the oldest wd-1 since 2030-01-01T00:00:00Z\n\
             addresses   20 ready to be given out\n"
        );
    }

    #[test]
    fn a_chain_without_children_has_no_pool_to_run_dry() {
        let text = chain(&ChainView { pool: None, ..view() });
        assert!(text.ends_with("addresses   one for all, with a memo\n"), "{text}");
    }

    #[test]
    fn an_alarm_says_how_to_go_on_and_a_receiver_that_lags_is_shown() {
        let alarm = Alarm { what: "a deep reorganisation".to_owned(), since: "2030-01-01T00:00:00Z".to_owned() };
        let chains = vec![ChainView { reachable: false, alarm: Some(alarm), ..view() }];
        let receiver = |url: &str, behind, trouble: Option<&str>| ReceiverView {
            url: url.to_owned(),
            taken: 1,
            behind,
            trouble: trouble.map(str::to_owned),
            since: trouble.map(|_| "2030-01-02T00:00:00Z".to_owned()),
        };
        let receivers = vec![receiver("http://a/", 0, None), receiver("http://b/", 7, Some("it answered 500"))];
        let text = text(&ChainsAnswer { chains, receivers });
        for part in [
            "its node does NOT answer",
            "ALARM       since 2030-01-01T00:00:00Z: a deep reorganisation",
            "`chancery-watcher chain resume bitcoin`",
            "http://b/: 7 events behind, since 2030-01-02T00:00:00Z: it answered 500",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(!text.contains("http://a/"), "{text}");
    }
}
