//! An appliance to look at, of values: quiet, or with everything going on.

use std::{collections::BTreeMap, sync::Arc};

use appliance_wire::{LimitAnswer, Scope, Wanted};
use hsm_types::Algorithm;
use jiff::Timestamp;

use crate::{
    audit::{MirrorStatus, ScrubStatus},
    metrics::history::Minute,
    operations::{
        Addresses, AnchorStatus, CertificatesStatus, Check, ClientExpiry, FileExpiry, Freeze, KeyFacts, KeyStatus,
        LimitUse, LimitUses, Overview, PendingList, PendingPolicy, PendingRequest, Readiness, Status, TokenStatus,
        WitnessStatus,
    },
    policy::{Per, Policy},
};

/// What a stranger might write.
pub(super) const HOSTILE: &str = "<script>alert('1')</script> & \"quoted\" \u{202e}gnp.exe\u{7}";

pub(super) const NOW: &str = "2026-11-21T12:00:00Z";

pub(super) fn policy() -> Policy {
    Policy::parse(include_str!("../../../docs/samples/policy.toml")).unwrap()
}

/// Nothing needs attention.
pub(super) fn quiet() -> Overview {
    let policy = Arc::new(policy());
    let check = |name: &str| Check { name: name.to_owned(), ok: true, detail: None };
    Overview {
        made: NOW.parse().unwrap(),
        status: Status {
            state: "operational",
            profile: "production",
            version: "0.1.0",
            log_key: Some("exchange.example/signer-1/0123456789abcdef+01234567+AAAA".to_owned()),
            entries: 48_112,
            checkpoint: Some(48_112),
            anchor: AnchorStatus {
                token: "main".to_owned(),
                size: Some(48_000),
                age_s: Some(60),
                ..AnchorStatus::default()
            },
            scrub: ScrubStatus { checked: 9, of: 9, finding: None },
            mirror: Some(mirror()),
            disk_free_bytes: Some(1 << 40),
            ballast_kept: true,
            witnesses: vec![witness(Some(100), Some(48_000))],
            policy_version: policy.version,
            policy_sha256: policy.sha256.clone(),
            open_requests: 0,
            pending_requests: 0,
            waiting_policy: None,
            elapsed: 3_600_000,
            wall_clock_trusted: true,
            listeners: Addresses::default(),
            certificates: CertificatesStatus::default(),
            frozen: Vec::new(),
            tokens: vec![token("main", "up")],
        },
        readiness: Some(Readiness {
            ready: true,
            profile: "production",
            checks: vec![check("token main"), check("audit log")],
        }),
        log_silent: None,
        frozen: Vec::new(),
        pending: PendingList::default(),
        limits: LimitUses::default(),
        keys: vec![key("btc-hot", "active")],
        policy,
        waiting_policy: None,
        quarter: Minute::default(),
        day: Minute::default(),
    }
}

/// Much of everything, written by strangers.
pub(super) fn busy() -> Overview {
    let mut busy = quiet();
    busy.status.pending_requests = 40;
    busy.status.tokens = vec![token("main", "up"), token("second", "down"), token("third", "sealed")];
    for token in &mut busy.status.tokens {
        token.reason = Some(HOSTILE.to_owned());
        token.model = Some(HOSTILE.to_owned());
        token.unfit_keys = vec![HOSTILE.to_owned()];
        token.worker_caveats = vec![HOSTILE.to_owned()];
    }
    busy.frozen = [Scope::All, Scope::Key("btc-hot".to_owned()), Scope::Watcher(HOSTILE.to_owned())]
        .map(|what| Freeze { what, entry: Some(7), by: Some(("admin socket".to_owned(), HOSTILE.to_owned())) })
        .into();
    busy.pending.requests = (0..20).map(pending).collect();
    busy.pending.policy = Some(PendingPolicy {
        version: 4,
        sha256: "ab".repeat(32),
        loosens: vec![HOSTILE.to_owned()],
        in_force_in_s: 86_400,
    });
    let next = include_str!("../../../docs/samples/policy.toml").replacen("version = ", "version = 9", 1);
    busy.waiting_policy = Some(Arc::new(Policy::parse(&next).unwrap()));
    let of = |place: usize| match place % 4 {
        0 => None,
        1 => Some((Per::Key, "btc-hot".to_owned())),
        2 => Some((Per::Watcher, "btc-watcher".to_owned())),
        _ => Some((Per::Destination, HOSTILE.to_owned())),
    };
    busy.limits = LimitUses { sums: (0..100).map(|place| limit(of(place), place as f64)).collect(), left_out: 17 };
    busy.keys = vec![key("btc-hot", "active"), key("old", "pending-destroy")];
    busy.keys.iter_mut().for_each(|key| key.not_ready = Some(HOSTILE.to_owned()));
    busy.day.refused = BTreeMap::from([("denied", 3), ("digest-mismatch", 1)]);
    busy.day.signed = 12_345;
    busy
}

pub(super) fn mirror() -> MirrorStatus {
    MirrorStatus { directory: "/mnt/mirror".into(), up: true, behind_bytes: 10, reason: None }
}

/// One that cosigned so many seconds ago.
pub(super) fn witness(ago: Option<i64>, size: Option<u64>) -> WitnessStatus {
    let now: Timestamp = NOW.parse().unwrap();
    let timestamp = ago.map(|ago| u64::try_from(now.as_second() - ago).unwrap());
    WitnessStatus { name: "watcher-2".to_owned(), size, cosigned: None, timestamp }
}

pub(super) fn token(name: &str, state: &'static str) -> TokenStatus {
    TokenStatus {
        name: name.to_owned(),
        state,
        reason: None,
        model: Some("a token".to_owned()),
        serial: Some("335b167a".to_owned()),
        worker: Some(1),
        unfit_keys: Vec::new(),
        worker_caveats: Vec::new(),
    }
}

pub(super) fn key(name: &str, state: &'static str) -> KeyFacts {
    let status = KeyStatus {
        name: name.to_owned(),
        algorithm: Algorithm::Secp256k1,
        evidence: "verified".to_owned(),
        public_key: "02".repeat(33),
        state,
        may_be_destroyed_in_s: (state == "pending-destroy").then_some(7_200),
    };
    KeyFacts { status, tokens: vec!["main".to_owned()], not_ready: None }
}

pub(super) fn pending(number: u64) -> PendingRequest {
    PendingRequest {
        pending: number,
        watcher: "btc-watcher".to_owned(),
        request_id: format!("wd-{number}"),
        key: "btc-hot".to_owned(),
        expires_at: "2026-11-21T12:42:10Z".parse().unwrap(),
        wanted: vec![Wanted {
            because: "rule \"large\"".to_owned(),
            approve: 2,
            of: vec!["alice".to_owned(), "bob".to_owned()],
        }],
        approved_by: vec!["alice".to_owned()],
    }
}

pub(super) fn limit(of: Option<(Per, String)>, percent: f64) -> LimitUse {
    let answer = LimitAnswer {
        name: "a day".to_owned(),
        window_seconds: 86_400,
        asset: Some("BTC".to_owned()),
        max: "100".to_owned(),
        used: percent.to_string(),
        remaining: (100.0 - percent).to_string(),
        frees_at: Some("2026-11-22T07:50:35.1Z".to_owned()),
    };
    LimitUse { of, answer, percent }
}

pub(super) fn file(name: &'static str, days_left: i64) -> FileExpiry {
    FileExpiry { name, file: "pki/server.crt".into(), not_after: NOW.parse().unwrap(), days_left }
}

pub(super) fn client(days_left: i64) -> ClientExpiry {
    let public_key_sha256 = "ab".repeat(32);
    ClientExpiry { watcher: "btc-watcher".to_owned(), public_key_sha256, not_after: NOW.parse().unwrap(), days_left }
}
