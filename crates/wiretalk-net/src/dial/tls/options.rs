//! How TLS is done.

use std::{fmt, str::FromStr};

use rustls::SupportedProtocolVersion;
use rustls_pki_types::{CertificateDer, ServerName};

use super::{Identity, Pin, certificates, server_name};
use crate::error::Error;

/// How TLS with a server is done: whom to believe, who we are, and what is offered.
///
/// By default the system's root certificates are believed, the certificate must be for the URL's host, TLS 1.2 and 1.3 are
/// offered, and no certificate is shown.
///
/// ```
/// use wiretalk_net::{Connector, TlsOptions, TlsVersion};
///
/// # fn main() -> Result<(), wiretalk_net::Error> {
/// let tls = TlsOptions::new()
///     .pin("sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=".parse()?)
///     .min_version(TlsVersion::Tls13);
/// let connector = Connector::new().tls(tls);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct TlsOptions {
    pub(super) roots: Vec<CertificateDer<'static>>,
    pub(super) system_roots: bool,
    pub(super) insecure: bool,
    pub(super) pins: Vec<Pin>,
    pub(super) identity: Option<Identity>,
    pub(super) server_name: Option<ServerName<'static>>,
    pub(super) sends_server_name: bool,
    pub(super) alpn: Option<Vec<Vec<u8>>>,
    pub(super) min_version: TlsVersion,
    pub(super) max_version: TlsVersion,
    pub(super) key_log: bool,
}

/// A version of TLS.
///
/// ```
/// use wiretalk_net::{TlsOptions, TlsVersion};
///
/// # fn main() -> Result<(), wiretalk_net::Error> {
/// let tls = TlsOptions::new().min_version(TlsVersion::Tls13);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum TlsVersion {
    /// RFC 5246.
    Tls12,
    /// RFC 8446.
    Tls13,
}

impl TlsOptions {
    /// The default settings.
    ///
    /// ```
    /// use wiretalk_net::{Connector, TlsOptions};
    ///
    /// # fn main() -> Result<(), wiretalk_net::Error> {
    /// let connector = Connector::new().tls(TlsOptions::new());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Believes the certificates of a PEM text as roots, beside those of the system and those given before. A server's
    /// own certificate may be among them, even if it is signed by itself.
    ///
    /// ```
    /// let error = wiretalk_net::TlsOptions::new().root_certificates(b"").unwrap_err();
    /// assert_eq!(error.kind(), wiretalk_net::ErrorKind::InvalidInput);
    /// ```
    ///
    /// # Errors
    /// `InvalidInput` if there are none, or they cannot be read.
    pub fn root_certificates(mut self, pem: &[u8]) -> Result<Self, Error> {
        self.roots.extend(certificates(pem)?);
        Ok(self)
    }

    /// Whether the system's roots are believed. Default: true.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use wiretalk_net::TlsOptions;
    ///
    /// // This authority and no other.
    /// let tls = TlsOptions::new()
    ///     .root_certificates(&std::fs::read("ca.pem")?)?
    ///     .system_roots(false);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn system_roots(mut self, believed: bool) -> Self {
        self.system_roots = believed;
        self
    }

    /// Whether any certificate of a server is believed: whoever is on the way can then read and change what is sent, so
    /// this is for tests, or beside a [`pin`](TlsOptions::pin). Any certificate of a proxy is then believed, too, unless
    /// there is a pin: that is not for proxies, so they need a root. Default: false.
    ///
    /// [`TlsInfo::verified`](super::TlsInfo::verified) tells of it.
    ///
    /// ```
    /// let tls = wiretalk_net::TlsOptions::new().insecure(true);
    /// ```
    #[must_use]
    pub fn insecure(mut self, insecure: bool) -> Self {
        self.insecure = insecure;
        self
    }

    /// Takes a server only if its key is this one, or one of those given before. That is asked beside all else, and with
    /// [`insecure`](TlsOptions::insecure) instead of it.
    ///
    /// ```
    /// # fn main() -> Result<(), wiretalk_net::Error> {
    /// use wiretalk_net::TlsOptions;
    ///
    /// let now = "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=".parse()?;
    /// let next = "sha256//AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=".parse()?;
    /// let tls = TlsOptions::new().pin(now).pin(next);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn pin(mut self, pin: Pin) -> Self {
        self.pins.push(pin);
        self
    }

    /// Shows this certificate if the server asks for one.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use wiretalk_net::{Identity, TlsOptions};
    ///
    /// let identity = Identity::from_pem(&std::fs::read("me.pem")?, &std::fs::read("me.key")?)?;
    /// let tls = TlsOptions::new().identity(identity);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn identity(mut self, identity: Identity) -> Self {
        self.identity = Some(identity);
        self
    }

    /// Sends this name (SNI, RFC 6066 section 3), and wants the certificate to be for it, whatever the URL's host is. An
    /// address is not sent, but the certificate must be for it.
    ///
    /// ```
    /// # fn main() -> Result<(), wiretalk_net::Error> {
    /// let tls = wiretalk_net::TlsOptions::new().server_name("chat.example")?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `InvalidInput` if it is neither a name nor an address.
    pub fn server_name(mut self, name: &str) -> Result<Self, Error> {
        self.server_name = Some(server_name(name)?);
        Ok(self)
    }

    /// Whether the server is told the name that is wanted (SNI). Default: true.
    ///
    /// ```
    /// let tls = wiretalk_net::TlsOptions::new().send_server_name(false);
    /// ```
    #[must_use]
    pub fn send_server_name(mut self, sent: bool) -> Self {
        self.sends_server_name = sent;
        self
    }

    /// The protocols to offer (ALPN, RFC 7301), the best liked first; an empty list offers none. Default: those that the
    /// [`Connector`](crate::Connector) may speak. If the server chooses HTTP/2 (`h2`), and the connector may not, the
    /// connection fails; anything else is taken for HTTP/1.1 by another name.
    ///
    /// ```
    /// let tls = wiretalk_net::TlsOptions::new().alpn(["http/1.1"]);
    /// ```
    #[must_use]
    pub fn alpn<P: Into<Vec<u8>>>(mut self, protocols: impl IntoIterator<Item = P>) -> Self {
        self.alpn = Some(protocols.into_iter().map(Into::into).collect());
        self
    }

    /// The oldest version to offer. Default: 1.2.
    ///
    /// ```
    /// use wiretalk_net::{TlsOptions, TlsVersion};
    ///
    /// let tls = TlsOptions::new().min_version(TlsVersion::Tls13);
    /// ```
    #[must_use]
    pub fn min_version(mut self, version: TlsVersion) -> Self {
        self.min_version = version;
        self
    }

    /// The newest version to offer. Default: 1.3.
    ///
    /// ```
    /// use wiretalk_net::{TlsOptions, TlsVersion};
    ///
    /// let tls = TlsOptions::new().max_version(TlsVersion::Tls12);
    /// ```
    #[must_use]
    pub fn max_version(mut self, version: TlsVersion) -> Self {
        self.max_version = version;
        self
    }

    /// Whether the keys of each connection are written to the file that the environment variable `SSLKEYLOGFILE` names, so
    /// that Wireshark can show what was sent. **Whoever reads that file can read the connections.** Default: false, and
    /// then the variable means nothing.
    ///
    /// ```
    /// let tls = wiretalk_net::TlsOptions::new().key_log(true);
    /// ```
    #[must_use]
    pub fn key_log(mut self, written: bool) -> Self {
        self.key_log = written;
        self
    }

    pub(super) fn versions(&self) -> Result<Vec<&'static SupportedProtocolVersion>, Error> {
        let versions = [
            (TlsVersion::Tls13, &rustls::version::TLS13),
            (TlsVersion::Tls12, &rustls::version::TLS12),
        ];
        let wanted: Vec<_> = versions
            .into_iter()
            .filter(|(version, _)| (self.min_version..=self.max_version).contains(version))
            .map(|(_, version)| version)
            .collect();
        if wanted.is_empty() {
            return Err(Error::invalid(format!(
                "no version of TLS is both {} or newer and {} or older",
                self.min_version, self.max_version
            )));
        }
        Ok(wanted)
    }
}

impl Default for TlsOptions {
    fn default() -> Self {
        Self {
            roots: Vec::new(),
            system_roots: true,
            insecure: false,
            pins: Vec::new(),
            identity: None,
            server_name: None,
            sends_server_name: true,
            alpn: None,
            min_version: TlsVersion::Tls12,
            max_version: TlsVersion::Tls13,
            key_log: false,
        }
    }
}

impl fmt::Debug for TlsOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsOptions")
            .field("root_certificates", &self.roots.len())
            .field("system_roots", &self.system_roots)
            .field("insecure", &self.insecure)
            .field("pins", &self.pins)
            .field("identity", &self.identity)
            .field("server_name", &self.server_name)
            .field("send_server_name", &self.sends_server_name)
            .field("alpn", &self.alpn)
            .field("min_version", &self.min_version)
            .field("max_version", &self.max_version)
            .field("key_log", &self.key_log)
            .finish()
    }
}

impl fmt::Display for TlsVersion {
    /// `TLS 1.3`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tls12 => "TLS 1.2",
            Self::Tls13 => "TLS 1.3",
        })
    }
}

impl FromStr for TlsVersion {
    type Err = Error;

    /// `1.2` or `1.3`, also as `tlsv1.2` and the like.
    fn from_str(text: &str) -> Result<Self, Error> {
        let lower = text.to_ascii_lowercase();
        let number = lower.strip_prefix("tls").unwrap_or(&lower);
        match number.trim_start_matches([' ', 'v', '-']) {
            "1.2" => Ok(Self::Tls12),
            "1.3" => Ok(Self::Tls13),
            _ => Err(Error::invalid(format!(
                "`{}` is no version of TLS that is spoken here: 1.2 or 1.3",
                text.escape_debug()
            ))),
        }
    }
}
