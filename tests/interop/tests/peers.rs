//! The peers among themselves. What fails here is the fault of the peers, or of how they are run.

use wiretalk_interop::{Process, Program, Server, Signal, Stream};

const CLIENTS: [&str; 2] = ["client.py", "client.mjs"];

#[test]
fn each_client_talks_to_each_kind_of_server() {
    for client in CLIENTS {
        for (mode, replies) in [
            ("right", &["Message text was: hi"][..]),
            ("late", &["Message text was: hi"]),
            ("wrong", &["Message text is: hi"]),
            ("twice", &["Message text was: hi", "Message text was: hi"]),
            ("silent", &[]),
        ] {
            let server = Program::peer("echo_close.py").args(["--mode", mode, "--delay", "0.05"]);
            let (mut server, address) = serve(server, "/ws");
            let mut client = Program::peer(client).arg(&address).start();
            client.expect("open");
            client.say("hi");
            server.expect("recv: hi");
            for reply in replies {
                assert_eq!(client.expect("recv: "), *reply, "{mode}");
            }
            client.say("close");
            assert_eq!(client.expect("closed "), "1000", "{mode}");
            assert_eq!(client.exit_code(), 0);
            server.expect("closed 1000");
            let received = client.output(Stream::Out).matches("recv: ").count();
            assert_eq!(received, replies.len(), "{mode}: nothing but the replies");
        }
    }
}

#[test]
fn a_client_closes_with_the_code_it_is_told_and_at_the_end_of_input() {
    let (mut server, address) = serve(Program::peer("echo_close.py"), "/ws");
    for client in CLIENTS {
        let mut told = Program::peer(client).arg(&address).start();
        told.expect("open");
        told.say("/close 4321 so long");
        // aiohttp answers any close with 1000, so it is the server that knows.
        told.expect("closed 1000");
        server.expect("closed 4321");

        let mut ended = Program::peer(client).arg(&address).start();
        ended.expect("open");
        ended.end_input();
        assert_eq!(ended.expect("closed "), "1000", "{client}");
        assert_eq!(ended.exit_code(), 0);
        server.expect("closed 1000");
    }
}

#[test]
fn a_client_can_be_frozen_and_killed() {
    for client in CLIENTS {
        let (mut server, address) = serve(Program::peer("echo_close.py"), "/ws");
        let mut client = Program::peer(client).arg(&address).start();
        client.expect("open");
        client.signal(Signal::STOP);
        client.say("while frozen");
        let mut other = Program::peer("client.py").arg(&address).start();
        other.expect("open");
        other.say("meanwhile");
        other.expect("recv: Message text was: meanwhile");
        assert!(!server.output(Stream::Out).contains("while frozen"));
        client.signal(Signal::CONT);
        client.expect("recv: Message text was: while frozen");
        client.signal(Signal::KILL);
        assert_eq!(client.wait().code(), None);
        server.expect("closed 1006");
    }
}

#[test]
fn each_misbehaviour_is_seen_for_what_it_is() {
    for (mode, seen_by_client, seen_by_server) in [
        ("http200", "failed status 200", "client gone"),
        ("badaccept", "failed handshake", "client gone"),
        ("hang", "failed timeout", "client gone"),
        ("giant", "closed 1006", "client closed 1009"),
        ("cut", "closed 1006", "client gone"),
        ("utf8", "closed 1006", "client closed 1007"),
        ("masked", "closed 1006", "client closed 1002"),
        ("reset", "closed 1006", "client gone"),
    ] {
        let (mut server, address) = serve(Program::peer("misbehave.py").arg(mode), "/");
        let mut client = Program::peer("client.py")
            .args(["--open-timeout", "0.2", &address])
            .start();
        let stream = if seen_by_client.starts_with("failed") {
            Stream::Err
        } else {
            Stream::Out
        };
        client.expect_on(stream, seen_by_client);
        server.expect(seen_by_server);
        assert_eq!(
            client.exit_code(),
            i32::from(stream == Stream::Err),
            "{mode}"
        );
    }
}

#[test]
fn a_browser_opens_a_page_and_a_web_socket_in_it() {
    let (mut server, address) = serve(Program::peer("echo_close.py"), "");
    let page = address.replacen("ws://", "http://", 1);
    let mut browser = Program::peer("browser.py").arg(&page).start();
    browser.expect("loaded ");
    browser.say("document.body.innerText");
    assert_eq!(browser.expect("value: "), r#""the WebSocket is at /ws""#);
    browser.say(&format!(
        "window.socket = new WebSocket('{address}/ws'); window.got = []; \
         socket.onmessage = event => got.push(event.data); socket.onopen = () => socket.send('from a page'); 0"
    ));
    browser.say("until got[0]");
    browser.expect("value: 0");
    assert_eq!(
        browser.expect("value: "),
        r#""Message text was: from a page""#
    );
    browser.say("console.log('seen', 1); nope()");
    assert_eq!(browser.expect("console: "), "seen 1");
    assert!(browser.expect("threw: ").contains("nope is not defined"));
    browser.end_input();
    assert_eq!(browser.exit_code(), 0);
    server.expect("closed 1001");
}

/// Starts a server; gives the address of `path` on it.
fn serve(program: Program, path: &str) -> (Process, String) {
    let Server {
        process, origin, ..
    } = Server::start(program);
    (process, format!("{origin}{path}"))
}
