//! A report as JSON. The names are stable: programs read them.

use hsm_drivers::{
    DeviceInfo, Protection, TriesLeft,
    probe::{
        Curve, Finding, KeyFacts, Level, Mechanism, Pkcs11Facts, Report, Signing, Support, TokenFacts, YubihsmFacts,
    },
};
use serde_json::{Value, json};

use crate::config::{DriverConfig, TokenConfig};

pub(super) fn token(settings: &TokenConfig, report: &Report) -> Value {
    let driver = match &settings.driver {
        DriverConfig::Pkcs11 { .. } => "pkcs11",
        DriverConfig::Yubihsm { .. } => "yubihsm",
    };
    json!({
        "name": settings.name,
        "driver": driver,
        "able": report.able(),
        "device": report.device.as_ref().map(device),
        "pkcs11": report.pkcs11.as_ref().map(|facts| pkcs11(settings, facts)),
        "yubihsm": report.yubihsm.as_ref().map(yubihsm),
        "curves": report.curves.iter().map(curve).collect::<Vec<_>>(),
        "keys": report.keys.iter().map(key).collect::<Vec<_>>(),
        "other_keys": report.other_keys,
        "sessions": report.sessions.as_ref().map(|sessions| json!({
            "configured": settings.sessions,
            "opened": sessions.opened,
            "refusal": sessions.refusal,
        })),
        "signing": report.signing.as_ref().map(signing),
        "findings": report.findings.iter().map(finding).collect::<Vec<_>>(),
    })
}

fn device(info: &DeviceInfo) -> Value {
    json!({
        "manufacturer": info.manufacturer,
        "model": info.model,
        "serial": info.serial,
        "firmware": info.firmware,
        "label": info.label,
    })
}

fn pkcs11(settings: &TokenConfig, facts: &Pkcs11Facts) -> Value {
    let module = match &settings.driver {
        DriverConfig::Pkcs11 { module, .. } => Some(module),
        DriverConfig::Yubihsm { .. } => None,
    };
    json!({
        "module": module,
        "cryptoki_version": facts.cryptoki_version,
        "library_manufacturer": facts.library_manufacturer,
        "library_description": facts.library_description,
        "library_version": facts.library_version,
        "token": facts.token.as_ref().map(token_info),
        "mechanism_count": facts.mechanism_count,
        "mechanisms": facts.mechanisms.iter().map(mechanism).collect::<Vec<_>>(),
    })
}

fn token_info(facts: &TokenFacts) -> Value {
    let pin_tries = match facts.pin_tries {
        TriesLeft::Unknown => "not_told",
        TriesLeft::CountLow => "count_low",
        TriesLeft::FinalTry => "final_try",
        TriesLeft::Locked => "locked",
    };
    json!({
        "pin_tries": pin_tries,
        "pin_initialized": facts.pin_initialized,
        "login_required": facts.login_required,
        "protected_authentication_path": facts.protected_authentication_path,
        "write_protected": facts.write_protected,
        "most_sessions": facts.most_sessions,
        "open_sessions": facts.open_sessions,
    })
}

fn mechanism(mechanism: &Mechanism) -> Value {
    json!({
        "name": mechanism.name,
        "min_key_size": mechanism.min_key_size,
        "max_key_size": mechanism.max_key_size,
        "hardware": mechanism.hardware,
        "signs": mechanism.signs,
        "generates": mechanism.generates,
        "wraps": mechanism.wraps,
    })
}

fn yubihsm(facts: &YubihsmFacts) -> Value {
    json!({
        "algorithms": facts.algorithms,
        "log_used": facts.log_used,
        "log_capacity": facts.log_capacity,
        "unlogged": facts.unlogged,
        "force_audit": facts.force_audit,
        "audited": facts.audited,
        "audited_for_ever": facts.audited_for_ever,
        "authentication_key": facts.authentication_key,
        "domains": facts.domains,
        "capabilities": facts.capabilities,
        "delegated_capabilities": facts.delegated_capabilities,
        "has_key_1": facts.has_key_1,
    })
}

fn curve(curve: &Curve) -> Value {
    let support = match curve.support {
        Support::Used => "used",
        Support::Named => "named",
        Support::Possible => "possible",
        Support::Absent => "absent",
    };
    json!({ "name": curve.name, "support": support })
}

fn key(key: &KeyFacts) -> Value {
    let protection = key.protection.map(|protection| match protection {
        Protection::NeverLeaves => "never_leaves",
        Protection::LeavesWrapped => "leaves_wrapped",
    });
    json!({
        "label": key.label,
        "algorithm": key.algorithm,
        "public_key": key.public_key,
        "protection": protection,
        "ec_point": key.point_form,
        "ec_params": key.params_form,
        "unfit": key.unfit,
    })
}

fn signing(signing: &Signing) -> Value {
    let rates = signing.rates.iter();
    let rates = rates.map(|rate| json!({ "sessions": rate.sessions, "signatures_per_second": rate.per_second }));
    json!({
        "key": crate::tokens::SELF_TEST_KEY,
        "algorithm": signing.algorithm,
        "signatures": signing.signatures,
        "made": signing.made,
        "high_s": signing.high_s,
        "p50_us": signing.p50_us,
        "p99_us": signing.p99_us,
        "rates": rates.collect::<Vec<_>>(),
    })
}

fn finding(finding: &Finding) -> Value {
    let level = match finding.level {
        Level::Works => "works",
        Level::Odd => "odd",
        Level::Wrong => "wrong",
    };
    json!({ "level": level, "what": finding.what, "advice": finding.advice })
}
