//! The ways to a server: Unix sockets, other addresses than the URL's, redirects, and who is told what on the way.

mod common;

use common::{header, ms, read_head, script, soon, switching};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    task::JoinHandle,
};
use wiretalk_net::{
    AddressFamily, Blame, Config, ConnectTo, Connector, Error, ErrorKind, Handshake, Request,
    Resolve, WebSocket,
};

type Dialed = Result<(WebSocket, Handshake), Error>;

async fn dial(connector: &Connector, url: &str) -> Dialed {
    soon(connector.connect(&Request::new(url))).await
}

/// A server that answers each of its clients in turn, one head each: `101` opens, anything else is sent as it is and
/// ends the stream. `PORT` in an answer is the server's own. Gives the heads of the requests.
async fn answers(answers: &'static [&'static str]) -> (u16, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let heads = tokio::spawn(async move {
        let mut heads = Vec::new();
        for answer in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            let head = read_head(&mut stream).await;
            let answer = match *answer {
                "101" => switching(&head, ""),
                other => other.replace("PORT", &port.to_string()),
            };
            stream.write_all(answer.as_bytes()).await.unwrap();
            heads.push(head);
        }
        heads
    });
    (port, heads)
}

#[tokio::test]
async fn other_addresses_than_the_urls() {
    type Configure = fn(Connector, u16) -> Connector;
    let cases: [(&str, Configure); 3] = [
        ("connect-to", |connector, port| {
            let other = format!("example.com:81:127.0.0.1:{port}");
            connector.connect_to(other.parse::<ConnectTo>().unwrap())
        }),
        ("connect-to and resolve", |connector, port| {
            let other = format!("::b.example:{port}");
            let known = format!("b.example:{port}:127.0.0.1");
            connector
                .connect_to(other.parse().unwrap())
                .resolve(known.parse().unwrap())
        }),
        ("resolve", |connector, port| {
            let other = format!(":::{port}");
            let known = format!("*:{port}:127.0.0.1,[::1]");
            connector
                .connect_to(other.parse().unwrap())
                .resolve(known.parse::<Resolve>().unwrap())
                .address_family(AddressFamily::V4)
        }),
    ];
    for (name, configure) in cases {
        let (port, heads) = answers(&["101"]).await;
        let connector = configure(Connector::new(), port);
        let (socket, handshake) = dial(&connector, "ws://example.com:81/a").await.unwrap();
        let address = std::net::SocketAddr::from(([127, 0, 0, 1], port));
        assert_eq!(socket.peer_addr(), Some(address), "{name}");
        assert_eq!(handshake.url, "ws://example.com:81/a", "{name}");
        assert!(handshake.timings.dns.is_some() && handshake.timings.tcp.is_some());
        let heads = heads.await.unwrap();
        assert_eq!(header(&heads[0], "Host"), Some("example.com:81"), "{name}");
    }
}

#[tokio::test]
async fn an_error_tells_all_addresses_that_were_tried() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let known = format!("example.com:{port}:127.0.0.1,127.0.0.2");
    let connector = Connector::new().resolve(known.parse().unwrap());
    let url = format!("ws://example.com:{port}/");
    let error = dial(&connector, &url).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.blame()),
        (ErrorKind::Refused, Blame::Peer)
    );
    assert_eq!(
        error.to_string(),
        format!(
            "none of the 2 addresses of `example.com` could be connected to: 127.0.0.1:{port} refused the \
             connection; 127.0.0.2:{port} refused the connection"
        )
    );

    let connector = connector.address_family(AddressFamily::V6);
    let error = dial(&connector, &url).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Dns);
    assert_eq!(error.to_string(), "`example.com` has no IPv6 address");
}

#[tokio::test]
async fn one_address_that_answers_is_enough() {
    let (port, heads) = answers(&["101"]).await;
    let known = format!("example.com:{port}:127.0.0.2,127.0.0.3,127.0.0.1");
    let connector = Connector::new().resolve(known.parse().unwrap());
    let (socket, _) = dial(&connector, &format!("ws://example.com:{port}/"))
        .await
        .unwrap();
    assert_eq!(
        socket.peer_addr().unwrap().to_string(),
        format!("127.0.0.1:{port}")
    );
    heads.await.unwrap();
}

#[tokio::test]
async fn a_user_name_and_a_password_in_the_url() {
    let (port, heads) = answers(&["101"]).await;
    let url = format!("ws://me:open%20sesame@127.0.0.1:{port}/a");
    let (_socket, handshake) = dial(&Connector::new(), &url).await.unwrap();
    assert_eq!(handshake.url, format!("ws://127.0.0.1:{port}/a"));
    let head = heads.await.unwrap().remove(0);
    assert!(head.starts_with("GET /a HTTP/1.1\r\n"), "{head}");
    assert_eq!(
        header(&head, "Host"),
        Some(format!("127.0.0.1:{port}").as_str())
    );
    assert_eq!(
        header(&head, "Authorization"),
        Some("Basic bWU6b3BlbiBzZXNhbWU=")
    );
    // And nothing that goes wrong tells it.
    let error = dial(&Connector::new(), &url).await.unwrap_err();
    assert!(!format!("{error}{error:?}").contains("sesame"), "{error}");
}

#[tokio::test]
async fn a_host_header_of_the_callers() {
    let (port, heads) = answers(&["101"]).await;
    let request = Request {
        headers: vec![("Host".into(), "chat.example:8080".into())],
        ..Request::new(format!("ws://127.0.0.1:{port}/"))
    };
    soon(Connector::new().connect(&request)).await.unwrap();
    let heads = heads.await.unwrap();
    assert_eq!(header(&heads[0], "Host"), Some("chat.example:8080"));
    assert_eq!(heads[0].matches("Host:").count(), 1, "{}", heads[0]);

    for bad in ["a b", "", "a\r\nX: y"] {
        let request = Request {
            headers: vec![("Host".into(), bad.into())],
            ..Request::new("ws://127.0.0.1:1/")
        };
        let error = soon(Connector::new().connect(&request)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{bad}: {error}");
    }
}

const MOVED: &str = "HTTP/1.1 302 Found\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n";

#[tokio::test]
async fn a_redirect_is_a_refusal_unless_it_is_asked_for() {
    let (port, heads) = answers(&[MOVED]).await;
    let error = dial(&Connector::new(), &format!("ws://127.0.0.1:{port}/a"))
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "the server answered 302 Found instead of 101 Switching Protocols"
    );
    heads.await.unwrap();
}

#[tokio::test]
async fn redirects_are_followed_and_told() {
    let (port, heads) = answers(&[
        MOVED,
        "HTTP/1.1 301 Moved\r\nLocation: http://127.0.0.1:PORT/c?d#e\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 307 There\r\nLocation: ws://127.0.0.1:PORT/f\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 303 See\r\nLocation: ../g\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 308 Gone\r\nLocation: ?h\r\nContent-Length: 0\r\n\r\n",
        "101",
    ])
    .await;
    let request = Request {
        headers: vec![("Authorization".into(), "Bearer t".into())],
        ..Request::new(format!("ws://127.0.0.1:{port}/a"))
    };
    let connector = Connector::new().redirects(5);
    let (_socket, handshake) = soon(connector.connect(&request)).await.unwrap();
    let at = |resource: &str| format!("ws://127.0.0.1:{port}{resource}");
    assert_eq!(handshake.url, at("/g?h"));
    let told: Vec<_> = handshake
        .redirects
        .iter()
        .map(|hop| (hop.url.clone(), hop.response.status, hop.location.clone()))
        .collect();
    let expected = [
        (at("/a"), 302, at("/b")),
        (at("/b"), 301, at("/c?d")),
        (at("/c?d"), 307, at("/f")),
        (at("/f"), 303, at("/g")),
        (at("/g"), 308, at("/g?h")),
    ];
    assert_eq!(told, expected);
    let hops = handshake.redirects.iter().map(|hop| hop.timings.total);
    assert!(handshake.timings.total >= hops.sum::<std::time::Duration>());
    for head in heads.await.unwrap() {
        assert!(head.starts_with("GET /"), "{head}");
        assert_eq!(header(&head, "Authorization"), Some("Bearer t"), "{head}");
    }
}

#[tokio::test]
async fn a_loop_of_redirects_ends() {
    const LOOP: &str = "HTTP/1.1 302 Found\r\nLocation: /a\r\nContent-Length: 3\r\n\r\nabc";
    let (port, heads) = answers(&[LOOP; 3]).await;
    let error = dial(
        &Connector::new().redirects(2),
        &format!("ws://127.0.0.1:{port}/a"),
    )
    .await
    .unwrap_err();
    let at = format!("ws://127.0.0.1:{port}/a");
    assert_eq!(
        error.to_string(),
        format!("more than 2 redirects: {at} -> {at} -> {at} -> {at}")
    );
    assert_eq!(
        (error.kind(), error.blame()),
        (ErrorKind::Handshake, Blame::Peer)
    );
    assert_eq!(&error.refusal().unwrap().body[..], b"abc");
    heads.await.unwrap();
}

#[tokio::test]
async fn a_refusal_behind_a_redirect_tells_the_way() {
    let (port, heads) =
        answers(&[MOVED, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nlogin"]).await;
    let connector = Connector::new().redirects(10);
    let error = dial(&connector, &format!("ws://127.0.0.1:{port}/a"))
        .await
        .unwrap_err();
    let at = format!("ws://127.0.0.1:{port}");
    assert_eq!(
        error.to_string(),
        format!(
            "the server answered 200 OK instead of 101 Switching Protocols (redirected: {at}/a -> {at}/b)"
        )
    );
    assert_eq!(&error.refusal().unwrap().body[..], b"login");
    heads.await.unwrap();
}

#[tokio::test]
async fn credentials_stay_at_home() {
    let (other, other_heads) = script(async |mut stream| {
        let head = read_head(&mut stream).await;
        let answer = switching(&head, "");
        stream.write_all(answer.as_bytes()).await.unwrap();
        head
    })
    .await;
    let (home, home_head) = script(async move |mut stream| {
        let head = read_head(&mut stream).await;
        let answer =
            format!("HTTP/1.1 302 Found\r\nLocation: http://{other}/\r\nContent-Length: 0\r\n\r\n");
        stream.write_all(answer.as_bytes()).await.unwrap();
        head
    })
    .await;
    let secrets = ["Authorization", "Cookie", "Proxy-Authorization"];
    let mut headers: Vec<_> = secrets
        .iter()
        .map(|name| ((*name).to_owned(), "secret".to_owned()))
        .collect();
    headers.push(("X-Trace".into(), "1".into()));
    headers.push(("Host".into(), "home.example".into()));
    let request = Request {
        headers,
        ..Request::new(format!("ws://me:secret@{home}/"))
    };
    let connector = Connector::new().redirects(1);
    soon(connector.connect(&request)).await.unwrap();
    let (home_head, other_head) = (home_head.await.unwrap(), other_heads.await.unwrap());
    assert_eq!(header(&home_head, "Host"), Some("home.example"));
    assert_eq!(
        header(&other_head, "Host"),
        Some(other.to_string().as_str())
    );
    for name in secrets {
        assert_eq!(header(&home_head, name), Some("secret"), "{home_head}");
        assert_eq!(header(&other_head, name), None, "{other_head}");
    }
    assert_eq!(header(&other_head, "X-Trace"), Some("1"));
}

#[tokio::test]
async fn redirects_that_lead_nowhere() {
    let cases = [
        ("ftp://a/", "it leads to `ftp:`"),
        ("http://", "empty host"),
        ("ws+unix:/etc/passwd:/", "it leads to `ws+unix:`"),
        ("http://me:secret@a:99999/", "invalid port"),
    ];
    for (location, why) in cases {
        let (address, played) = script(async move |mut stream| {
            read_head(&mut stream).await;
            let answer =
                format!("HTTP/1.1 302 F\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n");
            stream.write_all(answer.as_bytes()).await.unwrap();
        })
        .await;
        let connector = Connector::new().redirects(1);
        let error = dial(&connector, &format!("ws://{address}/"))
            .await
            .unwrap_err();
        let sentence = error.to_string();
        assert!(sentence.contains(why), "{location}: {sentence}");
        assert!(sentence.contains("cannot be followed"), "{sentence}");
        assert!(!sentence.contains("secret"), "{sentence}");
        assert_eq!(error.refusal().unwrap().response.status, 302);
        played.await.unwrap();
    }
    // Without a Location there is nowhere to go.
    let (port, heads) = answers(&["HTTP/1.1 302 F\r\nContent-Length: 0\r\n\r\n"]).await;
    let connector = Connector::new().redirects(1);
    let error = dial(&connector, &format!("ws://127.0.0.1:{port}/"))
        .await
        .unwrap_err();
    assert!(
        error.to_string().starts_with("the server answered 302"),
        "{error}"
    );
    heads.await.unwrap();
}

#[cfg(feature = "cookies")]
#[tokio::test]
async fn cookies_are_kept_and_sent_again() {
    let (port, heads) = answers(&[
        "HTTP/1.1 401 No\r\nSet-Cookie: a=1; Path=/\r\nSet-Cookie: b=2\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 302 F\r\nLocation: /in/here\r\nSet-Cookie: a=; Max-Age=0\r\nSet-Cookie: c=3\r\n\
         Content-Length: 0\r\n\r\n",
        "101",
    ])
    .await;
    let jar = wiretalk_net::CookieJar::new();
    let connector = Connector::new().redirects(1).cookies(jar.clone());
    let url = format!("ws://127.0.0.1:{port}/login");
    let error = dial(&connector, &url).await.unwrap_err();
    assert_eq!(error.refusal().unwrap().response.status, 401);
    assert_eq!(jar.header(&url).unwrap().as_deref(), Some("a=1; b=2"));
    let request = Request {
        headers: vec![("Cookie".into(), "own=0".into())],
        ..Request::new(&url)
    };
    soon(connector.connect(&request)).await.unwrap();
    let heads = heads.await.unwrap();
    let sent: Vec<_> = heads.iter().map(|head| header(head, "Cookie")).collect();
    let expected = [None, Some("own=0; a=1; b=2"), Some("own=0; b=2; c=3")];
    assert_eq!(sent, expected);
}

#[cfg(unix)]
mod unix {
    use std::path::{Path, PathBuf};

    use tokio::net::{UnixListener, UnixStream};

    use super::*;

    /// A folder of the test's own, gone when it ends.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("wiretalk-{}-{name}", std::process::id()));
            std::fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        fn socket(&self) -> PathBuf {
            self.0.join("a.sock")
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    /// Opens a WebSocket to each client, `count` of them, and gives the heads of their requests.
    fn serve(listener: UnixListener, count: usize) -> JoinHandle<Vec<String>> {
        tokio::spawn(async move {
            let mut heads = Vec::new();
            for _ in 0..count {
                let (mut stream, _) = listener.accept().await.unwrap();
                let head = head_of(&mut stream).await;
                let answer = switching(&head, "");
                stream.write_all(answer.as_bytes()).await.unwrap();
                stream.write_all(b"\x81\x02hi").await.unwrap();
                heads.push(head);
            }
            heads
        })
    }

    async fn head_of(stream: &mut UnixStream) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        String::from_utf8(head).unwrap()
    }

    async fn greeted(dialed: Dialed) -> Handshake {
        let (mut socket, handshake) = dialed.unwrap();
        let message = soon(socket.recv()).await.unwrap().unwrap();
        assert_eq!(message.as_text(), Some("hi"));
        assert_eq!(socket.peer_addr(), None);
        assert!(handshake.timings.unix.is_some() && handshake.timings.tcp.is_none());
        handshake
    }

    fn url(socket: &Path, resource: &str) -> String {
        format!("ws+unix://{}:{resource}", socket.display())
    }

    #[tokio::test]
    async fn by_url_and_by_setting() {
        let folder = Folder::new("both");
        let socket = folder.socket();
        let served = serve(UnixListener::bind(&socket).unwrap(), 2);
        let handshake = greeted(dial(&Connector::new(), &url(&socket, "/a?b")).await).await;
        assert_eq!(handshake.url, format!("ws+unix:{}:/a?b", socket.display()));
        let connector = Connector::new().unix_socket(&socket);
        greeted(dial(&connector, "ws://example.com:81/c").await).await;
        let heads = served.await.unwrap();
        assert!(
            heads[0].starts_with("GET /a?b HTTP/1.1\r\n"),
            "{}",
            heads[0]
        );
        assert_eq!(header(&heads[0], "Host"), Some("localhost"));
        assert_eq!(header(&heads[1], "Host"), Some("example.com:81"));
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn without_a_file() {
        use std::os::linux::net::SocketAddrExt;

        let name = format!("wiretalk test {}", std::process::id());
        let address = std::os::unix::net::SocketAddr::from_abstract_name(&name).unwrap();
        let listener = std::os::unix::net::UnixListener::bind_addr(&address).unwrap();
        listener.set_nonblocking(true).unwrap();
        let served = serve(UnixListener::from_std(listener).unwrap(), 2);
        let encoded = format!("ws+unix:@{}:/a", name.replace(' ', "%20"));
        let handshake = greeted(dial(&Connector::new(), &encoded).await).await;
        assert_eq!(handshake.url, encoded);
        let connector = Connector::new().abstract_unix_socket(name.as_str());
        greeted(dial(&connector, "ws://localhost/").await).await;
        served.await.unwrap();
        let error = dial(&connector, "ws://localhost/").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused);
        assert_eq!(
            error.to_string(),
            format!(
                "the abstract Unix socket @{name} refused the connection: nobody listens there"
            )
        );
    }

    #[tokio::test]
    async fn redirects_stay_on_the_socket() {
        let folder = Folder::new("redirects");
        let socket = folder.socket();
        let listener = UnixListener::bind(&socket).unwrap();
        let served = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            head_of(&mut stream).await;
            let answer =
                "HTTP/1.1 302 F\r\nLocation: http://localhost/b\r\nContent-Length: 0\r\n\r\n";
            stream.write_all(answer.as_bytes()).await.unwrap();
            drop(stream);
            serve(listener, 1).await.unwrap()
        });
        let connector = Connector::new().redirects(1);
        let handshake = greeted(dial(&connector, &url(&socket, "/a")).await).await;
        assert_eq!(handshake.url, format!("ws+unix:{}:/b", socket.display()));
        let heads = served.await.unwrap();
        assert!(heads[0].starts_with("GET /b "), "{}", heads[0]);
    }

    #[tokio::test]
    async fn a_server_that_hangs_is_called_by_its_socket() {
        let folder = Folder::new("hangs");
        let socket = folder.socket();
        let listener = UnixListener::bind(&socket).unwrap();
        for scheme in ["ws", "wss"] {
            let connector = Connector::new().config(Config {
                handshake_timeout: ms(100),
                ..Config::default()
            });
            let url = url(&socket, "/").replacen("ws", scheme, 1);
            let error = dial(&connector, &url).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Timeout);
            let name = format!("the Unix socket {} did not ", socket.display());
            assert!(error.to_string().starts_with(&name), "{error}");
            drop(listener.accept().await.unwrap());
        }
    }

    #[tokio::test]
    async fn sockets_where_nobody_is() {
        let folder = Folder::new("nobody");
        let socket = folder.socket();
        let connector = Connector::new().unix_socket(&socket);
        let error = dial(&connector, "ws://localhost/").await.unwrap_err();
        assert_eq!(
            (error.kind(), error.blame()),
            (ErrorKind::Unreachable, Blame::Us)
        );
        assert_eq!(
            error.to_string(),
            format!("the Unix socket {} does not exist", socket.display())
        );
        drop(UnixListener::bind(&socket).unwrap());
        let error = dial(&connector, "ws://localhost/").await.unwrap_err();
        assert_eq!(
            (error.kind(), error.blame()),
            (ErrorKind::Refused, Blame::Peer)
        );
        assert_eq!(
            error.to_string(),
            format!(
                "the Unix socket {} refused the connection: nobody listens there",
                socket.display()
            )
        );
    }
}
