//! Yubico's own client, the Python library `yubihsm`, where it can be installed.

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use hsm_drivers::simulator::Options;
use libtest_mimic::Trial;

use crate::{trials_of, yubihsm_crate::serve};

/// What is installed: the library as it was when the script was written.
const PACKAGE: &str = "yubihsm[http]==3.1.2";

pub(crate) fn trials() -> impl Iterator<Item = Trial> {
    trials_of("python", &[("yubicos_library_makes_signs_moves_attests_and_audits", library)])
}

/// The interpreter that has the library; otherwise why there is none. Made once, kept beside the other build results.
fn interpreter() -> Result<PathBuf, String> {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("python-yubihsm");
    let python = directory.join("bin/python");
    if run(&python, &["-c", "import yubihsm.backends.http"]).is_ok() {
        return Ok(python);
    }
    run(Path::new("python3"), &["-m", "venv", &directory.to_string_lossy()])?;
    let pip = [
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--timeout",
        "20",
        "--retries",
        "1",
        PACKAGE,
    ];
    run(&python, &pip)?;
    Ok(python)
}

fn run(program: &Path, arguments: &[&str]) -> Result<Output, String> {
    let output = Command::new(program).args(arguments).output();
    let output = output.map_err(|error| format!("{}: {error}", program.display()))?;
    let text = || format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if output.status.success() { Ok(output) } else { Err(text()) }
}

/// Skipped aloud where the library cannot be had, failed where `REQUIRE_PYTHON_YUBIHSM` is set.
fn library() {
    let python = match interpreter() {
        Ok(python) => python,
        Err(why) if env::var_os("REQUIRE_PYTHON_YUBIHSM").is_some() => panic!("{PACKAGE}: {why}"),
        Err(why) => return eprintln!("SKIPPED: {PACKAGE} cannot be installed here: {why}"),
    };
    let (first, second) = (serve(controlled(1)), serve(controlled(2)));
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/simulator/python/client.py");
    let output =
        run(&python, &[&script.to_string_lossy(), &first.url(), &second.url()]).unwrap_or_else(|why| panic!("{why}"));
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.ends_with("all done\n"), "{said}");
}

fn controlled(serial: u32) -> Options {
    Options { serial, controls: true, ..Options::default() }
}
