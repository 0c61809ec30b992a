//! Servers behind proxies: tinyproxy, by CONNECT; microsocks, by SOCKS5; and haproxy, which makes TLS of the way to
//! tinyproxy. The server is an echo on Python's `websockets`, and nginx where it has TLS.

use std::error::Error as _;
use std::fs;

use wiretalk_interop::{Authority, Counterpart, Leaf, Pair, Server, Stream};
use wiretalk_net::{
    Connector, Error, ErrorKind, Proxies, Proxy, ProxyFailure, Request, TlsOptions,
};

use crate::{echo, echoes, fails, soon};

fn through(proxy: &str) -> Connector {
    let proxy: Proxy = proxy.parse().expect("the URL of a proxy");
    Connector::new().proxies(proxy)
}

/// The URL of a proxy with a user name and a password in it.
fn with_password(proxy: &Counterpart, scheme: &str, password: &str) -> String {
    format!("{scheme}://user:{password}@{}", proxy.address())
}

fn python() -> Server {
    Server::peer("server.py", &["echo"])
}

/// A port where nobody listens.
fn nobody() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("it has an address").port()
}

/// An authority, and a certificate for this machine from it.
fn site() -> (Authority, Pair) {
    let authority = Authority::new("an authority");
    let pair = authority.issue("server", &Leaf::server(&["localhost", "127.0.0.1"]));
    (authority, pair)
}

fn trusting(authority: &Authority) -> TlsOptions {
    let root = fs::read(authority.cert()).expect("it was written");
    TlsOptions::new()
        .root_certificates(&root)
        .expect("a certificate")
}

#[track_caller]
fn failed(error: &Error, failure: ProxyFailure, sentence: &str) {
    assert_eq!(
        (error.kind(), error.proxy_failure()),
        (ErrorKind::Proxy, Some(failure)),
        "{error}"
    );
    assert_eq!(error.to_string(), sentence);
    assert!(!format!("{error:?}").contains("secret"), "{error:?}");
}

#[tokio::test]
async fn tinyproxy_makes_a_tunnel() {
    let server = python();
    let mut open = Counterpart::tinyproxy("");
    echoes(&through(&open.url("http")), server.url()).await;
    let asked = format!("CONNECT 127.0.0.1:{}", server.port());
    let _ = open.process.expect_on(Stream::Out, &asked);
    let closed = Counterpart::tinyproxy("BasicAuth user secret");
    let proxy = with_password(&closed, "http", "secret");
    echoes(&through(&proxy), server.url()).await;
}

#[tokio::test]
async fn microsocks_makes_a_tunnel() {
    let server = python();
    let mut open = Counterpart::microsocks(&[]);
    echoes(&through(&open.url("socks5")), server.url()).await;
    let asked = format!("connected to 127.0.0.1:{}", server.port());
    let _ = open.process.expect_on(Stream::Err, &asked);
    let closed = Counterpart::microsocks(&["-u", "user", "-P", "secret"]);
    for scheme in ["socks5", "socks5h"] {
        let proxy = with_password(&closed, scheme, "secret");
        echoes(&through(&proxy), server.url()).await;
    }
}

#[tokio::test]
async fn names_are_resolved_here_or_by_the_proxy() {
    let server = python();
    let url = format!("ws://chat.invalid:{}/", server.port());
    let known = format!("chat.invalid:{}:127.0.0.1", server.port());
    let socks = Counterpart::microsocks(&[]);
    let here = through(&socks.url("socks5")).resolve(known.parse().expect("a rule"));
    echoes(&here, url.as_str()).await;
    // What is known here is of no use to a proxy that resolves on its own.
    let there = through(&socks.url("socks5h")).resolve(known.parse().expect("a rule"));
    let error = fails(&there, url.as_str()).await;
    assert_eq!(error.proxy_failure(), Some(ProxyFailure::Target), "{error}");
    let target = format!("could not connect to chat.invalid:{}", server.port());
    assert!(error.to_string().contains(&target), "{error}");
}

#[tokio::test]
async fn tls_goes_through_each_of_them() {
    let (authority, pair) = site();
    let server = python();
    let nginx = Counterpart::nginx(&format!(
        "listen 127.0.0.1:{{port}} ssl; ssl_certificate {}; ssl_certificate_key {}; location / {{ {} proxy_pass {}; }}",
        pair.cert(),
        pair.key(),
        Counterpart::NGINX_UPGRADE,
        server.http(),
    ));
    let (http, socks) = (Counterpart::tinyproxy(""), Counterpart::microsocks(&[]));
    for proxy in [http.url("http"), socks.url("socks5"), socks.url("socks5h")] {
        let connector = through(&proxy).tls(trusting(&authority));
        let request = Request::new(nginx.url("wss"));
        let (mut socket, handshake) = soon(connector.connect(&request))
            .await
            .unwrap_or_else(|error| panic!("{proxy}: {error}"));
        echo(&mut socket).await;
        let timings = handshake.timings;
        assert!(timings.proxy.is_some() && timings.tls.is_some());
        assert!(handshake.tls.is_some());
        // Whom the proxy leads to is judged as ever.
        let error = fails(&through(&proxy), nginx.url("wss")).await;
        assert_eq!(error.kind(), ErrorKind::Tls, "{proxy}: {error}");
    }
}

#[tokio::test]
async fn tls_with_the_proxy_itself() {
    let (authority, pair) = site();
    let server = python();
    let proxy = Counterpart::tinyproxy("BasicAuth user secret");
    // haproxy wants both in one file.
    let folder = tempfile::tempdir().expect("a folder");
    let both = folder.path().join("both.pem");
    let text = [pair.cert(), pair.key()].map(|file| fs::read_to_string(file).expect("a file"));
    fs::write(&both, text.concat()).expect("it is written");
    let front = Counterpart::haproxy(&format!(
        "frontend front\n mode tcp\n bind 127.0.0.1:{{port}} ssl crt {}\n default_backend back\n\
         backend back\n mode tcp\n server one {}\n",
        both.display(),
        proxy.address()
    ));
    let url = with_password(&front, "https", "secret");
    let connector = through(&url).tls(trusting(&authority));
    echoes(&connector, server.url()).await;

    let error = fails(&through(&url), server.url()).await;
    let address = front.address();
    failed(
        &error,
        ProxyFailure::Tls,
        &format!(
            "the proxy https://{address}: the certificate of {address} is not trusted: it is signed by nobody \
             that is known here"
        ),
    );
    // One that does not speak TLS.
    let plain = Counterpart::nginx("listen 127.0.0.1:{port}; return 200;");
    let error = fails(&through(&plain.url("https")), server.url()).await;
    let address = plain.address();
    failed(
        &error,
        ProxyFailure::Tls,
        &format!(
            "the proxy https://{address} does not speak TLS; it may want http:// instead of https://"
        ),
    );
}

#[tokio::test]
async fn what_tinyproxy_refuses() {
    let server = python();
    let closed = Counterpart::tinyproxy("BasicAuth user secret");
    let (proxy, server_url) = (closed.url("http"), server.url());
    let proxy = proxy.trim_end_matches('/');
    let error = fails(&through(proxy), server_url.as_str()).await;
    failed(
        &error,
        ProxyFailure::Authentication,
        &format!(
            "the proxy {proxy} wants a user name and a password: it answered 407 Proxy Authentication Required; it \
             takes Basic"
        ),
    );
    let answer = error.proxy_answer().expect("its answer is kept");
    assert_eq!(answer.response.status, 407);
    assert!(
        answer.body.starts_with(b"<?xml") || answer.body.starts_with(b"<"),
        "{answer:?}"
    );

    let wrong = with_password(&closed, "http", "secret2");
    let error = fails(&through(&wrong), server_url.as_str()).await;
    assert_eq!(
        error.proxy_failure(),
        Some(ProxyFailure::Authentication),
        "{error}"
    );
    assert!(!error.to_string().contains("secret"), "{error}");

    // A port that may not be asked for.
    let narrow = Counterpart::tinyproxy("ConnectPort 443");
    let proxy = narrow.url("http");
    let proxy = proxy.trim_end_matches('/');
    let error = fails(&through(proxy), server_url.as_str()).await;
    failed(
        &error,
        ProxyFailure::Denied,
        &format!(
            "the proxy {proxy} will not connect to 127.0.0.1:{}: it answered 403 Access violation",
            server.port()
        ),
    );

    // A server that is not there.
    let open = Counterpart::tinyproxy("");
    let proxy = open.url("http");
    let proxy = proxy.trim_end_matches('/');
    let port = nobody();
    let error = fails(&through(proxy), format!("ws://127.0.0.1:{port}/")).await;
    failed(
        &error,
        ProxyFailure::Target,
        &format!(
            "the proxy {proxy} could not connect to 127.0.0.1:{port}: it answered 500 Unable to connect"
        ),
    );
}

#[tokio::test]
async fn what_microsocks_refuses() {
    let server = python();
    let closed = Counterpart::microsocks(&["-u", "user", "-P", "secret"]);
    let address = closed.address();
    let error = fails(&through(&closed.url("socks5")), server.url()).await;
    failed(
        &error,
        ProxyFailure::Authentication,
        &format!(
            "the proxy socks5://{address} wants a user name and a password, or another way to tell who asks"
        ),
    );
    let wrong = with_password(&closed, "socks5", "secret2");
    let error = fails(&through(&wrong), server.url()).await;
    failed(
        &error,
        ProxyFailure::Authentication,
        &format!(
            "the proxy socks5://{address} does not take the user name and the password that it was given"
        ),
    );
    let open = Counterpart::microsocks(&[]);
    let port = nobody();
    let error = fails(
        &through(&open.url("socks5")),
        format!("ws://127.0.0.1:{port}/"),
    )
    .await;
    failed(
        &error,
        ProxyFailure::Target,
        &format!(
            "the proxy socks5://{} could not connect to 127.0.0.1:{port}: the connection was refused (SOCKS reply 5)",
            open.address()
        ),
    );
}

#[tokio::test]
async fn proxies_that_are_none() {
    let server = python();
    // A web server, a proxy of the other kind, and a server of something else.
    let nginx = Counterpart::nginx("listen 127.0.0.1:{port}; return 200;");
    let error = fails(&through(&nginx.url("socks5")), server.url()).await;
    failed(
        &error,
        ProxyFailure::Protocol,
        &format!(
            "the proxy socks5://{} does not speak SOCKS5: it answers in HTTP, and may want http://",
            nginx.address()
        ),
    );
    let socks = Counterpart::microsocks(&[]);
    let error = fails(&through(&socks.url("http")), server.url()).await;
    assert_eq!(
        error.proxy_failure(),
        Some(ProxyFailure::Protocol),
        "{error}"
    );
    let error = fails(&through(&nginx.url("http")), server.url()).await;
    assert!(
        matches!(error.proxy_failure(), Some(ProxyFailure::Denied)),
        "{error}"
    );
    let status = error.proxy_answer().expect("an answer").response.status;
    assert!(matches!(status, 400 | 405), "{error}");
    // Nobody at all.
    let port = nobody();
    let error = fails(&through(&format!("http://127.0.0.1:{port}")), server.url()).await;
    failed(
        &error,
        ProxyFailure::Unreachable,
        &format!(
            "the proxy http://127.0.0.1:{port} cannot be reached: 127.0.0.1:{port} refused the connection"
        ),
    );
    assert!(error.source().is_some());
}

#[tokio::test]
async fn the_environment_chooses() {
    let server = python();
    let mut http = Counterpart::tinyproxy("");
    let proxy = http.url("http");
    let none_there = format!("http://127.0.0.1:{}", nobody());
    let by = |variables: &'static [&'static str], value: &str, exceptions: &str| {
        let found = |name: &str| match name {
            "no_proxy" => Some(exceptions.to_owned()),
            name => variables.contains(&name).then(|| value.to_owned()),
        };
        let proxies = Proxies::from_variables(found).expect("they can be read");
        Connector::new().proxies(proxies)
    };
    echoes(&by(&["http_proxy"], &proxy, ""), server.url()).await;
    let _ = http.process.expect_on(Stream::Out, "CONNECT 127.0.0.1");
    for variables in [&["HTTP_PROXY"][..], &["https_proxy"]] {
        echoes(&by(variables, &none_there, ""), server.url()).await;
    }
    for exceptions in ["127.0.0.1", "10.0.0.0/8, 127.0.0.0/8", "*"] {
        echoes(&by(&["all_proxy"], &none_there, exceptions), server.url()).await;
    }
    let error = fails(&by(&["all_proxy"], &none_there, "localhost"), server.url()).await;
    assert_eq!(
        error.proxy_failure(),
        Some(ProxyFailure::Unreachable),
        "{error}"
    );
}
