//! Every problem of the API was seen: the list is the contract's, and no code can join it unnoticed.

use std::{collections::BTreeMap, fs};

use appliance_wire::{Problem, ProblemCode, Retry};
use libtest_mimic::Trial;
use serde_json::json;

use crate::harness::{
    Installation, Running,
    body::{digest, payment},
    eventually,
    installation::POLICY,
    trial,
    watcher::Watcher,
};

pub(crate) fn trials() -> Vec<Trial> {
    vec![trial("problem_codes::each_that_can_be_raised_is_raised_as_the_table_says", every_code)]
}

struct Stage {
    installation: Installation,
    running: Running,
    watcher: Watcher,
}

type Raise = fn(&Stage) -> Problem;

/// How it is raised, or why it cannot be today.
fn raise(code: ProblemCode) -> Result<Raise, &'static str> {
    Ok(match code {
        ProblemCode::Malformed => |stage| stage.watcher.refused("a", "{"),
        ProblemCode::Unauthenticated => {
            |stage| Watcher::named(&stage.installation, &stage.running, "stranger").refused("a", digest("raw", 1))
        }
        ProblemCode::Denied => |stage| stage.watcher.refused("a", payment(1, "0.6", "0")),
        ProblemCode::LimitExceeded => |stage| stage.watcher.refused("a", payment(1, "0.4", "0")),
        ProblemCode::UnknownKey => |stage| stage.watcher.refused("a", digest("cold", 1)),
        ProblemCode::UnknownRequest => |stage| stage.watcher.get("/v1/signatures/never").problem(),
        ProblemCode::RequestConflict => |stage| stage.watcher.refused("signed", digest("raw", 2)),
        ProblemCode::Expired => |stage| {
            let mut body = digest("raw", 1);
            body["expires_at"] = json!("2020-01-01T00:00:00Z");
            stage.watcher.refused("a", body)
        },
        ProblemCode::TooLarge => {
            |stage| stage.watcher.refused("a", digest("raw", 1).to_string() + &" ".repeat(1 << 20))
        }
        ProblemCode::EvidenceRequired => |stage| stage.watcher.refused("a", digest("hot", 1)),
        ProblemCode::EvidenceInvalid => |stage| {
            let mut body = payment(1, "0.1", "0");
            body["evidence"] = json!({ "format": "psbt", "data": "" });
            stage.watcher.refused("a", body)
        },
        ProblemCode::Frozen => |stage| {
            stage.installation.run("chancery", &["freeze", "--key", "ed", "--reason", "x"]);
            stage.watcher.refused("a", json!({ "items": [{ "key": "ed", "message": "00" }] }))
        },
        ProblemCode::RateLimited => flood,
        ProblemCode::AuditLogUnavailable => |stage| {
            let length = fs::metadata(stage.installation.path("state/log.jsonl")).unwrap().len();
            stage.running.limit_files_to(length);
            stage.watcher.refused("a", digest("raw", 1))
        },
        ProblemCode::TokenUnavailable => |stage| {
            let (objects, away) = (stage.installation.path("token/objects"), stage.installation.path("token/away"));
            fs::rename(&objects, &away).unwrap();
            let problem = stage.watcher.refused("b", digest("raw", 1));
            // What comes after needs it back.
            fs::rename(&away, &objects).unwrap();
            eventually("the token is back", || (stage.watcher.put("b", digest("raw", 1)).status == 200).then_some(()));
            problem
        },
        ProblemCode::NotFound => |stage| stage.watcher.get("/v1/nothing").problem(),
        ProblemCode::MethodNotAllowed => |stage| stage.watcher.call("DELETE", "/v1/keys", "").problem(),
        ProblemCode::InputReserved => return Err("no `verified` keys yet, so no inputs"),
        ProblemCode::DigestMismatch => return Err("no `verified` keys yet, so no digest is recomputed"),
        ProblemCode::Internal => return Err("a fault of ours: there is no way to it from outside"),
    })
}

/// Refusals beyond what one watcher may write into the log.
fn flood(stage: &Stage) -> Problem {
    let watcher = &stage.watcher;
    let body = digest("cold", 1).to_string();
    watcher.block_on(async {
        let mut tasks = tokio::task::JoinSet::new();
        for lane in 0..64 {
            let (mut connection, body) = (watcher.connect().await, body.clone());
            tasks.spawn(async move {
                for _ in 0..100 {
                    let path = format!("/v1/signatures/flood-{lane}");
                    let answer = connection.request("PUT", &path, body.as_bytes()).await.unwrap();
                    if answer.code() == "rate-limited" {
                        return Some(answer.problem());
                    }
                }
                None
            });
        }
        tasks.join_all().await.into_iter().flatten().next().expect("the flood was not stopped")
    })
}

fn every_code() {
    let installation = Installation::without_log();
    installation.issue("stranger");
    installation.begin(&POLICY.replace("max_amount = \"10\"", "max_amount = \"0.3\""));
    let running = Running::start_with_full_disk_as_error(&installation);
    let watcher = Watcher::new(&installation, &running);
    watcher.signed("signed", digest("raw", 1));
    let stage = Stage { installation, running, watcher };

    let mut seen = BTreeMap::new();
    // What nothing is signed after comes last.
    let (last, rest): (Vec<_>, Vec<_>) =
        ProblemCode::ALL.into_iter().partition(|code| *code == ProblemCode::AuditLogUnavailable);
    for code in rest.into_iter().chain(last) {
        let raise = match raise(code) {
            Ok(raise) => raise,
            Err(reason) => {
                println!("{} cannot be raised: {reason}", code.name());
                continue;
            }
        };
        let problem = raise(&stage);
        assert_eq!(problem.code(), Some(code), "{}", problem.detail);
        let fresh = Problem::new(code, "");
        assert_eq!((problem.status, problem.retry, &problem.title), (code.status(), fresh.retry, &fresh.title));
        if problem.retry == Retry::Same {
            assert!(problem.retry_after_s.is_some(), "{} says `same` without Retry-After", code.name());
        }
        seen.insert(code.name(), problem.detail);
    }
    assert_eq!(seen.len(), ProblemCode::ALL.len() - 3);
    let (_, text) = stage.running.monitor("/metrics");
    for code in seen.keys() {
        let name = format!("chancery_refusals_total{{code=\"{code}\"}} ");
        let count = text.lines().find_map(|line| line.strip_prefix(&name)?.parse::<u64>().ok());
        assert!(count.is_some_and(|count| count > 0), "{code} was not counted:\n{text}");
    }
}
