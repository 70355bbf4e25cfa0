use serde_json::{Value, json};

use super::*;

/// The generator of secp256k1 (SEC 2).
const POINT: &str = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";

fn key() -> BackupKey {
    BackupKey::from_secret(&[0x11; 32])
}

fn wrapped(wrapping: Wrapping) -> WrappedKey {
    let public_key = PublicKey::decode(Algorithm::Secp256k1, &hex::decode(POINT).unwrap()).unwrap();
    let chain_code = Some(ChainCode::new([0xa5; 32]));
    WrappedKey::new("vault".parse().unwrap(), public_key, chain_code, wrapping, b"wrapped".to_vec(), &key())
}

fn of_both() -> [WrappedKey; 2] {
    let capabilities = Capabilities::SIGN_ECDSA | Capabilities::EXPORTABLE_UNDER_WRAP;
    let yubihsm = Wrapping::Yubihsm { id: 0x1234, domains: Domains(5), capabilities };
    [wrapped(Wrapping::Pkcs11 { id: vec![7; 16] }), wrapped(yubihsm)]
}

#[test]
fn a_backup_is_read_back_as_it_was_written() {
    for backup in of_both() {
        let text = serde_json::to_string(&backup).unwrap();
        let read: WrappedKey = serde_json::from_str(&text).unwrap();
        assert_eq!(read, backup);
        read.check(&key()).unwrap();
    }
}

#[test]
fn the_file_has_these_members_and_no_others() {
    let [pkcs11, yubihsm] = of_both().map(|backup| serde_json::to_value(backup).unwrap());
    let mut expected = json!({
        "label": "vault",
        "algorithm": "secp256k1",
        "public_key": POINT,
        "chain_code": "a5".repeat(32),
        "driver": "pkcs11",
        "mechanism": "CKM_AES_KEY_WRAP_PAD",
        "id": "07".repeat(16),
        "wrapped": "d3JhcHBlZA==",
        "backup_key": hex::encode(key().fingerprint()),
        "seal": pkcs11["seal"],
    });
    assert_eq!(pkcs11, expected);
    for (member, value) in [
        ("driver", "yubihsm"),
        ("mechanism", "AES256-CCM-WRAP"),
        ("id", "0x1234"),
        ("domains", "1,3"),
        ("capabilities", "sign-ecdsa,exportable-under-wrap"),
    ] {
        expected[member] = value.into();
    }
    expected["seal"] = yubihsm["seal"].clone();
    assert_eq!(yubihsm, expected);
    expected["more"] = 1.into();
    assert!(serde_json::from_value::<WrappedKey>(expected).is_err());
}

#[test]
fn what_has_not_its_form_is_refused_by_its_member() {
    for (member, value, words) in [
        ("public_key", "02", "are no secp256k1 public key"),
        ("public_key", "x", "`public_key`"),
        ("chain_code", "a5", "`chain_code`"),
        ("driver", "smartcard", "`driver` must be pkcs11"),
        ("driver", "yubihsm", "`driver` must be pkcs11"),
        ("mechanism", "CKM_AES_CBC", "`mechanism` must be CKM_AES_KEY_WRAP_PAD"),
        ("id", "zz", "`id`"),
        ("wrapped", "*", "`wrapped`"),
        ("backup_key", "00", "`backup_key`"),
        ("seal", "00", "`seal`"),
        ("domains", "1", "`driver` must be pkcs11"),
    ] {
        let mut written = serde_json::to_value(&of_both()[0]).unwrap();
        written[member] = value.into();
        let error = serde_json::from_value::<WrappedKey>(written).unwrap_err().to_string();
        assert!(error.contains(words), "{member}: {error}");
    }
    for (member, value, words) in [
        ("domains", "1,17", "\"17\" is no domain"),
        ("capabilities", "sign", "is no capability"),
        ("id", "1234", "like 0x1234"),
    ] {
        let mut written = serde_json::to_value(&of_both()[1]).unwrap();
        written[member] = value.into();
        let error = serde_json::from_value::<WrappedKey>(written).unwrap_err().to_string();
        assert!(error.contains(words), "{member}: {error}");
    }
}

fn refusal(backup: &WrappedKey, member: &str, value: &Value) -> String {
    let mut written = serde_json::to_value(backup).unwrap();
    assert_ne!(written[member], *value, "{member}");
    written[member] = value.clone();
    let read: WrappedKey = serde_json::from_value(written).unwrap();
    read.check(&key()).unwrap_err().to_string()
}

#[test]
fn every_part_that_was_altered_has_its_own_sentence() {
    let other = "02c6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b95c709ee5";
    for backup in of_both() {
        for (member, value, words) in [
            ("wrapped", json!("d3JhcHBlZQ=="), "the wrapped bytes in the backup changed"),
            ("label", json!("hot"), "the label in the backup changed"),
            ("public_key", json!(other), "the public key in the backup changed"),
            ("chain_code", json!("a6".repeat(32)), "the chain code in the backup changed"),
            ("chain_code", Value::Null, "the chain code in the backup changed"),
            ("backup_key", json!("00".repeat(8)), "is wrapped under the backup key 0000000000000000, and this one is"),
        ] {
            let refusal = refusal(&backup, member, &value);
            assert!(refusal.contains(words), "{refusal}");
        }
    }
    for (member, value) in [("id", "0x1235"), ("domains", "1"), ("capabilities", "exportable-under-wrap")] {
        let refusal = refusal(&of_both()[1], member, &value.into());
        assert!(refusal.contains("the place in the device"), "{refusal}");
    }
    assert!(refusal(&of_both()[0], "id", &"08".into()).contains("the place in the device"));
}

#[test]
fn the_tags_of_one_backup_do_not_fit_another() {
    let first = of_both()[0].clone();
    let public_key = first.public_key.clone();
    let second =
        WrappedKey::new("hot".parse().unwrap(), public_key, None, first.wrapping.clone(), b"other".to_vec(), &key());
    // The label of the second, with its tag, put into the first.
    let mut mixed = first.clone();
    mixed.label = second.label.clone();
    mixed.seal.0[16..32].copy_from_slice(&second.seal.0[16..32]);
    assert!(mixed.check(&key()).unwrap_err().to_string().contains("the label"));
    let another = BackupKey::from_secret(&[0x12; 32]);
    assert!(first.check(&another).unwrap_err().to_string().contains("wrapped under the backup key"));
}
