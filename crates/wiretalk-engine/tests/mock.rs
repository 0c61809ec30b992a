//! A mock's rooms, users and kept values, what it puts on the wire besides messages, and what it does when its talk
//! changes: seen by clients over loopback.

mod common;

use common::{SOON, Served, serve, serve_controlled, talk};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use wiretalk_engine::serve::Options;
use wiretalk_engine::serve::journal::{EntryKind, Filter};
use wiretalk_net::{ErrorKind, Event, WebSocket};

async fn join(server: &Served) -> WebSocket {
    wiretalk_net::connect(server.url.as_str())
        .await
        .expect("a connection")
        .0
}

async fn text(socket: &mut WebSocket) -> String {
    let event = timeout(SOON, socket.next_event()).await.expect("in time");
    match event.expect("no error") {
        Some(Event::Text(text)) => text.as_str().to_owned(),
        other => panic!("{other:?}"),
    }
}

async fn ask(socket: &mut WebSocket, question: &str) -> String {
    socket.send(question).await.expect("sent");
    text(socket).await
}

const ROOMS: &str = r#"
on open
  join lobby
on > join {{room:word}}
  join {{room}}
  < joined {{room}}
on > leave {{room:word}}
  leave {{room}}
  < left {{room}}
on > iam {{name:word}}
  identify {{name}}
  < you are {{name}}
on > room {{room:word}} {{text:any}}
  room {{room}} < {{text}}
  < done
on > tell {{name:word}} {{text:any}}
  user {{name}} < {{text}}
  < done
on > keep {{room:word}} {{value:any}}
  keep {{room}} {{value}}
  < kept
on > members {{room:word}}
  < {{ members(room)|length }}
"#;

#[tokio::test]
async fn rooms_and_users_get_what_is_for_them() {
    let server = serve(&talk(ROOMS), Options::default()).await;
    let (mut a, mut b, mut c) = (
        join(&server).await,
        join(&server).await,
        join(&server).await,
    );
    assert_eq!(ask(&mut a, "members lobby").await, "3");
    for socket in [&mut a, &mut b] {
        assert_eq!(ask(socket, "join blue").await, "joined blue");
        assert_eq!(ask(socket, "iam ann").await, "you are ann");
    }
    assert_eq!(ask(&mut c, "room blue hi").await, "done");
    assert_eq!(text(&mut a).await, "hi");
    assert_eq!(text(&mut b).await, "hi");
    // One who is in the room gets it as well.
    assert_eq!(ask(&mut a, "room blue own").await, "own");
    assert_eq!(text(&mut a).await, "done");
    assert_eq!(text(&mut b).await, "own");
    assert_eq!(ask(&mut c, "tell ann both").await, "done");
    assert_eq!(text(&mut a).await, "both");
    assert_eq!(text(&mut b).await, "both");
    assert_eq!(ask(&mut c, "tell bob nobody").await, "done");

    assert_eq!(ask(&mut b, "leave blue").await, "left blue");
    assert_eq!(ask(&mut c, "room blue a alone").await, "done");
    assert_eq!(text(&mut a).await, "a alone");
    // Nothing of it came to those who are not in the room.
    assert_eq!(ask(&mut b, "members blue").await, "1");
    assert_eq!(ask(&mut c, "members blue").await, "1");
    server.stop().await;
}

#[tokio::test]
async fn a_room_s_value_is_for_whoever_joins() {
    let server = serve(&talk(ROOMS), Options::default()).await;
    let (mut a, mut b) = (join(&server).await, join(&server).await);
    for (value, room) in [("1", "prices"), ("2", "prices"), ("other", "news")] {
        assert_eq!(ask(&mut a, &format!("keep {room} {value}")).await, "kept");
    }
    assert_eq!(ask(&mut b, "join prices").await, "2");
    assert_eq!(text(&mut b).await, "joined prices");
    // Once more is not to join again.
    assert_eq!(ask(&mut b, "join prices").await, "joined prices");
    assert_eq!(ask(&mut b, "leave prices").await, "left prices");
    assert_eq!(ask(&mut b, "join prices").await, "2");
    server.stop().await;
}

#[tokio::test]
async fn who_goes_says_farewell_to_its_room() {
    let plan =
        talk("on open\n  join r\non close\n  room r < {{ client.id }} goes\non > {{_}}\n  <echo\n");
    let mut server = serve(&plan, Options::default()).await;
    let (mut a, mut b) = (join(&server).await, join(&server).await);
    assert_eq!(ask(&mut b, "x").await, "x");
    a.close(wiretalk_net::CloseCode::NORMAL, "")
        .await
        .expect("closed");
    while let Ok(Some(_)) = timeout(SOON, a.next_event()).await.expect("in time") {}
    assert_eq!(text(&mut b).await, "1 goes");
    for line in ["#1 connected, 1", "#2 connected, 2", "#1 left 1000, 1"] {
        assert_eq!(server.line().await, line);
    }
    server.stop().await;
}

/// What the mock writes onto the stream, read without a WebSocket client in between: until `enough` bytes came, or the
/// stream ended. The second is whether it ended by a reset.
async fn wire(server: &Served, enough: usize) -> (Vec<u8>, bool) {
    let authority = server.url.strip_prefix("ws://").expect("a URL");
    let mut stream = TcpStream::connect(authority).await.expect("a connection");
    let request = format!(
        "GET / HTTP/1.1\r\nHost: {authority}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    stream
        .write_all(request.as_bytes())
        .await
        .expect("it is taken");
    let mut came = Vec::new();
    let reset = loop {
        let head = came.windows(4).position(|four| four == b"\r\n\r\n");
        if head.is_some_and(|head| came.len() >= head + 4 + enough) {
            break false;
        }
        let mut part = [0; 4096];
        match timeout(SOON, stream.read(&mut part))
            .await
            .expect("in time")
        {
            Ok(0) => break false,
            Ok(n) => came.extend_from_slice(&part[..n]),
            Err(error) => break error.kind() == std::io::ErrorKind::ConnectionReset,
        }
    };
    let head = came.windows(4).position(|four| four == b"\r\n\r\n");
    let head = head.expect("an answer to the handshake");
    (came.split_off(head + 4), reset)
}

#[tokio::test]
async fn fragments_frames_and_bytes_are_on_the_wire_as_the_talk_says() {
    for (line, expected) in [
        ("<(fragment 2) hello", &b"\x01\x02he\x00\x02ll\x80\x01o"[..]),
        ("<hex(fragment 1) 00 ff", b"\x02\x01\x00\x80\x01\xff"),
        ("<(chop 1) hi", b"\x81\x02hi"),
        ("<(compress=no) hi", b"\x81\x02hi"),
        ("<frame(opcode=1, rsv=4) a", b"\xc1\x01a"),
        ("<frame(fin=no, opcode=2) a", b"\x02\x01a"),
        (
            "<frame(opcode=1, length=70000) a",
            b"\x81\x7f\0\0\0\0\0\x01\x11\x70a",
        ),
        ("<raw 88 02 03 e8", b"\x88\x02\x03\xe8"),
    ] {
        let server = serve(&talk(&format!("on open\n  {line}\n")), Options::default()).await;
        let (came, _) = wire(&server, expected.len()).await;
        assert_eq!(came, expected, "{line}");
        server.stop().await;
    }
}

/// A message of the fast path keeps its place between two that go another way.
#[tokio::test]
async fn what_goes_another_way_keeps_its_place() {
    let plan = talk(
        "on open\n  < one\n  <(fragment 1) two\n  < three\n  <ping four\n  <(chop 2) five\n  < six\n",
    );
    let server = serve(&plan, Options::default()).await;
    let mut socket = join(&server).await;
    for expected in ["one", "two", "three"] {
        assert_eq!(text(&mut socket).await, expected);
    }
    let event = timeout(SOON, socket.next_event()).await.expect("in time");
    assert_eq!(
        event.expect("no error"),
        Some(Event::Ping(b"four"[..].into()))
    );
    for expected in ["five", "six"] {
        assert_eq!(text(&mut socket).await, expected);
    }
    server.stop().await;
}

#[tokio::test]
async fn a_connection_is_dropped_if_the_talk_says_so() {
    let plan = talk("on > drop\n  < last\n  <drop\non > {{_}}\n  <echo\n");
    let mut server = serve(&plan, Options::default()).await;
    let (mut a, mut b) = (join(&server).await, join(&server).await);
    a.send("drop").await.expect("sent");
    let end = loop {
        match timeout(SOON, a.next_event()).await.expect("in time") {
            Ok(Some(Event::Text(text))) => assert_eq!(text.as_str(), "last"),
            other => break other,
        }
    };
    let error = end.expect_err("no close frame came");
    assert!(
        matches!(error.kind(), ErrorKind::Reset | ErrorKind::Closed),
        "{error:?}"
    );
    for line in ["#1 connected, 1", "#2 connected, 2", "#1 left 1006, 1"] {
        assert_eq!(server.line().await, line);
    }
    assert_eq!(ask(&mut b, "still here").await, "still here");
    server.stop().await;
}

#[tokio::test]
async fn a_talk_is_exchanged_under_its_clients() {
    let server = serve_controlled(&[("/", talk("on > {{_}}\n  < one\n"))]).await;
    let mut socket = join(&server).await;
    assert_eq!(ask(&mut socket, "x").await, "one");
    let mock = &server.mocks[0];
    mock.reload(talk("# a comment\non > a\n  < two\n"))
        .expect("it can be played");
    assert_eq!(ask(&mut socket, "a").await, "two");
    // What is unmatched now is told with the lines of the talk as it is now.
    socket.send("b").await.expect("sent");
    assert_eq!(ask(&mut socket, "a").await, "two");
    let page = server.journal.read(&Filter::default(), 100, usize::MAX);
    let lines: Vec<_> = page
        .entries
        .iter()
        .filter_map(|entry| match &entry.kind {
            EntryKind::Received {
                unmatched: Some(nearest),
                ..
            } => Some(nearest.line),
            _ => None,
        })
        .collect();
    assert_eq!(lines, [Some(2)]);
    let took = page.entries.iter().filter_map(|entry| match entry.kind {
        EntryKind::Received { line, .. } => line,
        _ => None,
    });
    assert_eq!(took.collect::<Vec<_>>(), [1, 2, 2]);
    let several =
        talk("test one\nconnect ws://127.0.0.1:1\n< a\ntest two\nconnect ws://127.0.0.1:1\n< b\n");
    let refused = mock.reload(several).expect_err("nobody has chosen a test");
    assert!(refused.to_string().contains("`one`, `two`"), "{refused}");
    assert_eq!(ask(&mut socket, "a").await, "two");
    server.stop().await;
}
