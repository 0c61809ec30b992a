use std::{
    io::{Read, Write},
    net::TcpListener,
    thread,
    time::Duration,
};

use super::*;
use crate::script::Kind;

/// Bytes sent back by a thread for each connection.
fn server() -> TcpListener {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let accepting = listener.try_clone().unwrap();
    thread::spawn(move || {
        for stream in accepting.incoming() {
            let mut stream = stream.unwrap();
            thread::spawn(move || {
                let mut buffer = [0; 1000];
                while let Ok(read @ 1..) = stream.read(&mut buffer) {
                    if stream.write_all(&buffer[..read]).is_err() {
                        break;
                    }
                }
            });
        }
    });
    listener
}

#[test]
fn every_reply_is_counted_and_compared() {
    let listener = server();
    let target = Target {
        address: listener.local_addr().unwrap(),
        path: "/".to_owned(),
        raw: true,
        deflate: false,
        tls: None,
    };
    let duty = Duty {
        warm_up: Duration::ZERO,
        measured: Duration::from_millis(50),
        server: std::process::id(),
    };
    for (size, in_flight) in [(0, 1), (32, 16), (100_000, 2)] {
        let script = Script::new(Kind::Raw, size, in_flight).unwrap();
        let report = run(&target, &script, 3, in_flight, duty).unwrap();
        assert!(report.window.messages > 0);
        assert!(report.verified >= report.window.messages);
        assert!(report.latency.p50 <= report.latency.p99);
    }
}
