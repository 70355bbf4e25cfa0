//! What the token alone can do: C_Sign from several threads of one process, nothing else.

use std::{
    fmt,
    path::Path,
    process::ExitCode,
    sync::{
        Arc, Barrier,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use hsm_drivers::{Device, Pin, pkcs11::Token};
use hsm_types::{Digest, KeyLabel, ToSign};

use crate::harness::Installation;

const PROGRAM: &str = "raw-c-sign";

/// One measurement.
pub(crate) struct Raw {
    pub(crate) signatures_per_second: f64,
    pub(crate) cpu_us: f64,
}

impl Raw {
    pub(crate) fn mean(left: &Self, right: &Self) -> Self {
        Self {
            signatures_per_second: (left.signatures_per_second + right.signatures_per_second) / 2.0,
            cpu_us: (left.cpu_us + right.cpu_us) / 2.0,
        }
    }
}

impl fmt::Display for Raw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "signatures_per_second={:.0} cpu_us={:.0}", self.signatures_per_second, self.cpu_us)
    }
}

/// Measures in a process of its own, which alone has the token's environment.
pub(crate) fn measure(installation: &Installation, key: &str, threads: usize, duration: Duration) -> Raw {
    let config = std::fs::read_to_string(installation.path("chancery.toml")).unwrap();
    let module = config.lines().find_map(|line| line.strip_prefix("module = ")).unwrap().trim_matches('"').to_owned();
    let arguments = [module.as_str(), key, &threads.to_string(), &duration.as_millis().to_string()];
    let mut command = installation.command(PROGRAM, &arguments);
    command.env("SOFTHSM2_CONF", installation.path("token/softhsm2.conf"));
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let numbers = String::from_utf8(output.stdout).unwrap();
    let mut numbers = numbers.split_whitespace().map(|number| number.parse::<f64>().unwrap());
    Raw { signatures_per_second: numbers.next().unwrap(), cpu_us: numbers.next().unwrap() }
}

/// The measuring process, where this is it.
pub(crate) fn child() -> Option<ExitCode> {
    let mut arguments = std::env::args();
    if Path::new(&arguments.next()?).file_name()? != PROGRAM {
        return None;
    }
    let mut next = || arguments.next().unwrap();
    let (module, key) = (next(), next().parse::<KeyLabel>().unwrap());
    let (threads, millis) = (next().parse().unwrap(), next().parse().unwrap());
    let (count, seconds) = sign(Path::new(&module), &key, threads, Duration::from_millis(millis));
    let cpu_us = cpu_seconds(std::process::id()) * 1e6 / count as f64;
    println!("{} {cpu_us}", count as f64 / seconds);
    Some(ExitCode::SUCCESS)
}

fn sign(module: &Path, key: &KeyLabel, threads: usize, duration: Duration) -> (u64, f64) {
    let token = Token::find(module, "chancery", None).unwrap();
    let pin = Pin::new(std::fs::read_to_string("token/pin").unwrap().trim().to_owned());
    let mut devices: Vec<_> = (0..threads).map(|_| token.log_in(&pin).unwrap()).collect();
    let ed25519 = !devices[0].public_key(key).unwrap().algorithm().signs_digests();
    let (count, barrier) = (Arc::new(AtomicU64::new(0)), Arc::new(Barrier::new(threads + 1)));
    let running: Vec<_> = devices
        .into_iter()
        .map(|mut device| {
            let (key, count, barrier) = (key.clone(), Arc::clone(&count), Arc::clone(&barrier));
            thread::spawn(move || {
                let input = if ed25519 { ToSign::Message(vec![7; 32]) } else { ToSign::Digest(Digest([7; 32])) };
                device.sign(&key, &input).unwrap();
                barrier.wait();
                let start = Instant::now();
                while start.elapsed() < duration {
                    device.sign(&key, &input).unwrap();
                    count.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    barrier.wait();
    let start = Instant::now();
    running.into_iter().for_each(|thread| thread.join().unwrap());
    (count.load(Ordering::Relaxed), start.elapsed().as_secs_f64())
}

/// User and system time of a process so far.
pub(crate) fn cpu_seconds(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    let ticks: f64 = fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap();
    ticks / rustix::param::clock_ticks_per_second() as f64
}
