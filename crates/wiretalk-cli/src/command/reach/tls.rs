//! TLS: whom to believe, and who we are.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use wiretalk_net::{Error, Identity, Pin, TlsInfo, TlsOptions, TlsVersion};

use crate::terminal;

/// Where the passphrase of a key is taken from if no option gives it: other users of the machine see options.
const PASSPHRASE: &str = "WIRETALK_PASSPHRASE";

#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "TLS")]
pub(super) struct Tls {
    /// Believe any certificate of a server
    #[arg(short = 'k', long)]
    insecure: bool,
    /// Believe the root certificates of a PEM file, beside those of the system
    #[arg(long, visible_alias = "cacert", value_name = "FILE")]
    ca: Vec<PathBuf>,
    /// Believe those of --ca alone
    #[arg(long, requires = "ca")]
    no_system_ca: bool,
    /// Take a server only if its key has this SHA-256: sha256//BASE64; several are separated by semicolons
    #[arg(
        long,
        visible_alias = "pinnedpubkey",
        value_name = "PIN",
        value_delimiter = ';'
    )]
    pin: Vec<Pin>,
    /// Show this certificate to a server that asks: PEM, or PKCS#12 with its key
    #[arg(long, value_name = "FILE[:PASSPHRASE]")]
    cert: Option<String>,
    /// The certificate's private key, in PEM; else it is in the file of --cert
    #[arg(long, value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,
    /// The passphrase of the key; else it is $WIRETALK_PASSPHRASE
    #[arg(long, visible_alias = "pass", requires = "cert")]
    passphrase: Option<String>,
    /// Want a certificate for this name, and tell it to the server (SNI), instead of the URL's host
    #[arg(long, visible_alias = "server-name", value_name = "NAME")]
    servername: Option<String>,
    /// Tell no server which name is wanted (SNI)
    #[arg(long)]
    no_sni: bool,
    /// The oldest version of TLS to take: 1.2 or 1.3
    #[arg(long, value_name = "VERSION", default_value = "1.2")]
    tls_min: TlsVersion,
    /// The newest version of TLS to take: 1.2 or 1.3
    #[arg(long, value_name = "VERSION", default_value = "1.3")]
    tls_max: TlsVersion,
    /// TLS 1.2 or newer, as curl has it
    #[arg(long = "tlsv1.2", hide = true, conflicts_with = "tls_min")]
    tlsv1_2: bool,
    /// TLS 1.3, as curl has it
    #[arg(long = "tlsv1.3", hide = true, conflicts_with = "tls_min")]
    tlsv1_3: bool,
    /// Write the keys of the connections to the file that $SSLKEYLOGFILE names, for Wireshark: who has it reads them
    #[arg(long)]
    key_log: bool,
}

impl Tls {
    /// What they come to. Says why they cannot be used.
    pub(super) fn options(&self) -> Result<TlsOptions, String> {
        let min = if self.tlsv1_3 {
            TlsVersion::Tls13
        } else {
            self.tls_min
        };
        if min > self.tls_max {
            return Err(format!(
                "no version of TLS is both {min} or newer and {} or older",
                self.tls_max
            ));
        }
        if self.key_log && env::var_os("SSLKEYLOGFILE").is_none() {
            return Err(
                "`--key-log` writes to the file that the environment variable SSLKEYLOGFILE names, and it names none"
                    .to_owned(),
            );
        }
        let mut tls = TlsOptions::new()
            .insecure(self.insecure)
            .system_roots(!self.no_system_ca)
            .send_server_name(!self.no_sni)
            .min_version(min)
            .max_version(self.tls_max)
            .key_log(self.key_log);
        for file in &self.ca {
            tls = tls.root_certificates(&read(file)?).map_err(within(file))?;
        }
        for pin in &self.pin {
            tls = tls.pin(*pin);
        }
        if let Some(name) = &self.servername {
            tls = tls.server_name(name).map_err(|error| error.to_string())?;
        }
        if let Some(identity) = self.identity()? {
            tls = tls.identity(identity);
        }
        Ok(tls)
    }

    /// The files that it reads.
    pub(super) fn files(&self) -> impl Iterator<Item = PathBuf> {
        let cert = self.cert.as_deref().map(|text| split(text).0);
        let certs = cert.map(PathBuf::from).into_iter();
        self.ca.iter().chain(&self.key).cloned().chain(certs)
    }

    /// Says aloud, before anything is sent, that nobody looks who the servers are.
    pub(super) fn warn(&self) {
        if self.insecure && self.pin.is_empty() {
            not_verified();
        }
    }

    fn identity(&self) -> Result<Option<Identity>, String> {
        let Some(cert) = &self.cert else {
            return Ok(None);
        };
        let (file, passphrase) = split(cert);
        let file = Path::new(file);
        let passphrase = self.passphrase.clone().or(passphrase.map(str::to_owned));
        let passphrase = passphrase.or_else(|| env::var(PASSPHRASE).ok());
        let cert = read(file)?;
        if !is_pem(&cert) {
            if self.key.is_some() {
                return Err(format!(
                    "`{}` is not PEM; if it is PKCS#12, its key is in it, and `--key` is not needed",
                    file.display()
                ));
            }
            let identity = Identity::from_pkcs12(&cert, &passphrase.unwrap_or_default());
            return identity.map(Some).map_err(within(file));
        }
        let (key_file, key) = match &self.key {
            Some(key_file) => (key_file.as_path(), read(key_file)?),
            None => (file, cert.clone()),
        };
        let identity = match passphrase {
            Some(passphrase) => Identity::from_pem_encrypted(&cert, &key, &passphrase),
            None => Identity::from_pem(&cert, &key),
        };
        identity.map(Some).map_err(|error| {
            let hint = if error.to_string().ends_with("wants its passphrase") {
                format!(": `--passphrase`, or ${PASSPHRASE}")
            } else {
                String::new()
            };
            format!("`{}`: {error}{hint}", key_file.display())
        })
    }
}

/// Warns of a connection whose other end may be anybody.
pub(in crate::command) fn warn_of(tls: Option<&TlsInfo>) {
    if tls.is_some_and(|tls| !tls.verified && !tls.pinned) {
        not_verified();
    }
}

fn not_verified() {
    terminal::warning(
        "certificates are not verified (--insecure): anybody may be at the other end",
    );
}

/// A file and its passphrase, as curl takes them. A file may have a colon in its name.
fn split(text: &str) -> (&str, Option<&str>) {
    match text.split_once(':') {
        Some((file, passphrase)) if !Path::new(text).exists() => (file, Some(passphrase)),
        _ => (text, None),
    }
}

/// PKCS#12 is binary.
fn is_pem(file: &[u8]) -> bool {
    file.windows(11).any(|window| window == b"-----BEGIN ")
}

fn read(file: &Path) -> Result<Vec<u8>, String> {
    fs::read(file).map_err(|error| format!("cannot read `{}`: {error}", file.display()))
}

fn within(file: &Path) -> impl Fn(Error) -> String {
    move |error| format!("`{}`: {error}", file.display())
}
