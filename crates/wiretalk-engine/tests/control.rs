//! The control API of a mock, spoken to as by any program: HTTP/1.1 over loopback.

mod common;

use std::sync::Arc;

use common::{SOON, Served, serve_controlled, talk};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use wiretalk_engine::serve::control::{Control, ControlError};
use wiretalk_net::{Event, WebSocket};

/// Asks, and gives the status, the head and the body of the answer.
async fn ask(server: &Served, head: &str, headers: &[&str], body: &str) -> (u16, String, String) {
    let authority = server.control.url.strip_prefix("http://").expect("http");
    let mut stream = TcpStream::connect(authority).await.expect("a connection");
    let mut request = format!("{head} HTTP/1.1\r\nConnection: close\r\n");
    for header in headers {
        request.push_str(&format!("{header}\r\n"));
    }
    request.push_str(&format!("Content-Length: {}\r\n\r\n{body}", body.len()));
    stream
        .write_all(request.as_bytes())
        .await
        .expect("it is taken");
    let mut answer = String::new();
    timeout(SOON, stream.read_to_string(&mut answer))
        .await
        .expect("an answer in time")
        .expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("head and body");
    let status = head[9..12].parse().expect("a status");
    (status, head.to_lowercase(), body.to_owned())
}

/// Asks as one may.
async fn api(server: &Served, head: &str, body: &Value) -> (u16, Value) {
    let token = format!("Authorization: Bearer {}", server.control.token);
    let body = match body {
        Value::Null => String::new(),
        body => body.to_string(),
    };
    let headers = ["Host: localhost", &token, "Content-Type: application/json"];
    let (status, head, body) = ask(server, head, &headers, &body).await;
    assert!(!head.contains("access-control"), "{head}");
    let body = match body.as_str() {
        "" => Value::Null,
        body => serde_json::from_str(body).expect("JSON"),
    };
    (status, body)
}

async fn join(server: &Served) -> WebSocket {
    connect(&server.url).await.expect("a connection")
}

async fn connect(url: &str) -> Result<WebSocket, wiretalk_net::Error> {
    Ok(wiretalk_net::connect(url).await?.0)
}

async fn next(socket: &mut WebSocket) -> Event {
    timeout(SOON, socket.next_event())
        .await
        .expect("in time")
        .expect("no error")
        .expect("not the end")
}

async fn text(socket: &mut WebSocket) -> String {
    match next(socket).await {
        Event::Text(text) => text.as_str().to_owned(),
        other => panic!("{other:?}"),
    }
}

const ECHO: &str = "on >any\n  <echo\n";

#[tokio::test]
async fn nobody_gets_in_who_could_be_a_page_or_lacks_the_token() {
    let server = serve_controlled(&[("/", talk(ECHO))]).await;
    let token = format!("Authorization: Bearer {}", server.control.token);
    let lower = format!("authorization: bearer {}", server.control.token);
    let wrong = format!("Authorization: Bearer {}x", server.control.token);
    let start = format!("Authorization: Bearer {}", &server.control.token[1..]);
    let basic = format!("Authorization: Basic {}", server.control.token);
    let host = "Host: 127.0.0.1:1234";
    let json = "Content-Type: application/json";
    let clients = "GET /clients";
    let send = "POST /send";
    for (head, headers, status) in [
        (clients, &[host, &token][..], 200),
        (clients, &[host, &lower], 200),
        (clients, &["Host: LOCALHOST", &token], 200),
        (clients, &["Host: localhost:80", &token], 200),
        (clients, &["Host: [::1]:80", &token], 200),
        (clients, &["Host: 127.9.9.9", &token], 200),
        (clients, &[host], 401),
        (clients, &[host, &wrong], 401),
        (clients, &[host, &start], 401),
        (clients, &[host, &basic], 401),
        (clients, &[host, "Authorization: Bearer "], 401),
        (clients, &[host, "Authorization: Bearer"], 401),
        (clients, &[host, &token, &token], 401),
        (clients, &["Host: evil.example", &token], 403),
        (clients, &["Host: localhost.evil.example", &token], 403),
        (clients, &["Host: 127.0.0.1.evil.example", &token], 403),
        (clients, &["Host: evil@127.0.0.1", &token], 403),
        (clients, &["Host: 10.0.0.1", &token], 403),
        (clients, &["Host: 0.0.0.0", &token], 403),
        (clients, &["Host: ", &token], 403),
        (clients, &[host, host, &token], 403),
        (
            clients,
            &[host, &token, "Origin: http://127.0.0.1:1234"],
            403,
        ),
        (clients, &[host, &token, "Origin: null"], 403),
        (clients, &[host, "Origin: http://evil.example"], 403),
        ("OPTIONS /send", &[host, "Origin: http://evil.example"], 403),
        (send, &[host, &token], 415),
        (send, &[host, &token, "Content-Type: text/plain"], 415),
        (
            send,
            &[
                host,
                &token,
                "Content-Type: application/x-www-form-urlencoded",
            ],
            415,
        ),
        (send, &[host, &token, json], 200),
        (send, &[host, json], 401),
        ("GET /nothing", &[host], 401),
        ("GET /nothing", &[host, &token], 404),
        ("GET /send", &[host, &token], 405),
        ("DELETE /clients", &[host, &token], 405),
    ] {
        let body = r#"{"all":true,"text":"x"}"#;
        let (came, answer, body) = ask(&server, head, headers, body).await;
        assert_eq!(came, status, "{head} {headers:?}: {body}");
        assert!(!answer.contains("access-control"), "{answer}");
        assert_eq!(answer.contains("www-authenticate: bearer"), status == 401);
        let body: Value = serde_json::from_str(&body).expect("JSON");
        assert_eq!(body["error"].is_string(), status != 200, "{body}");
    }
    server.stop().await;
}

#[tokio::test]
async fn it_is_not_to_be_reached_from_elsewhere_and_not_by_guessing() {
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
        let refused = Control::bind(address, None).await.err();
        assert!(
            matches!(refused, Some(ControlError::NotLoopback(_))),
            "{address}: {refused:?}"
        );
    }
    for token in ["", "short", "with blanks and so on", "ümlaut-ümlaut-ümlaut"] {
        let refused = Control::bind("127.0.0.1:0", Some(token.to_owned())).await;
        assert!(matches!(refused, Err(ControlError::Token)), "{token}");
    }
    let one = Control::bind("127.0.0.1:0", None).await.expect("a port");
    let two = Control::bind("localhost:0", None).await.expect("a port");
    assert_ne!(one.token(), two.token());
    assert_eq!(one.token().len(), 64);
    let own = Some("0123456789abcdef".to_owned());
    let own = Control::bind("[::1]:0", own).await;
    // A machine need not have IPv6.
    if let Ok(own) = own {
        assert_eq!(own.token(), "0123456789abcdef");
    }
}

#[tokio::test]
async fn clients_are_listed_sent_to_and_closed() {
    let server = serve_controlled(&[("/", talk(ECHO))]).await;
    let (mut a, mut b) = (join(&server).await, join(&server).await);
    let (status, listed) = api(&server, "GET /clients", &Value::Null).await;
    assert_eq!(status, 200);
    let ids: Vec<_> = listed["clients"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|client| client["id"].as_u64())
        .collect();
    assert_eq!(ids, [Some(1), Some(2)]);
    assert_eq!(listed["clients"][0]["talk"], "/");
    assert_eq!(listed["clients"][0]["rooms"], json!([]));

    for (body, status, answer) in [
        (
            json!({"client":1,"text":"one"}),
            200,
            json!({"receivers":1}),
        ),
        (
            json!({"all":true,"text":"all"}),
            200,
            json!({"receivers":2}),
        ),
        (
            json!({"all":true,"talk":"/","base64":"AP8="}),
            200,
            json!({"receivers":2}),
        ),
        (
            json!({"room":"nobody","text":"x"}),
            200,
            json!({"receivers":0}),
        ),
        (
            json!({"user":"nobody","text":"x"}),
            200,
            json!({"receivers":0}),
        ),
        (
            json!({"client":3,"text":"x"}),
            404,
            json!({"error":"no client 3 is connected"}),
        ),
        (
            json!({"all":true,"talk":"/no","text":"x"}),
            404,
            json!({"error":"no talk is at `/no`"}),
        ),
    ] {
        assert_eq!(
            api(&server, "POST /send", &body).await,
            (status, answer),
            "{body}"
        );
    }
    for body in [
        json!({"text":"x"}),
        json!({"all":true}),
        json!({"all":false,"text":"x"}),
        json!({"all":true,"client":1,"text":"x"}),
        json!({"all":true,"text":"x","base64":""}),
        json!({"all":true,"base64":"?"}),
    ] {
        assert_eq!(api(&server, "POST /send", &body).await.0, 400, "{body}");
    }
    let (status, _) = api(&server, "POST /send", &json!({"all":true,"txet":"x"})).await;
    assert_eq!(status, 422);
    assert_eq!(text(&mut a).await, "one");
    for socket in [&mut a, &mut b] {
        assert_eq!(text(socket).await, "all");
        assert_eq!(next(socket).await, Event::Binary(vec![0, 255].into()));
    }

    for (body, status) in [
        (json!({"code":1005}), 400),
        (json!({"code":999}), 400),
        (json!({"reason":"no code"}), 400),
        (json!({"code":4000,"reason":"x".repeat(124)}), 400),
        (json!({"code":4000,"reason":"enough"}), 200),
    ] {
        assert_eq!(
            api(&server, "POST /clients/1/close", &body).await.0,
            status,
            "{body}"
        );
    }
    let Event::Close(Some(frame)) = next(&mut a).await else {
        panic!("no close")
    };
    assert_eq!((frame.code.as_u16(), &*frame.reason), (4000, "enough"));
    let (status, _) = api(&server, "POST /clients/3/close", &json!({})).await;
    assert_eq!(status, 404);
    let (status, _) = api(&server, "POST /clients/x/close", &json!({})).await;
    assert_eq!(status, 400);
    drop(b);
    server.stop().await;
}

#[tokio::test]
async fn the_journal_is_read_and_cleared() {
    let rules = "on > hello\n  < hi\n  all < somebody came\non > {\"a\":1}\n  < one\n";
    let server = serve_controlled(&[("/", talk(rules))]).await;
    let mut a = join(&server).await;
    let mut b = join(&server).await;
    a.send("hello").await.expect("sent");
    assert_eq!(text(&mut a).await, "hi");
    assert_eq!(text(&mut b).await, "somebody came");
    b.send(r#"{"a":2}"#).await.expect("sent");
    b.close(wiretalk_net::CloseCode::NORMAL, "bye")
        .await
        .expect("closed");
    while let Ok(Some(_)) = timeout(SOON, b.next_event()).await.expect("in time") {}
    // Once its going is there, all is.
    let mut newer = server.journal.watch();
    let entries = loop {
        newer.mark_unchanged();
        let (_, page) = api(&server, "GET /journal?kind=gone", &Value::Null).await;
        if let Some(gone) = page["entries"].as_array().and_then(|all| all.first()) {
            assert_eq!(gone["client"], 2);
            assert_eq!(gone["code"], 1000);
            let (status, page) = api(&server, "GET /journal", &Value::Null).await;
            assert_eq!(
                (status, &page["dropped"], &page["next"]),
                (200, &json!(0), &json!(null))
            );
            break page["entries"].clone();
        }
        timeout(SOON, newer.changed())
            .await
            .expect("something in time")
            .expect("the journal is there");
    };
    let entries = entries.as_array().expect("a list");
    let told: Vec<String> = entries
        .iter()
        .map(|entry| {
            let shown = |name: &str| match &entry[name] {
                Value::Null => String::new(),
                Value::String(text) => format!(" {text}"),
                other => format!(" {other}"),
            };
            let fields = [
                "client",
                "direction",
                "kind",
                "to",
                "clients",
                "text",
                "code",
            ];
            let fields: String = fields.iter().map(|name| shown(name)).collect();
            fields.trim_start().to_owned()
        })
        .collect();
    assert_eq!(
        told,
        [
            "1 open",
            "2 open",
            "1 received text hello",
            "1 sent text client hi",
            "sent text all [1,2] somebody came",
            r#"2 received text {"a":2}"#,
            "2 received close bye 1000",
            "2 sent close client  1000",
            "2 gone 1000",
        ]
    );
    for (at, entry) in entries.iter().enumerate() {
        assert_eq!(entry["number"], at as u64 + 1);
    }
    let unmatched = &entries[5]["unmatched"];
    assert_eq!(unmatched["line"], 4);
    assert!(unmatched["why"].as_str().expect("a sentence").contains('a'));

    for (query, expected) in [
        ("client=1", &[1, 3, 4, 5][..]),
        ("client=2&direction=received", &[6, 7]),
        ("direction=sent&limit=1", &[4]),
        ("since=6", &[7, 8, 9]),
        ("kind=text&since=3", &[4, 5, 6]),
        ("talk=%2F&kind=open", &[1, 2]),
        ("talk=%2Fother", &[]),
    ] {
        let (_, page) = api(&server, &format!("GET /journal?{query}"), &Value::Null).await;
        let numbers = page["entries"].as_array().expect("a list").iter();
        let numbers: Vec<_> = numbers.map(|entry| entry["number"].as_i64()).collect();
        let expected: Vec<_> = expected.iter().copied().map(Some).collect();
        assert_eq!(numbers, expected, "{query}");
    }
    for query in ["direction=up", "since=yesterday", "limit=-1", "colour=red"] {
        let (status, _) = api(&server, &format!("GET /journal?{query}"), &Value::Null).await;
        assert_eq!(status, 400, "{query}");
    }
    let (status, _) = api(&server, "DELETE /journal", &Value::Null).await;
    assert_eq!(status, 204);
    let (_, page) = api(&server, "GET /journal", &Value::Null).await;
    assert_eq!(page["entries"], json!([]));
    server.stop().await;
}

#[tokio::test]
async fn messages_are_verified() {
    let server = serve_controlled(&[("/", talk(ECHO))]).await;
    let mut a = join(&server).await;
    let mut b = join(&server).await;
    for message in ["hello", r#"{"op":"subscribe","topic":"btc"}"#, "hello"] {
        a.send(message).await.expect("sent");
        assert_eq!(text(&mut a).await, message);
    }
    b.send(vec![0u8, 255]).await.expect("sent");
    assert_eq!(next(&mut b).await, Event::Binary(vec![0, 255].into()));
    for (body, passed, count) in [
        (json!({"pattern":"> hello"}), true, 2),
        (json!({"pattern":"> hello","times":2}), true, 2),
        (json!({"pattern":"> hello","times":1}), false, 2),
        (json!({"pattern":"> hello","at_most":1}), false, 2),
        (
            json!({"pattern":"> hello","at_least":2,"at_most":3}),
            true,
            2,
        ),
        (json!({"pattern":"> hello","at_least":3}), false, 2),
        (json!({"pattern":"> hello","client":2,"times":0}), true, 0),
        (json!({"pattern":"> hello","talk":"/other"}), false, 0),
        (json!({"pattern":"> goodbye"}), false, 0),
        (json!({"pattern":"> goodbye","times":0}), true, 0),
        (json!({"pattern":"> {\"topic\":\"btc\", ...}"}), true, 1),
        (
            json!({"pattern":"> {\"topic\":\"{{t:word}}\", ...}\n  ? $.op == \"subscribe\""}),
            true,
            1,
        ),
        (
            json!({"pattern":"> {\"topic\":\"{{t:word}}\", ...}\n  ? $.op == \"other\""}),
            false,
            0,
        ),
        (json!({"pattern":">\n| hello"}), true, 2),
        (json!({"pattern":"> {{_}}"}), true, 3),
        (json!({"pattern":">hex 00 ff"}), true, 1),
        (json!({"pattern":">close 1000"}), false, 0),
    ] {
        let (status, answer) = api(&server, "POST /verify", &body).await;
        assert_eq!(status, 200, "{body}: {answer}");
        assert_eq!(
            (&answer["passed"], &answer["count"]),
            (&json!(passed), &json!(count)),
            "{body}: {answer}"
        );
        assert_eq!(answer["dropped"], 0);
    }
    let body = json!({"pattern":"> {\"op\":\"subscribe\",\"topic\":\"eth\"}"});
    let (_, answer) = api(&server, "POST /verify", &body).await;
    assert_eq!(answer["nearest"]["entry"]["number"].as_u64(), Some(5));
    assert!(
        answer["nearest"]["why"]
            .as_str()
            .expect("why")
            .contains("eth")
    );

    for (pattern, why) in [
        ("> {\"topic\":\"{{t}}\", ...}", "`t` is not bound here"),
        ("> {{nam}}", "`nam` is not bound here"),
        ("> hello\n  ? $.a == {{gone}}", "`gone` is not bound here"),
        (
            "< hello",
            "only what clients sent can be verified: begin with `>`",
        ),
    ] {
        let body = json!({"pattern":pattern,"times":0});
        let (status, answer) = api(&server, "POST /verify", &body).await;
        let said = answer["error"].as_str().expect("a sentence");
        assert!(status == 400 && said.contains(why), "{body}: {answer}");
    }
    for body in [
        json!({"pattern":""}),
        json!({"pattern":"> hello\nset a = 1"}),
        json!({"pattern":"> {{a"}),
        json!({"pattern":"> hello","times":1,"at_least":1}),
        json!({"pattern":"> hello","at_least":2,"at_most":1}),
    ] {
        let (status, answer) = api(&server, "POST /verify", &body).await;
        assert_eq!(status, 400, "{body}: {answer}");
    }
    server.stop().await;
}

#[tokio::test]
async fn verifying_waits_for_what_is_missing() {
    let server = serve_controlled(&[("/", talk(ECHO))]).await;
    let mut a = join(&server).await;
    let body = json!({"pattern":"> {{_:int}}","at_least":3,"within_ms":20_000});
    let verified = api(&server, "POST /verify", &body);
    let sent = async {
        for n in 0..3 {
            a.send(n.to_string()).await.expect("sent");
            assert_eq!(text(&mut a).await, n.to_string());
        }
    };
    let ((status, answer), ()) = tokio::join!(verified, sent);
    assert_eq!(
        (status, &answer["passed"], &answer["count"]),
        (200, &json!(true), &json!(3))
    );
    let body = json!({"pattern":"> nothing of this kind","within_ms":1});
    let (_, answer) = api(&server, "POST /verify", &body).await;
    assert_eq!(answer["passed"], false);
    server.stop().await;
}

#[tokio::test]
async fn talks_share_a_port_each_at_its_path() {
    let chat = talk(
        "listen ws://127.0.0.1:4000/chat\non > {{_}}\n  < chat\non GET /health\n  HTTP 200\n    | fine\n",
    );
    let prices = talk("on > {{_}}\n  all < prices\n");
    let server = serve_controlled(&[("/chat", chat), ("/prices", prices)]).await;
    let at = |path: &str| format!("{}{path}", server.url);
    let mut chat = connect(&at("/chat")).await.expect("a chat");
    let mut price = connect(&at("/prices")).await.expect("prices");
    for path in ["/", "/other", "/chat/", "/chat2"] {
        let refused = connect(&at(path)).await.err();
        let refused = refused.expect("nothing is there").to_string();
        assert!(refused.contains("404"), "{path}: {refused}");
    }
    chat.send("x").await.expect("sent");
    assert_eq!(text(&mut chat).await, "chat");
    price.send("x").await.expect("sent");
    assert_eq!(text(&mut price).await, "prices");
    let (_, listed) = api(&server, "GET /clients", &Value::Null).await;
    let listed: Vec<_> = listed["clients"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|client| (client["id"].clone(), client["talk"].clone()))
        .collect();
    assert_eq!(
        listed,
        [(json!(1), json!("/chat")), (json!(2), json!("/prices"))]
    );
    let (_, talks) = api(&server, "GET /talks", &Value::Null).await;
    assert_eq!(talks["talks"][1]["path"], "/prices");
    assert_eq!(talks["talks"][1]["clients"], 1);
    assert_eq!(talks["talks"][1]["url"], json!(at("/prices")));
    // What goes to all of one talk is for nobody else; what is sent from outside goes to all if no talk is named.
    let body = json!({"all":true,"text":"everybody"});
    assert_eq!(
        api(&server, "POST /send", &body).await.1,
        json!({"receivers":2})
    );
    let body = json!({"all":true,"talk":"/chat","text":"chatters"});
    assert_eq!(
        api(&server, "POST /send", &body).await.1,
        json!({"receivers":1})
    );
    assert_eq!(text(&mut price).await, "everybody");
    assert_eq!(text(&mut chat).await, "everybody");
    assert_eq!(text(&mut chat).await, "chatters");
    server.stop().await;
}

#[test]
fn two_talks_at_one_path_are_refused() {
    use wiretalk_engine::serve::{Mock, Options, Performance, Place, Shared, Site};
    struct Nobody;
    impl wiretalk_engine::serve::Observer for Nobody {
        fn event(&self, _: &wiretalk_engine::serve::Event<'_>) {}
    }
    let shared = Shared::new(Options::default(), Arc::new(Nobody));
    let mock = || {
        let performance = Performance {
            plan: talk(ECHO),
            test: None,
            setup: common::setup(),
            place: Place::Given("/a".to_owned()),
        };
        Mock::new(&shared, performance).expect("a mock")
    };
    let refused = Site::new(vec![mock(), mock()]).err().expect("refused");
    assert!(
        refused.to_string().contains("both found at `/a`"),
        "{refused}"
    );
    assert!(Site::new(Vec::new()).is_err());
}
