//! The programs themselves: each starts, listens, and says what it is.

use std::io::{Read, Write};
use std::net::TcpStream;

use wiretalk_interop::{Authority, Counterpart, Leaf, Server, Stream};
use wiretalk_net::{Connector, ErrorKind, TlsOptions};

use crate::{echoes, fails};

/// What a program answers to these bytes, up to its first `length` bytes.
fn answer(to: &Counterpart, question: &[u8], length: usize) -> Vec<u8> {
    let mut stream = TcpStream::connect(to.address()).expect("it listens");
    stream.write_all(question).expect("it reads");
    let mut answer = vec![0; length];
    stream.read_exact(&mut answer).expect("it answers");
    answer
}

#[tokio::test]
async fn nginx_and_haproxy_pass_a_websocket_on() {
    let backend = Server::peer("server.py", &["echo"]);
    let mut nginx = Counterpart::nginx(&format!(
        "listen 127.0.0.1:{{port}}; location / {{ {} proxy_pass {}; }}",
        Counterpart::NGINX_UPGRADE,
        backend.http()
    ));
    echoes(&Connector::new(), nginx.url("ws")).await;
    let _ = nginx.process.expect_on(Stream::Err, "\" 101 ");
    let haproxy = Counterpart::haproxy(&format!(
        "frontend front\n bind 127.0.0.1:{{port}}\n default_backend back\nbackend back\n server one 127.0.0.1:{}\n",
        backend.port()
    ));
    echoes(&Connector::new(), haproxy.url("ws")).await;
}

#[tokio::test]
async fn nginx_listens_on_a_unix_socket() {
    let nginx = Counterpart::nginx("listen unix:{folder}/socket; return 404;");
    let socket = nginx.file("socket");
    let mut stream = std::os::unix::net::UnixStream::connect(socket).expect("it listens");
    stream
        .write_all(b"GET / HTTP/1.0\r\n\r\n")
        .expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
}

#[test]
fn tinyproxy_wants_credentials() {
    let proxy = Counterpart::tinyproxy("BasicAuth user secret");
    let request = b"CONNECT 127.0.0.1:9 HTTP/1.1\r\nHost: 127.0.0.1:9\r\n\r\n";
    assert!(answer(&proxy, request, 12).ends_with(b" 407"));
}

#[test]
fn microsocks_wants_credentials_or_none() {
    let open = Counterpart::microsocks(&[]);
    let closed = Counterpart::microsocks(&["-u", "user", "-P", "secret"]);
    // RFC 1928 section 3: version 5, one method, none.
    for (proxy, method) in [(open, 0), (closed, 0xff)] {
        assert_eq!(answer(&proxy, &[5, 1, 0], 2), [5, method]);
    }
}

#[tokio::test]
async fn openssl_shows_what_comes_and_answers_what_the_test_says() {
    let authority = Authority::new("an authority");
    let pair = authority.issue("server", &Leaf::server(&["127.0.0.1"]));
    let mut openssl =
        Counterpart::openssl_server(&["-cert", &pair.cert(), "-key", &pair.key(), "-tls1_3"]);
    let url = openssl.url("wss");
    let speaking = tokio::task::spawn_blocking(move || {
        let _ = openssl.process.expect("GET / HTTP/1.1");
        for line in ["HTTP/1.1 403 Forbidden", "content-length: 0", ""] {
            openssl.process.say(line);
        }
        openssl
    });
    let error = fails(&Connector::new().tls(TlsOptions::new().insecure(true)), url).await;
    assert_eq!(error.kind(), ErrorKind::Handshake, "{error}");
    let _ = speaking.await.expect("it was asked");
}
