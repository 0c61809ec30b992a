//! The examples that are servers of many clients: `chat`, `live` and `workers`, with Python and in a browser.

use serde_json::{Value, json};
use wiretalk_interop::{Process, Program, Server, Signal};

/// A Python client that is connected.
fn join(url: &str) -> Process {
    let mut client = Program::peer("client.py").arg(url).start();
    client.expect("open");
    client
}

fn say(client: &mut Process, message: &Value) {
    client.say(&message.to_string());
}

/// The next message.
#[track_caller]
fn hear(client: &mut Process) -> Value {
    let text = client.expect("recv: ");
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// These are the next messages.
#[track_caller]
fn hears(client: &mut Process, messages: &[Value]) {
    for message in messages {
        assert_eq!(hear(client), *message);
    }
}

fn welcome() -> Value {
    json!({"type": "system", "message": "Welcome to the chat!"})
}

fn joined(user: &str) -> Value {
    json!({"type": "user_joined", "user_id": user, "message": format!("User {user} joined the room")})
}

fn left(user: &str) -> Value {
    json!({"type": "user_left", "user_id": user, "message": format!("User {user} left the room")})
}

fn heard(room: &str, user: &str, text: &str) -> Value {
    json!({"type": "message", "room": room, "user_id": user, "message": text})
}

/// A user of the chat, who has been welcomed.
fn user(server: &Server, name: &str) -> Process {
    let mut client = join(&format!("{}?user={name}", server.url()));
    hears(&mut client, &[welcome()]);
    client
}

fn enter(client: &mut Process, room: &str, history: &[Value]) {
    say(client, &json!({"type": "join", "room": room}));
    hears(
        client,
        &[json!({"type": "history", "room": room, "messages": history})],
    );
}

#[test]
fn a_chat_greets_tells_who_comes_and_goes_and_brings_messages() {
    let server = Server::talk("examples/chat.talk", &[]);
    let mut alice = user(&server, "alice");
    enter(&mut alice, "tea", &[]);
    hears(&mut alice, &[joined("alice")]);
    let mut all = Vec::new();
    for n in 0..25 {
        let text = format!("\"{n}\" 你好");
        say(
            &mut alice,
            &json!({"type": "message", "room": "tea", "message": text}),
        );
        all.push(heard("tea", "alice", &text));
    }
    hears(&mut alice, &all);

    // The last 20 greet who comes; what is said of members is not among them.
    let mut bob = user(&server, "bob");
    enter(&mut bob, "tea", &all[5..]);
    hears(&mut bob, &[joined("bob")]);
    let mut carol = user(&server, "carol");
    enter(&mut carol, "tea", &all[5..]);
    hears(&mut carol, &[joined("carol")]);
    hears(&mut alice, &[joined("bob"), joined("carol")]);
    hears(&mut bob, &[joined("carol")]);

    // A message to one user, on all connections of that user, and nobody else.
    let mut bob_again = user(&server, "bob");
    say(
        &mut alice,
        &json!({"type": "direct", "to": "bob", "message": "psst"}),
    );
    let direct = json!({"type": "direct", "from": "alice", "message": "psst"});
    hears(&mut bob, std::slice::from_ref(&direct));
    hears(&mut bob_again, &[direct]);

    // Another room is another room, and `*` is a name like any other.
    enter(&mut carol, "*", &[]);
    hears(&mut carol, &[joined("carol")]);
    say(
        &mut carol,
        &json!({"type": "message", "room": "*", "message": "anybody?"}),
    );
    say(
        &mut carol,
        &json!({"type": "direct", "to": "*", "message": "anybody?"}),
    );
    hears(&mut carol, &[heard("*", "carol", "anybody?")]);
    let unknown = json!({
        "type": "error",
        "message": "The chat does not know this, or you are not in that room.",
    });
    for refused in [
        json!({"type": "message", "room": "*", "message": "I am not in it"}),
        json!({"type": "leave", "room": "*"}),
        json!({"type": "join", "room": ""}),
        json!({"type": "dance"}),
        json!(5),
    ] {
        say(&mut bob, &refused);
        hears(&mut bob, std::slice::from_ref(&unknown));
    }

    // Who leaves says so; who closes, or vanishes without a close, is told of all the same, in each room.
    say(&mut bob, &json!({"type": "leave", "room": "tea"}));
    hears(&mut bob, &[left("bob")]);
    hears(&mut alice, &[left("bob")]);
    hears(&mut carol, &[left("bob")]);
    enter(&mut alice, "*", &[heard("*", "carol", "anybody?")]);
    hears(&mut alice, &[joined("alice")]);
    hears(&mut carol, &[joined("alice")]);
    carol.signal(Signal::KILL);
    hears(&mut alice, &[left("carol"), left("carol")]);
    enter(&mut bob, "*", &[heard("*", "carol", "anybody?")]);
    hears(&mut bob, &[joined("bob")]);
    alice.say("/close 1000 bye");
    assert_eq!(alice.expect("closed "), "1000");
    hears(&mut bob, &[left("alice")]);
}

#[test]
fn a_chat_lets_nobody_in_without_a_name() {
    let server = Server::talk("examples/chat.talk", &[]);
    for query in ["", "?user=", "?name=bob"] {
        let url = format!("{}{query}", server.url());
        let mut client = join(&url);
        assert_eq!(
            client.expect("closed "),
            "4403 no rule accepts this handshake"
        );
    }
}

/// Sockets of a page that write down what comes.
const PAGE: &str = "{
    window.join = url => new Promise((resolve, reject) => {
        const socket = new WebSocket(url);
        socket.heard = [];
        socket.onmessage = event => socket.heard.push(JSON.parse(event.data));
        socket.onopen = () => resolve(socket);
        socket.onerror = () => reject(new Error('no connection'));
        socket.onclose = event => { socket.left = event.code; };
    });
    window.say = (socket, message) => socket.send(JSON.stringify(message));
    window.sockets = {};
    window.enter = async (name, url) => { sockets[name] = await join(url); return name; };
}";

struct Page(Process);

impl Page {
    fn of(server: &Server) -> Self {
        let mut browser = Program::peer("browser.py").arg(server.http()).start();
        browser.expect("loaded ");
        let mut page = Self(browser);
        page.evaluate(&PAGE.replace('\n', " "));
        page
    }

    fn evaluate(&mut self, expression: &str) -> Value {
        self.0.say(expression);
        let value = self.0.expect("value: ");
        serde_json::from_str(&value).unwrap_or_else(|error| panic!("{value}: {error}"))
    }

    fn enter(&mut self, name: &str, url: &str) {
        self.evaluate(&format!("enter('{name}', '{url}')"));
    }

    fn say(&mut self, name: &str, message: &Value) {
        self.evaluate(&format!("say(sockets.{name}, {message})"));
    }

    /// The next so many messages.
    fn hears(&mut self, name: &str, count: usize) -> Vec<Value> {
        let heard = format!("sockets.{name}.heard");
        self.evaluate(&format!("until {heard}.length >= {count}"));
        let messages = self.evaluate(&format!("{heard}.splice(0, {count})"));
        let messages = messages.as_array().cloned();
        messages.expect("an array")
    }
}

#[test]
fn a_chat_in_a_browser() {
    let server = Server::talk("examples/chat.talk", &[]);
    let url = |user: &str| format!("{}?user={user}", server.url());
    let mut page = Page::of(&server);
    let mut bob = user(&server, "bob");
    enter(&mut bob, "tea", &[]);
    hears(&mut bob, &[joined("bob")]);
    page.enter("alice", &url("alice"));
    page.say("alice", &json!({"type": "join", "room": "tea"}));
    let empty = json!({"type": "history", "room": "tea", "messages": []});
    assert_eq!(page.hears("alice", 3), [welcome(), empty, joined("alice")]);
    let said = json!({"type": "message", "room": "tea", "message": "<b>hi</b> ✓"});
    page.say("alice", &said);
    let message = heard("tea", "alice", "<b>hi</b> ✓");
    assert_eq!(page.hears("alice", 1), std::slice::from_ref(&message));
    hears(&mut bob, &[joined("alice"), message]);
    say(
        &mut bob,
        &json!({"type": "direct", "to": "alice", "message": "psst"}),
    );
    let direct = json!({"type": "direct", "from": "bob", "message": "psst"});
    assert_eq!(page.hears("alice", 1), [direct]);
    bob.signal(Signal::KILL);
    assert_eq!(page.hears("alice", 1), [left("bob")]);

    // A page cannot see a status; it sees the close.
    page.enter("nobody", &server.url());
    page.evaluate("until sockets.nobody.left");
    assert_eq!(page.evaluate("sockets.nobody.left"), 4403);
}

fn current(topic: &str, data: &Value) -> Value {
    json!({"type": "current_data", "topic": topic, "data": data})
}

fn publish(client: &mut Process, topic: &str, data: &Value) {
    say(
        client,
        &json!({"type": "publish", "topic": topic, "data": data}),
    );
}

/// An update of a topic, and what time it bears.
#[track_caller]
fn is_update(message: &Value, topic: &str, data: &Value) {
    let timestamp = message["timestamp"].as_f64();
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now = since.expect("it is not 1969").as_secs_f64();
    assert!(
        timestamp.is_some_and(|timestamp| (now - timestamp).abs() < 60.0),
        "{message}"
    );
    let expected =
        json!({"type": "update", "topic": topic, "data": data, "timestamp": message["timestamp"]});
    assert_eq!(*message, expected);
}

#[test]
fn a_feed_brings_what_there_is_and_what_comes() {
    let server = Server::talk("examples/live.talk", &[]);
    let mut early = join(&server.url());
    let mut publisher = join(&server.url());
    let subscribe = json!({"type": "subscribe", "topic": "btc"});
    // There is nothing yet, and so nothing comes before the first update.
    say(&mut early, &subscribe);
    say(&mut early, &json!({"type": "what"}));
    assert_eq!(hear(&mut early)["type"], "error");
    let values = [
        json!({"price": 1.5, "tags": ["a", null]}),
        json!("up"),
        json!(7),
    ];
    for value in &values {
        publish(&mut publisher, "btc", value);
        is_update(&hear(&mut early), "btc", value);
        let mut late = join(&server.url());
        say(&mut late, &subscribe);
        hears(&mut late, &[current("btc", value)]);
    }
    // Of another topic nothing comes, and of one that was left nothing more.
    publish(&mut early, "eth", &json!(1));
    say(&mut early, &json!({"type": "unsubscribe", "topic": "btc"}));
    say(&mut early, &json!({"type": "subscribe", "topic": "eth"}));
    hears(&mut early, &[current("eth", &json!(1))]);
    publish(&mut publisher, "btc", &json!(8));
    publish(&mut publisher, "eth", &json!(2));
    is_update(&hear(&mut early), "eth", &json!(2));
}

#[test]
fn a_dead_subscriber_is_dropped_and_costs_the_others_nothing() {
    let quick = ["--ping-interval", "0.2", "--ping-timeout", "0.2"];
    let mut server = Server::talk("examples/live.talk", &quick);
    let subscribe = json!({"type": "subscribe", "topic": "btc"});
    let mut subscribers: Vec<Process> = (0..4).map(|_| join(&server.url())).collect();
    for subscriber in &mut subscribers {
        say(subscriber, &subscribe);
        // Once this is answered, so is what came before it.
        say(subscriber, &json!({"type": "what"}));
        assert_eq!(hear(subscriber)["type"], "error");
    }
    let mut publisher = join(&server.url());
    // One is gone for good, one hangs.
    let [mut killed, mut frozen, mut first, mut second] =
        <[Process; 4]>::try_from(subscribers).expect("four");
    killed.signal(Signal::KILL);
    frozen.signal(Signal::STOP);
    for n in 0..50 {
        publish(&mut publisher, "btc", &json!(n));
        is_update(&hear(&mut first), "btc", &json!(n));
        is_update(&hear(&mut second), "btc", &json!(n));
    }
    // The others are not even asked again: both dead ones leave by themselves.
    let mut left = [
        server.process.expect(" left with "),
        server.process.expect(" left with "),
    ];
    left.sort();
    for line in &left {
        assert!(line.starts_with("1006"), "{line}");
    }
    assert!(
        left[1].contains("(3 clients)") || left[0].contains("(3 clients)"),
        "{left:?}"
    );
    publish(&mut publisher, "btc", &json!("still"));
    is_update(&hear(&mut first), "btc", &json!("still"));
}

#[test]
fn a_feed_in_a_browser() {
    let server = Server::talk("examples/live.talk", &[]);
    let mut page = Page::of(&server);
    let mut publisher = join(&server.url());
    page.enter("early", &server.url());
    page.say("early", &json!({"type": "subscribe", "topic": "btc"}));
    page.say("early", &json!({"type": "what"}));
    assert_eq!(page.hears("early", 1)[0]["type"], "error");
    publish(&mut publisher, "btc", &json!({"price": 2}));
    is_update(&page.hears("early", 1)[0], "btc", &json!({"price": 2}));
    page.enter("late", &server.url());
    page.say("late", &json!({"type": "subscribe", "topic": "btc"}));
    assert_eq!(
        page.hears("late", 1),
        [current("btc", &json!({"price": 2}))]
    );
    page.say(
        "late",
        &json!({"type": "publish", "topic": "btc", "data": [1]}),
    );
    is_update(&page.hears("early", 1)[0], "btc", &json!([1]));
    is_update(&page.hears("late", 1)[0], "btc", &json!([1]));
}

#[test]
fn workers_answer_a_crowd_each_client_in_its_order() {
    let server = Server::talk("examples/workers.talk", &[]);
    let mut crowd = Program::peer("crowd.py")
        .args([&server.url(), "100", "10"])
        .start();
    let seconds = crowd.expect("processed 1000 in ");
    // Ten workers cannot take less than a tenth of what one takes; how much more it is says nothing of the order.
    let seconds: f64 = seconds.parse().expect("seconds");
    assert!(seconds >= 5.0, "{seconds}");
}

#[test]
fn fewer_workers_may_be_asked_for() {
    let server = Server::talk("examples/workers.talk", &["--workers", "1"]);
    let mut crowd = Program::peer("crowd.py")
        .args([&server.url(), "4", "5"])
        .start();
    let seconds = crowd.expect("processed 20 in ");
    let seconds: f64 = seconds.parse().expect("seconds");
    assert!(seconds >= 1.0, "{seconds}");
}

#[test]
fn workers_answer_a_browser() {
    let server = Server::talk("examples/workers.talk", &[]);
    let mut page = Page::of(&server);
    let jobs: Vec<Value> = (0..5)
        .map(|n| json!({"n": n, "more": ["ü", null]}))
        .collect();
    let names = ["a", "b", "c"];
    for name in names {
        page.enter(name, &server.url());
    }
    for name in names {
        for job in &jobs {
            page.say(name, job);
        }
        page.evaluate(&format!("sockets.{name}.send('no JSON')"));
    }
    for name in names {
        let mut expected: Vec<Value> = jobs
            .iter()
            .map(|job| json!({"status": "processed", "data": job}))
            .collect();
        expected.push(json!({"error": "Invalid JSON"}));
        assert_eq!(page.hears(name, 6), expected);
    }
}
