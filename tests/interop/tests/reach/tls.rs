//! TLS as one wants it, and each way that it fails: with `openssl s_server`, and with nginx, which passes on to an echo.

use std::fs;
use std::path::Path;

use wiretalk_interop::{Authority, Counterpart, Leaf, Pair, Program, Server, Stream};
use wiretalk_net::{
    Connector, Error, ErrorKind, Handshake, Identity, Pin, Request, TlsFailure, TlsOptions,
    TlsVersion,
};
use wiretalk_proto::handshake::accept_value;

use crate::{echo, echoes, fails, soon};

/// An authority, a server's certificate for this machine from it, and an echo to pass on to.
struct Site {
    authority: Authority,
    server: Pair,
    echo: Server,
}

impl Site {
    fn new() -> Self {
        let authority = Authority::new("an authority");
        let names = ["localhost", "127.0.0.1", "chat.example"];
        let server = authority.issue("server", &Leaf::server(&names));
        let echo = Server::peer("server.py", &["echo"]);
        Self {
            authority,
            server,
            echo,
        }
    }

    /// nginx with TLS, these further directives, and the echo behind it.
    fn nginx(&self, more: &str) -> Counterpart {
        self.nginx_with(&self.server, more)
    }

    fn nginx_with(&self, pair: &Pair, more: &str) -> Counterpart {
        Counterpart::nginx(&format!(
            "listen 127.0.0.1:{{port}} ssl; ssl_certificate {}; ssl_certificate_key {}; {more} location / {{ {} proxy_pass {}; }}",
            pair.cert(),
            pair.key(),
            Counterpart::NGINX_UPGRADE,
            self.echo.http(),
        ))
    }

    fn openssl(&self, more: &[&str]) -> Counterpart {
        openssl_with(&self.server, more)
    }

    fn root(&self) -> Vec<u8> {
        read(&self.authority.cert())
    }

    /// Believes the authority, and nobody else.
    fn trusting(&self) -> TlsOptions {
        let options = TlsOptions::new().root_certificates(&self.root());
        options.expect("a certificate").system_roots(false)
    }
}

fn openssl_with(pair: &Pair, more: &[&str]) -> Counterpart {
    let own = ["-cert", &pair.cert(), "-key", &pair.key()];
    Counterpart::openssl_server(&[&own, more].concat())
}

fn read(path: &Path) -> Vec<u8> {
    fs::read(path).expect("it was written")
}

fn by(options: TlsOptions) -> Connector {
    Connector::new().tls(options)
}

/// Runs openssl, which must succeed.
fn openssl(arguments: &[&str]) {
    let _ = Program::system("openssl")
        .args(arguments)
        .finish("")
        .with_code(0);
}

/// Dials, exchanges a message, and gives how it came about.
async fn handshake(connector: &Connector, url: String) -> Handshake {
    let request = Request::new(url);
    let (mut socket, handshake) = soon(connector.connect(&request)).await.expect("a way");
    echo(&mut socket).await;
    handshake
}

/// Lets `openssl s_server` answer the opening handshake, and gives what it came to.
async fn opened(mut server: Counterpart, connector: &Connector) -> Result<Handshake, Error> {
    let request = Request::new(server.url("wss"));
    let answering = tokio::task::spawn_blocking(move || {
        let key = server.process.says_on(Stream::Out, "Sec-WebSocket-Key: ");
        if let Some(key) = key {
            let accept = format!("sec-websocket-accept: {}", accept_value(&key));
            for line in [
                "HTTP/1.1 101 Switching Protocols",
                "upgrade: websocket",
                "connection: Upgrade",
                &accept,
                "",
            ] {
                server.process.say(line);
            }
        }
        server
    });
    let (_, handshake) = soon(connector.connect(&request)).await?;
    let _ = answering.await.expect("it was asked");
    Ok(handshake)
}

#[tokio::test]
async fn what_was_agreed_on_is_told() {
    let site = Site::new();
    let nginx = site.nginx("ssl_protocols TLSv1.3;");
    let came = handshake(&by(site.trusting()), nginx.url("wss")).await;
    let tls = came.tls.expect("TLS");
    assert_eq!(tls.version, TlsVersion::Tls13);
    assert!(tls.cipher_suite.starts_with("TLS_"), "{}", tls.cipher_suite);
    assert_eq!(tls.alpn.as_deref(), Some("http/1.1"));
    assert_eq!(tls.server_name, "127.0.0.1");
    assert_eq!(tls.peer_certificates.len(), 1);
    assert!(tls.verified && !tls.pinned && !tls.resumed && !tls.client_certificate_wanted);
    assert!(came.timings.tls.is_some());

    let tls = opened(site.openssl(&["-tls1_2"]), &by(site.trusting()))
        .await
        .expect("a way");
    let tls = tls.tls.expect("TLS");
    assert_eq!((tls.version, tls.alpn), (TlsVersion::Tls12, None));
    assert!(
        tls.cipher_suite.starts_with("TLS_ECDHE_ECDSA_WITH_"),
        "{}",
        tls.cipher_suite
    );
}

#[tokio::test]
async fn roots_of_ones_own() {
    let site = Site::new();
    let nginx = site.nginx("");
    let beside = TlsOptions::new().root_certificates(&site.root());
    echoes(&by(beside.expect("a certificate")), nginx.url("wss")).await;
    let nobody = by(TlsOptions::new().system_roots(false));
    let error = fails(&nobody, nginx.url("wss")).await;
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.to_string().contains("no root certificate"), "{error}");
}

/// What `openssl req -x509` makes is an authority as well, which webpki would not take from a server.
#[tokio::test]
async fn a_certificate_that_signs_itself_can_be_given() {
    let site = Site::new();
    let folder = tempfile::tempdir().expect("a folder");
    let pair = Pair {
        cert: folder.path().join("self.pem"),
        key: folder.path().join("self.key"),
    };
    openssl(&[
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=localhost",
        "-addext",
        "subjectAltName=DNS:localhost",
        "-out",
        &pair.cert(),
        "-keyout",
        &pair.key(),
    ]);
    let nginx = site.nginx_with(&pair, "");
    let url = nginx.url("wss");
    let localhost = url.replace("127.0.0.1", "localhost");
    let given = TlsOptions::new().root_certificates(&read(&pair.cert));
    let given = by(given.expect("a certificate").system_roots(false));
    echoes(&given, localhost.clone()).await;

    let error = fails(&given, url).await;
    let presented = vec!["localhost".to_owned()];
    assert_eq!(error.tls(), Some(&TlsFailure::WrongName { presented }));
    let error = fails(&by(site.trusting()), localhost).await;
    assert_eq!(error.tls(), Some(&TlsFailure::SelfSigned), "{error}");
    assert!(
        error
            .to_string()
            .ends_with("is not trusted: it is signed by itself"),
        "{error}"
    );
}

#[tokio::test]
async fn a_certificate_that_is_not_to_be_believed() {
    let site = Site::new();
    let other = Authority::new("another");
    let names = ["127.0.0.1"];
    let cases = [
        (
            site.authority
                .issue("old", &Leaf::server(&names).valid(-3, -1)),
            TlsFailure::Expired,
            "it expired on ",
        ),
        (
            site.authority
                .issue("new", &Leaf::server(&names).valid(1, 3)),
            TlsFailure::NotValidYet,
            "it is not valid before ",
        ),
        (
            site.authority
                .issue("elsewhere", &Leaf::server(&["a.example", "*.b.example"])),
            TlsFailure::WrongName {
                presented: vec!["a.example".to_owned(), "*.b.example".to_owned()],
            },
            "it is for a.example, *.b.example, not for 127.0.0.1",
        ),
        (
            other.issue("server", &Leaf::server(&names)),
            TlsFailure::UnknownIssuer,
            "it is signed by nobody that is known here",
        ),
        (
            site.authority.issue("client", &Leaf::client("127.0.0.1")),
            TlsFailure::BadCertificate,
            "it is not for servers",
        ),
    ];
    for (pair, failure, sentence) in cases {
        let nginx = site.nginx_with(&pair, "");
        for server in [&nginx, &openssl_with(&pair, &[])] {
            let error = fails(&by(site.trusting()), server.url("wss")).await;
            assert_eq!(error.kind(), ErrorKind::Tls);
            assert_eq!(error.tls(), Some(&failure), "{error}");
            let begin = format!("the certificate of {} is not trusted: ", server.address());
            assert!(error.to_string().starts_with(&begin), "{error}");
            assert!(error.to_string().contains(sentence), "{error}");
        }
        // On request it is believed all the same, and that is told.
        let any = by(TlsOptions::new().insecure(true));
        let came = handshake(&any, nginx.url("wss")).await;
        assert!(!came.tls.expect("TLS").verified);
    }
}

#[tokio::test]
async fn versions() {
    let site = Site::new();
    let only = |version| site.trusting().min_version(version).max_version(version);
    for (protocol, version, other) in [
        ("TLSv1.2", TlsVersion::Tls12, TlsVersion::Tls13),
        ("TLSv1.3", TlsVersion::Tls13, TlsVersion::Tls12),
    ] {
        let nginx = site.nginx(&format!("ssl_protocols {protocol};"));
        let openssl = site.openssl(&[&protocol
            .to_lowercase()
            .replace("v1.", "1_")
            .replace("tls", "-tls")]);
        for options in [site.trusting(), only(version)] {
            let came = handshake(&by(options), nginx.url("wss")).await;
            assert_eq!(came.tls.expect("TLS").version, version);
        }
        for server in [&nginx, &openssl] {
            let error = fails(&by(only(other)), server.url("wss")).await;
            assert_eq!(error.tls(), Some(&TlsFailure::Version), "{error}");
            let sentence = format!("speaks no such version of TLS: only {other} is allowed here");
            assert!(error.to_string().contains(&sentence), "{error}");
        }
    }
    let old = site.openssl(&["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"]);
    let error = fails(&by(site.trusting()), old.url("wss")).await;
    assert_eq!(error.tls(), Some(&TlsFailure::Version), "{error}");
    assert!(
        error.to_string().contains("TLS 1.2 to TLS 1.3 are allowed"),
        "{error}"
    );
}

/// The pin by the command that the documentation of `Pin` gives.
fn pin_of(pair: &Pair) -> Pin {
    let command = format!(
        "openssl x509 -in {} -pubkey -noout | openssl pkey -pubin -outform der | openssl dgst -sha256 -binary | base64",
        pair.cert()
    );
    let shell = Program::system("sh").args(["-c", &command]).finish("");
    let base64 = shell.with_code(0).out();
    format!("sha256//{}", base64.trim()).parse().expect("a pin")
}

#[tokio::test]
async fn pins() {
    let site = Site::new();
    let nginx = site.nginx("");
    let url = nginx.url("wss");
    let right = pin_of(&site.server);
    let wrong = Pin::new([7; 32]);
    let any = TlsOptions::new().insecure(true);

    for options in [
        site.trusting().pin(right),
        site.trusting().pin(wrong).pin(right),
        any.clone().pin(right),
    ] {
        let tls = handshake(&by(options), url.clone()).await.tls.expect("TLS");
        assert!(tls.pinned);
        assert_eq!(tls.pin(), Some(right));
    }
    for options in [site.trusting().pin(wrong), any.pin(wrong)] {
        for server in [&nginx, &site.openssl(&[])] {
            let error = fails(&by(options.clone()), server.url("wss")).await;
            assert_eq!(error.tls(), Some(&TlsFailure::OtherKey { came: right }));
            let sentence = format!("its key is not pinned, it is {right}");
            assert!(error.to_string().ends_with(&sentence), "{error}");
        }
    }
    // A pin stands beside the chain, not instead of it.
    let error = fails(&by(TlsOptions::new().pin(right)), url).await;
    assert_eq!(error.tls(), Some(&TlsFailure::UnknownIssuer), "{error}");
}

#[tokio::test]
async fn names() {
    let site = Site::new();
    // nginx says which name it was told.
    let nginx = site
        .nginx("if ($ssl_server_name != chat.example) { return 403 \"name: $ssl_server_name\"; }");
    let url = nginx.url("wss");
    let named = |name| site.trusting().server_name(name).expect("a name");
    let came = handshake(&by(named("chat.example")), url.clone()).await;
    assert_eq!(came.tls.expect("TLS").server_name, "chat.example");

    let refusals = [
        (site.trusting(), "localhost", "name: localhost"),
        // An address is no name (RFC 6066 section 3).
        (site.trusting(), "127.0.0.1", "name: "),
        (
            named("chat.example").send_server_name(false),
            "localhost",
            "name: ",
        ),
    ];
    for (options, host, told) in refusals {
        let error = fails(&by(options), url.replace("127.0.0.1", host)).await;
        let refusal = error.refusal().unwrap_or_else(|| panic!("{error}"));
        assert_eq!(String::from_utf8_lossy(&refusal.body), told);
    }
    let error = fails(&by(named("d.example")), url).await;
    assert!(
        matches!(error.tls(), Some(TlsFailure::WrongName { presented }) if presented.len() == 3),
        "{error}"
    );
    let strict = site.nginx("ssl_reject_handshake on;");
    let error = fails(&by(named("chat.example")), strict.url("wss")).await;
    assert_eq!(error.tls(), Some(&TlsFailure::UnknownName), "{error}");
}

#[tokio::test]
async fn protocols() {
    let site = Site::new();
    let nginx = site.nginx("");
    let offering = |protocols: &[&str]| {
        let protocols = protocols.iter().map(|name| name.as_bytes());
        by(site.trusting().alpn(protocols))
    };
    for (offered, agreed) in [(&["foo", "http/1.1"][..], Some("http/1.1")), (&[], None)] {
        let came = handshake(&offering(offered), nginx.url("wss")).await;
        assert_eq!(came.tls.expect("TLS").alpn.as_deref(), agreed);
    }
    for server in [&nginx, &site.openssl(&["-alpn", "bar"])] {
        let error = fails(&offering(&["foo"]), server.url("wss")).await;
        assert_eq!(error.tls(), Some(&TlsFailure::Alpn), "{error}");
    }
    // A protocol that was offered, but that this connector may not speak.
    let server = site.openssl(&["-alpn", "h2"]);
    let error = fails(&offering(&["h2", "http/1.1"]), server.url("wss")).await;
    assert_eq!(error.kind(), ErrorKind::Http2, "{error}");
    assert!(error.to_string().contains("chose HTTP/2"), "{error}");
}

#[tokio::test]
async fn something_that_is_not_tls() {
    let nginx = Counterpart::nginx("listen 127.0.0.1:{port}; return 404;");
    let error = fails(&Connector::new(), nginx.url("wss")).await;
    assert_eq!(error.tls(), Some(&TlsFailure::NotTls), "{error}");
    assert!(error.to_string().contains("it may want `ws:`"), "{error}");
}

/// Every form in which a client's certificate and its key come.
struct Forms {
    _folder: tempfile::TempDir,
    cert: Vec<u8>,
    key: Vec<u8>,
    /// PKCS#8, with what openssl encrypts by default, by scrypt, and as it was done before.
    encrypted: Vec<Vec<u8>>,
    /// The way before that.
    ancient: Vec<u8>,
    /// As openssl writes it now, and as it did before, in RC2 and 3DES.
    pkcs12: Vec<Vec<u8>>,
    /// Encrypted by what is not known here.
    odd_pkcs12: Vec<u8>,
}

const PASSPHRASE: &str = "correct horse";

impl Forms {
    fn of(pair: &Pair, authority: &Authority) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name).display().to_string();
        let pass = format!("pass:{PASSPHRASE}");
        let encrypted = [
            &[][..],
            &["-scrypt"],
            &["-v2", "des3", "-v2prf", "hmacWithSHA1"],
        ];
        let encrypted = encrypted.map(|how| {
            let out = path("encrypted.key");
            let arguments = [
                "pkcs8",
                "-topk8",
                "-in",
                &pair.key(),
                "-out",
                &out,
                "-passout",
                &pass,
            ];
            openssl(&[&arguments, how].concat());
            read(out.as_ref())
        });
        let ancient = path("ancient.key");
        openssl(&[
            "ec",
            "-aes256",
            "-in",
            &pair.key(),
            "-out",
            &ancient,
            "-passout",
            &pass,
        ]);
        let pkcs12 = |how: &[&str]| {
            let (out, root) = (path("both.p12"), authority.cert().display().to_string());
            let (cert, key) = (pair.cert(), pair.key());
            let arguments = [
                "pkcs12",
                "-export",
                "-in",
                &cert,
                "-inkey",
                &key,
                "-certfile",
                &root,
                "-out",
                &out,
                "-passout",
                &pass,
            ];
            openssl(&[&arguments, how].concat());
            read(out.as_ref())
        };
        Self {
            cert: read(&pair.cert),
            key: read(&pair.key),
            encrypted: encrypted.into(),
            ancient: read(ancient.as_ref()),
            pkcs12: vec![pkcs12(&[]), pkcs12(&["-legacy"])],
            odd_pkcs12: pkcs12(&["-legacy", "-keypbe", "PBE-SHA1-RC4-128"]),
            _folder: folder,
        }
    }
}

#[tokio::test]
async fn a_client_certificate_in_every_form() {
    let site = Site::new();
    let me = site.authority.issue("me", &Leaf::client("me"));
    let forms = Forms::of(&me, &site.authority);
    let nginx = site.nginx(&format!(
        "ssl_client_certificate {}; ssl_verify_client on;",
        site.authority.cert().display()
    ));
    let mut identities = vec![
        Identity::from_pem(&forms.cert, &forms.key),
        Identity::from_pem_encrypted(&forms.cert, &forms.key, "not needed"),
    ];
    for key in &forms.encrypted {
        identities.push(Identity::from_pem_encrypted(&forms.cert, key, PASSPHRASE));
    }
    for both in &forms.pkcs12 {
        identities.push(Identity::from_pkcs12(both, PASSPHRASE));
    }
    for identity in identities {
        let options = site.trusting().identity(identity.expect("an identity"));
        let came = handshake(&by(options), nginx.url("wss")).await;
        assert!(came.tls.expect("TLS").client_certificate_wanted);
    }
    // nginx finishes the handshake, and says in HTTP what it wants.
    let error = fails(&by(site.trusting()), nginx.url("wss")).await;
    let refusal = error.refusal().expect("an answer");
    assert_eq!(refusal.response.status, 400);
    let body = String::from_utf8_lossy(&refusal.body);
    assert!(
        body.contains("No required SSL certificate was sent"),
        "{body}"
    );
}

#[test]
fn a_client_certificate_that_cannot_be_used() {
    let authority = Authority::new("an authority");
    let forms = Forms::of(&authority.issue("me", &Leaf::client("me")), &authority);
    let other = read(&authority.issue("other", &Leaf::client("other")).key);
    let (cert, key) = (&forms.cert[..], &forms.key[..]);
    let mut cases = vec![
        (
            Identity::from_pem(cert, &other),
            "does not fit the certificate",
        ),
        (Identity::from_pem(cert, cert), "there is no private key"),
        (Identity::from_pem(key, key), "there is no certificate"),
        (
            Identity::from_pem(cert, &forms.encrypted[0]),
            "is encrypted, and wants its passphrase",
        ),
        (
            Identity::from_pem(cert, &forms.ancient),
            "`openssl pkcs8 -topk8 ",
        ),
        (
            Identity::from_pem_encrypted(cert, &forms.ancient, PASSPHRASE),
            "`openssl pkcs8 -topk8 ",
        ),
        (
            Identity::from_pkcs12(&forms.odd_pkcs12, PASSPHRASE),
            "`openssl pkcs12 -legacy ",
        ),
        (
            Identity::from_pkcs12(key, PASSPHRASE),
            "the PKCS#12 file cannot be read",
        ),
    ];
    for key in &forms.encrypted {
        let wrong = Identity::from_pem_encrypted(cert, key, "wrong");
        cases.push((wrong, "the passphrase of the private key is wrong"));
    }
    for both in &forms.pkcs12 {
        let wrong = Identity::from_pkcs12(both, "wrong");
        cases.push((wrong, "the passphrase of the PKCS#12 file is wrong"));
    }
    for (identity, sentence) in cases {
        let error = identity.expect_err(sentence);
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().contains(sentence), "{error}");
        let shown = format!("{error:?}");
        assert!(!shown.contains(PASSPHRASE), "{shown}");
    }
}

/// By the command that the error names, what is too old can be used.
#[test]
fn what_is_converted_can_be_used() {
    let authority = Authority::new("an authority");
    let forms = Forms::of(&authority.issue("me", &Leaf::client("me")), &authority);
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).display().to_string();
    let pass = format!("pass:{PASSPHRASE}");
    fs::write(path("old"), &forms.ancient).expect("it is written");
    openssl(&[
        "pkcs8",
        "-topk8",
        "-in",
        &path("old"),
        "-out",
        &path("new"),
        "-passin",
        &pass,
        "-passout",
        &pass,
    ]);
    let new = read(path("new").as_ref());
    let _ = Identity::from_pem_encrypted(&forms.cert, &new, PASSPHRASE).expect("an identity");

    fs::write(path("old"), &forms.odd_pkcs12).expect("it is written");
    openssl(&[
        "pkcs12",
        "-legacy",
        "-in",
        &path("old"),
        "-nodes",
        "-passin",
        &pass,
        "-out",
        &path("between"),
    ]);
    openssl(&[
        "pkcs12",
        "-export",
        "-in",
        &path("between"),
        "-out",
        &path("new"),
        "-passout",
        &pass,
    ]);
    let _ = Identity::from_pkcs12(&read(path("new").as_ref()), PASSPHRASE).expect("an identity");
}

#[tokio::test]
async fn a_server_that_wants_another_client_certificate() {
    let site = Site::new();
    let other = Authority::new("another");
    let stranger = other.issue("me", &Leaf::client("me"));
    let old = site
        .authority
        .issue("old", &Leaf::client("me").valid(-3, -1));
    let identity = |pair: &Pair| {
        let identity = Identity::from_pem(&read(&pair.cert), &read(&pair.key));
        site.trusting().identity(identity.expect("an identity"))
    };
    let root = site.authority.cert().display().to_string();
    for version in ["-tls1_2", "-tls1_3"] {
        let server = || {
            site.openssl(&[
                "-CAfile",
                &root,
                "-Verify",
                "1",
                "-verify_return_error",
                version,
            ])
        };
        let cases = [
            (
                site.trusting(),
                TlsFailure::ClientCertificateRequired,
                "wants a client certificate, and got none",
            ),
            (
                identity(&stranger),
                TlsFailure::ClientCertificateRefused,
                "does not take the client certificate: it is signed by nobody that the server knows",
            ),
            (
                identity(&old),
                TlsFailure::ClientCertificateRefused,
                "does not take the client certificate: it has expired",
            ),
        ];
        for (options, failure, sentence) in cases {
            let error = fails(&by(options), server().url("wss")).await;
            assert_eq!(error.kind(), ErrorKind::Tls, "{version}: {error}");
            assert_eq!(error.tls(), Some(&failure), "{version}: {error}");
            assert!(error.to_string().contains(sentence), "{version}: {error}");
        }
        let me = site.authority.issue("me", &Leaf::client("me"));
        let came = opened(server(), &by(identity(&me))).await.expect("a way");
        assert!(came.tls.expect("TLS").client_certificate_wanted);
    }
}
