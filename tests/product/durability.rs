//! What the kernel was asked for, in which order: nothing leaves before the sync that holds it has returned.

use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};

use libtest_mimic::Trial;
use rustix::process::{Pid, Signal, kill_process};

use crate::harness::{
    Installation,
    body::{digest, payment},
    eventually, trial,
    watcher::Watcher,
};

pub(crate) fn trials() -> Vec<Trial> {
    vec![trial("durability::a_sync_stands_between_every_entry_and_what_follows_from_it", order_of_calls)]
}

/// A step, as the trace shows it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Step {
    LogWritten,
    LogSynced,
    TokenAsked,
    Answered,
    StoreSynced,
    AnchorWritten,
}

fn order_of_calls() {
    let installation = Installation::new();
    let anchor = || std::fs::read(installation.path("state/anchor")).unwrap();
    let genesis = anchor();
    let running = installation.start();
    let watcher = Watcher::new(&installation, &running);
    // The boot's own checkpoint and anchor are over, and the connection is open, before anything is traced.
    eventually("the anchor of the boot", || (anchor() != genesis).then_some(()));
    eventually("a checkpoint", || (watcher.get("/v1/log/checkpoint").status == 200).then_some(()));
    let mut connection = watcher.block_on(watcher.connect());
    watcher.block_on(connection.request("GET", "/v1/keys", b"")).unwrap();
    let before = anchor();

    let trace = installation.path("trace");
    let calls = "trace=write,writev,sendto,sendmsg,pwrite64,fdatasync,fsync";
    let mut strace = Command::new("strace")
        .args(["-f", "-yy", "-e", calls, "-o", trace.to_str().unwrap(), "-p"])
        .arg(running.pid().as_raw_nonzero().to_string())
        .stderr(Stdio::piped())
        .spawn()
        .expect("strace is missing: `make test` installs it");
    let mut said = String::new();
    // Kept open: strace also tells of each new thread, and would end where nobody reads it.
    let mut strace_says = BufReader::new(strace.stderr.take().unwrap());
    strace_says.read_line(&mut said).unwrap();
    if said.contains("not permitted") && !rustix::process::geteuid().is_root() {
        strace.wait().unwrap();
        println!("SKIPPED: attaching to a process needs root here (kernel.yama.ptrace_scope): {said}");
        return;
    }
    assert!(said.contains("attached"), "{said}");

    let body = digest("raw", 1).to_string();
    let answer = watcher.block_on(connection.request("PUT", "/v1/signatures/a", body.as_bytes())).unwrap();
    assert_eq!(answer.status, 200);
    eventually("the anchor moves", || (anchor() != before).then_some(()));
    // A refusal is an entry, too; the same request again is none.
    for number in 0..7 {
        let (body, status) = if number % 3 == 1 { (payment(1, "100", "0"), 403) } else { (digest("raw", 1), 200) };
        for _ in 0..2 {
            let path = format!("/v1/signatures/more-{number}");
            let answer = watcher.block_on(connection.request("PUT", &path, body.to_string().as_bytes())).unwrap();
            assert_eq!(answer.status, status, "{}", String::from_utf8_lossy(&answer.body));
        }
    }
    kill_process(Pid::from_child(&strace), Signal::TERM).unwrap();
    strace.wait().unwrap();
    drop(strace_says);

    let trace = std::fs::read_to_string(trace).unwrap();
    let steps = steps(&trace);
    use Step::{AnchorWritten, Answered, LogSynced, LogWritten, StoreSynced, TokenAsked};
    let way: Vec<Step> = steps.iter().copied().filter(|step| !matches!(step, StoreSynced | AnchorWritten)).collect();
    assert!(way.starts_with(&[LogWritten, LogSynced, TokenAsked, LogWritten, LogSynced, Answered]), "{way:?}\n{trace}");
    assert_every_answer_is_synced(&way, &trace);
    let behind: Vec<Step> = steps.into_iter().filter(|step| matches!(step, StoreSynced | AnchorWritten)).collect();
    assert!(behind.starts_with(&[StoreSynced, AnchorWritten]), "{behind:?}\n{trace}");
    running.stop();
}

/// One connection asks, so the last write to the log before an answer is the one it rests on.
fn assert_every_answer_is_synced(way: &[Step], trace: &str) {
    let mut synced = true;
    for (place, step) in way.iter().enumerate() {
        match step {
            Step::LogWritten => synced = false,
            Step::LogSynced => synced = true,
            Step::Answered => assert!(synced, "step {place} answers, and what was written is not synced\n{trace}"),
            Step::TokenAsked | Step::StoreSynced | Step::AnchorWritten => {}
        }
    }
    let count = |wanted: Step| way.iter().filter(|step| **step == wanted).count();
    assert!(count(Step::Answered) >= 15 && count(Step::LogWritten) >= 14, "{way:?}\n{trace}");
}

/// Writes count from where they begin, syncs from where they returned 0.
fn steps(trace: &str) -> Vec<Step> {
    let mut unfinished = std::collections::HashMap::new();
    let mut steps = Vec::new();
    for line in trace.lines() {
        let (thread, call) = line.split_once(' ').unwrap_or_default();
        let call = call.trim_start();
        let of = |path: &str| call.contains(path);
        if call.starts_with("fdatasync(") || call.starts_with("fsync(") {
            let step = if of("/state/log.jsonl>") {
                Step::LogSynced
            } else if of("/state/store/db>") {
                Step::StoreSynced
            } else {
                continue;
            };
            if call.contains("<unfinished") {
                unfinished.insert(thread.to_owned(), step);
            } else if call.ends_with("= 0") {
                steps.push(step);
            }
        } else if call.starts_with("<... fdatasync resumed>") || call.starts_with("<... fsync resumed>") {
            steps.extend(unfinished.remove(thread).filter(|_| call.ends_with("= 0")));
        } else if call.starts_with("<...") {
        } else if of("/state/log.jsonl>") {
            steps.push(Step::LogWritten);
        } else if of("/state/anchor>") {
            steps.push(Step::AnchorWritten);
        } else if of("<TCP:[127.0.0.1:") {
            steps.push(Step::Answered);
        } else if of("<UNIX-STREAM:[") || of("<UNIX:[") {
            steps.push(Step::TokenAsked);
        }
    }
    steps
}
