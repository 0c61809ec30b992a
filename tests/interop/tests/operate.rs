//! How `wiretalk serve` is run: the admin endpoint, the log for programs, draining, systemd's ways, and nginx and HAProxy
//! in front of two nodes, as `examples/deploy` has them.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::Value;
use wiretalk_interop::{
    Counterpart, DEADLINE, Process, Program, Server, Signal, Stream, repository,
};

const NODE: &str = "tests/interop/talks/node.talk";

fn get(url: &str) -> String {
    let answer = Program::curl().args(["-i", url]).finish("");
    String::from_utf8_lossy(&answer.stdout).into_owned()
}

fn join(url: &str) -> Process {
    let mut client = Program::peer("client.py").arg(url).start();
    client.expect("open");
    client
}

/// Waits until a page says something.
fn until(url: &str, says: &str) {
    let deadline = Instant::now() + DEADLINE;
    loop {
        let page = get(url);
        if page.contains(says) {
            return;
        }
        assert!(
            Instant::now() < deadline,
            "{url} does not say {says}:\n{page}"
        );
        // There is no event to wait for: a page tells nobody that it has changed.
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn numbers_and_clients_are_told() {
    let mut server = Server::talk(NODE, &["--admin=0", "--set", "name=a"]);
    let admin = server.process.expect("admin at ");
    let mut client = join(&format!("{}/?token=hunter2", server.url()));
    client.expect("recv: node a");
    client.say("hello");
    client.expect("recv: hello");
    let page = get(&format!("{admin}/metrics"));
    for line in [
        "HTTP/1.1 200 OK",
        "\nwiretalk_connections_active 1\n",
        "\nwiretalk_messages_total{direction=\"received\"} 1\n",
        "\nwiretalk_messages_total{direction=\"sent\"} 2\n",
        "\nwiretalk_message_bytes_total{direction=\"sent\"} 11\n",
        "\n# EOF",
    ] {
        assert!(page.contains(line), "{line:?} is not in\n{page}");
    }
    let clients = get(&format!("{admin}/admin/clients"));
    assert!(!clients.contains("hunter2"), "{clients}");
    let (_, body) = clients.split_once("\r\n\r\n").expect("a body");
    let told: Value = serde_json::from_str(body).expect("JSON");
    assert_eq!(told["count"], 1);
    assert_eq!(told["clients"][0]["path"], "/?token=…");
    assert_eq!(told["clients"][0]["sent"]["bytes"], 11);
    assert!(get(&format!("{admin}/ready")).starts_with("HTTP/1.1 200"));
    assert!(get(&format!("{admin}/health")).starts_with("HTTP/1.1 200"));
}

#[test]
fn prometheus_own_parser_takes_the_page() {
    let mut server = Server::echo(&["--admin=0"]);
    let admin = server.process.expect("admin at ");
    let mut client = join(&server.url());
    client.say("hello");
    client.expect("recv: hello");
    client.say("/close 4001 enough");
    client.expect("closed ");
    let url = format!("{admin}/metrics");
    until(&url, "wiretalk_connections_closed_total{code=\"4001\"} 1");
    let read = Program::peer("metrics.py")
        .arg(&url)
        .finish("")
        .with_code(0);
    let read: Value = serde_json::from_slice(&read.stdout).expect("JSON");
    assert_eq!(read["wiretalk_connections_closed_total code=4001"], 1.0);
    assert_eq!(read["wiretalk_connection_duration_seconds_count"], 1.0);
    assert_eq!(read["wiretalk_messages_total direction=received"], 1.0);
    assert!(
        read["process_resident_memory_bytes"].as_f64() > Some(1e6),
        "{read}"
    );
}

#[test]
fn the_log_is_lines_of_json() {
    let mut server = Server::echo(&["--log-format", "json", "-v"]);
    let mut client = join(&format!("{}/path?token=hunter2", server.url()));
    client.say("hello");
    client.expect("recv: hello");
    client.say("/close 4001 enough");
    client.expect("closed ");
    let bad = Program::curl()
        .args(["-H", "Upgrade: websocket", "-H", "Connection: upgrade"])
        .arg(server.http());
    let _ = bad.finish("");
    server.process.expect("\"event\":\"left\"");
    server.process.expect("\"event\":\"refused\"");
    server.process.signal(Signal::TERM);
    assert_eq!(server.process.exit_code(), 0);
    let log = server.process.output(Stream::Out);
    assert!(!log.contains("hunter2"), "{log}");
    let lines: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect();
    let named = |name: &str| {
        let found = lines.iter().find(|line| line["event"] == name);
        found.unwrap_or_else(|| panic!("no line of {name}:\n{log}"))
    };
    for line in &lines {
        assert!(
            line["time"].is_string() && line["level"].is_string(),
            "{line}"
        );
    }
    assert_eq!(named("connected")["path"], "/path?token=…");
    let left = named("left");
    for (field, value) in [
        ("code", 4001.into()),
        ("reason", "enough".into()),
        ("path", "/path?token=…".into()),
        ("messages_received", 1.into()),
        ("bytes_received", 5.into()),
        ("messages_sent", 1.into()),
        ("bytes_sent", 5.into()),
        ("clients", 0.into()),
    ] as [(&str, Value); 8]
    {
        assert_eq!(left[field], value, "{field}: {left}");
    }
    let refused = named("refused");
    assert_eq!(
        (&refused["reason"], &refused["status"]),
        (&"handshake".into(), &426.into())
    );
    assert!(
        named("received")["what"]
            .as_str()
            .is_some_and(|what| what.contains("hello"))
    );
}

#[test]
fn a_full_server_asks_for_patience() {
    let arguments = ["--max-clients", "1", "--queue", "1", "--admin=0"];
    let mut server = Server::echo(&arguments);
    let admin = server.process.expect("admin at ");
    let first = join(&server.url());
    let mut second = Program::peer("client.py").arg(server.url()).start();
    let waiting = "wiretalk_connections_waiting 1\n";
    until(&format!("{admin}/metrics"), waiting);
    let mut third = Program::peer("client.py").arg(server.url()).start();
    let refused = third.expect_on(Stream::Err, "failed ");
    assert!(refused.contains("503"), "{refused}");
    drop(first);
    second.expect("open");
}

#[test]
fn clients_are_drained_and_come_back_elsewhere() {
    for talk in [true, false] {
        let arguments = ["--admin=0", "--drain", "2"];
        let mut server = match talk {
            true => Server::talk(NODE, &arguments),
            false => Server::echo(&arguments),
        };
        let admin = server.process.expect("admin at ");
        let mut clients: Vec<_> = (0..4).map(|_| join(&server.url())).collect();
        until(
            &format!("{admin}/metrics"),
            "wiretalk_connections_active 4\n",
        );
        server.process.signal(Signal::TERM);
        server
            .process
            .expect("draining: clients are sent away within 2 s");
        let ready = get(&format!("{admin}/ready"));
        assert!(ready.starts_with("HTTP/1.1 503"), "{ready}");
        for client in &mut clients {
            let closed = client.expect("closed ");
            assert_eq!(closed, "1012 the server restarts: connect again");
        }
        assert_eq!(server.process.exit_code(), 0);
    }
}

#[test]
fn a_second_signal_ends_a_drain() {
    let mut server = Server::echo(&["--drain", "3600"]);
    let mut client = join(&server.url());
    let mut other = join(&server.url());
    server.process.signal(Signal::TERM);
    server.process.expect("draining");
    // One of the two is sent away at once, the other would be in half an hour.
    server.process.signal(Signal::TERM);
    assert_eq!(server.process.exit_code(), 0);
    client.expect("closed ");
    other.expect("closed ");
}

#[test]
fn systemd_hands_over_sockets_and_is_told() {
    let wiretalk = std::env::var("WIRETALK_BIN").expect("cargo xtask interop sets it");
    let start = |sockets: &str, arguments: &[&str]| {
        let program = Program::peer("supervisor.py").args([sockets, "0.2"]);
        program.arg(&wiretalk).arg("serve").args(arguments).start()
    };
    let talk = repository().join(NODE);
    let talk = talk.to_str().expect("a path");
    let mut supervisor = start("1", &[talk, "--set", "name=a", "--drain", "1"]);
    let port = supervisor.expect("listens ");
    supervisor.expect("told READY=1");
    let mut client = join(&format!("ws://127.0.0.1:{port}"));
    client.expect("recv: node a");
    supervisor.expect("told WATCHDOG=1");
    supervisor.expect("told WATCHDOG=1");
    supervisor.say("HUP");
    let reloading = supervisor.expect("told RELOADING=1");
    assert!(reloading.starts_with(" MONOTONIC_USEC="), "{reloading}");
    supervisor.expect("told READY=1");
    client.say("still here");
    client.expect("recv: still here");
    supervisor.say("TERM");
    let stopping = supervisor.expect("told STOPPING=1");
    assert_eq!(stopping, " STATUS=draining");
    assert!(client.expect("closed ").starts_with("1012"));
    assert_eq!(supervisor.expect("ended "), "0");
    assert!(supervisor.output(Stream::Out).contains("reloaded"));

    // More sockets than addresses: nobody would listen on the second.
    let mut supervisor = start("2", &["--echo"]);
    supervisor.expect("1 socket was too many handed over");
    assert_eq!(supervisor.expect("ended "), "2");
}

#[test]
fn processes_share_a_port() {
    let mut first = Server::talk(NODE, &["--reuse-port", "--set", "name=a"]);
    let address = format!("127.0.0.1:{}", first.port());
    let second = || {
        let program = Program::wiretalk().args(["serve", NODE, "--listen", &address]);
        program.args(["--set", "name=b"])
    };
    let alone = second().finish("");
    alone.with_code(3);
    let mut second = Server::start(second().arg("--reuse-port"));
    // The system chooses by the client's port, so that one of them gets none in one of 2^40 runs.
    let clients: Vec<_> = (0..40).map(|_| join(&first.url())).collect();
    first.process.expect("connected");
    second.process.expect("connected");
    drop(clients);
}

/// Two nodes, and the URLs of their admin endpoints.
struct Nodes {
    servers: [Server; 2],
    admins: [String; 2],
}

impl Nodes {
    fn start() -> Self {
        let mut servers = ["a", "b"].map(|name| {
            let name = format!("name={name}");
            Server::talk(NODE, &["--admin=0", "--drain", "1", "--set", &name])
        });
        let admins = servers
            .each_mut()
            .map(|server| server.process.expect("admin at "));
        Self { servers, admins }
    }

    /// A file of `examples/deploy`, with these nodes in it, and the port of the program's own.
    fn config(&self, file: &str) -> String {
        let path = repository().join("examples/deploy").join(file);
        let mut config = fs::read_to_string(path).expect("an example");
        let [a, b] = &self.servers;
        let ports = self
            .admins
            .each_ref()
            .map(|url| url.rsplit(':').next().unwrap_or_default());
        for (sample, own) in [
            ("127.0.0.1:4001", format!("127.0.0.1:{}", a.port())),
            ("127.0.0.1:4002", format!("127.0.0.1:{}", b.port())),
            ("port 9091", format!("port {}", ports[0])),
            ("port 9092", format!("port {}", ports[1])),
            ("listen 80;", "listen 127.0.0.1:{port};".to_owned()),
            ("bind :80", "bind 127.0.0.1:{port}".to_owned()),
        ] {
            config = config.replace(sample, &own);
        }
        config
    }
}

/// The node that a client comes to.
fn node(client: &mut Process) -> String {
    client.expect("recv: node ")
}

/// The nodes of clients that come one after the other and stay.
fn nodes(url: &str, count: usize) -> (Vec<Process>, Vec<String>) {
    let mut clients: Vec<_> = (0..count).map(|_| join(url)).collect();
    let nodes = clients.iter_mut().map(node).collect();
    (clients, nodes)
}

#[test]
fn nginx_in_front_of_two_nodes() {
    let mut both = Nodes::start();
    let config = both.config("nginx.conf");
    let proxy = Counterpart::nginx_http(&config);
    let (mut clients, found) = nodes(&proxy.url("ws"), 4);
    assert_eq!(
        found.iter().filter(|node| *node == "a").count(),
        2,
        "{found:?}"
    );
    for client in &mut clients {
        client.say("hello");
        client.expect("recv: hello");
    }
    let sticky = config.replace("least_conn;", "ip_hash;");
    assert_ne!(sticky, config);
    let proxy_of_sticky = Counterpart::nginx_http(&sticky);
    let (_clients, found) = nodes(&proxy_of_sticky.url("ws"), 4);
    assert!(found.iter().all(|node| *node == found[0]), "{found:?}");

    // A node that drains: its clients are told, and come to the other.
    both.servers[0].process.signal(Signal::TERM);
    for client in &mut clients {
        if client.output(Stream::Out).contains("node a") {
            assert!(client.expect("closed ").starts_with("1012"));
            assert_eq!(node(&mut join(&proxy.url("ws"))), "b");
        }
    }
    assert_eq!(both.servers[0].process.exit_code(), 0);
}

#[test]
fn haproxy_in_front_of_two_nodes() {
    let mut both = Nodes::start();
    let config = both.config("haproxy.cfg");
    let mut proxy = Counterpart::haproxy(&config);
    let (mut clients, found) = nodes(&proxy.url("ws"), 4);
    assert_eq!(
        found.iter().filter(|node| *node == "a").count(),
        2,
        "{found:?}"
    );
    for client in &mut clients {
        client.say("hello");
        client.expect("recv: hello");
    }
    let sticky = config.replace("#cookie NODE", "cookie NODE");
    assert_ne!(sticky, config);
    let proxy_of_sticky = Counterpart::haproxy(&sticky);
    for name in ["a", "b", "b", "a", "a", "a"] {
        let cookie = format!("Cookie: NODE={name}");
        let client = Program::peer("client.py").args(["--header", &cookie]);
        let mut client = client.arg(proxy_of_sticky.url("ws")).start();
        client.expect("open");
        assert_eq!(node(&mut client), name);
    }

    // A node that drains is seen not to be ready: whoever comes meanwhile comes to the other.
    both.servers[0].process.signal(Signal::TERM);
    proxy
        .process
        .expect_on(Stream::Err, "Server wiretalk/a is DOWN");
    let (_clients, found) = nodes(&proxy.url("ws"), 2);
    assert_eq!(found, ["b", "b"]);
    for client in &mut clients {
        if client.output(Stream::Out).contains("node a") {
            assert!(client.expect("closed ").starts_with("1012"));
        }
    }
    assert_eq!(both.servers[0].process.exit_code(), 0);
}
