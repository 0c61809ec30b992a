//! Workers: messages side by side, each connection's in their order.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{Semaphore, mpsc},
    time::timeout,
};
use wiretalk::{
    Message, WebSocket,
    server::{Client, Running, Server, Workers},
};

const SOON: Duration = Duration::from_secs(20);

async fn soon<T>(future: impl Future<Output = T>) -> T {
    timeout(SOON, future).await.expect("in time")
}

async fn text(socket: &mut WebSocket) -> String {
    let message = soon(socket.recv()).await.expect("a message");
    let message = message.expect("no error");
    message.as_text().expect("a text").to_owned()
}

/// The close code, once nothing else comes.
async fn end(mut socket: WebSocket) -> u16 {
    assert!(soon(socket.recv()).await.is_none());
    let frame = socket.close_frame();
    frame.map_or(1006, |frame| frame.code.as_u16())
}

async fn connect(running: &Running) -> WebSocket {
    let connected = soon(wiretalk::connect(running.url())).await;
    connected.expect("a connection").0
}

/// A server whose messages are worked on by `handler`.
async fn serve<H, F, A>(workers: Workers, handler: H) -> Running
where
    H: Fn(Message) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = A> + Send + 'static,
    A: wiretalk::server::Answer,
{
    let server = Server::bind("127.0.0.1:0").await.expect("a port");
    let running = server.spawn(move |mut client: Client| {
        let (workers, handler) = (workers.clone(), handler.clone());
        async move { workers.run(&mut client, handler).await }
    });
    running.expect("a runtime")
}

/// Opened once for each message that may be done.
#[derive(Clone)]
struct Gate(Arc<Semaphore>);

impl Gate {
    fn closed() -> Self {
        Self(Arc::new(Semaphore::new(0)))
    }

    fn open(&self, messages: usize) {
        self.0.add_permits(messages);
    }

    async fn pass(&self) {
        self.0.acquire().await.expect("it is never closed").forget();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_connection_waits_for_itself_and_for_no_other() {
    let gate = Gate::closed();
    let running = serve(Workers::new(2), {
        let gate = gate.clone();
        move |message: Message| {
            let gate = gate.clone();
            async move {
                if message.as_text() == Some("slow") {
                    gate.pass().await;
                }
                message
            }
        }
    })
    .await;
    let (mut slow, mut quick) = (connect(&running).await, connect(&running).await);
    for line in ["slow", "1", "2"] {
        slow.send(line).await.expect("sent");
    }
    for line in ["1", "2", "3"] {
        quick.send(line).await.expect("sent");
        assert_eq!(text(&mut quick).await, line);
    }
    gate.open(1);
    for line in ["slow", "1", "2"] {
        assert_eq!(text(&mut slow).await, line);
    }
    drop((slow, quick));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_more_are_worked_on_at_a_time_than_there_are_workers() {
    for workers in [1, 3] {
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let running = serve(Workers::new(workers), {
            let most = Arc::clone(&most);
            move |message: Message| {
                let (now, most) = (Arc::clone(&now), Arc::clone(&most));
                async move {
                    let here = now.fetch_add(1, Ordering::SeqCst) + 1;
                    most.fetch_max(here, Ordering::SeqCst);
                    for _ in 0..5 {
                        tokio::task::yield_now().await;
                    }
                    now.fetch_sub(1, Ordering::SeqCst);
                    message
                }
            }
        })
        .await;
        let clients = (0..6).map(|client| {
            let url = running.url();
            tokio::spawn(async move {
                let (socket, _) = wiretalk::connect(url).await.expect("a connection");
                let (sender, mut receiver) = socket.split();
                let sending = async {
                    for n in 0..100 {
                        sender.send(format!("{client} {n}")).await.expect("sent");
                    }
                };
                let receiving = async {
                    for n in 0..100 {
                        let message = receiver.recv().await.expect("an answer");
                        let expected = format!("{client} {n}");
                        assert_eq!(message.expect("no error").as_text(), Some(&*expected));
                    }
                };
                tokio::join!(sending, receiving);
            })
        });
        for client in clients.collect::<Vec<_>>() {
            soon(client).await.expect("no panic");
        }
        let most = most.load(Ordering::SeqCst);
        assert!((1..=workers).contains(&most), "{most} at a time");
        running.stop().await;
    }
}

/// A peer that sends faster than its messages are worked on has to wait; meanwhile it hears what others send.
#[tokio::test]
async fn whoever_lags_is_read_from_no_more() {
    const MESSAGES: usize = 32;
    let gate = Gate::closed();
    let done = Arc::new(AtomicUsize::new(0));
    let running = serve(Workers::new(1).queue(2), {
        let (gate, done) = (gate.clone(), Arc::clone(&done));
        move |_: Message| {
            let (gate, done) = (gate.clone(), Arc::clone(&done));
            async move {
                gate.pass().await;
                done.fetch_add(1, Ordering::SeqCst);
            }
        }
    })
    .await;
    let (sender, mut receiver) = connect(&running).await.split();
    soon(running.clients().wait_for(1)).await;
    let sending = tokio::spawn(async move {
        let megabyte = Message::from("x".repeat(1 << 20));
        for _ in 0..MESSAGES {
            sender.send(megabyte.clone()).await.expect("sent");
        }
        sender
    });
    for n in 0..50 {
        let tick = format!("tick {n}");
        assert_eq!(running.clients().broadcast(tick.as_str()), 1);
        let message = soon(receiver.recv()).await.expect("a message");
        assert_eq!(message.expect("no error").as_text(), Some(&*tick));
    }
    let receiving = tokio::spawn(async move { while let Some(Ok(_)) = receiver.recv().await {} });
    assert!(!sending.is_finished(), "nothing holds the peer back");
    gate.open(MESSAGES);
    let sender = soon(sending).await.expect("no panic");
    sender.close(None, "").await.expect("closed");
    soon(receiving).await.expect("no panic");
    soon(running.clients().wait_for_none()).await;
    assert_eq!(
        done.load(Ordering::SeqCst),
        MESSAGES,
        "what came before a close is worked on"
    );
    running.stop().await;
}

#[tokio::test]
async fn a_panic_ends_its_own_connection_alone() {
    let running = serve(Workers::new(2), async |message: Message| {
        match message.as_text() {
            Some("panic") => panic!("as told"),
            Some("fail") => Err("a failure"),
            _ => Ok(Some(message)),
        }
    })
    .await;
    let mut other = connect(&running).await;
    for line in ["panic", "fail"] {
        let mut socket = connect(&running).await;
        socket.send("before").await.expect("sent");
        assert_eq!(text(&mut socket).await, "before");
        socket.send(line).await.expect("sent");
        assert_eq!(end(socket).await, 1011, "{line}");
        other.send("still here").await.expect("sent");
        assert_eq!(text(&mut other).await, "still here");
    }
    drop(other);
    running.stop().await;
}

/// A plain [`WebSocket`] has workers, too; here that of a client.
#[tokio::test]
async fn the_messages_of_any_websocket_are_worked_on() {
    let server = Server::bind("127.0.0.1:0").await.expect("a port");
    let (tell, mut told) = mpsc::unbounded_channel();
    let running = server.spawn(move |mut client: Client| {
        let tell = tell.clone();
        async move {
            for n in 0..3 {
                let _ = client.send(format!("{n}")).await;
                let answer = client.recv().await.expect("an answer");
                let _ = tell.send(answer.as_text().expect("a text").to_owned());
            }
        }
    });
    let running = running.expect("a runtime");
    let mut socket = connect(&running).await;
    let workers = Workers::new(1);
    let run = workers.run(&mut socket, async |message: Message| {
        format!("{} done", message.as_text().unwrap_or_default())
    });
    soon(run).await.expect("no error");
    assert_eq!(
        socket.close_frame().map(|frame| frame.code.as_u16()),
        Some(1000)
    );
    for n in 0..3 {
        assert_eq!(told.recv().await, Some(format!("{n} done")));
    }
    running.stop().await;
}

/// Says so when it is dropped.
struct Dropped(mpsc::UnboundedSender<()>);

impl Drop for Dropped {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

#[tokio::test]
async fn whoever_stops_waiting_drops_the_handler() {
    let (told, mut dropped) = mpsc::unbounded_channel();
    let server = Server::bind("127.0.0.1:0").await.expect("a port");
    let running = server.spawn(move |mut client: Client| {
        let told = told.clone();
        async move {
            let (began, mut begun) = mpsc::unbounded_channel();
            let workers = Workers::new(1);
            let handler = move |_: Message| {
                let guard = Dropped(told.clone());
                let _ = began.send(());
                async move {
                    std::future::pending::<()>().await;
                    drop(guard);
                }
            };
            tokio::select! {
                _ = workers.run(&mut client, handler) => {}
                _ = begun.recv() => {}
            }
            let _ = client.send("over").await;
        }
    });
    let running = running.expect("a runtime");
    let mut socket = connect(&running).await;
    socket.send("work").await.expect("sent");
    assert_eq!(text(&mut socket).await, "over");
    soon(dropped.recv()).await.expect("the handler is gone");
    drop(socket);
    running.stop().await;
}
