//! Servers behind Unix sockets: Python's `websockets`, nginx, and haproxy for one without a file.

use std::fs;

use wiretalk_interop::{Authority, Counterpart, Leaf, Server};
use wiretalk_net::{Blame, Connector, ErrorKind, Request, TlsOptions};

use crate::{echo, echoes, fails, soon};

#[tokio::test]
async fn python_listens_on_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let socket = folder.path().join("a socket");
    let name = socket.to_str().expect("text");
    let server = Server::peer("server.py", &["echo", "--unix", name]);
    let url = format!("ws+unix://{}:/", name.replace(' ', "%20"));
    let request = Request::new(url.as_str());
    let (mut dialed, handshake) = soon(Connector::new().connect(&request))
        .await
        .expect("it listens");
    echo(&mut dialed).await;
    assert_eq!(dialed.peer_addr(), None);
    assert!(handshake.timings.unix.is_some());
    let connector = Connector::new().unix_socket(&socket);
    echoes(&connector, "ws://chat.invalid/a").await;

    // When it has gone, its file is still there.
    drop(server);
    let error = fails(&Connector::new(), url.as_str()).await;
    assert_eq!(
        (error.kind(), error.blame()),
        (ErrorKind::Refused, Blame::Peer)
    );
    assert_eq!(
        error.to_string(),
        format!("the Unix socket {name} refused the connection: nobody listens there")
    );
    fs::remove_file(&socket).expect("it is there");
    let error = fails(&Connector::new(), url.as_str()).await;
    assert_eq!(
        (error.kind(), error.blame()),
        (ErrorKind::Unreachable, Blame::Us)
    );
    assert_eq!(
        error.to_string(),
        format!("the Unix socket {name} does not exist")
    );
}

#[tokio::test]
async fn nginx_listens_on_one() {
    let backend = Server::peer("server.py", &["echo"]);
    let nginx = Counterpart::nginx(&format!(
        "listen unix:{{folder}}/socket;\n\
         location /chat {{ {} proxy_pass {}; }}\n\
         location /old {{ return 301 /chat; }}\n\
         location /tell {{ return 403 \"$http_host $request_uri\"; }}",
        Counterpart::NGINX_UPGRADE,
        backend.http()
    ));
    let socket = nginx.file("socket");
    let url = |resource: &str| format!("ws+unix://{}:{resource}", socket.display());
    echoes(&Connector::new(), url("/chat")).await;
    // nginx sends its clients to http://localhost/chat, which is itself.
    echoes(&Connector::new().redirects(1), url("/old")).await;

    let error = fails(&Connector::new(), url("/tell?a=b:c")).await;
    let told = error.refusal().expect("a refusal");
    assert_eq!(&told.body[..], b"localhost /tell?a=b:c");
    let connector = Connector::new().unix_socket(&socket);
    let error = fails(&connector, "ws://chat.invalid:81/tell").await;
    let told = error.refusal().expect("a refusal");
    assert_eq!(&told.body[..], b"chat.invalid:81 /tell");
}

#[tokio::test]
async fn tls_over_one() {
    let authority = Authority::new("an authority");
    let pair = authority.issue("server", &Leaf::server(&["localhost"]));
    let backend = Server::peer("server.py", &["echo"]);
    let nginx = Counterpart::nginx(&format!(
        "listen unix:{{folder}}/socket ssl; ssl_certificate {}; ssl_certificate_key {};\n\
         location / {{ {} proxy_pass {}; }}",
        pair.cert(),
        pair.key(),
        Counterpart::NGINX_UPGRADE,
        backend.http()
    ));
    let root = fs::read(authority.cert()).expect("it was written");
    let tls = TlsOptions::new()
        .root_certificates(&root)
        .expect("a certificate");
    let url = format!("wss+unix://{}:/", nginx.file("socket").display());
    echoes(&Connector::new().tls(tls.clone()), url.as_str()).await;
    let error = fails(&Connector::new(), url.as_str()).await;
    assert_eq!(error.kind(), ErrorKind::Tls, "{error}");
    // The name that the certificate must be for is the URL's.
    let connector = Connector::new().tls(tls).unix_socket(nginx.file("socket"));
    echoes(&connector, "wss://localhost/").await;
    let error = fails(&connector, "wss://chat.invalid/").await;
    assert_eq!(error.kind(), ErrorKind::Tls, "{error}");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn haproxy_listens_on_one_without_a_file() {
    let backend = Server::peer("server.py", &["echo"]);
    let name = format!("wiretalk-reach-{}", std::process::id());
    let haproxy = Counterpart::haproxy(&format!(
        "frontend front\n bind 127.0.0.1:{{port}}\n bind abns@{name}\n default_backend back\n\
         backend back\n server one 127.0.0.1:{}\n",
        backend.port()
    ));
    // haproxy fills the address with zeros, and the system counts them as part of the name.
    let mut padded = name.clone().into_bytes();
    padded.resize(107, 0);
    let connector = Connector::new().abstract_unix_socket(padded);
    echoes(&connector, "ws://localhost/").await;
    let zeros = "%00".repeat(107 - name.len());
    echoes(&Connector::new(), format!("ws+unix:@{name}{zeros}:/")).await;

    let error = fails(&Connector::new(), format!("ws+unix:@{name}:/")).await;
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert_eq!(
        error.to_string(),
        format!("the abstract Unix socket @{name} refused the connection: nobody listens there")
    );
    drop(haproxy);
}
