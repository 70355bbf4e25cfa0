//! `compose.yaml` and `kubernetes.yaml`: good by their schemas, and as strict as the unit.

use std::{fs, path::PathBuf, process::Command};

use libtest_mimic::Trial;
use serde_json::{Value, json};

use super::{good, version};
use crate::harness::{repository, trial};

pub(super) fn trials() -> Vec<Trial> {
    vec![
        trial("container::the_files_for_engines_are_good_by_their_schemas", schemas),
        trial("container::compose_takes_away_what_the_unit_takes_away", compose),
        trial("container::kubernetes_takes_away_what_the_unit_takes_away", kubernetes),
    ]
}

fn file(name: &str) -> PathBuf {
    repository().join("appliance/package/container").join(name)
}

fn python(arguments: &[&str]) -> Command {
    let mut command = Command::new("python3");
    command.env("PYTHONPATH", repository().join("var/python")).args(arguments);
    command
}

fn schemas() {
    good(python(&["-m", "kubernetes_validate", "--strict"]).arg(file("kubernetes.yaml")));
    good(python(&["-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]).arg(file("compose.yaml")));
}

/// The documents of a file.
fn documents(name: &str) -> Vec<Value> {
    let read = "import json, sys, yaml; print(json.dumps(list(yaml.safe_load_all(open(sys.argv[1])))))";
    serde_json::from_str(&good(python(&["-c", read]).arg(file(name)))).unwrap()
}

/// The last value of a directive in the appliance's unit.
fn unit(directive: &str) -> String {
    let unit = fs::read_to_string(repository().join("appliance/package/chancery.service")).unwrap();
    let prefix = format!("{directive}=");
    let found = unit.lines().filter_map(|line| line.strip_prefix(&prefix)).next_back();
    found.unwrap_or_else(|| panic!("the unit says nothing of {directive}")).to_owned()
}

/// What the comparisons rest on: where the unit changes, they are to be looked at.
fn assert_unit_is_as_known() {
    for (directive, value) in [
        ("CapabilityBoundingSet", ""),
        ("NoNewPrivileges", "yes"),
        ("ProtectSystem", "strict"),
        ("PrivateTmp", "yes"),
        ("PrivateDevices", "yes"),
        ("IPAddressDeny", "any"),
        ("LimitCORE", "0"),
        ("MemorySwapMax", "0"),
        ("TimeoutStartSec", "15min"),
        ("TimeoutStopSec", "60"),
    ] {
        assert_eq!(unit(directive), value, "{directive}");
    }
    assert_ne!(unit("User"), "root");
}

/// `TimeoutStopSec`, and what the appliance asks for beyond.
const STOPS_WITHIN_S: u64 = 60 + 150 + 150;
const STARTS_WITHIN_S: u64 = 15 * 60;
const STATUS: [&str; 3] = ["/usr/bin/chancery", "status", "--json"];

fn compose() {
    assert_unit_is_as_known();
    let files = documents("compose.yaml");
    let services = files[0]["services"].as_object().unwrap();
    assert_eq!(services.len(), 1, "one log, one appliance");
    let service = &services["chancery"];
    for (key, value) in [
        ("image", json!(format!("chancery:{}", version()))),
        ("user", json!("65532:65532")),
        ("read_only", json!(true)),
        ("cap_drop", json!(["ALL"])),
        ("cap_add", Value::Null),
        ("security_opt", json!(["no-new-privileges:true"])),
        ("privileged", json!(false)),
        ("devices", Value::Null),
        ("network_mode", Value::Null),
        ("ports", Value::Null),
        ("pids_limit", json!(unit("TasksMax").parse::<u64>().unwrap())),
        ("ulimits", json!({ "core": 0, "nofile": unit("LimitNOFILE").parse::<u64>().unwrap() })),
        ("memswap_limit", service["mem_limit"].clone()),
        ("stop_grace_period", json!(format!("{}m", STOPS_WITHIN_S / 60))),
    ] {
        assert_eq!(service[key], value, "{key}");
    }
    let health = &service["healthcheck"];
    assert_eq!(health["test"], json!([&["CMD"], &STATUS[..]].concat()));
    assert_eq!(health["start_period"], json!(format!("{}m", STARTS_WITHIN_S / 60)));
    for place in service["tmpfs"].as_array().unwrap() {
        let place = place.as_str().unwrap();
        assert!(["noexec", "nosuid", "nodev"].iter().all(|option| place.contains(option)), "{place}");
    }
    for mount in service["volumes"].as_array().unwrap() {
        assert!(mount["read_only"] == true || mount["target"] == "/var/lib/chancery", "{mount}");
    }
    let networks = files[0]["networks"].as_object().unwrap();
    assert!(networks.values().all(|network| network["internal"] == true), "{networks:?}");
}

fn kubernetes() {
    assert_unit_is_as_known();
    let resources = documents("kubernetes.yaml");
    let of_kind = |kind: &str| resources.iter().find(|resource| resource["kind"] == kind).unwrap();
    let enforced = &of_kind("Namespace")["metadata"]["labels"]["pod-security.kubernetes.io/enforce"];
    assert_eq!(enforced, "restricted");
    let set = &of_kind("StatefulSet")["spec"];
    assert_eq!((&set["replicas"], &set["podManagementPolicy"]), (&json!(1), &json!("OrderedReady")));
    assert_eq!(set["volumeClaimTemplates"][0]["spec"]["accessModes"], json!(["ReadWriteOncePod"]));
    let retained = json!({ "whenDeleted": "Retain", "whenScaled": "Retain" });
    assert_eq!(set["persistentVolumeClaimRetentionPolicy"], retained);

    let pod = &set["template"]["spec"];
    for (key, value) in [
        ("automountServiceAccountToken", json!(false)),
        ("hostNetwork", json!(false)),
        ("hostPID", json!(false)),
        ("hostIPC", json!(false)),
        ("terminationGracePeriodSeconds", json!(STOPS_WITHIN_S)),
    ] {
        assert_eq!(pod[key], value, "{key}");
    }
    let context = &pod["securityContext"];
    assert_eq!((&context["runAsNonRoot"], &context["runAsUser"]), (&json!(true), &json!(65_532)));
    assert_eq!(context["seccompProfile"], json!({ "type": "RuntimeDefault" }));
    let containers = ["initContainers", "containers"].map(|kind| pod[kind].as_array().unwrap());
    for container in containers.into_iter().flatten() {
        let restricted = json!({
            "readOnlyRootFilesystem": true, "allowPrivilegeEscalation": false, "privileged": false,
            "capabilities": { "drop": ["ALL"] },
        });
        assert_eq!(container["securityContext"], restricted, "{}", container["name"]);
    }
    let chancery = &pod["containers"][0];
    assert!(chancery["image"].as_str().unwrap().ends_with(&format!("/chancery:{}", version())));
    for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
        assert_eq!(chancery[probe]["exec"]["command"], json!(STATUS), "{probe}");
    }
    let start = &chancery["startupProbe"];
    assert_eq!(start["periodSeconds"].as_u64().unwrap() * start["failureThreshold"].as_u64().unwrap(), STARTS_WITHIN_S);
    for mount in chancery["volumeMounts"].as_array().unwrap() {
        let writable = ["state", "run", "tmp"].map(Value::from).contains(&mount["name"]);
        assert!(writable || mount["readOnly"] == true, "{mount}");
    }

    let network = &of_kind("NetworkPolicy")["spec"];
    assert_eq!((&network["podSelector"], &network["egress"]), (&json!({}), &json!([])));
    assert_eq!(network["policyTypes"], json!(["Ingress", "Egress"]));
    let ingress = network["ingress"].as_array().unwrap();
    assert_eq!(ingress.len(), 1);
    assert_eq!(ingress[0]["ports"], json!([{ "protocol": "TCP", "port": 8443 }]));
    let from = ingress[0]["from"].as_array().unwrap();
    assert!(from.len() == 1 && from[0]["podSelector"]["matchLabels"].is_object(), "{from:?}");
}
