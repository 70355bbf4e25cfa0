//! A listener that cannot start.

use std::os::unix::fs::PermissionsExt;

use super::*;

#[tokio::test]
async fn a_listener_that_cannot_start_says_which_file_and_what_to_do() {
    let pki = Pki::new();
    let files = pki.files();
    let directory = pki.directory.path();
    pki.write("other", &pki.issue(|_| {}));
    pki.write("expired", &pki.issue_expired());
    fs::write(directory.join("empty.crt"), "nothing\n").unwrap();
    pki.write("open", &pki.issue(|_| {}));
    fs::set_permissions(directory.join("open.key"), fs::Permissions::from_mode(0o640)).unwrap();
    pki.write("no", &pki.issue(|_| {}));
    fs::write(directory.join("no.key"), fs::read(directory.join("other.crt")).unwrap()).unwrap();
    let cases = [
        (TlsFiles { private_key: directory.join("other.key"), ..files.clone() }, "other.key", "not the key of"),
        (TlsFiles { private_key: directory.join("no.key"), ..files.clone() }, "no.key", "no PEM block"),
        (TlsFiles { private_key: directory.join("open.key"), ..files.clone() }, "open.key", "run chmod 600"),
        (TlsFiles { certificate: directory.join("empty.crt"), ..files.clone() }, "empty.crt", "no PEM block"),
        (TlsFiles { certificate: directory.join("expired.crt"), ..files.clone() }, "expired.crt", "has expired"),
        (TlsFiles { client_ca: directory.join("absent.crt"), ..files.clone() }, "absent.crt", "No such file"),
        (TlsFiles { client_ca: directory.join("empty.crt"), ..files.clone() }, "empty.crt", "no PEM block"),
    ];
    for (files, file, what) in cases {
        let error = Certificates::load(&files).unwrap_err().to_string();
        assert!(error.contains(file) && error.contains(what), "{error}");
    }
    let certificates = Certificates::load(&files).unwrap();
    let bind = |address| Https::bind(address, Arc::clone(&certificates), Limits::default());
    let first = bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let taken = bind(first.address()).await.unwrap_err().to_string();
    assert!(taken.contains("in use by another process"), "{taken}");
}
