//! The image under runc, the runtime below the usual engines: its own user, and of this machine nothing but the network.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use libtest_mimic::Trial;
use serde_json::{Value, json};

use super::{good, image, version};
use crate::{
    harness::{Installation, Running, body::digest, trial, watcher::Watcher},
    units::may_make_namespaces,
};

pub(super) fn trials() -> Vec<Trial> {
    vec![trial("container::it_signs_as_its_own_user_over_a_read_only_root_without_any_capability", serves)]
}

const USER: u32 = 65_532;

/// What is mounted where, and whether it may be written.
const MOUNTS: [(&str, &str, bool); 4] = [
    ("etc", "/etc/chancery", false),
    ("secrets", "/run/secrets", false),
    ("hsm", "/opt/hsm", false),
    ("state", "/var/lib/chancery", true),
];

/// The installation as `docs/container.md` has it: its parts in folders to be mounted.
fn lay_out(installation: &Installation) {
    for (folder, ..) in MOUNTS.iter().filter(|(folder, ..)| *folder != "state") {
        fs::create_dir(installation.path(folder)).unwrap();
    }
    let at = |path: &str| installation.path(path);
    fs::rename(at("state"), at("log")).unwrap();
    fs::create_dir(at("state")).unwrap();
    fs::rename(at("log"), at("state/state")).unwrap();
    for name in ["server.crt", "server.key", "ca.crt"] {
        fs::copy(at("pki").join(name), at("secrets").join(name)).unwrap();
    }
    fs::rename(at("token/pin"), at("secrets/hsm-pin")).unwrap();
    fs::rename(at("token"), at("state/token")).unwrap();
    let before = installation.directory().to_str().unwrap().to_owned();
    let softhsm = at("state/token/softhsm2.conf");
    fs::write(&softhsm, fs::read_to_string(&softhsm).unwrap().replace(&before, "/var/lib/chancery")).unwrap();

    let config = fs::read_to_string(at("chancery.toml")).unwrap();
    let line = config.lines().find(|line| line.starts_with("module = ")).unwrap();
    let module = PathBuf::from(line.trim_start_matches("module = ").trim_matches('"'));
    copy_with_libraries(&module, &at("hsm"));
    let edited = [
        (line, "module = \"/opt/hsm/libsofthsm2.so\""),
        ("\"state\"", "\"/var/lib/chancery/state\""),
        ("\"admin.sock\"", "\"/run/chancery/admin.sock\""),
        ("\"pki/", "\"/run/secrets/"),
        ("\"token/pin\"", "\"/run/secrets/hsm-pin\""),
        ("\"token/softhsm2.conf\"", "\"/var/lib/chancery/token/softhsm2.conf\", LD_LIBRARY_PATH = \"/opt/hsm\""),
    ];
    let config = edited.iter().fold(config.clone(), |config, (from, to)| {
        assert!(config.contains(from), "{from} in\n{config}");
        config.replace(from, to)
    });
    fs::write(at("etc/chancery.toml"), config).unwrap();
    let user = format!("{USER}:{USER}");
    good(Command::new("chown").args(["-R", &user]).args([at("state"), at("secrets")]));
    fs::set_permissions(at("state"), fs::Permissions::from_mode(0o700)).unwrap();
}

/// The module and what it is linked with: in the image there is nothing of it.
fn copy_with_libraries(module: &Path, to: &Path) {
    let linked = good(Command::new("ldd").arg(module));
    let libraries = linked.lines().filter_map(|line| Some(line.split_once(" => ")?.1.split(' ').next()?.to_owned()));
    for library in libraries.chain([module.to_str().unwrap().to_owned()]) {
        fs::copy(&library, to.join(Path::new(&library).file_name().unwrap())).unwrap();
    }
}

/// The bundle that `umoci` makes of the image, with nothing left to its process.
fn bundle(installation: &Installation) -> PathBuf {
    let (layout, bundle) = (image(installation.directory()), installation.path("bundle"));
    let image = format!("{}:{}", layout.display(), version());
    good(Command::new("umoci").args(["unpack", "--image", &image]).arg(&bundle));
    let path = bundle.join("config.json");
    let mut config: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    // Who runs, and what, is the image's to say.
    assert_eq!(config["process"]["user"], json!({ "uid": USER, "gid": USER }));
    assert_eq!(config["process"]["args"], json!(["/usr/bin/chancery", "serve"]));
    config["process"]["terminal"] = json!(false);
    config["process"]["noNewPrivileges"] = json!(true);
    for set in ["bounding", "effective", "inheritable", "permitted", "ambient"] {
        config["process"]["capabilities"][set] = json!([]);
    }
    config["process"]["rlimits"] = json!([{ "type": "RLIMIT_CORE", "hard": 0, "soft": 0 }]);
    config["root"]["readonly"] = json!(true);
    // The test's network, for the test to come in by.
    config["linux"]["namespaces"].as_array_mut().unwrap().retain(|namespace| namespace["type"] != "network");
    let mounts = config["mounts"].as_array_mut().unwrap();
    mounts.retain(|mount| mount["destination"] != "/var/lib/chancery");
    for (folder, place, writable) in MOUNTS {
        let mode = if writable { "rw" } else { "ro" };
        let source = installation.path(folder);
        mounts.push(json!({ "destination": place, "type": "bind", "source": source, "options": ["rbind", mode] }));
    }
    for (place, mode) in [("/run/chancery", "mode=0750"), ("/tmp", "mode=1777")] {
        let options = ["noexec", "nosuid", "nodev", mode, &format!("uid={USER}"), &format!("gid={USER}")];
        mounts.push(json!({ "destination": place, "type": "tmpfs", "source": "tmpfs", "options": options }));
    }
    fs::write(path, config.to_string()).unwrap();
    bundle
}

fn serves() {
    if !may_make_namespaces() {
        return;
    }
    let installation = Installation::new();
    lay_out(&installation);
    let name = installation.directory().file_name().unwrap().to_str().unwrap().to_owned();
    let runc = || {
        let mut command = Command::new("runc");
        command.arg("--root").arg(installation.path("runc"));
        command
    };
    let mut run = runc();
    run.args(["run", "--bundle"]).arg(bundle(&installation)).arg(&name);
    let running = Running::spawn(&installation, run).unwrap_or_else(|log| panic!("{log}"));
    Watcher::new(&installation, &running).signed("a", digest("raw", 1));

    // The health check of both engines' files; its worker is confined.
    let status = good(runc().args(["exec", &name, "/usr/bin/chancery", "status"]));
    assert!(status.contains("main up") && !status.contains("more rights"), "{status}");

    let state: Value = serde_json::from_str(&good(runc().args(["state", &name]))).unwrap();
    let process = PathBuf::from(format!("/proc/{}", state["pid"]));
    let of_process = fs::read_to_string(process.join("status")).unwrap();
    for line in
        ["Uid:\t65532\t65532\t65532\t65532", "CapEff:\t0000000000000000", "CapBnd:\t0000000000000000", "NoNewPrivs:\t1"]
    {
        assert!(of_process.contains(line), "{line} in\n{of_process}");
    }
    // Not for root either.
    let written = fs::write(process.join("root/usr/bin/more"), "").unwrap_err();
    assert_eq!(written.kind(), std::io::ErrorKind::ReadOnlyFilesystem);

    // The signal reaches the appliance, and its end is the container's.
    running.stop();
    let ended = good(Command::new("tail").arg("-n1").arg(installation.path("appliance.log")));
    assert!(ended.contains("stopped: everything is recorded"), "{ended}");
}
