//! A process that opens one state directory after another as `serve` does, without its token: it may end, hang or grow
//! without harm to the test. It answers a line for each, and is asked by [`Opener`].

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, Command, ExitCode, Stdio},
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, channel},
    },
    thread,
    time::{Duration, Instant},
};

use appliance::{
    audit::{self, Audit, BootFacts, Opened, Run, TokenAnchor},
    metrics::Metrics,
    operations::Checkpoints,
};
use appliance_wire::LogKey;
use serde_json::{Value, json};

use super::{files::Files, scene::NAMES};
use crate::harness::block_on;

/// The name under which this program is the process.
pub(super) const PROGRAM: &str = "open-states";

/// Longer than any start may take.
const DEADLINE: Duration = Duration::from_secs(20);

/// What panicked where nobody catches it.
static PANICKED: Mutex<Option<String>> = Mutex::new(None);

/// Runs as the process: a path a line in, what came of it a line out.
pub(super) fn run() -> ExitCode {
    std::panic::set_hook(Box::new(|panic| {
        // sled panics on threads without a name, where the appliance expects it.
        if thread::current().name().is_some() {
            *PANICKED.lock().unwrap_or_else(PoisonError::into_inner) = Some(panic.to_string());
        }
    }));
    let known = std::env::args().nth(1).unwrap();
    let known: Value = serde_json::from_slice(&fs::read(known).unwrap()).unwrap();
    for line in std::io::stdin().lines() {
        let directory = line.unwrap();
        let begun = Instant::now();
        let mut verdict = std::panic::catch_unwind(|| open(Path::new(&directory), &known))
            .unwrap_or_else(|_| json!({ "panicked": true }))
            .to_string();
        if let Some(panicked) = PANICKED.lock().unwrap_or_else(PoisonError::into_inner).take() {
            verdict = json!({ "panicked": panicked }).to_string();
        }
        verdict = json!({ "verdict": verdict, "ms": begun.elapsed().as_millis() as u64 }).to_string();
        println!("{verdict}");
    }
    ExitCode::SUCCESS
}

fn open(directory: &Path, known: &Value) -> Value {
    let (state, mirror) = (directory.join("state"), directory.join("second"));
    let opened = match hold(&state, &mirror, &known["tip"]) {
        Ok(opened) => opened,
        Err(reason) => return json!({ "refused": reason }),
    };
    let tip = opened.log().tip();
    let found = state_of(&opened);
    let facts = BootFacts {
        program_sha256: String::new(),
        config_sha256: String::new(),
        tokens: Vec::new(),
        anchored: true,
        unanchored_percent: None,
    };
    let audit = match opened.start(&state, facts, Arc::new(Metrics::default())) {
        Ok(audit) => audit,
        Err(refusal) => return json!({ "refused": refusal.problem.detail }),
    };
    let wrong = wrong_answers(&audit, known);
    let probed = block_on(async {
        let probed = audit.probe().await;
        audit.stop().await;
        probed
    });
    let works = probed.map_err(|refusal| refusal.problem.detail);
    json!({ "size": tip.size, "root": hex::encode(tip.root), "bytes": tip.bytes, "state": found, "wrong": wrong, "works": works })
}

/// The order of `serve`, up to where the log is written: the log, its mirror, its checkpoint, the anchor in the token.
fn hold(state: &Path, mirror: &Path, anchored: &Value) -> Result<Opened, String> {
    let opened = audit::open(state, audit::Archive::default()).map_err(|error| error.to_string())?;
    let tip = opened.log().tip();
    audit::check_mirror(state, mirror, tip.bytes).map_err(|error| error.to_string())?;
    let genesis = opened.state().genesis.as_ref().ok_or("the audit log has no genesis")?;
    let key = LogKey::parse(&genesis.log_key).map_err(|error| error.to_string())?;
    Checkpoints::open(state, key, genesis.token.clone(), opened.log())?;
    if let Some(anchored) = anchor(anchored) {
        let compared = audit::compare(Some(&anchored), opened.log(), tip, true, "main");
        compared.map_err(|refused| refused.to_string())?;
    }
    Ok(opened)
}

/// What the token holds after the last run ended in order.
fn anchor(tip: &Value) -> Option<Vec<u8>> {
    let root = hex::decode(tip["root"].as_str()?).unwrap().try_into().unwrap();
    let size = tip["size"].as_u64().unwrap();
    Some(TokenAnchor { size, root, run: Run::default(), is_open: false }.encode())
}

/// All that decisions look at, and what limits have seen among it, in an order of its own.
fn state_of(opened: &Opened) -> Value {
    let snapshot = opened.state().snapshot(0);
    let mut state: Value = serde_json::from_slice(&snapshot[64..]).unwrap();
    for name in ["usage", "everywhere"] {
        let mut lines: Vec<String> = state[name].as_array().unwrap().iter().map(Value::to_string).collect();
        lines.sort();
        state[name] = lines.into();
    }
    state
}

/// Requests that are not answered with the bytes of their first answer.
fn wrong_answers(audit: &Audit, known: &Value) -> Vec<String> {
    let watcher = known["watcher"].as_str().unwrap();
    let answers: BTreeMap<&String, &Value> = known["answers"].as_object().unwrap().iter().collect();
    let is_wrong = |id: &str, answer: &str| match audit.bound(watcher, id) {
        Ok(Some(bound)) => match audit.standing(&bound.binding) {
            Ok(audit::Standing::Signed(bytes)) => (bytes != answer.as_bytes()).then(|| "other bytes".to_owned()),
            other => Some(format!("{other:?}")),
        },
        other => Some(format!("{other:?}")),
    };
    let wrong = answers.into_iter().filter_map(|(id, answer)| Some((id, is_wrong(id, answer.as_str()?)?)));
    wrong.map(|(id, what)| format!("{id}: {what}")).collect()
}

/// What came of opening a state directory.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Verdict {
    Refused(String),
    /// What was found in it.
    Opened(Value),
    /// Neither.
    Bad(String),
}

/// Asks the process.
pub(super) struct Opener {
    known: std::path::PathBuf,
    process: Option<(Child, Receiver<String>)>,
}

impl Opener {
    pub(super) fn new(known: std::path::PathBuf) -> Self {
        Self { known, process: None }
    }

    /// From now on the token holds this as the end of the log.
    pub(super) fn anchor_at(&mut self, opened: &Value) {
        let mut known: Value = serde_json::from_slice(&fs::read(&self.known).unwrap()).unwrap();
        known["tip"] = json!({ "size": opened["size"], "root": opened["root"] });
        fs::write(&self.known, known.to_string()).unwrap();
        self.end();
    }

    /// Opens a directory, and says how long it took.
    pub(super) fn open(&mut self, directory: &Path) -> (Verdict, Duration) {
        let (child, answers) = self.process.get_or_insert_with(|| start(&self.known));
        writeln!(child.stdin.as_mut().unwrap(), "{}", directory.display()).unwrap();
        let Ok(line) = answers.recv_timeout(DEADLINE) else {
            let ended = child.try_wait().unwrap();
            self.end();
            let what = ended.map_or_else(|| "it hangs".to_owned(), |status| format!("it ended: {status}"));
            return (Verdict::Bad(what), DEADLINE);
        };
        let answer: Value = serde_json::from_str(&line).unwrap();
        let verdict: Value = serde_json::from_str(answer["verdict"].as_str().unwrap()).unwrap();
        let took = Duration::from_millis(answer["ms"].as_u64().unwrap());
        let verdict = match (verdict["refused"].as_str(), verdict.get("size")) {
            (Some(reason), _) => Verdict::Refused(reason.to_owned()),
            (None, Some(_)) => Verdict::Opened(verdict),
            (None, None) => Verdict::Bad(verdict.to_string()),
        };
        (verdict, took)
    }

    fn end(&mut self) {
        if let Some((mut child, _)) = self.process.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Drop for Opener {
    fn drop(&mut self) {
        self.end();
    }
}

fn start(known: &Path) -> (Child, Receiver<String>) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    std::os::unix::process::CommandExt::arg0(&mut command, PROGRAM);
    command.arg(known).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let (sender, answers) = channel();
    thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| sender.send(line)));
    (child, answers)
}

/// What a start that refuses may have written: sled opens its files before it knows that they are damaged, and the lock
/// is taken first.
pub(super) fn may_change(name: &str) -> bool {
    name.starts_with("state/store") || name == "state/lock"
}

/// What a refusal has changed that it must not.
pub(super) fn changed(before: &Files, directory: &Path) -> Vec<String> {
    let there: Vec<&str> = NAMES.into_iter().filter(|name| directory.join(name).exists()).collect();
    let after = Files::read(directory, &there);
    before.differences(&after).into_iter().filter(|name| !may_change(name)).collect()
}
