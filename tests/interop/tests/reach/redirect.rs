//! Servers that send the client elsewhere: nginx, by each status and to each kind of place.

use std::fs;

use wiretalk_interop::{Authority, Counterpart, Leaf, Server};
use wiretalk_net::{Blame, Connector, ErrorKind, Request, TlsOptions};

use crate::{echo, fails, soon};

/// Says what it was told of the client, in the body of a refusal.
const TELL: &str =
    "location /tell { return 403 \"[$http_authorization][$http_cookie][$http_x_trace]\"; }";

fn following() -> Connector {
    Connector::new().redirects(5)
}

/// A request that says who asks.
fn known(url: String) -> Request {
    Request {
        headers: vec![
            ("Authorization".into(), "Bearer t".into()),
            ("Cookie".into(), "a=b".into()),
            ("X-Trace".into(), "1".into()),
        ],
        ..Request::new(url)
    }
}

async fn told(connector: &Connector, request: Request) -> String {
    let error = fails(connector, request).await;
    let refusal = error.refusal().expect("a refusal");
    assert_eq!(refusal.response.status, 403, "{error}");
    String::from_utf8_lossy(&refusal.body).into_owned()
}

#[tokio::test]
async fn each_status_is_followed() {
    let backend = Server::peer("server.py", &["echo"]);
    let moves: String = [301, 302, 303, 307, 308]
        .iter()
        .map(|status| format!("location /{status} {{ return {status} /chat?{status}; }}\n"))
        .collect();
    let nginx = Counterpart::nginx(&format!(
        "listen 127.0.0.1:{{port}};\n{moves}location /chat {{ {} proxy_pass {}; }}\n\
         location /relative {{ absolute_redirect off; return 302 chat; }}\n\
         location /twice {{ return 302 /301; }}\nlocation /300 {{ return 300; }}",
        Counterpart::NGINX_UPGRADE,
        backend.http()
    ));
    let at = |resource: &str| format!("ws://{}{resource}", nginx.address());
    let cases = [
        ("/301", &[301][..], "/chat?301"),
        ("/302", &[302], "/chat?302"),
        ("/303", &[303], "/chat?303"),
        ("/307", &[307], "/chat?307"),
        ("/308", &[308], "/chat?308"),
        ("/relative", &[302], "/chat"),
        ("/twice", &[302, 301], "/chat?301"),
        ("/chat", &[], "/chat"),
    ];
    for (from, statuses, to) in cases {
        let dialed = soon(following().connect(&Request::new(at(from)))).await;
        let (mut socket, handshake) = dialed.unwrap_or_else(|error| panic!("{from}: {error}"));
        echo(&mut socket).await;
        let taken: Vec<_> = handshake
            .redirects
            .iter()
            .map(|hop| hop.response.status)
            .collect();
        assert_eq!(
            (taken.as_slice(), handshake.url),
            (statuses, at(to)),
            "{from}"
        );
    }
    // Unless it is asked for, it is a refusal; and so is a status that names no one place.
    for (connector, resource, status) in
        [(Connector::new(), "/301", 301), (following(), "/300", 300)]
    {
        let error = fails(&connector, at(resource)).await;
        assert_eq!(error.refusal().expect("a refusal").response.status, status);
    }
}

#[tokio::test]
async fn what_says_who_asks_stays_at_home() {
    let other = Counterpart::nginx(&format!("listen 127.0.0.1:{{port}}; {TELL}"));
    let home = Counterpart::nginx(&format!(
        "listen 127.0.0.1:{{port}}; {TELL}\n\
         location /here {{ return 302 /tell; }}\n\
         location /there {{ return 302 {}tell; }}\n\
         location /name {{ return 302 http://localhost:$server_port/tell; }}",
        other.url("http")
    ));
    let url = |resource: &str| format!("ws://{}{resource}", home.address());
    let all = "[Bearer t][a=b][1]";
    assert_eq!(told(&following(), known(url("/tell"))).await, all);
    assert_eq!(told(&following(), known(url("/here"))).await, all);
    assert_eq!(told(&following(), known(url("/there"))).await, "[][][1]");
    // The same machine by another name is another host.
    let by_name = following().resolve(
        format!("localhost:{}:127.0.0.1", home.port)
            .parse()
            .expect("a rule"),
    );
    assert_eq!(told(&by_name, known(url("/name"))).await, "[][][1]");

    let basic = format!("ws://me:x@{}", home.address());
    let here = Request::new(format!("{basic}/here"));
    assert_eq!(told(&following(), here).await, "[Basic bWU6eA==][][]");
    let there = Request::new(format!("{basic}/there"));
    assert_eq!(told(&following(), there).await, "[][][]");
}

#[tokio::test]
async fn into_tls_and_never_out_of_it() {
    let authority = Authority::new("an authority");
    let pair = authority.issue("server", &Leaf::server(&["127.0.0.1"]));
    let plain = Counterpart::nginx(&format!("listen 127.0.0.1:{{port}}; {TELL}"));
    let secure = Counterpart::nginx(&format!(
        "listen 127.0.0.1:{{port}} ssl; ssl_certificate {}; ssl_certificate_key {}; {TELL}\n\
         location /down {{ return 302 {}tell; }}",
        pair.cert(),
        pair.key(),
        plain.url("http")
    ));
    let front = Counterpart::nginx(&format!(
        "listen 127.0.0.1:{{port}}; return 308 {}tell;",
        secure.url("https")
    ));
    let root = fs::read(authority.cert()).expect("it was written");
    let tls = TlsOptions::new()
        .root_certificates(&root)
        .expect("a certificate");
    let connector = following().tls(tls);
    assert_eq!(told(&connector, known(front.url("ws"))).await, "[][][1]");

    let down = format!("{}down", secure.url("wss"));
    let error = fails(&connector, known(down)).await;
    assert_eq!(
        (error.kind(), error.blame()),
        (ErrorKind::Handshake, Blame::Peer)
    );
    assert_eq!(
        error.to_string(),
        format!(
            "the server redirects to `{}tell`, which cannot be followed: it leads from TLS to a connection that \
             anybody on the way can read",
            plain.url("http")
        )
    );
    assert_eq!(error.refusal().expect("a refusal").response.status, 302);
}

#[tokio::test]
async fn a_circle_ends() {
    let nginx = Counterpart::nginx(
        "listen 127.0.0.1:{port}; location /a { return 302 /b; } location /b { return 302 /a; }",
    );
    let [a, b] = ["a", "b"].map(|resource| format!("{}{resource}", nginx.url("ws")));
    let error = fails(&Connector::new().redirects(3), a.as_str()).await;
    assert_eq!(
        (error.kind(), error.blame()),
        (ErrorKind::Handshake, Blame::Peer)
    );
    assert_eq!(
        error.to_string(),
        format!("more than 3 redirects: {a} -> {b} -> {a} -> {b} -> {a}")
    );
}
