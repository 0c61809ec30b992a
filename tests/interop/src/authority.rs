//! Certificates of every kind, good and bad, from an authority made for one test.

use std::fs;
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose,
};
use tempfile::TempDir;
use time::{Duration, OffsetDateTime};

/// An authority that signs certificates. Its files go when it does.
pub struct Authority {
    folder: TempDir,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// What to ask an authority for.
#[derive(Clone, Debug)]
pub struct Leaf {
    names: Vec<String>,
    client: bool,
    /// In days from now.
    valid: [i64; 2],
}

/// A certificate and its key, as PEM files.
#[derive(Clone, Debug)]
pub struct Pair {
    /// The certificate.
    pub cert: PathBuf,
    /// Its private key, in PKCS#8.
    pub key: PathBuf,
}

impl Leaf {
    /// For a server with these names: host names and IP addresses.
    #[must_use]
    pub fn server(names: &[&str]) -> Self {
        Self {
            names: names.iter().map(|&name| name.to_owned()).collect(),
            client: false,
            valid: [-1, 1],
        }
    }

    /// For a client of this name.
    #[must_use]
    pub fn client(name: &str) -> Self {
        Self {
            client: true,
            ..Self::server(&[name])
        }
    }

    /// Valid from the one to the other, in days from now.
    #[must_use]
    pub fn valid(self, from: i64, until: i64) -> Self {
        Self {
            valid: [from, until],
            ..self
        }
    }
}

impl Authority {
    /// A new authority. No two are the same, even if their names are.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().expect("a key");
        let issuer = CertifiedIssuer::self_signed(params, key).expect("a certificate");
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("ca.pem"), issuer.pem()).expect("it is written");
        Self { folder, issuer }
    }

    /// Its own certificate, as a PEM file.
    #[must_use]
    pub fn cert(&self) -> PathBuf {
        self.file("ca.pem")
    }

    /// A certificate that it signs, in files of that name.
    #[must_use]
    pub fn issue(&self, name: &str, leaf: &Leaf) -> Pair {
        let mut params = CertificateParams::new(leaf.names.clone()).expect("they are names");
        let common = leaf.names.first().map_or("nobody", String::as_str);
        params.distinguished_name.push(DnType::CommonName, common);
        let now = OffsetDateTime::now_utc();
        params.not_before = now + Duration::days(leaf.valid[0]);
        params.not_after = now + Duration::days(leaf.valid[1]);
        params.extended_key_usages = vec![if leaf.client {
            ExtendedKeyUsagePurpose::ClientAuth
        } else {
            ExtendedKeyUsagePurpose::ServerAuth
        }];
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        let pair = Pair {
            cert: self.file(&format!("{name}.pem")),
            key: self.file(&format!("{name}.key")),
        };
        fs::write(&pair.cert, certificate.pem()).expect("it is written");
        fs::write(&pair.key, key.serialize_pem()).expect("it is written");
        pair
    }

    /// A file in its folder, which others may write to as well.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

impl Pair {
    /// The certificate's file, for a configuration.
    #[must_use]
    pub fn cert(&self) -> String {
        text(&self.cert)
    }

    /// The key's file, for a configuration.
    #[must_use]
    pub fn key(&self) -> String {
        text(&self.key)
    }
}

fn text(path: &Path) -> String {
    path.to_str().expect("its name is UTF-8").to_owned()
}
