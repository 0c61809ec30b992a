//! `wiretalk serve` under clients of others.

use wiretalk_interop::Server;

use crate::{Certificate, FRAGMENTING, LIBRARIES, LINKS, Link, client_of, every_size};

/// What our server agrees to if nothing more is asked for.
const AGREED: &str = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

fn agreed(link: Link) -> &'static str {
    if link.compressed { AGREED } else { "" }
}

/// Every client, on servers that are made of these arguments, does these steps over every link.
fn every_client_over_every_link(serve: impl Fn(&[&str]) -> Server, steps: &[String]) {
    let certificate = Certificate::new();
    for link in LINKS {
        let server = serve(&certificate.served(link));
        for library in LIBRARIES {
            let arguments = [link.deflate(), &certificate.trusted(link)].concat();
            let extensions = client_of(library, &server.url(), &arguments, steps);
            assert_eq!(extensions, agreed(link), "{library} {link:?}");
        }
    }
}

#[test]
fn the_echo_gives_back_every_size_over_every_link() {
    every_client_over_every_link(Server::echo, &every_size());
}

#[test]
fn a_talk_gives_back_every_size_over_every_link() {
    let talk = |arguments: &[&str]| Server::talk("tests/interop/talks/echo.talk", arguments);
    every_client_over_every_link(talk, &every_size());
}

#[test]
fn the_echo_gives_back_large_messages() {
    let certificate = Certificate::new();
    for (library, link, step) in [
        ("websockets", Link::new(false, false), "binary 16777216"),
        ("websockets", Link::new(true, false), "text 67108864"),
        ("aiohttp", Link::new(true, true), "text 16777216"),
        ("aiohttp", Link::new(false, false), "binary 67108864"),
        ("ws", Link::new(true, false), "binary 16777216"),
        ("ws", Link::new(false, true), "text 67108864"),
    ] {
        let server = Server::echo(&certificate.served(link));
        let arguments = [link.deflate(), &certificate.trusted(link)].concat();
        let extensions = client_of(library, &server.url(), &arguments, &[step.to_owned()]);
        assert_eq!(extensions, agreed(link), "{library} {link:?}");
    }
}

#[test]
fn fragments_with_pings_between_them() {
    let steps = [
        "text 10000 7",
        "binary 3 3",
        "binary 100000 2",
        "text 1048576 16",
        "text 5 1",
        "binary 1048576 100",
    ];
    for link in [Link::new(false, false), Link::new(true, false)] {
        let server = Server::echo(&[]);
        for library in FRAGMENTING {
            let steps = steps.map(str::to_owned);
            let extensions = client_of(library, &server.url(), link.deflate(), &steps);
            assert_eq!(extensions, agreed(link), "{library} {link:?}");
        }
    }
}

#[test]
fn a_server_that_is_told_so_does_not_compress() {
    let echo = Server::echo(&["--no-compress"]);
    let talk = Server::talk("tests/interop/talks/echo.talk", &["--no-compress"]);
    for server in [echo, talk] {
        for library in LIBRARIES {
            let steps = ["text 1000".to_owned()];
            let extensions = client_of(library, &server.url(), &["--deflate", "{}"], &steps);
            assert_eq!(extensions, "", "{library}");
        }
    }
}

#[test]
fn the_log_says_what_was_agreed_on() {
    let mut server = Server::echo(&["-v"]);
    for (link, logged) in [
        (
            Link::new(true, false),
            format!(" to /, {AGREED} (1 client)"),
        ),
        (Link::new(false, false), " to / (1 client)".to_owned()),
    ] {
        client_of("websockets", &server.url(), link.deflate(), &[]);
        let line = server.process.expect("connected from ");
        assert!(line.ends_with(&logged), "{line}");
    }
}
