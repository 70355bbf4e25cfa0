//! `chancery status`.

use std::{fs, path::Path};

use appliance_wire::sha256_hex;
use hyper::Method;
use serde_json::Value;

use super::{
    Failure,
    output::{print, print_json},
    serve::runtime,
};
use crate::{config::Config, transport::call};

pub(super) fn run(path: &Path, json: bool) -> Result<(), Failure> {
    let (socket, directory) = Config::admin_socket_of(path)?;
    let mut status = runtime()?.block_on(call(&socket, Method::GET, "/status", None))?;
    // The file beside the config is where people edit; what counts is what was installed.
    let file = fs::read(directory.join("policy.toml")).ok();
    let differs = file.is_some_and(|file| status["policy_sha256"] != sha256_hex(&file));
    status["policy_file_differs"] = differs.into();
    if json {
        print_json(&status);
    } else {
        show(&status);
    }
    Ok(())
}

fn show(status: &Value) {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let line = |name: &str, value: String| print(format!("{name:<18}{value}"));
    line("profile", text(&status["profile"]));
    line("version", text(&status["version"]));
    line("policy", format!("version {} (sha256 {})", status["policy_version"], text(&status["policy_sha256"])));
    if status["policy_file_differs"] == true {
        line("", "policy.toml differs from it: `chancery policy install policy.toml`".to_owned());
    }
    line("entries", format!("{}, checkpoint at {}", status["entries"], status["checkpoint"]));
    match status["scrub"]["finding"].as_str() {
        None => line("checked", format!("{} of {} since the start", status["scrub"]["checked"], status["scrub"]["of"])),
        Some(finding) => line("LOG", format!("NOT WHOLE: {finding}")),
    }
    if let Some(directory) = status["mirror"]["directory"].as_str() {
        match status["mirror"]["reason"].as_str() {
            None => line("mirror", format!("{directory}, {} bytes behind", status["mirror"]["behind_bytes"])),
            Some(reason) => line("MIRROR", format!("NOT WRITTEN: {reason}")),
        }
    }
    if status["ballast_kept"] == false {
        let free = status["disk_free_bytes"].as_u64().unwrap_or_default() >> 20;
        line(
            "BALLAST",
            format!("MISSING: the disk has {free} MiB free; it is made at a start with at least 80 MiB free"),
        );
    }
    for witness in status["witnesses"].as_array().into_iter().flatten() {
        let cosigned = match witness["cosigned"].as_str() {
            Some(time) => format!("{} entries at {time}", witness["size"]),
            None => "has not cosigned yet".to_owned(),
        };
        line("witness", format!("{} {cosigned}", text(&witness["name"])));
    }
    line("open requests", status["open_requests"].to_string());
    if status["pending_requests"] != 0 {
        line("PENDING", format!("{} requests wait for officers: chancery pending", status["pending_requests"]));
    }
    if !status["waiting_policy"].is_null() {
        line(
            "PENDING",
            format!("policy version {} waits to come into force: chancery pending", status["waiting_policy"]),
        );
    }
    line("log key", text(&status["log_key"]));
    line("watcher listener", text(&status["listeners"]["watcher"]));
    show_certificates(&status["certificates"], line);
    if status["wall_clock_trusted"] == false {
        line("wall clock", "stepped: hours and expires_at refuse".to_owned());
    }
    for token in status["tokens"].as_array().into_iter().flatten() {
        let reason = token["reason"].as_str().map(|reason| format!(": {reason}")).unwrap_or_default();
        let model = token["model"].as_str().unwrap_or_default();
        line("token", format!("{} {} {model}{reason}", text(&token["name"]), text(&token["state"])));
        for key in token["unfit_keys"].as_array().into_iter().flatten() {
            line("", format!("unfit: {}", text(key)));
        }
        for caveat in token["worker_caveats"].as_array().into_iter().flatten() {
            line("", format!("its worker has more rights than it should: {}", text(caveat)));
        }
    }
    let frozen = status["frozen"].as_array().cloned().unwrap_or_default();
    if frozen.is_empty() {
        line("frozen", "nothing".to_owned());
    }
    for scope in frozen {
        line("FROZEN", format!("{} {}", text(&scope["scope"]), scope["name"].as_str().unwrap_or_default()));
    }
}

/// In capitals what ends within a month.
fn show_certificates(certificates: &Value, line: impl Fn(&str, String)) {
    let list = |name: &str| certificates[name].as_array().cloned().unwrap_or_default();
    let say = |what: &str, which: &str, certificate: &Value| {
        let days = certificate["days_left"].as_i64().unwrap_or_default();
        let name = if days < 30 { what.to_uppercase() } else { what.to_owned() };
        let end = certificate["not_after"].as_str().unwrap_or_default();
        line(&name, format!("{which} until {end} ({days} days)"));
    };
    for file in list("files") {
        let which = match file["name"].as_str() {
            Some("server") => "the appliance's",
            Some("client_ca") => "the CA's",
            _ => "the revocation list's",
        };
        say("certificate", which, &file);
    }
    for client in list("clients") {
        say("certificate", &format!("watcher {}'s", client["watcher"].as_str().unwrap_or_default()), &client);
    }
    if let Some(reason) = certificates["not_reloaded"].as_str() {
        line("CERTIFICATES", format!("NOT RELOADED, those read before are in force: {reason}"));
    }
}
