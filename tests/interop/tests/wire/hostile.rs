//! Clients that want our server's memory, and do not get it.

use wiretalk_interop::{Process, Program, Server};

use crate::MIB;

/// Clients that stop in the middle of a message, and what each of them may cost.
struct Stalled {
    name: &'static str,
    clients: usize,
    /// How their messages begin, in turn: see `stalled.py`.
    beginnings: &'static [&'static str],
    /// Bytes, with all that the client has sent.
    each: usize,
}

const STALLED: [Stalled; 2] = [
    Stalled {
        name: "half a frame",
        clients: 10_000,
        beginnings: &["header", "payload", "fragment"],
        each: 10 * 1024,
    },
    // What is compressed needs a window of 32 KiB to be inflated, from its first byte on.
    Stalled {
        name: "half of a compressed frame",
        clients: 2_000,
        beginnings: &["compressed"],
        each: 64 * 1024,
    },
];

/// How much longer than their deadline it may take on a busy machine until all clients are closed, in seconds.
const MARGIN: f64 = 20.0;

#[test]
fn clients_that_send_half_a_frame_and_stop_are_closed_by_their_deadline() {
    for case in STALLED {
        // As few descriptors as many systems give at first.
        let few = r#"ulimit -Sn 1024; exec "$WIRETALK_BIN" serve --echo --listen 127.0.0.1:0 --message-timeout 2"#;
        let server = Server::start(Program::system("sh").args(["-c", few]));
        let before = server.process.memory().resident;
        stall(&server, &case);
        let peak = server.process.memory().peak;
        let each = (peak - before) / case.clients;
        assert!(
            each <= case.each,
            "{}: {each} bytes for each client",
            case.name
        );
        // What they had is free for others: as many again need no more, a little aside that the allocator may waste.
        stall(&server, &case);
        // The kernel counts roughly: it may even know of less than before.
        let more = server.process.memory().peak.saturating_sub(peak);
        let waste = case.clients * case.each / 4;
        assert!(
            more <= waste,
            "{}: {more} bytes more for the next",
            case.name
        );
    }
}

/// So many clients begin a message, and each is closed with 1008 once its time is up.
fn stall(server: &Server, case: &Stalled) {
    let mut clients = Program::peer("wire/stalled.py")
        .args([server.port(), &case.clients.to_string()])
        .args(case.beginnings)
        .start();
    assert_eq!(clients.expect("open "), case.clients.to_string());
    clients.say("stall");
    clients.expect("stalled ");
    assert_eq!(clients.expect("closed "), format!("1008 {}", case.clients));
    let after = clients.expect("after ");
    let (first, last) = after.split_once(" to ").expect("two times");
    let last = last.trim_end_matches(" seconds");
    let seconds = |text: &str| text.parse::<f64>().expect("a number");
    let (first, last) = (seconds(first), seconds(last));
    assert!(first > 1.9 && last < 2.0 + MARGIN, "{}: {after}", case.name);
    assert_eq!(clients.exit_code(), 0);
}

/// A message of 1 MiB that inflates to 1 GiB is refused with 1009 while it inflates.
#[test]
fn a_bomb_is_refused_with_1009_and_memory_stays_flat() {
    let limit = (16 * MIB).to_string();
    let echo = Server::echo(&["--max-message", &limit]);
    let talk = Server::talk("tests/interop/talks/echo.talk", &["--max-message", &limit]);
    for mut server in [echo, talk] {
        let before = server.process.memory().resident;
        let mut bomber = Program::peer("wire/bomb.py").arg(server.port()).start();
        assert!(bomber.expect("echoed ").ends_with(" bytes, compressed"));
        let bomb: usize = number(&mut bomber, "bomb of ");
        assert!((MIB * 9 / 10..MIB * 11 / 10).contains(&bomb), "{bomb}");
        assert_eq!(bomber.expect("closed "), "1009");
        assert!(server.process.expect("left with ").starts_with("1009"));
        let grown = server.process.memory().peak - before;
        assert!(grown <= 64 * MIB, "{grown} bytes more than at the start");
    }
}

fn number(process: &mut Process, before: &str) -> usize {
    let rest = process.expect(before);
    let number = rest.split(' ').next().unwrap_or_default();
    number.parse().expect("a number")
}
