//! Why no TLS came about, told apart and in words.

use std::{
    error::Error as StdError,
    fmt, io,
    time::{Duration, UNIX_EPOCH},
};

use rustls::{AlertDescription, CertificateError, OtherError, PeerIncompatible};
use rustls_pki_types::UnixTime;

use super::{
    Pin, TlsOptions,
    verify::{OtherKey, SelfSigned},
};
use crate::error::{Blame, Error, ErrorKind};

/// Why no TLS came about, for a program: see [`Error::tls`].
///
/// ```no_run
/// # async fn example() -> Result<(), wiretalk_net::Error> {
/// use wiretalk_net::TlsFailure;
///
/// if let Err(error) = wiretalk_net::connect("wss://chat.example/").await {
///     match error.tls() {
///         Some(TlsFailure::Expired) => println!("somebody forgot to renew the certificate"),
///         Some(TlsFailure::WrongName { presented }) => println!("it is for {presented:?}"),
///         _ => println!("{error}"),
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TlsFailure {
    /// The server's certificate has expired.
    Expired,
    /// The server's certificate is not valid yet.
    NotValidYet,
    /// The server's certificate is for other names.
    WrongName {
        /// Those that it is for.
        presented: Vec<String>,
    },
    /// The server's certificate leads to no root that is believed.
    UnknownIssuer,
    /// The server's certificate is signed by itself, and not among the roots that are believed.
    SelfSigned,
    /// The server's certificate has been revoked.
    Revoked,
    /// Something else is wrong with the server's certificate.
    BadCertificate,
    /// The server's key is none of those that are pinned.
    OtherKey {
        /// The pin of the key that it has.
        came: Pin,
    },
    /// The server wants a client certificate, and got none.
    ClientCertificateRequired,
    /// The server does not take the client certificate.
    ClientCertificateRefused,
    /// No version of TLS is allowed on both sides.
    Version,
    /// None of the protocols that were offered is spoken by the server (ALPN).
    Alpn,
    /// The server does not know the name that it was told (SNI).
    UnknownName,
    /// What answers does not speak TLS.
    NotTls,
    /// Something else.
    Other,
}

/// An attempt at a handshake.
pub(super) struct Attempt<'a> {
    pub(super) authority: &'a str,
    pub(super) options: &'a TlsOptions,
    /// Whether the server wanted a client certificate.
    pub(super) asked: bool,
    /// Whether it was shown one.
    pub(super) shown: bool,
}

impl Attempt<'_> {
    /// Says why it failed.
    pub(super) fn failed(&self, error: io::Error) -> Error {
        let authority = self.authority;
        let (failure, sentence) = match tls(&error) {
            Some(rustls::Error::InvalidCertificate(why)) => {
                let (failure, why) = untrusted(why);
                let sentence = format!("the certificate of {authority} is not trusted: {why}");
                (failure, sentence)
            }
            Some(rustls::Error::InvalidMessage(rustls::InvalidMessage::InvalidContentType)) => (
                TlsFailure::NotTls,
                format!("{authority} does not speak TLS; it may want `ws:` instead of `wss:`"),
            ),
            Some(rustls::Error::PeerIncompatible(
                PeerIncompatible::ServerDoesNotSupportTls12Or13
                | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig
                | PeerIncompatible::Tls12NotOffered
                | PeerIncompatible::Tls12NotOfferedOrEnabled,
            )) => self.version(),
            Some(rustls::Error::AlertReceived(alert)) => self.alert(*alert),
            Some(other) => (
                TlsFailure::Other,
                format!("TLS with {authority} failed: {other}"),
            ),
            None if error.kind() == io::ErrorKind::UnexpectedEof => (
                TlsFailure::Other,
                format!("{authority} ended the stream in the TLS handshake"),
            ),
            None => return Error::io("the TLS handshake failed", error),
        };
        Failed::error(failure, sentence, error)
    }

    fn alert(&self, alert: AlertDescription) -> (TlsFailure, String) {
        let authority = self.authority;
        let without = self.asked && !self.shown;
        match alert {
            AlertDescription::ProtocolVersion => self.version(),
            AlertDescription::NoApplicationProtocol => (
                TlsFailure::Alpn,
                format!("{authority} speaks none of the protocols that were offered (ALPN)"),
            ),
            AlertDescription::UnrecognisedName => (
                TlsFailure::UnknownName,
                format!("{authority} does not know the name that it was told (SNI)"),
            ),
            // What TLS 1.2 has for a certificate that is missing.
            AlertDescription::HandshakeFailure if without => wanted(authority),
            AlertDescription::HandshakeFailure => (
                TlsFailure::Other,
                format!(
                    "{authority} found no cipher suite, key exchange or signature in what was offered (TLS alert {})",
                    name(alert)
                ),
            ),
            alert => about_us(authority, alert, without).unwrap_or_else(|| other(authority, alert)),
        }
    }

    fn version(&self) -> (TlsFailure, String) {
        let TlsOptions {
            min_version: min,
            max_version: max,
            ..
        } = self.options;
        let allowed = if min == max {
            format!("only {min} is allowed here")
        } else {
            format!("{min} to {max} are allowed here")
        };
        let sentence = format!(
            "{} speaks no such version of TLS: {allowed}",
            self.authority
        );
        (TlsFailure::Version, sentence)
    }
}

/// The error of a read that brought an alert, when the handshake was over for us: a server of TLS 1.3 looks at the
/// client's certificate only then (RFC 8446 4.4.2.4). `None`: it brought none.
pub(in crate::dial) fn late(error: &io::Error) -> Option<Error> {
    let Some(rustls::Error::AlertReceived(alert)) = tls(error) else {
        return None;
    };
    let server = "the server";
    let (failure, sentence) =
        about_us(server, *alert, false).unwrap_or_else(|| other(server, *alert));
    // An io::Error cannot be cloned.
    let source = io::Error::other(rustls::Error::AlertReceived(*alert));
    Some(Failed::error(failure, sentence, source))
}

/// What an alert says of the certificate that we have shown, or have not.
fn about_us(
    authority: &str,
    alert: AlertDescription,
    without: bool,
) -> Option<(TlsFailure, String)> {
    let why = match alert {
        AlertDescription::CertificateRequired => return Some(wanted(authority)),
        AlertDescription::BadCertificate | AlertDescription::CertificateUnknown if without => {
            return Some(wanted(authority));
        }
        AlertDescription::BadCertificate | AlertDescription::CertificateUnknown => {
            "it finds something wrong with it"
        }
        AlertDescription::UnsupportedCertificate => "it cannot use one of this kind",
        AlertDescription::CertificateRevoked => "it has been revoked",
        AlertDescription::CertificateExpired => "it has expired, or is not valid yet",
        AlertDescription::UnknownCA => "it is signed by nobody that the server knows",
        AlertDescription::AccessDenied => "its owner has no access",
        AlertDescription::DecryptError => "its signature is wrong",
        _ => return None,
    };
    let sentence = format!(
        "{authority} does not take the client certificate: {why} (TLS alert {})",
        name(alert)
    );
    Some((TlsFailure::ClientCertificateRefused, sentence))
}

fn wanted(authority: &str) -> (TlsFailure, String) {
    (
        TlsFailure::ClientCertificateRequired,
        format!("{authority} wants a client certificate, and got none"),
    )
}

fn other(authority: &str, alert: AlertDescription) -> (TlsFailure, String) {
    let sentence = format!("{authority} refused TLS (alert {})", name(alert));
    (TlsFailure::Other, sentence)
}

/// An alert as RFC 8446 6 writes it, `certificate_required`; its number if it is not in there.
fn name(alert: AlertDescription) -> String {
    let number = u8::from(alert);
    let known = alert.as_str().filter(|_| number != 0);
    let Some(known) = known else {
        return number.to_string();
    };
    let mut name = String::new();
    let mut last_small = false;
    for letter in known.chars() {
        if letter.is_ascii_uppercase() && last_small {
            name.push('_');
        }
        last_small = letter.is_ascii_lowercase();
        name.push(letter.to_ascii_lowercase());
    }
    name
}

/// What is wrong with a certificate.
fn untrusted(why: &CertificateError) -> (TlsFailure, String) {
    use CertificateError as Why;
    match why {
        Why::UnknownIssuer => (
            TlsFailure::UnknownIssuer,
            "it is signed by nobody that is known here".to_owned(),
        ),
        Why::Expired => (TlsFailure::Expired, "it has expired".to_owned()),
        Why::ExpiredContext { not_after, .. } => (
            TlsFailure::Expired,
            format!("it expired on {}", date(*not_after)),
        ),
        Why::NotValidYet => (TlsFailure::NotValidYet, "it is not valid yet".to_owned()),
        Why::NotValidYetContext { not_before, .. } => (
            TlsFailure::NotValidYet,
            format!("it is not valid before {}", date(*not_before)),
        ),
        Why::Revoked => (TlsFailure::Revoked, "it has been revoked".to_owned()),
        Why::NotValidForName => wrong_name("this name", Vec::new()),
        Why::NotValidForNameContext {
            expected,
            presented,
        } => {
            let presented = presented.iter().map(|name| bare(name)).collect();
            wrong_name(&expected.to_str(), presented)
        }
        Why::InvalidPurpose | Why::InvalidPurposeContext { .. } => (
            TlsFailure::BadCertificate,
            "it is not for servers (extended key usage)".to_owned(),
        ),
        Why::Other(OtherError(why)) => {
            if let Some(OtherKey { came }) = why.downcast_ref() {
                let failure = TlsFailure::OtherKey { came: *came };
                (failure, format!("its key is not pinned, it is {came}"))
            } else if why.is::<SelfSigned>() {
                (TlsFailure::SelfSigned, "it is signed by itself".to_owned())
            } else if let Some(webpki::Error::CaUsedAsEndEntity) = why.downcast_ref() {
                let why = "it is that of an authority, not of a server".to_owned();
                (TlsFailure::BadCertificate, why)
            } else {
                (TlsFailure::BadCertificate, why.to_string())
            }
        }
        other => (TlsFailure::BadCertificate, other.to_string()),
    }
}

fn wrong_name(expected: &str, presented: Vec<String>) -> (TlsFailure, String) {
    let names = match &presented[..] {
        [] => "it is for no name at all".to_owned(),
        names => format!("it is for {}", names.join(", ")),
    };
    let sentence = format!("{names}, not for {expected}");
    (TlsFailure::WrongName { presented }, sentence)
}

/// webpki writes `DnsName("localhost")` and `IpAddress(127.0.0.1)`.
fn bare(name: &str) -> String {
    let inner = name
        .split_once('(')
        .and_then(|(_, rest)| rest.strip_suffix(')'));
    inner.unwrap_or(name).trim_matches('"').to_owned()
}

fn date(time: UnixTime) -> String {
    // A certificate may name a year that the system's clock cannot.
    UNIX_EPOCH
        .checked_add(Duration::from_secs(time.as_secs()))
        .filter(|_| time.as_secs() < YEAR_10000)
        .map_or_else(
            || "a day that is far away".to_owned(),
            httpdate::fmt_http_date,
        )
}

/// In seconds since 1970; httpdate counts no further.
const YEAR_10000: u64 = 253_402_300_800;

fn tls(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}

/// What an [`Error`] keeps of it.
#[derive(Debug)]
pub(crate) struct Failed {
    pub(crate) failure: TlsFailure,
    source: io::Error,
}

impl Failed {
    fn error(failure: TlsFailure, sentence: String, source: io::Error) -> Error {
        let failed = Self { failure, source };
        Error::with_source(ErrorKind::Tls, Blame::Peer, sentence, failed)
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.source.fmt(f)
    }
}

impl StdError for Failed {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&self.source)
    }
}
