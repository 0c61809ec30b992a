//! What the options of TLS do, as a server of our own sees it. (With servers of others: `tests/interop/tests/reach/`.)

mod common;

use std::{net::SocketAddr, sync::Arc};

use common::{soon, switching};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair,
};
use rustls::{
    RootCertStore, ServerConfig, SupportedProtocolVersion, crypto::ring,
    server::WebPkiClientVerifier, version,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::JoinSet,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use wiretalk_net::{
    Connector, Error, ErrorKind, Handshake, Identity, Pin, Proxy, Request, TlsFailure, TlsOptions,
    TlsVersion,
};

/// Signs certificates.
struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key, as PEM.
struct Pair {
    cert: String,
    key: String,
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn issue(&self, names: &[&str], usage: ExtendedKeyUsagePurpose) -> Pair {
        let names: Vec<_> = names.iter().map(|&name| name.to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.extended_key_usages = vec![usage];
        let key = KeyPair::generate().unwrap();
        Pair {
            cert: params.signed_by(&key, &self.0).unwrap().pem(),
            key: key.serialize_pem(),
        }
    }

    fn server(&self, names: &[&str]) -> Pair {
        self.issue(names, ExtendedKeyUsagePurpose::ServerAuth)
    }

    fn identity(&self) -> Identity {
        let Pair { cert, key } = self.issue(&["me"], ExtendedKeyUsagePurpose::ClientAuth);
        Identity::from_pem(cert.as_bytes(), key.as_bytes()).unwrap()
    }

    /// Options that believe it, and nobody else.
    fn trusted(&self) -> TlsOptions {
        let options = TlsOptions::new().root_certificates(self.0.pem().as_bytes());
        options.unwrap().system_roots(false)
    }
}

/// How a server does TLS.
struct Manner<'a> {
    versions: &'a [&'static SupportedProtocolVersion],
    /// Asks for certificates of this authority, and whether it insists.
    clients: Option<(&'a Authority, bool)>,
}

const ALL: &[&SupportedProtocolVersion] = &[&version::TLS13, &version::TLS12];

impl Default for Manner<'_> {
    fn default() -> Self {
        Self {
            versions: ALL,
            clients: None,
        }
    }
}

impl Manner<'_> {
    fn acceptor(&self, pair: &Pair) -> TlsAcceptor {
        let provider = Arc::new(ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(self.versions)
            .unwrap();
        let builder = match self.clients {
            None => builder.with_no_client_auth(),
            Some((authority, insists)) => {
                let mut roots = RootCertStore::empty();
                roots.add(authority.0.der().clone()).unwrap();
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
                let verifier = if insists {
                    verifier
                } else {
                    verifier.allow_unauthenticated()
                };
                builder.with_client_cert_verifier(verifier.build().unwrap())
            }
        };
        let chain = CertificateDer::pem_slice_iter(pair.cert.as_bytes());
        let key = PrivateKeyDer::from_pem_slice(pair.key.as_bytes()).unwrap();
        let chain = chain.collect::<Result<_, _>>().unwrap();
        let mut config = builder.with_single_cert(chain, key).unwrap();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        TlsAcceptor::from(Arc::new(config))
    }
}

/// What a server saw of a client.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    name: Option<String>,
    certificates: usize,
}

impl Seen {
    fn of(stream: &TlsStream<TcpStream>) -> Self {
        let connection = stream.get_ref().1;
        Self {
            name: connection.server_name().map(str::to_owned),
            certificates: connection.peer_certificates().map_or(0, <[_]>::len),
        }
    }

    fn new(name: Option<&str>, certificates: usize) -> Self {
        Self {
            name: name.map(str::to_owned),
            certificates,
        }
    }
}

/// What a server does with a client.
#[derive(Clone)]
enum Answer {
    /// Accepts its WebSocket.
    Accept,
    /// Sends it elsewhere.
    Redirect(String),
    /// Connects it to there, as a proxy.
    Tunnel(SocketAddr),
}

impl Answer {
    async fn give(self, stream: &mut TlsStream<TcpStream>) {
        let request = head(stream).await;
        let answer = match &self {
            Self::Accept => switching(&request, ""),
            Self::Redirect(to) => {
                format!("HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n")
            }
            Self::Tunnel(_) => "HTTP/1.1 200 OK\r\n\r\n".to_owned(),
        };
        stream.write_all(answer.as_bytes()).await.unwrap();
        stream.flush().await.unwrap();
        match self {
            Self::Tunnel(to) => {
                let mut to = TcpStream::connect(to).await.unwrap();
                // Either side may leave as it likes.
                let _ = copy_bidirectional(stream, &mut to).await;
            }
            // Until the client leaves.
            _ => while stream.read(&mut [0; 1024]).await.is_ok_and(|read| read > 0) {},
        }
    }
}

async fn head(stream: &mut TlsStream<TcpStream>) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

/// A server that tells what it sees.
struct Site {
    port: u16,
    seen: mpsc::UnboundedReceiver<Seen>,
    _task: JoinSet<()>,
}

impl Site {
    async fn start(manner: &Manner<'_>, pair: &Pair, answer: Answer) -> Self {
        let acceptor = manner.acceptor(pair);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (give, seen) = mpsc::unbounded_channel();
        let mut task = JoinSet::new();
        task.spawn(async move {
            let mut streams = JoinSet::new();
            loop {
                let (tcp, _) = listener.accept().await.unwrap();
                let (acceptor, give, answer) = (acceptor.clone(), give.clone(), answer.clone());
                streams.spawn(async move {
                    // Those that fail are told by the client.
                    if let Ok(mut stream) = acceptor.accept(tcp).await {
                        give.send(Seen::of(&stream)).unwrap();
                        answer.give(&mut stream).await;
                    }
                });
            }
        });
        Self {
            port,
            seen,
            _task: task,
        }
    }

    fn url(&self, host: &str) -> String {
        format!("wss://{host}:{}/", self.port)
    }

    async fn next(&mut self) -> Seen {
        soon(self.seen.recv()).await.unwrap()
    }
}

async fn dial(connector: &Connector, url: String) -> Result<Handshake, Error> {
    let (_, handshake) = soon(connector.connect(&Request::new(url))).await?;
    Ok(handshake)
}

fn by(options: TlsOptions) -> Connector {
    Connector::new().tls(options)
}

const NAMES: &[&str] = &["localhost", "127.0.0.1", "chat.example"];

#[tokio::test]
async fn what_the_server_sees() {
    let authority = Authority::new("ours");
    let pair = authority.server(NAMES);
    let manner = Manner {
        clients: Some((&authority, false)),
        ..Manner::default()
    };
    let mut site = Site::start(&manner, &pair, Answer::Accept).await;
    let named = |name| authority.trusted().server_name(name).unwrap();
    let cases = [
        (
            authority.trusted(),
            "localhost",
            Seen::new(Some("localhost"), 0),
        ),
        // An address is no name (RFC 6066 section 3).
        (authority.trusted(), "127.0.0.1", Seen::new(None, 0)),
        (
            named("chat.example"),
            "127.0.0.1",
            Seen::new(Some("chat.example"), 0),
        ),
        (named("127.0.0.1"), "localhost", Seen::new(None, 0)),
        (
            authority.trusted().send_server_name(false),
            "localhost",
            Seen::new(None, 0),
        ),
        (
            authority.trusted().identity(authority.identity()),
            "localhost",
            Seen::new(Some("localhost"), 1),
        ),
        (
            TlsOptions::new().insecure(true),
            "localhost",
            Seen::new(Some("localhost"), 0),
        ),
    ];
    for (options, host, seen) in cases {
        let shown = format!("{options:?}");
        let handshake = dial(&by(options), site.url(host)).await.unwrap();
        assert_eq!(site.next().await, seen, "{shown}");
        let tls = handshake.tls.unwrap();
        assert!(tls.client_certificate_wanted && !tls.pinned);
        assert_eq!(tls.verified, !shown.contains("insecure: true"), "{shown}");
    }
}

type Versions = &'static [&'static SupportedProtocolVersion];

/// Version and protocol; or what failed at the server, or here (`None`).
type Agreed = Result<(TlsVersion, Option<&'static str>), Option<TlsFailure>>;

#[tokio::test]
async fn what_is_agreed_on() {
    let authority = Authority::new("ours");
    let pair = authority.server(NAMES);
    let (old, new) = (TlsVersion::Tls12, TlsVersion::Tls13);
    let ours = || authority.trusted();
    let http1 = Ok((new, Some("http/1.1")));
    let cases: [(Versions, TlsOptions, Agreed); 10] = [
        (ALL, ours(), http1.clone()),
        (ALL, ours().max_version(old), Ok((old, Some("http/1.1")))),
        (ALL, ours().min_version(new), http1.clone()),
        (&ALL[1..], ours(), Ok((old, Some("http/1.1")))),
        (
            &ALL[1..],
            ours().min_version(new),
            Err(Some(TlsFailure::Version)),
        ),
        (
            &ALL[..1],
            ours().max_version(old),
            Err(Some(TlsFailure::Version)),
        ),
        (ALL, ours().min_version(new).max_version(old), Err(None)),
        (ALL, ours().alpn(["foo", "http/1.1"]), http1),
        (ALL, ours().alpn(["foo"]), Err(Some(TlsFailure::Alpn))),
        (ALL, ours().alpn([""; 0]), Ok((new, None))),
    ];
    for (versions, options, expected) in cases {
        let manner = Manner {
            versions,
            ..Manner::default()
        };
        let site = Site::start(&manner, &pair, Answer::Accept).await;
        let shown = format!("{versions:?} {options:?}");
        match (dial(&by(options), site.url("localhost")).await, expected) {
            (Ok(handshake), Ok((version, alpn))) => {
                let tls = handshake.tls.unwrap();
                assert_eq!(
                    (tls.version, tls.alpn.as_deref()),
                    (version, alpn),
                    "{shown}"
                );
                assert!(tls.cipher_suite.starts_with("TLS_"), "{}", tls.cipher_suite);
            }
            (Err(error), Err(failure)) => {
                let kind = match failure {
                    Some(_) => ErrorKind::Tls,
                    None => ErrorKind::InvalidInput,
                };
                assert_eq!(
                    (error.kind(), error.tls()),
                    (kind, failure.as_ref()),
                    "{shown}"
                );
            }
            (came, _) => panic!("{shown}: {came:?}"),
        }
    }
}

#[tokio::test]
async fn a_pin_is_asked_for_beside_the_chain_or_instead_of_it() {
    let authority = Authority::new("ours");
    let site = Site::start(&Manner::default(), &authority.server(NAMES), Answer::Accept).await;
    let url = || site.url("localhost");
    let any = || TlsOptions::new().insecure(true);
    let handshake = dial(&by(any()), url()).await.unwrap();
    let right = handshake.tls.unwrap().pin().unwrap();
    let wrong = Pin::new([1; 32]);
    let other_key = Some(TlsFailure::OtherKey { came: right });
    for (options, expected) in [
        (authority.trusted().pin(right), None),
        (authority.trusted().pin(wrong).pin(right), None),
        (any().pin(right), None),
        (authority.trusted().pin(wrong), other_key.clone()),
        (any().pin(wrong), other_key),
        (
            TlsOptions::new().pin(right),
            Some(TlsFailure::UnknownIssuer),
        ),
    ] {
        let shown = format!("{options:?}");
        let came = dial(&by(options), url()).await;
        assert_eq!(
            came.as_ref().err().and_then(Error::tls),
            expected.as_ref(),
            "{shown}"
        );
        if let Ok(handshake) = came {
            assert!(handshake.tls.unwrap().pinned, "{shown}");
        }
    }
}

#[tokio::test]
async fn a_server_that_insists_on_a_client_certificate() {
    let (authority, other) = (Authority::new("ours"), Authority::new("another"));
    let pair = authority.server(NAMES);
    for versions in [&ALL[..1], &ALL[1..]] {
        let manner = Manner {
            versions,
            clients: Some((&authority, true)),
        };
        let site = Site::start(&manner, &pair, Answer::Accept).await;
        let ours = || authority.trusted();
        for (options, expected) in [
            (ours().identity(authority.identity()), None),
            (ours(), Some(TlsFailure::ClientCertificateRequired)),
            (
                ours().identity(other.identity()),
                Some(TlsFailure::ClientCertificateRefused),
            ),
        ] {
            let came = dial(&by(options), site.url("localhost")).await;
            let failure = came.as_ref().err().and_then(Error::tls);
            assert_eq!(failure, expected.as_ref(), "{versions:?} {came:?}");
        }
    }
}

#[tokio::test]
async fn what_is_meant_for_one_server_is_not_for_another() {
    let authority = Authority::new("ours");
    let pair = authority.server(NAMES);
    let manner = Manner {
        clients: Some((&authority, false)),
        ..Manner::default()
    };
    let mut elsewhere = Site::start(&manner, &pair, Answer::Accept).await;
    let redirect = Answer::Redirect(elsewhere.url("localhost"));
    let mut home = Site::start(&manner, &pair, redirect).await;
    let options = authority
        .trusted()
        .identity(authority.identity())
        .server_name("chat.example")
        .unwrap();
    let connector = by(options).redirects(1);
    for _ in 0..2 {
        let handshake = dial(&connector, home.url("127.0.0.1")).await.unwrap();
        assert_eq!(home.next().await, Seen::new(Some("chat.example"), 1));
        assert_eq!(elsewhere.next().await, Seen::new(Some("localhost"), 0));
        let tls = handshake.tls.unwrap();
        assert_eq!(tls.server_name, "localhost");
    }
}

#[tokio::test]
async fn a_connector_resumes_its_sessions() {
    let authority = Authority::new("ours");
    let pair = authority.server(NAMES);
    for versions in [&ALL[..1], &ALL[1..]] {
        let manner = Manner {
            versions,
            ..Manner::default()
        };
        let site = Site::start(&manner, &pair, Answer::Accept).await;
        let connector = by(authority.trusted());
        for resumed in [false, true] {
            let handshake = dial(&connector, site.url("localhost")).await.unwrap();
            let tls = handshake.tls.unwrap();
            assert_eq!((tls.resumed, tls.verified), (resumed, true), "{versions:?}");
            assert_eq!(tls.peer_certificates.len(), 1);
        }
    }
}

#[tokio::test]
async fn a_proxy_is_another_server_too() {
    let authority = Authority::new("ours");
    let manner = Manner {
        clients: Some((&authority, false)),
        ..Manner::default()
    };
    let mut site = Site::start(&manner, &authority.server(NAMES), Answer::Accept).await;
    let tunnel = Answer::Tunnel(([127, 0, 0, 1], site.port).into());
    let mut proxy = Site::start(&manner, &authority.server(&["localhost"]), tunnel).await;
    let open = dial(&by(authority.trusted()), site.url("localhost")).await;
    let pin = open.unwrap().tls.unwrap().pin().unwrap();
    let _ = site.next().await;

    let options = authority
        .trusted()
        .pin(pin)
        .identity(authority.identity())
        .server_name("chat.example")
        .unwrap();
    let through: Proxy = proxy
        .url("localhost")
        .replace("wss", "https")
        .parse()
        .unwrap();
    let connector = by(options).proxies(through);
    let handshake = dial(&connector, site.url("127.0.0.1")).await.unwrap();
    assert!(handshake.tls.unwrap().pinned);
    assert_eq!(proxy.next().await, Seen::new(Some("localhost"), 0));
    assert_eq!(site.next().await, Seen::new(Some("chat.example"), 1));
}

#[test]
fn keys_are_not_shown() {
    let authority = Authority::new("ours");
    let Pair { cert, key } = authority.issue(&["me"], ExtendedKeyUsagePurpose::ClientAuth);
    let identity = Identity::from_pem(cert.as_bytes(), key.as_bytes()).unwrap();
    assert_eq!(format!("{identity:?}"), "Identity { certificates: 1, .. }");
    let shown = format!("{:?}", by(TlsOptions::new().identity(identity)));
    assert!(
        shown.contains("Identity { certificates: 1, .. }"),
        "{shown}"
    );
}

#[test]
fn pins_and_versions_in_words() {
    let zeros = format!("sha256//{}=", "A".repeat(43));
    assert_eq!(zeros.parse::<Pin>().unwrap(), Pin::new([0; 32]));
    for text in [
        "",
        "sha256//",
        "sha256//AAAA",
        "sha1//AAAA",
        &zeros[8..],
        &format!("{zeros}="),
    ] {
        let error = text.parse::<Pin>().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{text}");
    }
    for (text, version) in [
        ("1.2", TlsVersion::Tls12),
        ("1.3", TlsVersion::Tls13),
        ("TLS 1.3", TlsVersion::Tls13),
        ("tlsv1.2", TlsVersion::Tls12),
        ("TLSv1.3", TlsVersion::Tls13),
    ] {
        assert_eq!(text.parse::<TlsVersion>().unwrap(), version);
    }
    for text in ["", "1", "1.1", "1.4", "tls", "ssl3", "1.2.3"] {
        assert!(text.parse::<TlsVersion>().is_err(), "{text}");
    }
}

#[test]
fn names_that_are_none() {
    for name in ["", "a b", "-", "chat.example:443", "[::1]"] {
        let error = TlsOptions::new().server_name(name).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{name}");
    }
}

/// A PKCS#12 file that is cut short, or of which a byte is another: an error in words, if any.
#[cfg(feature = "pkcs12")]
#[test]
fn pkcs12_that_is_broken() {
    use p12_keystore::{Certificate, KeyStore, KeyStoreEntry, PrivateKey, PrivateKeyChain};

    let authority = Authority::new("ours");
    let Pair { cert, key } = authority.issue(&["me"], ExtendedKeyUsagePurpose::ClientAuth);
    let der = CertificateDer::from_pem_slice(cert.as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
    let chain = PrivateKeyChain::new(
        "1",
        PrivateKey::from_der(key.secret_der()).unwrap(),
        [Certificate::from_der(&der).unwrap()],
    );
    let mut store = KeyStore::new();
    store.add_entry("me", KeyStoreEntry::PrivateKeyChain(chain));
    let writer = store.writer("secret");
    let file = writer
        .encryption_iterations(1)
        .mac_iterations(1)
        .write()
        .unwrap();
    let _ = Identity::from_pkcs12(&file, "secret").unwrap();
    for length in 0..file.len() {
        let error = Identity::from_pkcs12(&file[..length], "secret").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{length}");
    }
    for at in 0..file.len() {
        let mut other = file.clone();
        other[at] ^= 0xff;
        if let Err(error) = Identity::from_pkcs12(&other, "secret") {
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{at}");
        }
    }
}
