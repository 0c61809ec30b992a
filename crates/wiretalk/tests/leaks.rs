//! Clients and servers that are dropped leave nothing behind: no task, no descriptor, no byte, wherever they were waiting.
//!
//! All is counted for the whole process, so this is one test in a process of its own.

#[path = "../../wiretalk-net/tests/common/leftovers.rs"]
mod leftovers;

use std::time::Duration;

use leftovers::{drop_after, leaves_nothing};
use wiretalk::{
    Server,
    client::{Background, Backoff, Event, Pool, Reconnecting},
    server::Client,
};

/// A server that greets everybody, echoes to all, and sends those away who ask for it.
async fn greet(mut client: Client) {
    let _ = client.join("lobby");
    let _ = client.send("hello").await;
    while let Some(message) = client.recv().await {
        if message.as_text() == Some("go") {
            break;
        }
        client.room("lobby").send(message);
    }
}

async fn serve() -> (String, tokio::task::JoinHandle<()>) {
    let server = Server::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/", server.local_addr());
    let serving = tokio::spawn(async move {
        let _ = server.serve(greet).await;
    });
    (url, serving)
}

/// Is sent away, comes again, and stays away.
async fn reconnect(url: &str) {
    let backoff = Backoff::fixed(Duration::from_millis(1));
    let mut client = Reconnecting::builder(url).backoff(backoff).build();
    let mut opened = 0;
    while let Some(event) = client.next_event().await {
        match event {
            Event::Open { .. } => opened += 1,
            Event::Message(_) if opened == 1 => {
                let _ = client.send("go").await;
            }
            Event::Message(_) => {
                let _ = client.close(wiretalk::CloseCode::NORMAL, "").await;
            }
            _ => {}
        }
    }
}

async fn collect(url: &str) {
    let Ok(client) = Background::connect(url).await else {
        return;
    };
    let second = Duration::from_secs(1);
    let _ = client.wait_for("hello", second).await;
    let _ = client.send("echo").await;
    let _ = client.wait_for("echo", second).await;
    let _ = client.expect_silence(Duration::from_millis(2)).await;
    let _ = client.stop().await;
}

async fn share(pool: &Pool) {
    let Ok(mut first) = pool.get().await else {
        return;
    };
    let _ = first.send("one").await;
    let _ = first.recv().await;
    let second = pool.get().await;
    drop(first);
    let third = pool.get().await;
    drop((second, third));
}

#[test]
fn a_thousand_drops_at_every_await_leave_nothing() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let (url, serving) = serve().await;
        let url = &*url;
        leaves_nothing(
            "a client that reconnects",
            Box::new(|waits| Box::pin(drop_after(reconnect(url), waits))),
        )
        .await;
        leaves_nothing(
            "a client that collects",
            Box::new(|waits| Box::pin(drop_after(collect(url), waits))),
        )
        .await;
        leaves_nothing(
            "a pool",
            Box::new(|waits| {
                Box::pin(async move {
                    let pool = Pool::builder(url).max(2).build();
                    drop_after(share(&pool), waits).await
                })
            }),
        )
        .await;
        serving.abort();
        let _ = serving.await;

        leaves_nothing(
            "a server",
            Box::new(|waits| {
                Box::pin(drop_after(
                    async {
                        let server = Server::bind("127.0.0.1:0").await.unwrap();
                        let url = format!("ws://{}/", server.local_addr());
                        let clients = async {
                            tokio::join!(collect(&url), collect(&url));
                        };
                        tokio::select! {
                            _ = server.serve(greet) => {}
                            () = clients => {}
                        }
                    },
                    waits,
                ))
            }),
        )
        .await;
    });
}
