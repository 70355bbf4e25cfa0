//! The facts of a report in words, each with a name of one or two.

use hsm_drivers::{
    DeviceInfo, Protection, TriesLeft,
    probe::{KeyFacts, Mechanism, Pkcs11Facts, Report, Sessions, Signing, Support, TokenFacts, YubihsmFacts},
};

use crate::config::{DriverConfig, TokenConfig};

/// One fact; each value is a line.
pub(super) struct Fact {
    pub(super) name: &'static str,
    pub(super) values: Vec<String>,
}

/// Those that are known, in the order in which a person wants them.
pub(super) fn facts(settings: &TokenConfig, report: &Report) -> Vec<Fact> {
    let mut facts = vec![where_it_is(settings, report.pkcs11.as_ref())];
    let mut add = |name, values: Vec<String>| facts.push(Fact { name, values });
    if let Some(info) = &report.device {
        add("device", vec![device(info)]);
    }
    if let Some(pkcs11) = &report.pkcs11 {
        if let Some(token) = &pkcs11.token {
            add("user PIN", vec![user_pin(token)]);
        }
        if pkcs11.mechanism_count > 0 {
            add("mechanisms", mechanisms(pkcs11));
        }
    }
    if let Some(yubihsm) = &report.yubihsm {
        add("rights", rights(yubihsm));
        add("device log", vec![device_log(yubihsm)]);
    }
    if !report.curves.is_empty() {
        add("curves", vec![curves(report)]);
    }
    if !report.keys.is_empty() || report.other_keys > 0 {
        add("keys", keys(report));
    }
    if let Some(found) = &report.sessions {
        add("sessions", vec![sessions(settings, report, found)]);
    }
    if let Some(found) = &report.signing {
        add("signing", signing(found));
    }
    facts
}

fn where_it_is(settings: &TokenConfig, pkcs11: Option<&Pkcs11Facts>) -> Fact {
    match &settings.driver {
        DriverConfig::Pkcs11 { module, .. } => {
            let by = pkcs11.map(|facts| {
                let (maker, what, version) =
                    (&facts.library_manufacturer, &facts.library_description, &facts.library_version);
                format!("{maker}, {what}, version {version}, for PKCS #11 {}", facts.cryptoki_version)
            });
            Fact { name: "module", values: std::iter::once(module.display().to_string()).chain(by).collect() }
        }
        DriverConfig::Yubihsm { connector, authentication_key, .. } => {
            let value = format!("{connector}, authentication key {authentication_key}");
            Fact { name: "connector", values: vec![value] }
        }
    }
}

fn device(info: &DeviceInfo) -> String {
    let label = if info.label.is_empty() { String::new() } else { format!("\"{}\", ", info.label) };
    let DeviceInfo { manufacturer, model, serial, firmware, .. } = info;
    format!("{label}{manufacturer} {model}, serial {serial}, firmware {firmware}")
}

fn user_pin(token: &TokenFacts) -> String {
    let tries = match token.pin_tries {
        TriesLeft::Unknown => "no flag is set; how many tries are left is not told",
        TriesLeft::CountLow => "fewer tries left than at first (CKF_USER_PIN_COUNT_LOW)",
        TriesLeft::FinalTry => "ONE try left (CKF_USER_PIN_FINAL_TRY)",
        TriesLeft::Locked => "LOCKED (CKF_USER_PIN_LOCKED)",
    };
    tries.to_owned()
}

fn mechanisms(pkcs11: &Pkcs11Facts) -> Vec<String> {
    let line = |mechanism: &Mechanism| {
        let Mechanism { name, min_key_size, max_key_size, .. } = mechanism;
        let by = if mechanism.hardware { "hardware" } else { "software" };
        format!("{name:<28} {min_key_size} to {max_key_size}, {by}")
    };
    let count = format!("{} that have a name here, of them used:", pkcs11.mechanism_count);
    std::iter::once(count).chain(pkcs11.mechanisms.iter().map(line)).collect()
}

fn rights(yubihsm: &YubihsmFacts) -> Vec<String> {
    let or_none = |text: &str| if text.is_empty() { "none".to_owned() } else { text.replace(',', ", ") };
    vec![
        format!("domains {}", or_none(&yubihsm.domains)),
        format!("capabilities {}", or_none(&yubihsm.capabilities)),
        format!("delegated {}", or_none(&yubihsm.delegated_capabilities)),
    ]
}

fn device_log(yubihsm: &YubihsmFacts) -> String {
    let (used, capacity) = (yubihsm.log_used, yubihsm.log_capacity);
    let force = yubihsm.force_audit.as_deref().unwrap_or("not told");
    format!("{used} of {capacity} entries used; force-audit {force}, {} commands logged", yubihsm.audited.len())
}

fn curves(report: &Report) -> String {
    let curves = report.curves.iter().map(|curve| {
        let support = match curve.support {
            Support::Used => "a key on it is there",
            Support::Named => "the device has it",
            Support::Possible => "possible: only a key would tell",
            Support::Absent => "no",
        };
        format!("{} ({support})", curve.name)
    });
    curves.collect::<Vec<_>>().join(", ")
}

fn keys(report: &Report) -> Vec<String> {
    let widest = report.keys.iter().map(|key| key.label.chars().count()).max().unwrap_or(0).min(40);
    let mut lines: Vec<String> = report.keys.iter().map(|found| key(found, widest)).collect();
    if report.other_keys > 0 {
        lines.push(format!("and {} of other kinds, which never serve", report.other_keys));
    }
    lines
}

fn key(key: &KeyFacts, widest: usize) -> String {
    let algorithm = key.algorithm.as_deref().unwrap_or("?");
    let fitness = match key.protection {
        Some(Protection::NeverLeaves) => "never leaves",
        Some(Protection::LeavesWrapped) => "leaves wrapped",
        None => "MAY NOT SERVE",
    };
    let form = |name: &str, form: &Option<String>| form.as_ref().map(|form| format!(", {name} {form}"));
    let point = form("EC_POINT", &key.point_form).unwrap_or_default();
    let params = form("EC_PARAMS", &key.params_form).unwrap_or_default();
    format!("{:<widest$}  {algorithm:<9}  {fitness}{point}{params}", key.label)
}

fn sessions(settings: &TokenConfig, report: &Report, found: &Sessions) -> String {
    let limit = report.pkcs11.as_ref().and_then(|pkcs11| pkcs11.token.as_ref()?.most_sessions);
    let limit = limit.map(|limit| format!(", the token allows {limit}")).unwrap_or_default();
    let configured = match settings.driver {
        DriverConfig::Pkcs11 { .. } => format!(", {} configured", settings.sessions),
        DriverConfig::Yubihsm { .. } => ", one is used".to_owned(),
    };
    format!("{} opened beside one another{limit}{configured}", found.opened)
}

fn signing(found: &Signing) -> Vec<String> {
    let ms = |us: u64| format!("{}.{:02} ms", us / 1000, us % 1000 / 10);
    let high_s = if found.high_s > 0 {
        format!("; {} of {} in all had a high s, which is turned low before they leave", found.high_s, found.made)
    } else {
        String::new()
    };
    let latency = format!(
        "{} one after the other ({}): p50 {}, p99 {}{high_s}",
        found.signatures,
        found.algorithm,
        ms(found.p50_us),
        ms(found.p99_us)
    );
    let rates = found.rates.iter().map(|rate| format!("{} with {}", rate.per_second, rate.sessions));
    let rates = format!("signatures a second by sessions at once: {}", rates.collect::<Vec<_>>().join(", "));
    vec![latency, rates]
}
