//! Transport failures in words a person can act on.

use std::{error::Error as StdError, io, path::PathBuf};

use rustls::{AlertDescription, CertificateError};
use tokio_tungstenite::tungstenite;

use super::Place;

/// Why no answer arrived.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransportError {
    /// No connection: nothing was sent.
    #[error("cannot connect to {url} ({reason}); is `chancery serve` running at {url}?")]
    NotReachable {
        /// The signer.
        url: String,
        /// What the system said.
        reason: String,
    },
    /// No answer in time; the request may have been accepted.
    #[error("no answer from {url} in time; the request may have been accepted: put the same again under the same id")]
    TimedOut {
        /// The signer.
        url: String,
    },
    /// The connection ended before the answer; the request may have been accepted.
    #[error(
        "the connection to {url} ended before the answer ({reason}); the request may have been accepted: put the same \
         again under the same id"
    )]
    Broken {
        /// The signer.
        url: String,
        /// What was seen.
        reason: String,
    },
    /// The signer ended the TLS handshake because of our certificate.
    #[error("the signer refused your client certificate {} ({alert}): {advice}", certificate.display())]
    ClientCertificateRefused {
        /// The signer.
        url: String,
        /// Our certificate.
        certificate: PathBuf,
        /// The TLS alert.
        alert: String,
        /// What to do.
        advice: &'static str,
    },
    /// The signer's certificate is not one to believe; nothing was sent.
    #[error(
        "the certificate of {url} is not one to believe ({reason}): it must come from the CA {} and name the host in \
         `url`; check both lines of watcher.toml, and whether this is your signer at all",
        ca.display()
    )]
    ServerCertificate {
        /// The signer.
        url: String,
        /// The only CA believed.
        ca: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Another TLS failure.
    #[error("TLS with {url} failed: {reason}; both sides must speak TLS 1.3")]
    Tls {
        /// The signer.
        url: String,
        /// What rustls said.
        reason: String,
    },
}

/// What a failed exchange means.
pub(super) fn translate(failure: &reqwest::Error, place: &Place) -> TransportError {
    let url = place.url.clone();
    if let Some(error) = find_tls(failure) {
        return of_tls(error, place);
    }
    let reason = innermost(failure);
    if let Some(alert) = alert_in_text(&reason) {
        return of_tls(&rustls::Error::AlertReceived(alert), place);
    }
    if failure.is_connect() {
        return TransportError::NotReachable { url, reason };
    }
    if failure.is_timeout() { TransportError::TimedOut { url } } else { TransportError::Broken { url, reason } }
}

/// What a stream that could not be opened means.
pub(super) fn translate_stream(failure: &tungstenite::Error, place: &Place) -> TransportError {
    if let Some(error) = find_tls(failure) {
        return of_tls(error, place);
    }
    let (url, reason) = (place.url.clone(), innermost(failure));
    let tungstenite::Error::Io(error) = failure else { return TransportError::Broken { url, reason } };
    const BROKEN: [io::ErrorKind; 3] =
        [io::ErrorKind::ConnectionReset, io::ErrorKind::BrokenPipe, io::ErrorKind::UnexpectedEof];
    if error.kind() == io::ErrorKind::TimedOut {
        TransportError::TimedOut { url }
    } else if BROKEN.contains(&error.kind()) {
        TransportError::Broken { url, reason }
    } else {
        TransportError::NotReachable { url, reason }
    }
}

/// What a TLS failure means.
pub(super) fn of_tls(error: &rustls::Error, place: &Place) -> TransportError {
    let url = place.url.clone();
    if let rustls::Error::AlertReceived(alert) = error
        && let Some(advice) = advice(*alert)
    {
        let certificate = place.certificate.clone();
        return TransportError::ClientCertificateRefused { url, certificate, alert: format!("{alert:?}"), advice };
    }
    if let rustls::Error::InvalidCertificate(reason) = error {
        // A CA of the same name with another key shows as a bad signature.
        let reason = if matches!(reason, CertificateError::UnknownIssuer | CertificateError::BadSignature) {
            "it comes from another CA".to_owned()
        } else {
            reason.to_string()
        };
        return TransportError::ServerCertificate { url, ca: place.ca.clone(), reason };
    }
    TransportError::Tls { url, reason: error.to_string() }
}

/// What to do about an alert that concerns our certificate.
fn advice(alert: AlertDescription) -> Option<&'static str> {
    const FROM_ITS_CA: &str = "it does not come from the CA the signer believes (`client_ca` in chancery.toml); use the \
                               certificate that CA issued to this watcher";
    if alert == AlertDescription::CertificateRequired {
        Some("it was not offered or not taken; `certificate` and `private_key` in watcher.toml must be this watcher's")
    } else if alert == AlertDescription::UnknownCA || alert == AlertDescription::DecryptError {
        Some(FROM_ITS_CA)
    } else if alert == AlertDescription::CertificateExpired {
        Some("it has expired, or one of the two clocks is wrong; have a new one issued and its key named in the policy")
    } else if alert == AlertDescription::CertificateRevoked {
        Some("it was revoked; have a new one issued and its key named in the policy")
    } else if [
        AlertDescription::BadCertificate,
        AlertDescription::CertificateUnknown,
        AlertDescription::UnsupportedCertificate,
        AlertDescription::AccessDenied,
    ]
    .contains(&alert)
    {
        Some("it must be a client certificate of the signer's `client_ca` whose public key the policy names")
    } else {
        None
    }
}

/// The TLS error in the chain, which hides inside I/O errors.
fn find_tls<'a>(failure: &'a (dyn StdError + 'static)) -> Option<&'a rustls::Error> {
    let mut link = Some(failure);
    while let Some(error) = link {
        if let Some(tls) = error.downcast_ref() {
            return Some(tls);
        }
        link = match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    None
}

/// HTTP/2 keeps only the text of what ended a connection.
fn alert_in_text(reason: &str) -> Option<AlertDescription> {
    let (_, name) = reason.split_once("received fatal alert: ")?;
    [
        AlertDescription::CertificateRequired,
        AlertDescription::UnknownCA,
        AlertDescription::CertificateExpired,
        AlertDescription::CertificateRevoked,
        AlertDescription::CertificateUnknown,
        AlertDescription::UnsupportedCertificate,
        AlertDescription::BadCertificate,
        AlertDescription::AccessDenied,
        AlertDescription::DecryptError,
    ]
    .into_iter()
    .find(|alert| name.starts_with(&format!("{alert:?}")))
}

/// The last link of a chain of causes: what the system said.
fn innermost(failure: &dyn StdError) -> String {
    let mut error = failure;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificate_alerts_say_what_to_do_and_others_stay_themselves() {
        let place = Place { url: "https://s".to_owned(), ca: "ca.crt".into(), certificate: "watcher.crt".into() };
        for (alert, wanted) in [
            (AlertDescription::CertificateRequired, "private_key"),
            (AlertDescription::UnknownCA, "client_ca"),
            (AlertDescription::CertificateExpired, "has expired"),
            (AlertDescription::BadCertificate, "whose public key the policy names"),
        ] {
            let text = of_tls(&rustls::Error::AlertReceived(alert), &place).to_string();
            assert!(text.starts_with("the signer refused your client certificate watcher.crt"), "{text}");
            assert!(text.contains(wanted), "{text}");
            let over_http2 = format!("connection error: received fatal alert: {alert:?}");
            assert_eq!(alert_in_text(&over_http2), Some(alert));
        }
        let other = of_tls(&rustls::Error::AlertReceived(AlertDescription::ProtocolVersion), &place).to_string();
        assert!(other.contains("TLS 1.3"), "{other}");
    }
}
