//! Talks on three nodes that share a broker: what a client of one node causes, those of the others see; and a broker that
//! is killed and restarted loses nothing. Counted by Python clients.

#[path = "../../../crates/wiretalk-backplane/tests/redis_servers/mod.rs"]
mod redis_servers;
#[path = "../../../crates/wiretalk-backplane/tests/contract/server.rs"]
#[allow(unreachable_pub, dead_code)]
mod server;

use std::fs;

use redis_servers::{Cluster, Watched};
use server::Server as Broker;
use wiretalk_interop::{Process, Program, Server, Stream, repository};

/// Where Redis has what is known about the log of `examples/live.talk`.
const LIVE: &str = "{wiretalk:/live}:about";

#[test]
fn chat_and_live_are_one_over_redis() {
    chat_and_live_are_one(&Broker::redis().url());
}

#[test]
fn chat_and_live_are_one_over_nats() {
    chat_and_live_are_one(&Broker::nats().url());
}

#[test]
fn chat_and_live_are_one_over_rabbitmq() {
    chat_and_live_are_one(&Broker::rabbitmq().url());
}

#[test]
fn chat_and_live_are_one_over_a_redis_cluster() {
    chat_and_live_are_one(&Cluster::start(0).url());
}

#[test]
fn chat_and_live_are_one_behind_sentinels() {
    chat_and_live_are_one(&behind(&Watched::start(&[], &[])));
}

#[test]
fn redis_that_is_killed_under_load_loses_nothing() {
    a_killed_broker_loses_nothing(&mut Broker::redis());
}

#[test]
fn nats_that_is_killed_under_load_loses_nothing() {
    a_killed_broker_loses_nothing(&mut Broker::nats());
}

#[test]
fn rabbitmq_that_is_killed_under_load_loses_nothing() {
    a_killed_broker_loses_nothing(&mut Broker::rabbitmq());
}

#[test]
fn a_master_of_a_redis_cluster_that_is_killed_under_load_and_comes_back_loses_nothing() {
    let mut cluster = Cluster::start(0);
    let url = cluster.url();
    nothing_is_lost_when(&url, || {
        let owner = cluster.owner(LIVE);
        owner.kill();
        owner.start();
    });
}

#[test]
fn a_replica_of_a_redis_cluster_that_takes_over_under_load_loses_nothing() {
    let mut cluster = Cluster::start(1);
    let url = cluster.url();
    nothing_is_lost_when(&url, || cluster.owner(LIVE).kill());
    // Whoever took over has the log, and whoever comes now reads it.
    let (one, other) = (node("live", &url, &[]), node("live", &url, &[]));
    let (mut there, mut here) = (subscriber(&other), subscriber(&one));
    here.say(r#"{"type":"publish","topic":"t","data":"on"}"#);
    there.expect(r#""data":"on""#);
}

#[test]
fn a_replica_that_sentinels_make_the_master_under_load_loses_nothing() {
    let mut watched = Watched::start(&[], &[]);
    let url = behind(&watched);
    nothing_is_lost_when(&url, || watched.master.kill());
    watched
        .replica
        .until(&["info", "replication"], "role:master");
}

#[test]
fn nodes_of_another_namespace_are_apart() {
    let broker = Broker::nats();
    let node = |namespace: &str| node("live", &broker.url(), &["--namespace", namespace]);
    let (one, other) = (node("one"), node("other"));
    let (mut there, mut here) = (subscriber(&other), subscriber(&one));
    here.say(r#"{"type":"publish","topic":"t","data":1}"#);
    here.expect(r#""data":1"#);
    there.say(r#"{"type":"publish","topic":"t","data":2}"#);
    there.expect(r#""data":2"#);
    assert!(!there.output(Stream::Out).contains(r#""data":1"#));
}

#[test]
fn what_is_wrong_with_a_url_is_said_without_its_password() {
    for (url, said) in [
        (
            "nuts://u:secret@h",
            "there is no backplane of the scheme nuts://",
        ),
        (
            "nats://u:secret@h?histori=5",
            "histori is not an option of this broker's URL",
        ),
        ("amqps://u:secret@h", "without TLS only"),
        ("somewhere", "a backplane is named by a URL"),
    ] {
        let serve = Program::wiretalk().args(["serve", "examples/live.talk", "--backplane", url]);
        let finished = serve.finish("");
        let error = String::from_utf8_lossy(&finished.stderr);
        assert_eq!(finished.code, Some(2), "{error}");
        assert!(error.contains(said), "{error}");
        assert!(!error.contains("secret"), "{error}");
    }
}

#[test]
fn a_server_whose_broker_is_away_serves_and_catches_up() {
    let mut broker = Broker::nats();
    broker.kill();
    let mut node = node("live", &broker.url(), &[]);
    assert!(
        node.process
            .output(Stream::Out)
            .contains("the backplane is not ready")
    );
    let mut client = subscriber(&node);
    client.say(r#"{"type":"publish","topic":"t","data":"waits"}"#);
    broker.restart();
    client.expect(r#""data":"waits""#);
    node.process.expect("knows what the other nodes know");
}

#[test]
fn without_history_what_is_lost_is_told() {
    let mut broker = Broker::redis();
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("live.talk");
    let live = fs::read_to_string(repository().join("examples/live.talk")).expect("the example");
    let told = "\non lost\n  < {\"lost\":{{ lost }}}\n";
    fs::write(&file, live + told).expect("it is written");
    let url = format!("{}?history=no", broker.url());
    let node = || Server::talk(&file, &["--backplane", &url]);
    let mut nodes: Vec<_> = (0..3).map(|_| node()).collect();
    let mut clients = clients("lost", &nodes);
    clients.expect("publishing");
    broker.kill();
    broker.restart();
    for node in &mut nodes {
        node.process.expect("without its backplane");
        node.process.expect("reached by the backplane");
    }
    clients.say("stop");
    clients.expect("each came or was told and in order, on 3 nodes");
}

fn chat_and_live_are_one(url: &str) {
    for (talk, said) in [("chat", "the chat is one"), ("live", "the feed is one")] {
        let nodes = nodes(talk, url);
        clients(talk, &nodes).expect(said);
    }
}

fn a_killed_broker_loses_nothing(broker: &mut Broker) {
    let url = broker.url();
    nothing_is_lost_when(&url, || {
        broker.sync();
        broker.kill();
        broker.restart();
    });
}

/// Messages are published, 1,000 a second, something happens that every node has to notice and to get over, and all
/// messages have come to a client of each node.
fn nothing_is_lost_when(url: &str, happens: impl FnOnce()) {
    let mut nodes = nodes("live", url);
    let mut clients = clients("load", &nodes);
    clients.expect("publishing");
    happens();
    for node in &mut nodes {
        node.process.expect("without its backplane");
        node.process.expect("reached by the backplane");
    }
    clients.say("stop");
    clients.expect("each once and in order, on 3 nodes");
}

/// The URL of a master that sentinels watch. The first of them is gone.
fn behind(watched: &Watched) -> String {
    let sentinels = watched.sentinels();
    format!("redis+sentinel://127.0.0.1:1,{sentinels}/the-master")
}

fn nodes(talk: &str, url: &str) -> Vec<Server> {
    (0..3).map(|_| node(talk, url, &[])).collect()
}

/// A node that serves an example.
fn node(talk: &str, url: &str, arguments: &[&str]) -> Server {
    let file = format!("examples/{talk}.talk");
    let all = [&["--backplane", url], arguments].concat();
    Server::talk(file, &all)
}

fn clients(mode: &str, nodes: &[Server]) -> Process {
    let urls = nodes.iter().map(Server::url);
    Program::peer("cluster.py").arg(mode).args(urls).start()
}

/// A client that has subscribed to `t`.
fn subscriber(node: &Server) -> Process {
    let mut client = Program::peer("client.py").arg(node.url()).start();
    client.expect("open");
    client.say(r#"{"type":"subscribe","topic":"t"}"#);
    client.say("nothing");
    client.expect("error");
    client
}
