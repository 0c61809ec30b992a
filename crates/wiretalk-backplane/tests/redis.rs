//! Redis, the real one: the contract, and what becomes of it when servers are killed.

#![cfg(feature = "redis")]

mod contract;
mod nodes;
mod redis_servers;

use std::fs;
use std::path::Path;
use std::time::Duration;

use nodes::{Node, PATIENCE, by_publisher};
use redis_servers::{Cluster, Server, Watched, free_port};
use tokio::time::{interval, timeout};
use wiretalk_backplane::{Broker, Reader, Redis, Writer};
use wiretalk_hub::{HubEvent, HubOptions, Keeping, Target};
use wiretalk_proto::Prepared;

fn log(url: &str, name: &str) -> Redis {
    Redis::new(url, name).unwrap_or_else(|error| panic!("{url}: {error}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_keeps_the_contract() {
    let server = Server::redis(&["--appendonly", "yes"]);
    contract::keeps_the_contract(|name| log(&server.url(), name)).await;
    let peak = server.number("memory", "used_memory_peak");
    assert!(peak < 256 << 20, "{peak} bytes for a few long records");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_is_bounded_in_bytes_and_so_is_what_is_fetched_at_once() {
    let server = Server::redis(&["--client-output-buffer-limit", "normal", "8mb", "8mb", "1"]);
    let open = || log(&format!("{}?history-bytes=32MiB", server.url()), "long");
    let (_, mut writer, _reader) = contract::connect(&mut open(), None).await;
    for n in 0..100 {
        let records = contract::numbered(n..n + 1, 1 << 20);
        writer.append(&records).await.expect("it is appended");
        let used = server.number("memory", "used_memory_dataset");
        assert!(used < 64 << 20, "{used} bytes after {n} MiB");
    }
    // A client to whom Redis has to send more than 8 MiB at once is cut off.
    let (begin, _, mut reader) = contract::connect(&mut open(), None).await;
    let mut kept = Vec::new();
    while kept.last().is_none_or(|at| *at < begin.last) {
        let read = timeout(PATIENCE, reader.read()).await.expect("it comes");
        kept.extend(read.expect("it reads").iter().map(|read| read.offset));
    }
    assert!((16..40).contains(&kept.len()), "{}", kept.len());
    assert!(kept.iter().copied().eq(101 - kept.len() as u64..=100));
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_outlives_a_kill() {
    let mut server = contract::Server::redis();
    let url = server.url();
    contract::outlives_a_kill(&mut server, |name| log(&url, name)).await;
}

/// So many messages each of three nodes publishes, 1,000 a second together.
const EACH: usize = 1_000;

/// Three nodes publish, and meanwhile something happens; then all that was published has come to all, or was told as lost.
async fn under_load(open: impl Fn() -> Redis, happens: impl Future<Output = ()>) -> Vec<Node> {
    let mut nodes = Vec::new();
    for _ in 0..3 {
        nodes.push(Node::start(open()).await);
    }
    // All know each other: what is lost is counted from here on.
    for (who, node) in nodes.iter().enumerate() {
        node.say(&format!("{who} 0"));
    }
    for node in &mut nodes {
        node.get(3).await;
    }
    let publish = async {
        let mut beat = interval(Duration::from_millis(3));
        for n in 1..EACH {
            beat.tick().await;
            for (who, node) in nodes.iter().enumerate() {
                node.say(&format!("{who} {n}"));
            }
        }
    };
    tokio::join!(publish, happens);
    for node in &mut nodes {
        node.get(3 * EACH).await;
        for (who, numbers) in by_publisher(&node.got) {
            let is_in_order = numbers.is_sorted_by(|a, b| a < b);
            assert!(is_in_order, "{who}: once, and in order");
        }
    }
    nodes
}

fn nothing_is_lost(nodes: &[Node]) {
    for node in nodes {
        assert_eq!((node.got.len(), node.lost), (3 * EACH, 0));
    }
}

async fn a_while() {
    tokio::time::sleep(Duration::from_millis(700)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_and_restarted_under_load_it_loses_nothing() {
    let mut server = Server::redis(&["--appendonly", "yes"]);
    let url = server.url();
    let kill = async {
        for _ in 0..2 {
            a_while().await;
            server.kill();
            a_while().await;
            server.start();
        }
    };
    let nodes = under_load(|| log(&url, "load"), kill).await;
    nothing_is_lost(&nodes);
    for node in &nodes[1..] {
        assert!(node.got == nodes[0].got, "one order for all");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn restarted_empty_it_is_mended_by_those_who_wrote() {
    let mut server = Server::redis(&[]);
    let url = server.url();
    let kill = async {
        a_while().await;
        server.kill();
        server.start();
    };
    let nodes = under_load(|| log(&url, "empty"), kill).await;
    nothing_is_lost(&nodes);
    // Also for somebody who was never there before: what the others remember is in the log again.
    let mut late = Node::begin(log(&url, "empty"), HubOptions::default());
    late.event(|event| *event == HubEvent::Ready).await;
    nodes[0].say("0 1000");
    late.get(1).await;
    assert_eq!(late.lost, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_history_what_is_lost_is_counted() {
    let mut server = Server::redis(&[]);
    let url = format!("{}?history=no", server.url());
    let kill = async {
        for _ in 0..3 {
            a_while().await;
            server.kill();
            server.start();
        }
    };
    let nodes = under_load(|| log(&url, "unkept"), kill).await;
    for node in &nodes {
        assert_eq!(node.got.len() + node.lost as usize, 3 * EACH);
        assert_eq!(node.hub.stats().lost, node.lost);
        assert!(!node.hub.capabilities().durable);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_was_away_for_too_long_is_told_how_much_it_missed() {
    let server = Server::redis(&[]);
    let open = || log(&format!("{}?history=100", server.url()), "trimmed");
    let mut broker = open();
    let (_, mut writer, _reader) = broker.connect(None).await.expect("it connects");
    // Nobody's records, but enough to push out what was there.
    let writing = Node::start(open()).await;
    for n in 0..50 {
        writing.say(&format!("0 {n}"));
    }
    while writing.running.pending() > 0 {
        tokio::task::yield_now().await;
    }
    let filling: Vec<Vec<u8>> = (0..1_000).map(|n: u32| n.to_be_bytes().to_vec()).collect();
    writer.append(&filling).await.expect("they are appended");
    // Whoever comes now was promised nothing of it, and becomes ready all the same.
    let late = Node::start(open()).await;
    assert_eq!((late.lost, late.hub.stats().lost), (0, 0));
    assert!(late.running.foreign() > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn history_and_presence_are_everybodys() {
    let server = Server::redis(&[]);
    let url = server.url();
    let mut nodes = Vec::new();
    for _ in 0..3 {
        nodes.push(Node::start(log(&url, "shared")).await);
    }
    let members: Vec<_> = nodes.iter().map(|node| node.hub.join()).collect();
    for (at, (member, _)) in members.iter().enumerate() {
        let hub = &nodes[at].hub;
        hub.join_room(member.id(), "lobby")
            .expect("it is connected");
        hub.identify(member.id(), Some(&format!("user {at}")));
        let keeping = Keeping {
            history: true,
            keep: true,
        };
        hub.deliver_with(
            Target::Room("lobby"),
            &Prepared::text(&at.to_string()),
            keeping,
        );
    }
    let known = async {
        for node in &nodes {
            while node.hub.presence("lobby").len() < 3
                || node.hub.history("lobby", 10, None).messages.len() < 3
                || !(0..3).all(|at| node.hub.user_is_present(&format!("user {at}")))
            {
                tokio::task::yield_now().await;
            }
        }
    };
    timeout(PATIENCE, known).await.expect("all is known to all");
    let first = nodes[0].hub.history("lobby", 10, None);
    for node in &nodes[1..] {
        assert_eq!(node.hub.history("lobby", 10, None), first);
        assert_eq!(node.hub.kept("lobby"), nodes[0].hub.kept("lobby"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_keeps_the_contract_and_its_node_may_be_killed() {
    let mut cluster = Cluster::start(0);
    let url = cluster.url();
    contract::keeps_the_contract(|name| log(&url, name)).await;
    let kill = async {
        a_while().await;
        let owner = cluster.owner("{load}:about");
        owner.kill();
        a_while().await;
        owner.start();
    };
    let nodes = under_load(|| log(&url, "load"), kill).await;
    nothing_is_lost(&nodes);
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_cluster_a_replica_takes_over() {
    let mut cluster = Cluster::start(1);
    let url = cluster.url();
    let kill = async {
        a_while().await;
        cluster.owner("{load}:about").kill();
    };
    let nodes = under_load(|| log(&url, "load"), kill).await;
    nothing_is_lost(&nodes);
}

#[tokio::test(flavor = "multi_thread")]
async fn sentinels_lead_to_the_new_master() {
    let mut watched = Watched::start(&[], &[]);
    let url = format!(
        "redis+sentinel://127.0.0.1:1,{}/the-master",
        watched.sentinels()
    );
    let kill = async {
        a_while().await;
        watched.master.kill();
    };
    let nodes = under_load(|| log(&url, "sentinel"), kill).await;
    nothing_is_lost(&nodes);
    watched
        .replica
        .until(&["info", "replication"], "role:master");
}

#[tokio::test(flavor = "multi_thread")]
async fn sentinels_have_a_login_of_their_own() {
    let watched = Watched::start(
        &["--requirepass", "master-one", "--masterauth", "master-one"],
        &[
            "requirepass sentinel-one",
            "sentinel auth-pass the-master master-one",
        ],
    );
    let url = |query: &str| {
        let sentinels = watched.sentinels();
        format!("redis+sentinel://:master-one@{sentinels}/the-master?{query}")
    };
    let right = url("sentinel-password=sentinel-one");
    contract::keeps_the_contract(|name| log(&right, name)).await;
    for query in [
        "history=10",
        "sentinel-password=wrong-one",
        "sentinel-user=ann&sentinel-password=sentinel-one",
    ] {
        let Err(error) = log(&url(query), "x").connect(None).await else {
            panic!("{query} must not do")
        };
        let said = error.to_string();
        assert!(said.starts_with("Redis at 127.0.0.1:"), "{said}");
        assert!(!said.contains("-one"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_said_without_it() {
    let server = Server::redis(&["--requirepass", "right-one"]);
    let right = format!("redis://:right-one@127.0.0.1:{}", server.port);
    contract::keeps_the_contract(|name| log(&right, name)).await;
    for url in [
        format!("redis://:wrong-one@127.0.0.1:{}", server.port),
        server.url(),
    ] {
        let Err(error) = log(&url, "x").connect(None).await else {
            panic!("{url} must not do")
        };
        let said = error.to_string();
        assert!(
            said.starts_with(&format!("Redis at 127.0.0.1:{}: ", server.port)),
            "{said}"
        );
        assert!(!said.contains("one"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_checked() {
    let folder = tempfile::tempdir().expect("a folder");
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]);
    let made = made.expect("it is made");
    let file = |name: &str| folder.path().join(name).display().to_string();
    let (certificate, key) = (file("cert.pem"), file("key.pem"));
    fs::write(&certificate, made.cert.pem()).expect("it is written");
    fs::write(&key, made.signing_key.serialize_pem()).expect("it is written");
    let tls = free_port();
    let _server = Server::redis(&[
        "--tls-port",
        &tls.to_string(),
        "--tls-cert-file",
        &certificate,
        "--tls-key-file",
        &key,
        "--tls-ca-cert-file",
        &certificate,
        "--tls-auth-clients",
        "no",
    ]);
    assert!(Path::new(&certificate).is_file());
    let url = format!("rediss://localhost:{tls}?ca={certificate}");
    contract::keeps_the_contract(|name| log(&url, name)).await;
    let unknown = log(&format!("rediss://localhost:{tls}"), "x")
        .connect(None)
        .await;
    assert!(unknown.is_err(), "nobody vouches for it");
}
