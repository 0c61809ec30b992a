//! The same over TLS, with certificates made for the test.

mod common;

use common::{Server, ms, quiet, script, soon};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use wiretalk_net::{
    Blame, CloseCode, Config, Connector, Error, ErrorKind, Event, Message, Request, TlsOptions,
    WebSocket,
    server::{Listener, Reply, ServeOptions, TlsConfig, serve_connection},
};

/// A root, and a certificate for `localhost` from it: root, certificate, key, each as PEM.
fn certificates() -> (String, String, String) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["localhost".to_owned()])
        .unwrap()
        .signed_by(&key, &root)
        .unwrap();
    (root.pem(), certificate.pem(), key.serialize_pem())
}

fn trusting(root: &str) -> Connector {
    let tls = TlsOptions::new()
        .root_certificates(root.as_bytes())
        .unwrap();
    Connector::new().tls(tls)
}

fn believing_any() -> Connector {
    Connector::new().tls(TlsOptions::new().insecure(true))
}

struct Site {
    server: Server,
    root: String,
}

impl Site {
    async fn start() -> Self {
        let (root, certificate, key) = certificates();
        let tls = TlsConfig::from_pem(certificate.as_bytes(), key.as_bytes()).unwrap();
        Self {
            server: Server::with_tls(quiet(), Some(tls)).await,
            root,
        }
    }

    async fn dial(&self, connector: Connector, host: &str) -> Result<WebSocket, Error> {
        let url = format!("wss://{host}:{}/", self.server.address.port());
        let dialed = soon(connector.config(quiet()).connect(&Request::new(url))).await;
        dialed.map(|(socket, _)| socket)
    }
}

/// Echoes a small and a large message, then closes.
async fn talk(mut client: WebSocket, server: WebSocket) {
    let (sender, mut receiver) = server.split();
    let echo = tokio::spawn(async move {
        while let Some(message) = receiver.recv().await {
            sender.send(message.unwrap()).await.unwrap();
        }
    });
    for message in [Message::from("hello"), Message::from(vec![7; 100_000])] {
        client.send(message.clone()).await.unwrap();
        assert!(soon(client.recv()).await.unwrap().unwrap() == message);
    }
    client.close(CloseCode::NORMAL, "").await.unwrap();
    assert!(matches!(
        soon(client.next_event()).await.unwrap(),
        Some(Event::Close(Some(_)))
    ));
    assert_eq!(soon(client.next_event()).await.unwrap(), None);
    soon(echo).await.unwrap();
}

#[tokio::test]
async fn with_a_root_of_ones_own() {
    let mut site = Site::start().await;
    let connector = trusting(&site.root);
    let client = site.dial(connector, "localhost").await.unwrap();
    let server = site.server.next().await;
    talk(client, server).await;
}

#[tokio::test]
async fn with_any_certificate() {
    let mut site = Site::start().await;
    let client = site.dial(believing_any(), "127.0.0.1").await.unwrap();
    let server = site.server.next().await;
    talk(client, server).await;
}

#[tokio::test]
async fn a_certificate_of_an_unknown_root_is_refused() {
    let site = Site::start().await;
    let error = site.dial(Connector::new(), "localhost").await.unwrap_err();
    assert_eq!((error.kind(), error.blame()), (ErrorKind::Tls, Blame::Peer));
    let why = "is not trusted: it is signed by nobody that is known here";
    assert!(error.to_string().contains(why), "{error}");
}

#[tokio::test]
async fn a_server_that_wants_tls() {
    let site = Site::start().await;
    let url = format!("ws://{}/", site.server.address);
    let error = soon(Connector::new().connect(&Request::new(url)))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Handshake);
    assert!(error.to_string().contains("it may want `wss:`"), "{error}");
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused() {
    let site = Site::start().await;
    let connector = trusting(&site.root);
    let error = site.dial(connector, "127.0.0.1").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Tls);
    let why = "is not trusted: it is for localhost, not for 127.0.0.1";
    assert!(error.to_string().contains(why), "{error}");
}

#[tokio::test]
async fn a_server_without_tls() {
    let server = Server::start(quiet()).await;
    let url = format!("wss://{}/", server.address);
    let error = soon(believing_any().connect(&Request::new(url)))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Tls);
    assert_eq!(
        error.to_string(),
        format!(
            "{} does not speak TLS; it may want `ws:` instead of `wss:`",
            server.address
        )
    );
}

#[tokio::test]
async fn a_server_that_hangs_in_the_tls_handshake() {
    let (address, played) = script(async |mut stream| {
        // Until the client leaves.
        while stream.read(&mut [0; 1024]).await.is_ok_and(|read| read > 0) {}
    })
    .await;
    let config = Config {
        handshake_timeout: ms(100),
        ..Config::default()
    };
    let connector = believing_any().config(config);
    let error = soon(connector.connect(&Request::new(format!("wss://{address}/"))))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert_eq!(
        error.to_string(),
        format!("{address} did not finish the TLS handshake within 100ms")
    );
    soon(played).await.unwrap();
}

#[tokio::test]
async fn a_client_that_does_not_get_through_the_tls_handshake() {
    let (_, certificate, key) = certificates();
    let tls = TlsConfig::from_pem(certificate.as_bytes(), key.as_bytes()).unwrap();
    let listener = Listener::bind("127.0.0.1:0", Some(tls)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let options = ServeOptions {
        handshake_timeout: ms(50),
        ..ServeOptions::default()
    };
    let refuse = async |_| Reply::new(404);

    let mut plain = TcpStream::connect(address).await.unwrap();
    plain
        .write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await
        .unwrap();
    let served = serve_connection(listener.accept().await.unwrap(), options.clone(), refuse);
    assert_eq!(soon(served).await.unwrap_err().kind(), ErrorKind::Tls);

    let _silent = TcpStream::connect(address).await.unwrap();
    let served = serve_connection(listener.accept().await.unwrap(), options.clone(), refuse);
    assert_eq!(soon(served).await.unwrap_err().kind(), ErrorKind::Timeout);

    drop(TcpStream::connect(address).await.unwrap());
    let served = serve_connection(listener.accept().await.unwrap(), options, refuse);
    soon(served)
        .await
        .expect("a client that comes and goes is no error");
}

#[tokio::test]
async fn an_abort_is_a_reset_over_tls_too() {
    let mut site = Site::start().await;
    let mut client = site.dial(believing_any(), "localhost").await.unwrap();
    site.server.next().await.abort();
    assert_eq!(
        soon(client.next_event()).await.unwrap_err().kind(),
        ErrorKind::Reset
    );
}

#[test]
fn pem_texts_that_hold_nothing_of_use() {
    let (_, certificate, key) = certificates();
    let (_, _, other_key) = certificates();
    let cases = [
        ("", key.as_str(), "no certificate"),
        (certificate.as_str(), "", "private key"),
        (
            "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n",
            key.as_str(),
            "PEM",
        ),
        (
            certificate.as_str(),
            other_key.as_str(),
            "not that of the certificate",
        ),
    ];
    for (certificate, key, sentence) in cases {
        let error = TlsConfig::from_pem(certificate.as_bytes(), key.as_bytes()).unwrap_err();
        assert_eq!(
            (error.kind(), error.blame()),
            (ErrorKind::InvalidInput, Blame::Us)
        );
        assert!(error.to_string().contains(sentence), "{error}");
    }
    let error = TlsOptions::new().root_certificates(b"nothing").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
}
