//! The Python that pages show: programs of the reader's, with nothing of ours in them. What they say is what is.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use serde_json::Value;

use crate::harness::{Installation, body::digest, eventually, repository, watcher::Watcher};

/// The blocks of a page, each as it stands.
fn blocks(page: &str) -> Vec<String> {
    let text = fs::read_to_string(repository().join(page)).unwrap();
    let blocks = text.split("```python\n").skip(1);
    blocks.map(|block| block.split_once("```").unwrap().0.to_owned()).collect()
}

fn python(directory: &Path, program: &str, arguments: &[&str]) -> Output {
    let mut python = Command::new("python3");
    python.args(["-B", "-c", program]).args(arguments).current_dir(directory);
    python.env("PYTHONPATH", repository().join("var/python")).output().unwrap()
}

fn said(output: &Output) -> String {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub(super) fn log() {
    let [receipt, root] = blocks("docs/audit-log.md").try_into().unwrap();
    let installation = Installation::new();
    let running = installation.start();
    let watcher = Watcher::new(&installation, &running);
    watcher.signed("wd-1", digest("raw", 1));
    let answer = eventually("there is a receipt", || {
        let answer = watcher.get("/v1/signatures/wd-1").good();
        answer.get("receipt").is_some().then_some(answer)
    });
    running.stop();

    let verify = |receipt_text: &str, log_key: &str| {
        fs::write(installation.path("receipt.json"), receipt_text).unwrap();
        python(installation.directory(), &receipt, &["receipt.json", log_key])
    };
    let (text, log_key) = (answer["receipt"].to_string(), installation.log_key());
    let told = said(&verify(&text, &log_key));
    assert!(told.contains("signed wd-1 is in ") && told.contains(&format!("entry {} ", answer["entry"])), "{told}");
    let altered = text.replacen("\"entry\":\"ey", "\"entry\":\"eZ", 1);
    assert_ne!(altered, text);
    assert!(!verify(&altered, &log_key).status.success());
    let other = Installation::new();
    assert!(!verify(&text, &other.log_key()).status.success());

    let verified = installation.run("chancery", &["audit", "verify", "--json"]).stdout;
    let verified: Value = serde_json::from_slice(&verified).unwrap();
    let told = said(&python(&installation.path("state"), &root, &[]));
    assert_eq!(told.trim(), verified["verification"]["root"]);
}

pub(super) fn webhook() {
    let [verified] = blocks("docs/watcher.md").try_into().unwrap();
    // The example of Standard Webhooks' own libraries, whose time is long past.
    let ask = "
import sys
time.time = lambda: int(sys.argv[1])
headers = {'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek', 'webhook-timestamp': '1614265330', 'webhook-signature': sys.argv[2]}
print(verified(headers, b'{\"test\": 2432232314}', 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'))
";
    let program = verified + ask;
    let signature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
    let is_good =
        |now: &str, signature: &str| said(&python(repository(), &program, &[now, signature])).trim().to_owned();
    assert_eq!(is_good("1614265330", signature), "True");
    assert_eq!(is_good("1614265330", &format!("v1,AAAA {signature}")), "True", "while a secret is changed");
    assert_eq!(is_good("1614265630", signature), "False", "too late");
    assert_eq!(is_good("1614265330", &signature.replace("g0h", "g1h")), "False");
}
