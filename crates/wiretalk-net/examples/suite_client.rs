//! The client's side of a conformance suite that is a server: it asks how many cases there are, echoes in each of them,
//! and asks for the report. The paths `/getCaseCount`, `/runCase` and `/updateReports` are the suite's.
//!
//! `cargo run --release -p wiretalk-net --example suite_client -- ws://127.0.0.1:9001`

#![allow(clippy::print_stderr, reason = "a program for a terminal")]

use std::sync::Arc;

use wiretalk_net::{Config, Connector, DeflateConfig, Error, Request};

const AGENT: &str = "wiretalk";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let url = std::env::args().nth(1);
    let url = url.as_deref().unwrap_or("ws://127.0.0.1:9001");
    let connector = Connector::new().config(Arc::new(Config {
        // A suite that waits to see what we do on our own must not be pinged meanwhile.
        ping_interval: None,
        ..Config::default()
    }));

    let (mut socket, _) = connector
        .connect(&Request::new(format!("{url}/getCaseCount")))
        .await?;
    let mut count = 0;
    while let Some(message) = socket.recv().await {
        let message = message?;
        count = message
            .as_text()
            .and_then(|text| text.trim().parse().ok())
            .unwrap_or(count);
    }

    let mut broken = 0;
    for case in 1..=count {
        let request = Request {
            // The second for cases that hold a client to small windows.
            deflate: vec![
                DeflateConfig::with_context_takeover(),
                DeflateConfig::default(),
            ],
            ..Request::new(format!("{url}/runCase?case={case}&agent={AGENT}"))
        };
        if let Err(error) = echo(&connector, &request).await {
            // Most cases end with an error: that is what they are about.
            broken += 1;
            eprintln!("case {case}: {error}");
        }
    }
    eprintln!("{count} cases, {broken} of them ended with an error");

    let report = Request::new(format!("{url}/updateReports?agent={AGENT}"));
    let (mut socket, _) = connector.connect(&report).await?;
    while let Some(message) = socket.recv().await {
        message?;
    }
    Ok(())
}

async fn echo(connector: &Connector, request: &Request) -> Result<(), Error> {
    let (mut socket, _) = connector.connect(request).await?;
    let ended = loop {
        match socket.next_exchange().await {
            Ok(Some(mut exchange)) => {
                // What comes behind a close frame of ours is not answered.
                let _ = exchange.replies.send_back(exchange.message);
            }
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    // Whoever broke the rules is to see our close frame before the stream ends.
    while let Ok(Some(_)) = socket.next_event().await {}
    ended
}
