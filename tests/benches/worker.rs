//! `make bench`: what the worker process costs. Signatures a second by threads in one process, and through a worker with
//! 64 calls outstanding, on one SoftHSM token, in pairs. Prints one line a pair, and the medians.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement prints, and ends where it fails")]

use std::{
    env, fs,
    path::Path,
    process::{self, Command, ExitCode},
    sync::{
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use hsm_drivers::{
    Device, Pin, Protection,
    pkcs11::{
        Token,
        ceremony::{Ceremony, find_softhsm, initialize_token},
    },
    worker::{Driver, Opening, Request, Worker, serve},
};
use hsm_types::{Algorithm, Digest, KeyLabel, ToSign};

/// Short and many: other work on the machine disturbs a pair, not the median.
const PAIRS: usize = 7;
const WINDOW: Duration = Duration::from_secs(1);
const SESSIONS: usize = 4;
const OUTSTANDING: usize = 64;
const INPUT: ToSign = ToSign::Digest(Digest([0xa5; 32]));

fn main() -> ExitCode {
    match env::args().nth(1).as_deref() {
        Some("token-worker") => serve(),
        Some("measure") => measure(),
        _ => prepare(),
    }
}

/// Runs this program again where SoftHSM finds a token directory.
fn prepare() -> ExitCode {
    let directory = tempfile::tempdir().unwrap();
    let configuration = directory.path().join("softhsm2.conf");
    fs::create_dir(directory.path().join("tokens")).unwrap();
    let text = format!("directories.tokendir = {}/tokens\nlog.level = ERROR\n", directory.path().display());
    fs::write(&configuration, text).unwrap();
    let program = env::current_exe().unwrap();
    let status = Command::new(program).arg("measure").env("SOFTHSM2_CONF", configuration).status().unwrap();
    if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn measure() -> ExitCode {
    let Some(module) = find_softhsm() else {
        println!("worker: not measured, SoftHSM 2 is not installed");
        return ExitCode::FAILURE;
    };
    let key: KeyLabel = "btc-hot".parse().unwrap();
    initialize_token(&module, "rate", &pin(), &pin()).unwrap();
    Ceremony::open(&module, "rate", None, &pin())
        .unwrap()
        .generate_key(&key, Algorithm::Secp256k1, Protection::NeverLeaves)
        .unwrap();

    let (mut ratios, mut cpu_ratios) = (Vec::new(), Vec::new());
    for _ in 0..PAIRS {
        let (raw, worker) = (threads(&module, &key), worker(&module, &key));
        let (ratio, cpu_ratio) = (worker.per_second / raw.per_second, raw.cpu_us / worker.cpu_us);
        println!(
            "worker-pair raw_per_second={:.0} worker_per_second={:.0} ratio={ratio:.3} raw_cpu_us={:.0} \
             worker_cpu_us={:.0} cpu_ratio={cpu_ratio:.3}",
            raw.per_second, worker.per_second, raw.cpu_us, worker.cpu_us
        );
        ratios.push(ratio);
        cpu_ratios.push(cpu_ratio);
    }
    println!(
        "worker sessions={SESSIONS} outstanding={OUTSTANDING} pairs={PAIRS} median_ratio={:.3} median_cpu_ratio={:.3}",
        median(ratios),
        median(cpu_ratios)
    );
    ExitCode::SUCCESS
}

/// Signatures a second, and processor time a signature in all processes: what other work on the machine disturbs less.
struct Rate {
    per_second: f64,
    cpu_us: f64,
}

impl Rate {
    fn of(signed: usize, since: Instant, cpu_us: f64) -> Self {
        Self { per_second: signed as f64 / since.elapsed().as_secs_f64(), cpu_us: cpu_us / signed as f64 }
    }
}

/// User and system time of a process so far, from `/proc`: ticks of 10 ms.
fn cpu_us(pid: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let (_, fields) = stat.rsplit_once(") ").unwrap();
    let times = fields.split(' ').skip(11).take(2).map(|ticks| ticks.parse::<f64>().unwrap());
    times.sum::<f64>() * 10_000.0
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn pin() -> Pin {
    Pin::new("271828".to_owned())
}

fn threads(module: &Path, key: &KeyLabel) -> Rate {
    let token = Token::find(module, "rate", None).unwrap();
    let devices: Vec<_> = (0..SESSIONS).map(|_| token.log_in(&pin()).unwrap()).collect();
    let (signed, ended) = (AtomicUsize::new(0), AtomicBool::new(false));
    let (start, cpu_before) = (Instant::now(), cpu_us(process::id()));
    thread::scope(|scope| {
        for mut device in devices {
            let (signed, ended) = (&signed, &ended);
            scope.spawn(move || {
                while !ended.load(Ordering::Relaxed) {
                    device.sign(key, &INPUT).unwrap();
                    signed.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        thread::sleep(WINDOW);
        ended.store(true, Ordering::Relaxed);
    });
    Rate::of(signed.into_inner(), start, cpu_us(process::id()) - cpu_before)
}

fn worker(module: &Path, key: &KeyLabel) -> Rate {
    let mut command = Command::new(env::current_exe().unwrap());
    command.arg("token-worker");
    let driver = Driver::Pkcs11 { module: module.to_owned(), label: "rate".to_owned(), serial: None, pin: pin() };
    let opening = Opening { driver, sessions: SESSIONS, forbidden: Vec::new() };
    let (worker, _) = Worker::start(command, opening, Duration::from_secs(30)).unwrap();

    let (answered, answers) = mpsc::channel();
    let call = || {
        let answered = answered.clone();
        worker.call(Request::Sign { key: key.clone(), inputs: vec![INPUT] }, move |result| {
            result.unwrap();
            let _ = answered.send(());
        });
    };
    (0..OUTSTANDING).for_each(|_| call());
    let cpu = || cpu_us(process::id()) + cpu_us(worker.pid());
    let (start, cpu_before) = (Instant::now(), cpu());
    let mut signed = 0;
    while start.elapsed() < WINDOW {
        answers.recv().unwrap();
        signed += 1;
        call();
    }
    let rate = Rate::of(signed, start, cpu() - cpu_before);
    (0..OUTSTANDING).for_each(|_| answers.recv().unwrap());
    rate
}
