//! A pool of connections, over loopback.

mod peer;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use peer::{Peer, ms, soon};
use tokio::{
    sync::mpsc,
    task::yield_now,
    time::{Instant, sleep},
};
use wiretalk::{
    CloseCode, ErrorKind, Event, Message, MessageKind, WebSocket,
    client::{Pool, PoolBuilder, PoolError},
};

/// A server that echoes, and tells of each client when it comes and how it went.
struct Echo {
    url: String,
    told: mpsc::UnboundedReceiver<Told>,
    /// How many are connected.
    open: Arc<AtomicUsize>,
    /// How many were at most.
    peak: Arc<AtomicUsize>,
}

#[derive(Debug, PartialEq, Eq)]
enum Told {
    Came,
    /// With this close code.
    Went(u16),
}

impl Echo {
    async fn start() -> Self {
        let peer = Peer::listen().await;
        let url = peer.url();
        let (tell, told) = mpsc::unbounded_channel();
        let (open, peak) = <(Arc<AtomicUsize>, Arc<AtomicUsize>)>::default();
        let (count, highest) = (Arc::clone(&open), Arc::clone(&peak));
        tokio::spawn(async move {
            loop {
                let Some(socket) = peer.try_accept().await else {
                    continue;
                };
                let now = count.fetch_add(1, Ordering::SeqCst) + 1;
                highest.fetch_max(now, Ordering::SeqCst);
                let _ = tell.send(Told::Came);
                let (tell, counted) = (tell.clone(), Counted(Arc::clone(&count)));
                tokio::spawn(async move {
                    let code = echo(socket, counted).await;
                    let _ = tell.send(Told::Went(code));
                });
            }
        });
        Self {
            url,
            told,
            open,
            peak,
        }
    }

    async fn next(&mut self) -> Told {
        soon(self.told.recv()).await.expect("it goes on")
    }

    /// Nothing was told that was not asked for.
    fn is_silent(&mut self) -> bool {
        self.told.try_recv().is_err()
    }
}

/// A connection that counts as open until this is dropped.
struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Sends each message back, but for those that ask for something else.
async fn echo(mut socket: WebSocket, counted: Counted) -> u16 {
    let mut counted = Some(counted);
    while let Ok(Some(event)) = socket.next_event().await {
        if matches!(event, Event::Close(_)) {
            // The client may dial anew as soon as it sees the end of the stream, which is to come yet.
            counted = None;
        }
        let Ok(message) = Message::try_from(event) else {
            continue;
        };
        let sent = match message.as_text() {
            Some("part") => socket.send_fragment(MessageKind::Text, b"ha", false).await,
            Some("close") => socket.close(CloseCode::GOING_AWAY, "").await,
            Some("later") => {
                socket.send("now").await.unwrap();
                sleep(Duration::from_secs(10)).await;
                socket.send("later").await
            }
            _ => socket.send(message).await,
        };
        if sent.is_err() {
            break;
        }
    }
    drop(counted);
    let code = socket.close_frame().map(|frame| frame.code);
    code.map_or(1006, CloseCode::as_u16)
}

async fn ask(socket: &mut WebSocket, text: &str) -> Message {
    socket.send(text).await.unwrap();
    soon(socket.recv()).await.unwrap().unwrap()
}

async fn pool(settings: impl FnOnce(PoolBuilder) -> PoolBuilder) -> (Echo, Pool) {
    let echo = Echo::start().await;
    let pool = settings(Pool::builder(&*echo.url)).build();
    (echo, pool)
}

fn counts(pool: &Pool) -> (usize, usize, usize) {
    let status = pool.status();
    (status.in_use, status.idle, status.waiting)
}

#[tokio::test]
async fn one_connection_serves_many_in_turn() {
    let (mut echo, pool) = pool(|pool| pool.max(3)).await;
    for number in 0..10 {
        let mut socket = soon(pool.get()).await.unwrap();
        let text = number.to_string();
        assert_eq!(ask(&mut socket, &text).await, text.into());
        assert_eq!(counts(&pool), (1, 0, 0));
        drop(socket);
        assert_eq!(counts(&pool), (0, 1, 0));
    }
    assert_eq!(echo.next().await, Told::Came);
    assert!(echo.is_silent());
}

#[tokio::test]
async fn at_most_so_many_and_the_next_waits_its_turn() {
    let (echo, pool) = pool(|pool| pool.max(2)).await;
    let first = soon(pool.get()).await.unwrap();
    let second = soon(pool.get()).await.unwrap();
    let (tell, mut told) = mpsc::unbounded_channel();
    for number in 0..3 {
        let (pool, tell) = (pool.clone(), tell.clone());
        let waiting = number + 1;
        let counted = pool.clone();
        tokio::spawn(async move {
            let socket = pool.get().await.unwrap();
            tell.send((number, socket)).unwrap();
        });
        soon(async {
            while counted.status().waiting < waiting {
                yield_now().await;
            }
        })
        .await;
    }
    assert_eq!(counts(&pool), (2, 0, 3));
    drop(second);
    let (number, third) = soon(told.recv()).await.unwrap();
    assert_eq!(number, 0, "who came first");
    drop(first);
    let (number, _fourth) = soon(told.recv()).await.unwrap();
    assert_eq!(number, 1);
    assert_eq!(counts(&pool), (2, 0, 1));
    drop(third);
    let (number, _fifth) = soon(told.recv()).await.unwrap();
    assert_eq!(number, 2);
    assert_eq!(echo.peak.load(Ordering::SeqCst), 2);
}

#[tokio::test(start_paused = true)]
async fn a_wait_has_an_end() {
    let (_echo, pool) = pool(|pool| pool.max(1).wait_timeout(ms(1500))).await;
    let _held = pool.get().await.unwrap();
    let begin = Instant::now();
    let error = pool.get().await.unwrap_err();
    assert!(matches!(error, PoolError::Timeout(_)));
    assert_eq!(
        error.to_string(),
        "no connection of the pool was free within 1.5s"
    );
    assert_eq!(begin.elapsed().as_millis() / 100, 15);
    assert_eq!(counts(&pool), (1, 0, 0));
}

#[tokio::test]
async fn cancelled_waits_dials_and_checks_leave_no_count_behind() {
    let (echo, waited) = pool(|pool| pool.max(1)).await;
    let held = waited.get().await.unwrap();
    for _ in 0..10 {
        tokio::select! {
            biased;
            _ = waited.get() => panic!("there is none"),
            () = yield_now() => {}
        }
    }
    assert_eq!(counts(&waited), (1, 0, 0));
    drop(held);
    let mut socket = soon(waited.get()).await.unwrap();
    assert_eq!(ask(&mut socket, "one").await, "one".into());
    drop(socket);
    drop(waited);

    // Dropped at each point at which dialing waits, and at each of the hook.
    let dialed = Pool::builder(&*echo.url)
        .max(2)
        .check(ms(60_000))
        .on_open(async |socket: &mut WebSocket| {
            socket.send("hook").await?;
            socket.recv().await.transpose()?;
            Ok(())
        })
        .build();
    for turns in 0..200 {
        let give_up = async {
            for _ in 0..turns {
                yield_now().await;
            }
        };
        tokio::select! {
            biased;
            socket = dialed.get() => drop(socket.unwrap()),
            () = give_up => {}
        }
        assert_eq!(dialed.status().in_use, 0, "after {turns} turns");
    }
    let both = soon(async { tokio::join!(dialed.get(), dialed.get()) }).await;
    let (Ok(mut one), Ok(mut other)) = both else {
        panic!("both are to be had");
    };
    assert_eq!(ask(&mut one, "a").await, "a".into());
    assert_eq!(ask(&mut other, "b").await, "b".into());
    assert_eq!(counts(&dialed), (2, 0, 0));
    soon(async {
        while echo.open.load(Ordering::SeqCst) > 2 {
            yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn what_is_not_idle_is_not_handed_out_again() {
    let (mut echo, pool) = pool(|pool| pool.max(1)).await;
    let mut came = 0;
    for (case, code) in [
        ("an answer waits", 1000),
        ("an answer came in part", 1000),
        ("a message was begun", 1000),
        ("closed by us", 1000),
        ("closed by the server", 1001),
        ("discarded", 1000),
    ] {
        let mut socket = soon(pool.get()).await.unwrap();
        assert_eq!(ask(&mut socket, case).await, case.into());
        assert_eq!(echo.next().await, Told::Came, "{case}");
        came += 1;
        match case {
            "an answer waits" => {
                socket.send("unread").await.unwrap();
                soon(async {
                    while !socket.has_queued() {
                        yield_now().await;
                    }
                })
                .await;
            }
            "an answer came in part" => {
                socket.send("part").await.unwrap();
                soon(async {
                    while socket.is_idle() {
                        assert!(!socket.has_queued());
                        yield_now().await;
                    }
                })
                .await;
            }
            "a message was begun" => {
                let begun = socket.send_fragment(MessageKind::Text, b"x", false);
                begun.await.unwrap();
            }
            "closed by us" => socket.close(CloseCode::NORMAL, "").await.unwrap(),
            "closed by the server" => {
                socket.send("close").await.unwrap();
                assert!(soon(socket.recv()).await.is_none());
            }
            _ => {
                socket.discard();
                assert_eq!(echo.next().await, Told::Went(code), "{case}");
                continue;
            }
        }
        drop(socket);
        assert_eq!(counts(&pool).1, 0, "{case}");
        assert_eq!(echo.next().await, Told::Went(code), "{case}");
    }
    soon(pool.get()).await.unwrap();
    assert_eq!(came, 6);
    assert_eq!(
        echo.peak.load(Ordering::SeqCst),
        1,
        "not even while closing"
    );
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_comes_later_reaches_nobody_else() {
    let (mut echo, pool) = pool(|pool| pool).await;
    let mut socket = pool.get().await.unwrap();
    assert_eq!(echo.next().await, Told::Came);
    assert_eq!(ask(&mut socket, "later").await, "now".into());
    drop(socket);
    assert_eq!(counts(&pool), (0, 1, 0));
    sleep(Duration::from_secs(11)).await;
    assert_eq!(counts(&pool), (0, 0, 0));
    assert_eq!(echo.next().await, Told::Went(1000));
}

#[tokio::test(start_paused = true)]
async fn idle_connections_are_looked_after() {
    // The server pings every 20 s, and drops who does not answer.
    let (mut echo, pool) = pool(|pool| pool).await;
    drop(pool.get().await.unwrap());
    assert_eq!(echo.next().await, Told::Came);
    sleep(Duration::from_secs(300)).await;
    assert!(echo.is_silent());
    assert_eq!(counts(&pool), (0, 1, 0));
    let mut socket = pool.get().await.unwrap();
    assert_eq!(ask(&mut socket, "still here").await, "still here".into());
}

#[tokio::test(start_paused = true)]
async fn idle_for_too_long() {
    let (mut echo, pool) = pool(|pool| pool.idle_timeout(Duration::from_secs(30))).await;
    let (one, other) = tokio::join!(pool.get(), pool.get());
    drop(one);
    sleep(Duration::from_secs(20)).await;
    drop(other);
    assert_eq!(counts(&pool), (0, 2, 0));
    sleep(Duration::from_secs(11)).await;
    assert_eq!(counts(&pool), (0, 1, 0));
    sleep(Duration::from_secs(20)).await;
    assert_eq!(counts(&pool), (0, 0, 0));
    for told in [Told::Came, Told::Came, Told::Went(1000), Told::Went(1000)] {
        assert_eq!(echo.next().await, told);
    }
}

#[tokio::test(start_paused = true)]
async fn open_for_too_long() {
    let (mut echo, pool) = pool(|pool| pool.max_lifetime(Duration::from_secs(30))).await;
    let mut one = pool.get().await.unwrap();
    drop(pool.get().await.unwrap());
    for told in [Told::Came, Told::Came] {
        assert_eq!(echo.next().await, told);
    }
    sleep(Duration::from_secs(31)).await;
    assert_eq!(echo.next().await, Told::Went(1000), "the idle one");
    assert_eq!(ask(&mut one, "mine").await, "mine".into());
    drop(one);
    assert_eq!(echo.next().await, Told::Went(1000), "once it is given back");
    sleep(ms(1)).await;
    assert_eq!(counts(&pool), (0, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_check_finds_out_who_does_not_answer() {
    let peer = Peer::listen().await;
    let pool = Pool::builder(peer.url()).check(ms(500)).build();
    let (server, socket) = tokio::join!(peer.accept(), pool.get());
    drop(socket.unwrap());
    // Nobody polls this end, so the ping is not answered.
    let begin = Instant::now();
    let (mut second, socket) = tokio::join!(peer.accept(), pool.get());
    assert_eq!(begin.elapsed().as_millis() / 100, 5);
    drop(socket.unwrap());
    drop(server);
    // This one answers.
    let begin = Instant::now();
    let (_, socket) = tokio::join!(
        async {
            tokio::select! {
                _ = second.recv() => panic!("nothing is sent"),
                () = sleep(ms(100)) => {}
            }
        },
        pool.get()
    );
    assert!(socket.is_ok());
    assert!(begin.elapsed() < ms(200));
}

#[tokio::test(start_paused = true)]
async fn what_comes_during_a_check_is_for_nobody() {
    let peer = Peer::listen().await;
    let pool = Pool::builder(peer.url()).check(ms(5000)).build();
    let (mut server, socket) = tokio::join!(peer.accept(), pool.get());
    drop(socket.unwrap());
    let answers = async {
        // The ping has left, and nobody has read it.
        yield_now().await;
        server.send("late").await.unwrap();
        let ended = server.recv().await.expect("how it ended");
        assert_eq!(ended.unwrap_err().kind(), ErrorKind::Abnormal);
    };
    let (socket, (), mut second) = tokio::join!(pool.get(), soon(answers), peer.accept());
    second.send("first").await.unwrap();
    let message = soon(socket.unwrap().recv()).await.unwrap().unwrap();
    assert_eq!(message, "first".into());
}

#[tokio::test(start_paused = true)]
async fn one_that_is_being_closed_has_its_place_until_it_is() {
    let peer = Peer::listen().await;
    let pool = Pool::builder(peer.url()).max(1).build();
    let (mut server, socket) = tokio::join!(peer.accept(), pool.get());
    socket.unwrap().discard();
    // Nobody answers the close frame yet.
    tokio::select! {
        _ = pool.get() => panic!("that would be two"),
        () = sleep(ms(1000)) => {}
    }
    assert_eq!(counts(&pool), (1, 0, 0));
    let (ended, socket, _) = tokio::join!(soon(server.recv()), pool.get(), peer.accept());
    assert!(ended.is_none());
    assert!(socket.is_ok());
}

#[tokio::test]
async fn a_closed_pool() {
    let (mut echo, pool) = pool(|pool| pool.max(2)).await;
    let mut held = pool.get().await.unwrap();
    drop(pool.get().await.unwrap());
    let _other = pool.get().await.unwrap().into_inner();
    assert_eq!(counts(&pool), (1, 0, 0), "it is not the pool's any more");
    drop(pool.get().await.unwrap());
    for _ in 0..3 {
        assert_eq!(echo.next().await, Told::Came);
    }
    assert_eq!(counts(&pool), (1, 1, 0));
    let waiting = {
        let (_a, pool) = (pool.get().await.unwrap(), pool.clone());
        tokio::spawn(async move { pool.get().await.map(drop) })
    };
    waiting.await.unwrap().expect("one was given back");

    soon(pool.close()).await;
    assert_eq!(echo.next().await, Told::Went(1000));
    let error = pool.get().await.unwrap_err();
    assert!(matches!(error, PoolError::Closed));
    assert_eq!(error.to_string(), "the pool is closed");
    assert_eq!(ask(&mut held, "mine").await, "mine".into());
    drop(held);
    assert_eq!(echo.next().await, Told::Went(1000));
    soon(pool.close()).await;
    assert_eq!(counts(&pool).1, 0);
}

#[tokio::test]
async fn who_waits_is_told_of_the_close() {
    let (_echo, pool) = pool(|pool| pool.max(1)).await;
    let _held = pool.get().await.unwrap();
    let (waited, ()) = soon(async { tokio::join!(pool.get(), pool.close()) }).await;
    assert!(matches!(waited, Err(PoolError::Closed)));
    assert_eq!(counts(&pool), (1, 0, 0));

    let never_used = Pool::builder("ws://127.0.0.1:1/").build();
    soon(never_used.close()).await;
}

#[tokio::test]
async fn with_the_last_handle_all_ends_but_what_is_handed_out() {
    let (mut echo, pool) = pool(|pool| pool).await;
    let metrics = tokio::runtime::Handle::current().metrics();
    let (held, given) = tokio::join!(pool.get(), pool.get());
    drop(given);
    for _ in 0..2 {
        assert_eq!(echo.next().await, Told::Came);
    }
    let before = metrics.num_alive_tasks();
    drop(pool.clone());
    assert!(echo.is_silent());
    drop(pool);
    assert_eq!(echo.next().await, Told::Went(1006));
    let mut held = held.unwrap();
    assert_eq!(ask(&mut held, "mine").await, "mine".into());
    drop(held);
    assert_eq!(echo.next().await, Told::Went(1006));
    // The keeper, and the server's two.
    soon(async {
        while metrics.num_alive_tasks() > before - 3 {
            yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn failures_are_passed_on_and_give_their_place_back() {
    let pool = Pool::builder("ws://127.0.0.1:1/").max(1).build();
    for _ in 0..3 {
        let error = soon(pool.get()).await.unwrap_err();
        assert!(matches!(&error, PoolError::Dial(error) if error.kind() == ErrorKind::Refused));
        assert_eq!(error.to_string(), "127.0.0.1:1 refused the connection");
        assert_eq!(counts(&pool), (0, 0, 0));
    }
    let (_echo, pool) = pool_with_a_bad_hook().await;
    let error = soon(pool.get()).await.unwrap_err();
    assert!(matches!(&error, PoolError::Hook(_)));
    assert_eq!(
        error.to_string(),
        "what is done on open failed: the login was refused"
    );
    assert_eq!(counts(&pool), (0, 0, 0));
}

async fn pool_with_a_bad_hook() -> (Echo, Pool) {
    pool(|pool| pool.on_open(async |_: &mut WebSocket| Err("the login was refused".into()))).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_tasks_share_few_connections() {
    const TASKS: usize = 50;
    let (echo, pool) = pool(|pool| pool.max(4)).await;
    let tasks: Vec<_> = (0..TASKS)
        .map(|task| {
            let pool = pool.clone();
            tokio::spawn(async move {
                for round in 0..10 {
                    let mut socket = pool.get().await.unwrap();
                    let text = format!("{task} {round}");
                    assert_eq!(ask(&mut socket, &text).await, text.into());
                    if (task + round) % 17 == 0 {
                        socket.discard();
                    }
                }
            })
        })
        .collect();
    for task in tasks {
        soon(task).await.unwrap();
    }
    assert!(echo.peak.load(Ordering::SeqCst) <= 4);
    let status = pool.status();
    assert_eq!(status.waiting, 0);
    assert!(status.idle + status.in_use <= 4);
    soon(pool.close()).await;
    soon(async {
        while echo.open.load(Ordering::SeqCst) > 0 {
            yield_now().await;
        }
    })
    .await;
}
