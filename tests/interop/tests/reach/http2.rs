//! WebSocket over HTTP/2 (RFC 8441): Node, haproxy, curl and Chromium, as server, client and proxy.

use wiretalk_interop::{Authority, Counterpart, Leaf, Pair, Program, Server, Stream};
use wiretalk_net::{
    Connector, Error, ErrorKind, Handshake, Http2, Request, TlsOptions, WebSocket,
    server::{
        self, AcceptOptions, Listener, RefusalKind, Reply, ServeOptions, TlsConfig,
        serve_connection,
    },
};

use crate::{echo, fails, soon};

/// A certificate for loopback; the folder goes with the authority.
fn certificate() -> (Authority, Pair) {
    let authority = Authority::new("an authority");
    let pair = authority.issue("server", &Leaf::server(&["127.0.0.1"]));
    (authority, pair)
}

fn connector(http2: Http2) -> Connector {
    Connector::new()
        .tls(TlsOptions::new().insecure(true))
        .http2(http2)
}

async fn dial(http2: Http2, url: String) -> (WebSocket, Handshake) {
    let request = Request {
        subprotocols: vec!["chat".to_owned()],
        ..Request::new(url)
    };
    let dialed = soon(connector(http2).connect(&request)).await;
    dialed.unwrap_or_else(|error| panic!("{}: {error}", request.url))
}

fn node(mode: &str, pair: &Pair) -> Server {
    Server::peer("http2.mjs", &["serve", &pair.cert(), &pair.key(), mode])
}

/// Our own server, which echoes and has a page; over TLS if it has a certificate. It ends with the test's runtime.
async fn ours(pair: Option<&Pair>) -> String {
    let tls = pair.map(|pair| {
        let [chain, key] = [&pair.cert, &pair.key].map(|path| std::fs::read(path).expect("a file"));
        TlsConfig::from_pem(&chain, &key).expect("a certificate")
    });
    let scheme = if pair.is_some() { "wss" } else { "ws" };
    let listener = Listener::bind("127.0.0.1:0", tls).await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        loop {
            let incoming = listener.accept().await.expect("a connection");
            tokio::spawn(serve_connection(
                incoming,
                ServeOptions::default(),
                async |request| answer(request),
            ));
        }
    });
    format!("{scheme}://{address}/")
}

fn answer(mut request: server::Request) -> Reply {
    let upgrade = match request.upgrade() {
        Ok(upgrade) => upgrade,
        Err(refusal) if *refusal.kind() == RefusalKind::NotUpgrade => {
            return Reply::html(200, "<!doctype html><title>a page</title>");
        }
        Err(refusal) => return refusal.into(),
    };
    let subprotocol = upgrade.subprotocols().next().map(str::to_owned);
    let options = AcceptOptions {
        subprotocol,
        ..AcceptOptions::default()
    };
    match upgrade.accept(options) {
        Ok((reply, socket)) => {
            tokio::spawn(async {
                let mut socket = socket.await?;
                while let Some(message) = socket.recv().await {
                    socket.send(message?).await?;
                }
                Ok::<(), Error>(())
            });
            reply
        }
        Err(error) => Reply::text(500, error.to_string()),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_http2_takes_our_extended_connect() {
    let (_authority, pair) = certificate();
    let mut server = node("echo", &pair);
    for http2 in [Http2::Prefer, Http2::Only] {
        let (mut socket, handshake) = dial(http2, server.url()).await;
        assert_eq!(handshake.response.status, 200);
        assert_eq!(format!("{:?}", handshake.http_version), "HTTP/2.0");
        assert_eq!(handshake.response.subprotocol.as_deref(), Some("chat"));
        let _ = server
            .process
            .expect("stream CONNECT websocket https / 13 - -");
        echo(&mut socket).await;
        let large = vec![b'x'; 3 << 20];
        soon(socket.send(large.clone())).await.expect("sent");
        let came = soon(socket.recv()).await.expect("a message");
        assert!(came.expect("a message").as_bytes() == large);
        soon(socket.close(None, "")).await.expect("a close");
        while soon(socket.next_event())
            .await
            .expect("a clean end")
            .is_some()
        {}
        let _ = server.process.expect("closed 1005");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_does_not_take_it_is_asked_in_http1_or_told_of() {
    let (_authority, pair) = certificate();
    let mut server = node("disabled", &pair);
    let (mut socket, handshake) = dial(Http2::Prefer, server.url()).await;
    assert_eq!(format!("{:?}", handshake.http_version), "HTTP/1.1");
    let _ = server.process.expect("upgrade HTTP/1.1");
    echo(&mut socket).await;
    let error = fails(&connector(Http2::Only), server.url()).await;
    assert_eq!(error.kind(), ErrorKind::Http2, "{error}");
    let text = error.to_string();
    assert!(text.contains("takes no WebSocket over it"), "{text}");
}

/// What Node does, the kind of the error, what it says.
#[tokio::test(flavor = "multi_thread")]
async fn each_way_in_which_node_says_no_is_told_apart() {
    let (_authority, pair) = certificate();
    for (mode, kind, words) in [
        ("refused", ErrorKind::Http2, "REFUSED_STREAM"),
        ("goaway", ErrorKind::Http2, "ENHANCE_YOUR_CALM"),
        (
            "forbidden",
            ErrorKind::Handshake,
            "the server answered 403 instead of 200",
        ),
    ] {
        let server = node(mode, &pair);
        let error = fails(&connector(Http2::Only), server.url()).await;
        assert_eq!(error.kind(), kind, "{mode}: {error}");
        assert!(error.to_string().contains(words), "{mode}: {error}");
        let refusal = error.refusal().map(|refusal| &refusal.body[..]);
        let body = (mode == "forbidden").then_some(&b"not for you"[..]);
        assert_eq!(refusal, body, "{mode}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn node_opens_several_websockets_on_one_connection_to_us() {
    let (_authority, pair) = certificate();
    for pair in [Some(&pair), None] {
        let url = ours(pair).await.replacen("ws", "http", 1);
        let mut client = Program::peer("http2.mjs")
            .args(["dial", &url, "a", "b", "none"])
            .start();
        let _ = client.expect("extended CONNECT: true");
        assert_eq!(client.exit_code(), 0);
        let output = client.output(Stream::Out);
        for line in [
            "page 200",
            "a: 200 a",
            "b: 200 b",
            "none: 200 -",
            "a: the same came back",
            "none: the same came back",
            "a: closed",
            "none: closed",
        ] {
            assert!(output.contains(line), "{line} in {output}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn haproxy_takes_http2_before_http1_and_the_other_way_round() {
    let (_authority, pair) = certificate();
    let backend = Server::peer("server.py", &["echo"]);
    let pem = [&pair.cert, &pair.key].map(|path| std::fs::read_to_string(path).expect("a file"));
    let folder = tempfile::tempdir().expect("a folder");
    let both = folder.path().join("both.pem");
    std::fs::write(&both, pem.concat()).expect("it is written");
    let front = Counterpart::haproxy(&format!(
        "frontend front\n bind 127.0.0.1:{{port}} ssl crt {} alpn h2,http/1.1\n default_backend back\n\
         backend back\n server one 127.0.0.1:{}\n",
        both.display(),
        backend.port()
    ));
    for (http2, version) in [(Http2::Only, "HTTP/2.0"), (Http2::Off, "HTTP/1.1")] {
        let dialed = soon(connector(http2).connect(&Request::new(front.url("wss")))).await;
        let (mut socket, handshake) = dialed.expect("a WebSocket");
        assert_eq!(format!("{:?}", handshake.http_version), version);
        echo(&mut socket).await;
    }

    let backend = ours(None).await;
    let address = backend.trim_start_matches("ws://").trim_end_matches('/');
    let front = Counterpart::haproxy(&format!(
        "frontend front\n bind 127.0.0.1:{{port}}\n default_backend back\n\
         backend back\n server one {address} proto h2\n"
    ));
    let dialed = soon(connector(Http2::Off).connect(&Request::new(front.url("ws")))).await;
    let (mut socket, _) = dialed.expect("a WebSocket");
    echo(&mut socket).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn curl_gets_plain_pages_over_http2() {
    let (_authority, pair) = certificate();
    for (pair, flags) in [
        (Some(&pair), "--http2"),
        (None, "--http2-prior-knowledge"),
        (Some(&pair), "--http1.1"),
    ] {
        let mut curl = Program::system("curl")
            .args(["-sk", "-o", "/dev/null"])
            .args(["-w", "%{http_version} %{http_code}\\n", flags])
            .arg(ours(pair).await.replacen("ws", "http", 1))
            .start();
        let version = if flags == "--http1.1" { "1.1" } else { "2" };
        let _ = curl.expect(&format!("{version} 200"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn chromium_opens_a_websocket_on_the_connection_of_its_page() {
    let (_authority, pair) = certificate();
    let url = ours(Some(&pair)).await;
    let mut browser = Program::peer("browser.py")
        .args([
            &url.replacen("ws", "http", 1),
            "--ignore-certificate-errors",
        ])
        .start();
    browser.expect("loaded ");
    browser.say("performance.getEntriesByType('navigation')[0].nextHopProtocol");
    assert_eq!(browser.expect("value: "), r#""h2""#);
    browser.say(&format!(
        "new Promise((resolve, reject) => {{ const socket = new WebSocket('{url}'); \
         socket.onopen = () => socket.send('hello'); \
         socket.onmessage = event => {{ resolve(event.data); socket.close(); }}; \
         socket.onerror = () => reject(new Error('no connection')); }})"
    ));
    assert_eq!(browser.expect("value: "), r#""hello""#);
}
