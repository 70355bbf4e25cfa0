//! Certificates read again while connections are open.

use rcgen::SerialNumber;
use rustls::{ClientConfig, HandshakeKind};

use super::*;

const GOOD: &[u8] = b"GET /good HTTP/1.1\r\nhost: localhost\r\n\r\n";

fn numbered(pki: &Pki, serial: u64) -> Identity {
    pki.issue(|params| params.serial_number = Some(SerialNumber::from(serial)))
}

/// What `/good` says over this connection; empty where it is closed.
async fn is_good(stream: &mut TlsStream2) -> String {
    let mut answer = String::new();
    if stream.write_all(GOOD).await.is_ok() {
        let mut chunk = [0; 4096];
        while !answer.contains("\r\n\r\n") || answer.ends_with("\r\n\r\n") {
            match stream.read(&mut chunk).await {
                Ok(0) | Err(_) => break,
                Ok(read) => answer.push_str(std::str::from_utf8(&chunk[..read]).unwrap()),
            }
        }
    }
    answer.lines().last().unwrap_or_default().to_owned()
}

/// How a new connection with this configuration begins, and what `/good` says over it.
async fn comes_in(listener: &Listener, client: &ClientConfig) -> Option<(HandshakeKind, String)> {
    let mut stream = connect(listener.address, client.clone()).await.ok()?;
    let kind = stream.get_ref().1.handshake_kind()?;
    let said = is_good(&mut stream).await;
    (!said.is_empty()).then_some((kind, said))
}

async fn with_list() -> Listener {
    let pki = Pki::new();
    pki.revoke(&[]);
    Listener::with(pki, Some("ca.crl"), Limits::default()).await
}

#[tokio::test]
async fn a_revoked_certificate_is_bad_on_open_connections_and_its_session_is_not_resumed() {
    let listener = with_list().await;
    let client = |serial| listener.pki.client(Some(&numbered(&listener.pki, serial)), H1);
    let (revoked, other) = (client(7), client(8));
    for client in [&revoked, &other] {
        assert_eq!(comes_in(&listener, client).await, Some((HandshakeKind::Full, "good".to_owned())));
        assert_eq!(comes_in(&listener, client).await, Some((HandshakeKind::Resumed, "good".to_owned())));
    }
    let mut open = connect(listener.address, revoked.clone()).await.unwrap();
    let mut others = connect(listener.address, other.clone()).await.unwrap();
    assert_eq!((is_good(&mut open).await, is_good(&mut others).await), ("good".to_owned(), "good".to_owned()));

    listener.pki.revoke(&[7]);
    assert_eq!(is_good(&mut open).await, "good", "nothing was read again");
    listener.certificates.reload().unwrap();
    assert_eq!((is_good(&mut open).await, is_good(&mut others).await), ("bad".to_owned(), "good".to_owned()));
    assert_eq!(comes_in(&listener, &revoked).await, None);
    assert_eq!(comes_in(&listener, &other).await, Some((HandshakeKind::Full, "good".to_owned())));
}

#[tokio::test]
async fn clients_of_a_ca_that_is_gone_are_out_and_those_of_the_new_one_are_in() {
    let listener = Listener::start(Limits::default()).await;
    let old = listener.pki.client(Some(&listener.client()), H1);
    let mut open = connect(listener.address, old.clone()).await.unwrap();
    assert_eq!(is_good(&mut open).await, "good");
    let next = Pki::new();
    fs::copy(next.directory.path().join("ca.crt"), listener.pki.files().client_ca).unwrap();
    listener.certificates.reload().unwrap();
    assert_eq!(is_good(&mut open).await, "bad");
    assert_eq!(comes_in(&listener, &old).await, None);

    next.write("server", &next.issue(|params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth]));
    for file in ["server.crt", "server.key"] {
        fs::copy(next.directory.path().join(file), listener.pki.directory.path().join(file)).unwrap();
    }
    listener.certificates.reload().unwrap();
    let new = next.client(Some(&next.issue(|_| {})), H1);
    assert_eq!(comes_in(&listener, &new).await, Some((HandshakeKind::Full, "good".to_owned())));
}

#[tokio::test]
async fn what_cannot_be_used_is_refused_and_what_was_read_before_stays() {
    let listener = with_list().await;
    let client = listener.pki.client(Some(&listener.client()), H1);
    let directory = listener.pki.directory.path();
    let other = Pki::new();
    other.revoke(&[7]);
    let foreign = fs::read(other.directory.path().join("ca.crl")).unwrap();
    let spoiled = [
        ("server.key", listener.client().key.serialize_pem().into_bytes(), "not the key of"),
        ("server.crt", b"-----BEGIN CERTIFICATE-----\nMIIB".to_vec(), "server.crt"),
        ("ca.crt", Vec::new(), "no PEM block"),
        ("ca.crl", foreign, "not signed by a CA of client_ca"),
        ("ca.crl", b"-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n".to_vec(), "not a revocation list"),
    ];
    for (file, content, because) in spoiled {
        let whole = fs::read(directory.join(file)).unwrap();
        fs::write(directory.join(file), content).unwrap();
        let reason = listener.certificates.reload().unwrap_err();
        assert!(reason.contains(because), "{file}: {reason}");
        assert_eq!(listener.certificates.refused(), Some(reason));
        let said = comes_in(&listener, &client).await;
        assert_eq!(said.map(|(_, said)| said).as_deref(), Some("good"), "{file}");
        fs::write(directory.join(file), whole).unwrap();
        listener.certificates.reload().unwrap();
        assert_eq!(listener.certificates.refused(), None);
    }
}

#[tokio::test]
async fn a_list_that_its_ca_did_not_sign_is_refused_at_the_start() {
    let (pki, other) = (Pki::new(), Pki::new());
    other.revoke(&[7]);
    let client_crl = Some(other.directory.path().join("ca.crl"));
    // Both CAs have one name; their keys differ.
    let error = Certificates::load(&TlsFiles { client_crl, ..pki.files() }).unwrap_err().to_string();
    assert!(error.contains("not signed by a CA of client_ca"), "{error}");
}

#[tokio::test]
async fn files_are_read_again_once_they_changed_and_rest() {
    let listener = Listener::start(Limits::default()).await;
    let certificates = &listener.certificates;
    assert!(!certificates.have_settled_anew());
    listener.pki.write("server", &listener.pki.issue(|_| {}));
    assert!(!certificates.have_settled_anew(), "it may be half of it");
    assert!(certificates.have_settled_anew());
    certificates.reload().unwrap();
    assert!(!certificates.have_settled_anew());
}
