//! The library's clients, as an example uses them, with a server of others that comes and goes.

use std::time::Duration;

use wiretalk_interop::{Process, Program, Server, Stream};

/// A server, and `examples/reconnect.rs` connected to it, with this delay between its attempts in milliseconds.
fn connected(delay: &str) -> (Server, Process) {
    let mut server = Server::peer("comes_and_goes.py", &[]);
    let mut client = client(&server, delay);
    client.expect("attempt 1");
    server.process.expect("connected");
    server.process.expect("recv: hello");
    (server, client)
}

fn client(server: &Server, delay: &str) -> Process {
    Program::example("reconnect")
        .args([&*server.url(), delay])
        .start()
}

fn attempts(client: &Process) -> Vec<String> {
    let output = client.output(Stream::Out);
    let numbers = output
        .lines()
        .filter_map(|line| line.strip_prefix("attempt "));
    numbers.map(str::to_owned).collect()
}

#[test]
fn five_attempts_two_seconds_apart_then_it_gives_up() {
    let mut server = Server::peer("comes_and_goes.py", &[]);
    server.process.say("refuse");
    // Without a delay of ours: two seconds are what it does by itself.
    let mut client = Program::example("reconnect").arg(server.url()).start();
    let times: Vec<u64> = (0..5)
        .map(|_| {
            server
                .process
                .expect("refused ")
                .parse()
                .expect("milliseconds")
        })
        .collect();
    assert_eq!(client.exit_code(), 1);
    assert_eq!(attempts(&client), ["1", "2", "3", "4", "5"]);
    let said = client.output(Stream::Err);
    assert!(
        said.contains("gave up after 5 attempts: the server answered 503"),
        "{said}"
    );
    for pair in times.windows(2) {
        let apart = Duration::from_millis(pair[1] - pair[0]);
        // Never sooner; later only by how busy the machine is.
        assert!(
            (Duration::from_millis(1900)..Duration::from_secs(8)).contains(&apart),
            "{times:?}"
        );
    }
    let refused = server
        .process
        .output(Stream::Out)
        .matches("refused ")
        .count();
    assert_eq!(refused, 5, "no sixth");
}

#[test]
fn it_counts_anew_after_each_success() {
    let (mut server, mut client) = connected("300");
    for _ in 0..3 {
        server.process.say("leave");
        server.process.expect("left");
        // Some attempts fail, but not so many that it gives up.
        client.expect("attempt 1");
        client.expect("refused the connection");
        client.expect("attempt 2");
        client.expect("refused the connection");
        server.process.say("come");
        server.process.expect("connected");
        server.process.expect("recv: hello");
    }
    // More than five in all, and never a fifth in a row.
    let attempts = attempts(&client);
    assert!(attempts.len() >= 10, "{attempts:?}");
    assert!(
        attempts.iter().all(|number| number.as_str() < "5"),
        "{attempts:?}"
    );
    server.process.say("leave");
    server.process.expect("left");
    assert_eq!(client.exit_code(), 1);
    let output = client.output(Stream::Out);
    let last = output.rfind("attempt 1\n").expect("it was lost once more");
    let last: Vec<&str> = output[last..]
        .lines()
        .filter(|line| line.starts_with("attempt "))
        .collect();
    assert_eq!(
        last,
        [
            "attempt 1",
            "attempt 2",
            "attempt 3",
            "attempt 4",
            "attempt 5"
        ]
    );
}

#[test]
fn it_comes_back_after_each_way_to_lose_it() {
    let (mut server, mut client) = connected("10");
    for (how, told) in [
        ("drop", "1006"),
        ("close 1000", "closed the connection with 1000"),
        ("close 1001", "closed the connection with 1001"),
        ("close 1013", "closed the connection with 1013"),
        ("close 4000", "closed the connection with 4000"),
    ] {
        server.process.say(how);
        client.expect(told);
        client.expect("attempt 1");
        server.process.expect("connected");
        server.process.expect("recv: hello");
        server.process.say("send again");
        client.expect("received Text(\"again\")");
    }
}

#[test]
fn after_a_deliberate_close_it_stays_away() {
    let (mut server, mut client) = connected("10");
    server.process.say("send enough");
    server.process.expect("closed 1000");
    assert_eq!(client.exit_code(), 0);
    assert_eq!(attempts(&client), ["1"]);
    assert_eq!(client.output(Stream::Err), "");
}
