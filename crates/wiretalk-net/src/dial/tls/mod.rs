//! The client's side of TLS.

#[cfg(feature = "pkcs12")]
mod encrypted;
mod failure;
mod identity;
mod info;
mod options;
mod pin;
mod verify;

use std::{cell::Cell, fmt, sync::Arc};

use rustls::{
    ClientConfig, KeyLogFile, RootCertStore, SignatureScheme,
    client::{ResolvesClientCert, WebPkiServerVerifier},
    crypto::ring,
    sign::CertifiedKey,
};
use rustls_pki_types::{CertificateDer, ServerName, pem::PemObject};
use tokio::sync::OnceCell;
use tokio_rustls::{TlsConnector, TlsStream};

use self::{failure::Attempt, verify::Verifier};
pub use self::{
    failure::TlsFailure,
    identity::Identity,
    info::TlsInfo,
    options::{TlsOptions, TlsVersion},
    pin::Pin,
};
use crate::{
    error::{Blame, Error, ErrorKind},
    transport::Transport,
};

pub(crate) use self::failure::Failed;
pub(super) use self::failure::late;

/// Makes TLS of streams, by one set of options. What takes long to prepare is prepared at the first of them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Client {
    options: TlsOptions,
    prepared: OnceCell<Prepared>,
    /// A proxy's key is none of those that are pinned.
    for_proxies: OnceCell<Arc<Verifier>>,
}

/// What takes long to make, and is the same for all streams.
#[derive(Clone, Debug)]
struct Prepared {
    config: ClientConfig,
    /// For those who see no certificate of ours.
    nobody: Arc<OwnCertificate>,
    /// `None`: any certificate will do.
    chain: Option<Arc<WebPkiServerVerifier>>,
}

/// Whom a stream leads to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer<'a> {
    /// A name or an address, without brackets: what the certificate must be for.
    pub(crate) host: &'a str,
    /// How it is called in an error.
    pub(crate) authority: &'a str,
    pub(crate) part: Part,
}

/// Which of the options a peer has to do with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Part {
    /// The server that the caller named: all of them.
    Server,
    /// A server that another one redirects to: it sees no certificate of ours, and goes by its own name.
    Elsewhere,
    /// A proxy: nor is its key one of those that are pinned.
    Proxy,
}

impl Client {
    pub(crate) fn new(options: TlsOptions) -> Self {
        Self {
            options,
            prepared: OnceCell::new(),
            for_proxies: OnceCell::new(),
        }
    }

    /// The TLS handshake. `alpn` is what is offered unless the options say what is.
    pub(crate) async fn connect(
        &self,
        stream: Transport,
        peer: Peer<'_>,
        alpn: &[&str],
    ) -> Result<(Transport, TlsInfo), Error> {
        let at_home = peer.part == Part::Server;
        let name = match &self.options.server_name {
            Some(name) if at_home => name.clone(),
            _ => server_name(peer.host)?,
        };
        let prepared = self.prepared().await?;
        let mut config = prepared.config.clone();
        if peer.part == Part::Proxy {
            let verifier = self.for_proxies(prepared).await?;
            config.dangerous().set_certificate_verifier(verifier);
        }
        // rustls resumes a session only under the same verifier and the same certificate of ours, so none of another part.
        if !at_home {
            config.client_auth_cert_resolver = prepared.nobody.clone();
        }
        config.alpn_protocols = match &self.options.alpn {
            Some(protocols) if peer.part != Part::Proxy => protocols.clone(),
            _ => alpn.iter().map(|name| name.as_bytes().to_vec()).collect(),
        };
        let connector = TlsConnector::from(Arc::new(config));
        let handshake = async {
            let connected = connector.connect(name.clone(), stream).await;
            (connected, ASKED.with(Cell::get))
        };
        let (connected, asked) = ASKED.scope(Cell::new(false), handshake).await;
        match connected {
            Ok(stream) => {
                let info = TlsInfo::of(stream.get_ref().1, &self.options, &name, asked);
                Ok((Transport::Tls(Box::new(TlsStream::Client(stream))), info))
            }
            Err(error) => Err(Attempt {
                authority: peer.authority,
                options: &self.options,
                asked,
                shown: asked && at_home && self.options.identity.is_some(),
            }
            .failed(error)),
        }
    }

    async fn prepared(&self) -> Result<&Prepared, Error> {
        let build = || aside(&self.options, prepare);
        self.prepared.get_or_try_init(build).await
    }

    /// Who judges proxies. Any certificate will do only if that is so for servers, too: beside a pin it is not, and the
    /// pin says nothing of a proxy.
    async fn for_proxies(&self, prepared: &Prepared) -> Result<Arc<Verifier>, Error> {
        let TlsOptions { roots, pins, .. } = &self.options;
        let build = async || {
            let chain = match &prepared.chain {
                None if !pins.is_empty() => Some(aside(&self.options, chain).await?),
                chain => chain.clone(),
            };
            let algorithms = ring::default_provider().signature_verification_algorithms;
            Ok(Arc::new(Verifier::new(chain, roots, &[], algorithms)))
        };
        self.for_proxies.get_or_try_init(build).await.cloned()
    }
}

/// Reading the roots takes some milliseconds, which others on this thread should not have to wait.
async fn aside<T: Send + 'static>(
    options: &TlsOptions,
    build: fn(&TlsOptions) -> Result<T, Error>,
) -> Result<T, Error> {
    let options = options.clone();
    let built = tokio::task::spawn_blocking(move || build(&options)).await;
    built.unwrap_or_else(|error| Err(setup(&error)))
}

/// Reads the certificates of a PEM file.
pub(crate) fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, Error> {
    let certificates = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| {
            Error::invalid(format!("the certificates cannot be read as PEM: {error}"))
        })?;
    if certificates.is_empty() {
        return Err(Error::invalid(
            "there is no certificate (`-----BEGIN CERTIFICATE-----`) in the PEM text",
        ));
    }
    Ok(certificates)
}

/// What a certificate can be for.
fn server_name(host: &str) -> Result<ServerName<'static>, Error> {
    ServerName::try_from(host.to_owned()).map_err(|_| {
        Error::invalid(format!(
            "`{}` is not a name that a certificate can be for",
            host.escape_debug()
        ))
    })
}

/// Builds the configuration. Reads the system's roots from disk, so it blocks for some milliseconds.
fn prepare(options: &TlsOptions) -> Result<Prepared, Error> {
    let provider = Arc::new(ring::default_provider());
    let chain = (!options.insecure).then(|| chain(options)).transpose()?;
    let algorithms = provider.signature_verification_algorithms;
    let verifier = Verifier::new(chain.clone(), &options.roots, &options.pins, algorithms);
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&options.versions()?)
        .map_err(|error| setup(&error))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    config.enable_sni = options.sends_server_name;
    if options.key_log {
        config.key_log = Arc::new(KeyLogFile::new());
    }
    let key = options.identity.as_ref().map(Identity::certified_key);
    config.client_auth_cert_resolver = Arc::new(OwnCertificate { key });
    Ok(Prepared {
        config,
        nobody: Arc::new(OwnCertificate { key: None }),
        chain,
    })
}

/// Asks for a chain to a root. Reads the system's roots from disk, as [`prepare`] does.
fn chain(options: &TlsOptions) -> Result<Arc<WebPkiServerVerifier>, Error> {
    let (roots, provider) = (
        Arc::new(roots(options)?),
        Arc::new(ring::default_provider()),
    );
    WebPkiServerVerifier::builder_with_provider(roots, provider)
        .build()
        .map_err(|_| Error::invalid("there is no root certificate to believe a server's by"))
}

fn roots(options: &TlsOptions) -> Result<RootCertStore, Error> {
    let mut store = RootCertStore::empty();
    for root in &options.roots {
        store.add(root.clone()).map_err(|error| {
            Error::invalid(format!("a root certificate cannot be used: {error}"))
        })?;
    }
    if !options.system_roots {
        return Ok(store);
    }
    let native = rustls_native_certs::load_native_certs();
    // The system's store often holds a few that rustls does not take; the others are enough.
    store.add_parsable_certificates(native.certs);
    match native.errors.first() {
        Some(error) if store.is_empty() => Err(setup(&format!(
            "no root certificates of the system: {error}"
        ))),
        _ => Ok(store),
    }
}

fn setup(why: &dyn fmt::Display) -> Error {
    Error::new(
        ErrorKind::Tls,
        Blame::Us,
        format!("TLS cannot be set up: {why}"),
    )
}

tokio::task_local! {
    /// Whether the server has asked for our certificate, in the handshake that this task is at: then its refusal may be
    /// about that.
    static ASKED: Cell<bool>;
}

/// The certificate that we show if we are asked. All connections share it, or none would resume a session of another.
#[derive(Debug)]
struct OwnCertificate {
    key: Option<Arc<CertifiedKey>>,
}

impl ResolvesClientCert for OwnCertificate {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        // rustls asks nobody outside of the handshake.
        let _ = ASKED.try_with(|asked| asked.set(true));
        self.key.clone()
    }

    fn has_certs(&self) -> bool {
        self.key.is_some()
    }
}
