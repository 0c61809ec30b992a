//! Servers behind proxies: HTTP's CONNECT and SOCKS5, each with all that they may answer.

mod common;

use std::{error::Error as _, net::SocketAddr, sync::Arc};

use common::{Server, header, ms, quiet, read_head, script, soon};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{ServerConfig, crypto::ring};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream},
    sync::oneshot,
    task::JoinHandle,
};
use tokio_rustls::TlsAcceptor;
use wiretalk_net::{
    Blame, Config, Connector, Error, ErrorKind, Handshake, Pin, Proxies, Proxy, ProxyFailure,
    Request, TlsOptions, WebSocket, server::TlsConfig,
};

fn through(proxy: &str) -> Connector {
    let proxy: Proxy = proxy.parse().unwrap();
    Connector::new().config(quiet()).proxies(proxy)
}

async fn dial(connector: &Connector, url: &str) -> Result<(WebSocket, Handshake), Error> {
    soon(connector.connect(&Request::new(url))).await
}

/// An HTTP proxy for one client, that makes a tunnel to where it is asked for, and gives the head of that request.
async fn http_proxy() -> (SocketAddr, JoinHandle<String>) {
    script(async |mut client| {
        let head = read_head(&mut client).await;
        let target = head.split_whitespace().nth(1).unwrap().to_owned();
        let mut server = TcpStream::connect(target).await.unwrap();
        client
            .write_all(b"HTTP/1.1 200 Connection established\r\nVia: test\r\n\r\n")
            .await
            .unwrap();
        let _ = copy_bidirectional(&mut client, &mut server).await;
        head
    })
    .await
}

/// Reads the request of a SOCKS5 client to the end: the host, and the port.
async fn socks_request(client: &mut TcpStream) -> (String, u16) {
    let mut begin = [0; 4];
    client.read_exact(&mut begin).await.unwrap();
    assert_eq!(begin[..3], [5, 1, 0]);
    let host = match begin[3] {
        1 => std::net::Ipv4Addr::from(client.read_u32().await.unwrap()).to_string(),
        4 => std::net::Ipv6Addr::from(client.read_u128().await.unwrap()).to_string(),
        3 => {
            let mut name = vec![0; usize::from(client.read_u8().await.unwrap())];
            client.read_exact(&mut name).await.unwrap();
            String::from_utf8(name).unwrap()
        }
        other => panic!("a kind of address {other}"),
    };
    (host, client.read_u16().await.unwrap())
}

/// Reads the methods that a SOCKS5 client offers.
async fn socks_methods(client: &mut TcpStream) -> Vec<u8> {
    assert_eq!(client.read_u8().await.unwrap(), 5);
    let mut methods = vec![0; usize::from(client.read_u8().await.unwrap())];
    client.read_exact(&mut methods).await.unwrap();
    methods
}

/// Reads a user name and a password.
async fn socks_password(client: &mut TcpStream) -> (String, String) {
    assert_eq!(client.read_u8().await.unwrap(), 1);
    let mut texts = Vec::new();
    for _ in 0..2 {
        let mut text = vec![0; usize::from(client.read_u8().await.unwrap())];
        client.read_exact(&mut text).await.unwrap();
        texts.push(String::from_utf8(text).unwrap());
    }
    let password = texts.pop().unwrap();
    (texts.pop().unwrap(), password)
}

/// A SOCKS5 proxy for one client, that connects to `server` whatever it is asked for. Gives what was asked for.
async fn socks_proxy(
    server: SocketAddr,
    password: Option<(&'static str, &'static str)>,
) -> (SocketAddr, JoinHandle<(String, u16)>) {
    script(async move |mut client| {
        let methods = socks_methods(&mut client).await;
        if let Some((user, word)) = password {
            assert!(methods.contains(&2));
            client.write_all(&[5, 2]).await.unwrap();
            let (came_user, came_word) = socks_password(&mut client).await;
            assert_eq!((came_user.as_str(), came_word.as_str()), (user, word));
            client.write_all(&[1, 0]).await.unwrap();
        } else {
            assert_eq!(methods, [0]);
            client.write_all(&[5, 0]).await.unwrap();
        }
        let asked = socks_request(&mut client).await;
        let mut server = TcpStream::connect(server).await.unwrap();
        // The answer comes in pieces, and its address is a name.
        for piece in [&b"\x05\x00"[..], b"\x00\x03\x04na", b"me\x00\x50"] {
            client.write_all(piece).await.unwrap();
            client.flush().await.unwrap();
        }
        let _ = copy_bidirectional(&mut client, &mut server).await;
        asked
    })
    .await
}

/// A message goes there and back; then the connection ends.
async fn talk(mut client: WebSocket, mut server: WebSocket) {
    client.send("hello").await.unwrap();
    let came = soon(server.recv()).await.unwrap().unwrap();
    server.send(came).await.unwrap();
    let back = soon(client.recv()).await.unwrap().unwrap();
    assert_eq!(back.as_text(), Some("hello"));
}

#[tokio::test]
async fn a_tunnel_of_http() {
    for (credentials, expected) in [("", None), ("me:s%20cret@", Some("Basic bWU6cyBjcmV0"))] {
        let mut server = Server::start(quiet()).await;
        let (proxy, played) = http_proxy().await;
        let connector = through(&format!("http://{credentials}{proxy}"));
        let (client, handshake) = dial(&connector, &server.url()).await.unwrap();
        assert_eq!(client.peer_addr(), Some(proxy));
        let timings = handshake.timings;
        assert!(timings.proxy.is_some() && timings.tcp.is_some() && timings.tls.is_none());
        assert!(timings.total >= timings.proxy.unwrap() + timings.upgrade);
        talk(client, server.next().await).await;
        let head = soon(played).await.unwrap();
        let expected_head = format!("CONNECT {0} HTTP/1.1\r\nHost: {0}\r\n", server.address);
        assert!(head.starts_with(&expected_head), "{head}");
        assert_eq!(header(&head, "Proxy-Authorization"), expected);
    }
}

#[tokio::test]
async fn a_tunnel_of_socks() {
    // The proxy, who is dialed, what the proxy is asked for.
    let cases = [
        ("socks5://", None, "127.0.0.1", "127.0.0.1"),
        ("socks5h://", None, "example.invalid", "example.invalid"),
        ("socks5h://", None, "[::1]", "::1"),
        (
            "socks5h://me:secret@",
            Some(("me", "secret")),
            "a.invalid",
            "a.invalid",
        ),
        ("socks5://me@", Some(("me", "")), "127.0.0.1", "127.0.0.1"),
    ];
    for (proxy_url, password, host, asked) in cases {
        let mut server = Server::start(quiet()).await;
        let (proxy, played) = socks_proxy(server.address, password).await;
        let connector = through(&format!("{proxy_url}{proxy}"));
        let port = server.address.port();
        let (client, handshake) = dial(&connector, &format!("ws://{host}:{port}/"))
            .await
            .unwrap_or_else(|error| panic!("{proxy_url} {host}: {error}"));
        assert!(handshake.timings.proxy.is_some());
        talk(client, server.next().await).await;
        assert_eq!(soon(played).await.unwrap(), (asked.to_owned(), port));
    }
}

#[tokio::test]
async fn names_are_resolved_here_for_socks5() {
    // And each of their addresses is asked for in turn.
    let server = Server::start(quiet()).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = listener.local_addr().unwrap();
    let address = server.address;
    let played = tokio::spawn(async move {
        let mut asked = Vec::new();
        for reply in [4, 0] {
            let (mut client, _) = listener.accept().await.unwrap();
            socks_methods(&mut client).await;
            client.write_all(&[5, 0]).await.unwrap();
            asked.push(socks_request(&mut client).await);
            client
                .write_all(&[5, reply, 0, 1, 0, 0, 0, 0, 0, 0])
                .await
                .unwrap();
            if reply == 0 {
                let mut server = TcpStream::connect(address).await.unwrap();
                let _ = copy_bidirectional(&mut client, &mut server).await;
            }
        }
        asked
    });
    let port = address.port();
    let known = format!("two.example:{port}:[::5],127.0.0.1");
    let connector = through(&format!("socks5://{proxy}")).resolve(known.parse().unwrap());
    let (client, _) = dial(&connector, &format!("ws://two.example:{port}/"))
        .await
        .unwrap();
    client.abort();
    let expected = [("::5".to_owned(), port), ("127.0.0.1".to_owned(), port)];
    assert_eq!(soon(played).await.unwrap(), expected);
}

#[tokio::test]
async fn who_is_excepted_is_dialed_directly() {
    let mut server = Server::start(quiet()).await;
    let proxies = Proxies::all("http://127.0.0.1:1".parse().unwrap());
    let connector = Connector::new().config(quiet());
    let direct = connector
        .clone()
        .proxies(proxies.clone().except("127.0.0.0/8".parse().unwrap()));
    let (client, handshake) = dial(&direct, &server.url()).await.unwrap();
    assert_eq!(handshake.timings.proxy, None);
    talk(client, server.next().await).await;
    // Loopback is nothing special.
    let error = dial(&connector.proxies(proxies), &server.url())
        .await
        .unwrap_err();
    assert_eq!(error.proxy_failure(), Some(ProxyFailure::Unreachable));
}

#[tokio::test]
async fn connect_to_names_the_target_to_the_proxy() {
    let mut server = Server::start(quiet()).await;
    let (proxy, played) = http_proxy().await;
    let other = format!("example.invalid:80:{}", server.address);
    let connector = through(&format!("http://{proxy}")).connect_to(other.parse().unwrap());
    let (client, _) = dial(&connector, "ws://example.invalid/").await.unwrap();
    talk(client, server.next().await).await;
    let head = soon(played).await.unwrap();
    assert!(
        head.starts_with(&format!("CONNECT {} ", server.address)),
        "{head}"
    );
}

#[tokio::test]
async fn a_proxy_that_cannot_be_reached() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    for scheme in ["http", "https", "socks5", "socks5h"] {
        let connector = through(&format!("{scheme}://me:secret@{address}"));
        let error = dial(&connector, "ws://127.0.0.1:9/").await.unwrap_err();
        assert_eq!(
            (error.kind(), error.blame(), error.proxy_failure()),
            (
                ErrorKind::Proxy,
                Blame::Network,
                Some(ProxyFailure::Unreachable)
            )
        );
        assert_eq!(
            error.to_string(),
            format!(
                "the proxy {scheme}://{address} cannot be reached: {address} refused the connection"
            )
        );
        let source = error.source().unwrap().downcast_ref::<Error>().unwrap();
        assert_eq!(source.kind(), ErrorKind::Refused);
        assert!(!format!("{error:?}").contains("secret"));
    }
    let error = dial(&through("http://nope.invalid"), "ws://a/")
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "the proxy http://nope.invalid:80 cannot be reached: cannot resolve the host name `nope.invalid`"
    );
}

/// An HTTP proxy that answers with these bytes, and what the error says of it.
#[tokio::test]
async fn what_an_http_proxy_may_answer() {
    use ProxyFailure::{Authentication, Denied, Protocol, Target};
    let cases: [(&str, &'static str, ProxyFailure, &str); 12] = [
        (
            "me:secret@",
            "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=x\r\nContent-Length: 2\r\n\r\nno",
            Authentication,
            "that it was given: it answered 401 Unauthorized; it takes Basic",
        ),
        (
            "",
            "HTTP/1.1 407 Auth\r\nProxy-Authenticate: Basic realm=\"a, b\", Digest nonce=\"c\", qop=auth\r\n\
             Proxy-Authenticate: Negotiate\r\nContent-Length: 2\r\n\r\nno",
            Authentication,
            "wants a user name and a password: it answered 407 Auth; it takes Basic, Digest, Negotiate",
        ),
        (
            "me:secret@",
            "HTTP/1.1 407 Auth\r\nContent-Length: 2\r\n\r\nno",
            Authentication,
            "does not take the user name and the password that it was given: it answered 407 Auth",
        ),
        (
            "",
            "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno",
            Denied,
            "will not connect to 127.0.0.1:9: it answered 403 Forbidden",
        ),
        (
            "",
            "HTTP/1.0 502\r\n\r\nno",
            Target,
            "could not connect to 127.0.0.1:9: it answered 502",
        ),
        (
            "",
            "HTTP/1.1 302 Found\r\nLocation: /login\r\nContent-Length: 2\r\n\r\nno",
            Denied,
            "will not connect to 127.0.0.1:9: it answered 302 Found",
        ),
        ("", "", Protocol, "ended the stream without an answer"),
        (
            "",
            "HTTP/1.1 200 O",
            Protocol,
            "ended the stream in the middle of its answer",
        ),
        (
            "",
            "HTTP/1.1 200 OK\r\n\r\nhello",
            Protocol,
            "sent 5 bytes behind its answer",
        ),
        (
            "",
            "SSH-2.0-OpenSSH_9.9\r\n\r\n",
            Protocol,
            "does not answer as an HTTP proxy: not an HTTP/1 head",
        ),
        ("", "\x05\u{7f}", Protocol, "it may want socks5://"),
        (
            "",
            "\x15\x03\x01\x00\x02\x02\x32",
            Protocol,
            "it may want https://",
        ),
    ];
    for (credentials, answer, failure, why) in cases {
        let (proxy, played) = script(async move |mut client| {
            read_head(&mut client).await;
            client.write_all(answer.as_bytes()).await.unwrap();
        })
        .await;
        let connector = through(&format!("http://{credentials}{proxy}"));
        let error = dial(&connector, "ws://127.0.0.1:9/").await.unwrap_err();
        let sentence = error.to_string();
        assert_eq!(
            (error.kind(), error.proxy_failure()),
            (ErrorKind::Proxy, Some(failure)),
            "{sentence}"
        );
        let begin = format!("the proxy http://{proxy} ");
        assert!(sentence.starts_with(&begin), "{sentence}");
        assert!(sentence.contains(why), "{sentence}");
        assert!(!sentence.contains("secret"), "{sentence}");
        // The answer is kept, and is not taken for the server's.
        assert!(error.refusal().is_none());
        let refused = failure != Protocol;
        assert_eq!(error.proxy_answer().is_some(), refused, "{sentence}");
        if let Some(answer) = error.proxy_answer() {
            assert_eq!(&answer.body[..], b"no");
        }
        let blame = match failure {
            Authentication => Blame::Us,
            _ => Blame::Network,
        };
        assert_eq!(error.blame(), blame);
        played.await.unwrap();
    }
}

#[tokio::test]
async fn what_a_socks_proxy_may_reply() {
    use ProxyFailure::{Denied, Protocol, Target};
    let cases = [
        (1, Target, "it failed, and does not say why (SOCKS reply 1)"),
        (2, Denied, "its rules do not allow it"),
        (3, Target, "the network cannot be reached"),
        (4, Target, "the host cannot be reached or resolved"),
        (5, Target, "the connection was refused"),
        (6, Target, "the time to live was over"),
        (7, Protocol, "it does not know the command CONNECT"),
        (8, Target, "it does not know this kind of address"),
        (77, Protocol, "(SOCKS reply 77)"),
    ];
    for (reply, failure, why) in cases {
        let (proxy, played) = script(async move |mut client| {
            socks_methods(&mut client).await;
            client.write_all(&[5, 0]).await.unwrap();
            socks_request(&mut client).await;
            client.write_all(&[5, reply, 0, 1]).await.unwrap();
        })
        .await;
        let connector = through(&format!("socks5h://{proxy}"));
        let error = dial(&connector, "ws://a.invalid:9/").await.unwrap_err();
        let sentence = error.to_string();
        let begin = format!("the proxy socks5h://{proxy} could not connect to a.invalid:9: ");
        assert!(sentence.starts_with(&begin), "{sentence}");
        assert!(sentence.contains(why), "{sentence}");
        assert_eq!(error.proxy_failure(), Some(failure), "{sentence}");
        played.await.unwrap();
    }
}

#[tokio::test]
async fn socks_proxies_that_fail_before_that() {
    use ProxyFailure::{Authentication, Protocol};
    type Bytes = &'static [u8];
    // The credentials, what the proxy says to the methods and then to the password, and what comes of it.
    let cases: [(&str, Bytes, Bytes, ProxyFailure, &str); 9] = [
        (
            "",
            b"\x05\xff",
            b"",
            Authentication,
            "wants a user name and a password",
        ),
        (
            "me:secret@",
            b"\x05\xff",
            b"",
            Authentication,
            "takes neither a user name with a password nor none",
        ),
        (
            "me:secret@",
            b"\x05\x02",
            b"\x01\x01",
            Authentication,
            "does not take the user name and the password",
        ),
        ("", b"\x05\x02", b"", Protocol, "was not offered (2)"),
        (
            "me:secret@",
            b"\x05\x01",
            b"",
            Protocol,
            "was not offered (1)",
        ),
        ("", b"\x04\x00", b"", Protocol, "does not speak SOCKS5"),
        (
            "",
            b"HTTP/1.1 400\r\n\r\n",
            b"",
            Protocol,
            "may want http://",
        ),
        (
            "",
            b"\x05",
            b"",
            Protocol,
            "ended the stream in the SOCKS handshake",
        ),
        (
            "",
            b"",
            b"",
            Protocol,
            "ended the stream in the SOCKS handshake",
        ),
    ];
    for (credentials, method, status, failure, why) in cases {
        let (proxy, played) = script(async move |mut client| {
            socks_methods(&mut client).await;
            client.write_all(method).await.unwrap();
            if !status.is_empty() {
                socks_password(&mut client).await;
                client.write_all(status).await.unwrap();
            }
        })
        .await;
        let connector = through(&format!("socks5h://{credentials}{proxy}"));
        let error = dial(&connector, "ws://a.invalid:9/").await.unwrap_err();
        let sentence = error.to_string();
        assert!(sentence.contains(why), "{method:?}: {sentence}");
        assert_eq!(error.proxy_failure(), Some(failure), "{sentence}");
        assert!(!sentence.contains("secret"), "{sentence}");
        played.await.unwrap();
    }
}

#[tokio::test]
async fn proxies_that_hang() {
    for scheme in ["http", "https", "socks5h"] {
        let (proxy, played) = script(async |mut client| {
            // Until the client leaves.
            let mut rest = Vec::new();
            client.read_to_end(&mut rest).await
        })
        .await;
        let connector = through(&format!("{scheme}://{proxy}")).config(Config {
            handshake_timeout: ms(100),
            ..quiet()
        });
        let error = dial(&connector, "ws://a.invalid:9/").await.unwrap_err();
        assert_eq!(
            error.proxy_failure(),
            Some(ProxyFailure::Timeout),
            "{error}"
        );
        assert!(error.to_string().contains("within 100ms"), "{error}");
        soon(played).await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_dial_that_is_dropped_leaves_the_proxy() {
    let (asked, has_asked) = oneshot::channel();
    let (proxy, played) = script(async |mut client| {
        read_head(&mut client).await;
        asked.send(()).unwrap();
        client.read_u8().await.unwrap_err().kind()
    })
    .await;
    let connector = through(&format!("http://{proxy}"));
    let request = Request::new("ws://127.0.0.1:9/");
    // The future is dropped when the proxy has the request and does not answer it.
    tokio::select! {
        _ = connector.connect(&request) => panic!("nobody answered"),
        asked = has_asked => asked.unwrap(),
    }
    assert_eq!(
        soon(played).await.unwrap(),
        std::io::ErrorKind::UnexpectedEof
    );
}

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

/// An HTTP proxy over TLS, for one client. Gives the head of its request, unless it did not come so far.
async fn https_proxy(certificate: &str, key: &str) -> (SocketAddr, JoinHandle<Option<String>>) {
    let chain = CertificateDer::pem_slice_iter(certificate.as_bytes())
        .collect::<Result<Vec<_>, _>>()
        .unwrap();
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    script(async move |client| {
        let mut client = acceptor.accept(client).await.ok()?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(client.read_u8().await.unwrap());
        }
        let head = String::from_utf8(head).unwrap();
        let target = head.split_whitespace().nth(1).unwrap();
        let mut server = TcpStream::connect(target).await.unwrap();
        client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
        client.flush().await.unwrap();
        let _ = copy_bidirectional(&mut client, &mut server).await;
        Some(head)
    })
    .await
}

fn trusting(root: &str) -> TlsOptions {
    TlsOptions::new()
        .root_certificates(root.as_bytes())
        .unwrap()
}

#[tokio::test]
async fn tls_to_the_proxy_and_tls_through_it() {
    for secure in [false, true] {
        let (root, certificate, key) = certificates();
        let tls = TlsConfig::from_pem(certificate.as_bytes(), key.as_bytes()).unwrap();
        let mut server = Server::with_tls(quiet(), secure.then_some(tls)).await;
        let (proxy, played) = https_proxy(&certificate, &key).await;
        let connector =
            through(&format!("https://me:x@localhost:{}", proxy.port())).tls(trusting(&root));
        let scheme = if secure { "wss" } else { "ws" };
        let address = format!("127.0.0.1:{}", server.address.port());
        let connector = connector.connect_to(
            format!("localhost:{}:{address}", if secure { 443 } else { 80 })
                .parse()
                .unwrap(),
        );
        let (client, handshake) = dial(&connector, &format!("{scheme}://localhost/"))
            .await
            .unwrap();
        assert_eq!(handshake.timings.tls.is_some(), secure);
        assert!(handshake.timings.proxy.is_some());
        talk(client, server.next().await).await;
        let head = soon(played).await.unwrap().unwrap();
        assert!(head.starts_with(&format!("CONNECT {address} ")), "{head}");
        assert_eq!(header(&head, "Proxy-Authorization"), Some("Basic bWU6eA=="));
    }
}

#[tokio::test]
async fn a_proxy_that_is_not_trusted() {
    let (root, certificate, key) = certificates();
    let (proxy, played) = https_proxy(&certificate, &key).await;
    let port = proxy.port();
    let connector = through(&format!("https://localhost:{port}"));
    let error = dial(&connector, "ws://127.0.0.1:9/").await.unwrap_err();
    assert_eq!(
        (error.kind(), error.proxy_failure()),
        (ErrorKind::Proxy, Some(ProxyFailure::Tls))
    );
    let begin = format!(
        "the proxy https://localhost:{port}: the certificate of localhost:{port} is not trusted"
    );
    assert!(error.to_string().starts_with(&begin), "{error}");
    let source = error.source().unwrap().downcast_ref::<Error>().unwrap();
    assert_eq!(source.kind(), ErrorKind::Tls);
    assert_eq!(soon(played).await.unwrap(), None);

    // A pin says who the server is, and nothing of the proxy: its credentials are not for anybody.
    let pin = Pin::new([1; 32]);
    for (tls, reached) in [
        (TlsOptions::new().insecure(true), true),
        (TlsOptions::new().insecure(true).pin(pin), false),
        (trusting(&root).insecure(true).pin(pin), true),
    ] {
        let shown = format!("{tls:?}");
        let (proxy, played) = https_proxy(&certificate, &key).await;
        let url = format!("https://me:secret@localhost:{}", proxy.port());
        let server = Server::start(quiet()).await;
        let dialed = dial(&through(&url).tls(tls), &server.url()).await;
        let failure = dialed.as_ref().err().and_then(Error::proxy_failure);
        let expected = (!reached).then_some(ProxyFailure::Tls);
        assert_eq!(failure, expected, "{shown}");
        drop((dialed, server));
        assert_eq!(soon(played).await.unwrap().is_some(), reached, "{shown}");
    }

    // Somebody who does not speak TLS at all.
    let (proxy, played) = script(async |mut client| {
        client
            .write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            .await
            .unwrap();
        let mut rest = Vec::new();
        let _ = client.read_to_end(&mut rest).await;
    })
    .await;
    let error = dial(&through(&format!("https://{proxy}")), "ws://127.0.0.1:9/")
        .await
        .unwrap_err();
    assert_eq!(error.proxy_failure(), Some(ProxyFailure::Tls));
    assert!(error.to_string().contains("does not speak TLS"), "{error}");
    soon(played).await.unwrap();
}
