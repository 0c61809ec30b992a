//! TLS of a server: its certificate, which may change while it serves, or one that it makes itself.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use clap::{Args, ValueEnum};
use tokio::time::{MissedTickBehavior, interval};
use wiretalk_engine::serve::Plain;
use wiretalk_net::server::TlsConfig;
use x509_parser::pem::Pem;
use x509_parser::time::ASN1Time;

use super::super::log::Log;
use super::super::reload::Seen;
use crate::signals::Hangups;
use crate::terminal::{self, BAD, GOOD};

/// How often the files of a certificate are looked at.
const LOOKS: Duration = Duration::from_millis(500);
/// For how long a certificate that is made here is good, in days, and when another is made.
const GOOD_FOR: (i64, u64) = (365, 300);
const DAY: Duration = Duration::from_secs(24 * 3600);

#[derive(Debug, Args)]
pub(in super::super) struct Tls {
    /// Serve TLS with this certificate chain (PEM); it is read anew when the file changes, and on SIGHUP
    #[arg(long, value_name = "FILE", requires = "key")]
    cert: Option<PathBuf>,
    /// The certificate's private key (PEM)
    #[arg(long, value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,
    /// Serve TLS with a certificate of its own making, for this machine alone, which is kept for the next time
    #[arg(long, conflicts_with = "cert")]
    tls_dev: bool,
    /// Answer those who speak plain HTTP to the port of TLS: send them to `https:`, or tell them that TLS is needed (426)
    #[arg(
        long,
        value_name = "HOW",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "redirect"
    )]
    tls_only: Option<Only>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Only {
    /// 308 to the same place
    Redirect,
    /// 426
    Refuse,
}

/// TLS that is ready to serve, and where it comes from.
#[derive(Clone, Debug)]
pub(in super::super) struct Ready {
    pub(in super::super) config: TlsConfig,
    files: Option<(PathBuf, PathBuf)>,
    /// What is to be said about a certificate that was made here.
    made: Option<Made>,
}

#[derive(Clone, Debug)]
struct Made {
    certificate: PathBuf,
    pin: String,
}

impl Tls {
    pub(super) fn plain(&self) -> Option<Plain> {
        self.tls_only.map(|only| match only {
            Only::Redirect => Plain::Redirect,
            Only::Refuse => Plain::Refuse,
        })
    }

    /// Reads the certificate, or makes one.
    pub(in super::super) fn ready(&self) -> Result<Option<Ready>, String> {
        if self.tls_dev {
            return make().map(Some);
        }
        match (&self.cert, &self.key) {
            (Some(certificate), Some(key)) => {
                let config = read(certificate, key)?;
                warn_if_expired(certificate);
                Ok(Some(Ready {
                    config,
                    files: Some((certificate.clone(), key.clone())),
                    made: None,
                }))
            }
            _ if self.tls_only.is_some() => Err(
                "--tls-only: there is no TLS: give `--cert` and `--key`, or `--tls-dev`".to_owned(),
            ),
            _ => Ok(None),
        }
    }
}

impl Ready {
    /// Says how to believe a certificate that was made here.
    pub(in super::super) fn announce(&self, log: &Log) {
        let Some(Made { certificate, pin }) = &self.made else {
            return;
        };
        log.line("  the certificate was made here, and nobody knows it; a client believes it with one of");
        log.line(&format!(
            "    wiretalk connect --ca {} …",
            certificate.display()
        ));
        log.line(&format!("    wiretalk connect -k --pin {pin} …"));
    }

    /// Reads the certificate anew whenever its files change, and on SIGHUP; never ends.
    pub(in super::super) async fn watch(&self, log: &Log) {
        let Some((certificate, key)) = &self.files else {
            return std::future::pending().await;
        };
        let mut seen = [Seen::new(certificate), Seen::new(key)];
        let mut looks = interval(LOOKS);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut hangups = Hangups::listen();
        loop {
            let asked = tokio::select! {
                () = hangups.next() => true,
                _ = looks.tick() => false,
            };
            // Both are looked at, for both are written, one after the other.
            let changed = seen.iter_mut().fold(false, |any, file| file.look() | any);
            if !asked && !changed {
                continue;
            }
            let replaced = bytes("--cert", certificate)
                .and_then(|certificate| Ok((certificate, bytes("--key", key)?)))
                .and_then(|(certificate, key)| {
                    let replaced = self.config.replace(&certificate, &key);
                    replaced.map_err(|error| error.to_string())
                });
            seen.iter_mut().for_each(Seen::settle);
            let name = certificate.display();
            log.timed(&match replaced {
                Ok(()) => match expired(certificate) {
                    None => format!("{GOOD}reloaded{GOOD:#} {name}"),
                    Some(why) => format!("{BAD}reloaded{BAD:#} {name}, but {why}"),
                },
                Err(why) => format!(
                    "{BAD}not reloaded{BAD:#} {name}: {why}; the certificate before is served on"
                ),
            });
        }
    }
}

fn read(certificate: &Path, key: &Path) -> Result<TlsConfig, String> {
    TlsConfig::from_pem(&bytes("--cert", certificate)?, &bytes("--key", key)?)
        .map_err(|error| error.to_string())
}

fn bytes(option: &str, file: &Path) -> Result<Vec<u8>, String> {
    fs::read(file).map_err(|error| format!("{option}: cannot read `{}`: {error}", file.display()))
}

/// Says so of a certificate that no client will believe. It is served all the same: a test may want just that.
fn warn_if_expired(certificate: &Path) {
    if let Some(why) = expired(certificate) {
        terminal::warning(&format!("--cert: `{}`: {why}", certificate.display()));
    }
}

/// Why clients will not believe a server's own certificate, the first of its chain, at this time.
fn expired(certificate: &Path) -> Option<String> {
    let pem = fs::read(certificate).ok()?;
    let first = Pem::iter_from_buffer(&pem).next()?.ok()?;
    let validity = first.parse_x509().ok()?.validity().clone();
    let now = ASN1Time::now();
    if now > validity.not_after {
        let day = validity.not_after.to_datetime().date();
        return Some(format!("it has expired, on {day}"));
    }
    (now < validity.not_before).then(|| {
        let day = validity.not_before.to_datetime().date();
        format!("it is good only from {day} on")
    })
}

/// The certificate that was made the last time, or a new one.
fn make() -> Result<Ready, String> {
    let folder = state_folder()
        .ok_or("--tls-dev: there is no place to keep the certificate: set XDG_STATE_HOME")?;
    let (certificate, key) = (folder.join("dev-cert.pem"), folder.join("dev-key.pem"));
    let cannot = |why: String| format!("--tls-dev: {why}");
    let config = match is_young(&certificate).then(|| read(&certificate, &key)) {
        Some(Ok(config)) => config,
        _ => {
            make_anew(&folder, &certificate, &key).map_err(cannot)?;
            read(&certificate, &key).map_err(cannot)?
        }
    };
    let pin = config.pin().map_err(|error| cannot(error.to_string()))?;
    Ok(Ready {
        config,
        files: None,
        made: Some(Made {
            certificate,
            pin: pin.to_string(),
        }),
    })
}

/// Whether it will be good for some time still.
fn is_young(certificate: &Path) -> bool {
    let modified = fs::metadata(certificate).and_then(|metadata| metadata.modified());
    let age = modified.map(|modified| SystemTime::now().duration_since(modified));
    matches!(age, Ok(Ok(age)) if age < DAY * GOOD_FOR.1 as u32)
}

fn make_anew(folder: &Path, certificate: &Path, key: &Path) -> Result<(), String> {
    let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
    let failed = |error: rcgen::Error| error.to_string();
    let pair = rcgen::KeyPair::generate().map_err(failed)?;
    let mut parameters = rcgen::CertificateParams::new(names).map_err(failed)?;
    let name = rcgen::DnValue::Utf8String("wiretalk, for development".to_owned());
    parameters
        .distinguished_name
        .push(rcgen::DnType::CommonName, name);
    let now = time::OffsetDateTime::now_utc();
    parameters.not_before = now - time::Duration::days(1);
    parameters.not_after = now + time::Duration::days(GOOD_FOR.0);
    let made = parameters.self_signed(&pair).map_err(failed)?;
    fs::create_dir_all(folder)
        .map_err(|error| format!("cannot make `{}`: {error}", folder.display()))?;
    write(key, &pair.serialize_pem(), true)?;
    write(certificate, &made.pem(), false)
}

/// Writes a file anew; a secret one for its owner alone, from its first byte on.
fn write(file: &Path, text: &str, secret: bool) -> Result<(), String> {
    let cannot = |error: std::io::Error| format!("cannot write `{}`: {error}", file.display());
    // What lies there may be open to others, and a file keeps its rights.
    match fs::remove_file(file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(cannot(error)),
        _ => {}
    }
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    if secret {
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    }
    #[cfg(not(unix))]
    let _ = secret;
    let mut opened = options.open(file).map_err(cannot)?;
    opened.write_all(text.as_bytes()).map_err(cannot)
}

/// Where programs keep what they would not like to lose (XDG Base Directory Specification).
fn state_folder() -> Option<PathBuf> {
    let variable = |name: &str| {
        let value = std::env::var_os(name).filter(|value| !value.is_empty());
        value.map(PathBuf::from).filter(|path| path.is_absolute())
    };
    let state = variable("XDG_STATE_HOME")
        .or_else(|| variable("HOME").map(|home| home.join(".local/state")))
        .or_else(|| variable("LOCALAPPDATA"));
    Some(state?.join("wiretalk"))
}
