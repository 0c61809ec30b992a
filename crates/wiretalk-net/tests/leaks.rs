//! What is dropped leaves nothing behind: no task, no descriptor, no byte, wherever it was waiting.
//!
//! All is counted for the whole process, so this is one test in a process of its own.

mod common;

use std::{
    alloc::System,
    future::{Future, poll_fn},
    io,
    net::SocketAddr,
    pin::Pin,
    task::Poll,
    time::{Duration, Instant},
};

use cap::Cap;
use common::{ms, quiet};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream, UnixListener},
    runtime::Handle,
    task::JoinSet,
};
use wiretalk_net::{
    CloseCode, Config, Connector, Proxy, Request, TlsOptions,
    server::{AcceptOptions, Listener, Reply, ServeOptions, TlsConfig, serve_connection},
};

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

const ROUNDS: usize = 1000;

const WARM_UP: usize = 200;

/// What all rounds together may leave: less than a byte each.
const SLACK: usize = ROUNDS - 1;

#[derive(Clone, Copy, Debug, PartialEq)]
struct Counts {
    tasks: usize,
    descriptors: usize,
    bytes: usize,
}

fn count() -> Counts {
    let descriptors = std::fs::read_dir("/proc/self/fd").unwrap().count();
    Counts {
        tasks: Handle::current().metrics().num_alive_tasks(),
        descriptors,
        bytes: ALLOCATOR.allocated(),
    }
}

/// Waits until nothing more goes away. The other end hears of a drop a moment later.
async fn settled(wanted: Option<Counts>) -> Counts {
    let deadline = Instant::now() + Duration::from_secs(20);
    let mut last = count();
    let mut same = 0;
    loop {
        tokio::time::sleep(ms(5)).await;
        let now = count();
        same = if now == last { same + 1 } else { 0 };
        last = now;
        let enough = match wanted {
            Some(wanted) => {
                now.tasks == wanted.tasks
                    && now.descriptors == wanted.descriptors
                    && now.bytes <= wanted.bytes + SLACK
            }
            None => same >= 20,
        };
        if enough || Instant::now() > deadline {
            return now;
        }
    }
}

/// Polls a future until it has waited so often, then drops it. Gives whether it came to its end.
async fn drop_after<T>(future: impl Future<Output = T>, waits: usize) -> bool {
    let mut future = Box::pin(future);
    let mut left = waits;
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(_) => Poll::Ready(true),
        Poll::Pending if left == 0 => Poll::Ready(false),
        Poll::Pending => {
            left -= 1;
            Poll::Pending
        }
    })
    .await
}

type Round<'a> = Box<dyn Fn(usize) -> Pin<Box<dyn Future<Output = bool> + 'a>> + 'a>;

/// Does something over and over, and drops it at its first wait, its second, and so on, until it is done; then from the
/// start.
async fn leaves_nothing(what: &str, round: Round<'_>) {
    // The first rounds fill what threads, tables and the cache of TLS sessions keep.
    drops(&round, WARM_UP).await;
    let mut tries = 0;
    loop {
        let before = settled(None).await;
        let (dropped, done) = drops(&round, ROUNDS).await;
        let after = settled(Some(before)).await;
        assert_eq!(after.tasks, before.tasks, "{what}: tasks");
        assert_eq!(after.descriptors, before.descriptors, "{what}: descriptors");
        assert!(
            dropped > done && done > 0,
            "{what}: {dropped} drops, {done} ends"
        );
        if after.bytes <= before.bytes + SLACK {
            return;
        }
        // A table may have grown once more. What is left behind by every round is there each time.
        tries += 1;
        assert!(
            tries < 3,
            "{what}: {} bytes after {dropped} drops and {done} ends",
            after.bytes - before.bytes
        );
    }
}

/// How often it was dropped, and how often it came to its end.
async fn drops(round: &Round<'_>, rounds: usize) -> (usize, usize) {
    let (mut dropped, mut done, mut waits) = (0, 0, 0);
    for _ in 0..rounds {
        if round(waits).await {
            done += 1;
            waits = 0;
        } else {
            dropped += 1;
            waits += 1;
        }
    }
    (dropped, done)
}

/// A server that greets every client and echoes.
async fn serve(listener: Listener) {
    let mut tasks = JoinSet::new();
    loop {
        tokio::select! {
            incoming = listener.accept() => {
                tasks.spawn(serve_one(incoming.unwrap()));
            }
            Some(_) = tasks.join_next(), if !tasks.is_empty() => {}
        }
    }
}

async fn serve_one(incoming: wiretalk_net::server::Incoming) {
    let accepted = std::sync::Mutex::new(None);
    let served = serve_connection(incoming, ServeOptions::default(), |mut request| {
        let options = AcceptOptions {
            config: quiet().into(),
            ..AcceptOptions::default()
        };
        let (reply, socket) = request.upgrade().unwrap().accept(options).unwrap();
        *accepted.lock().unwrap() = Some(socket);
        std::future::ready::<Reply>(reply)
    });
    let _ = served.await;
    let Some(socket) = accepted.into_inner().unwrap() else {
        return;
    };
    let Ok(mut socket) = socket.await else { return };
    let _ = socket.send("hello").await;
    while let Some(Ok(message)) = socket.recv().await {
        let _ = socket.send(message).await;
    }
}

async fn listen(tls: Option<TlsConfig>) -> (Listener, SocketAddr) {
    let listener = Listener::bind("127.0.0.1:0", tls).await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

fn quick() -> Config {
    Config {
        close_timeout: ms(200),
        ..quiet()
    }
}

/// From the dialing to the end of the close handshake, with every kind of waiting between.
async fn converse(connector: &Connector, request: &Request) {
    let Ok((mut socket, _)) = connector.connect(request).await else {
        return;
    };
    let _ = socket.recv().await;
    let _ = socket.send(vec![7; 100_000]).await;
    let _ = socket.recv().await;
    let _ = socket.round_trip().await;
    let (sender, mut receiver) = socket.split();
    let _ = sender.send("over").await;
    let _ = receiver.recv().await;
    let _ = sender.close(CloseCode::NORMAL, "done").await;
    while receiver.recv().await.is_some() {}
}

fn tls() -> TlsConfig {
    let key = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (chain, key_pem) = (key.cert.pem(), key.signing_key.serialize_pem());
    TlsConfig::from_pem(chain.as_bytes(), key_pem.as_bytes()).unwrap()
}

/// What stands between: it takes a stream, says what it has to, and passes on what comes.
async fn relay<S>(mut client: S, opening: Opening, to: SocketAddr) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    match opening {
        Opening::Nothing => {}
        Opening::Connect => {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(client.read_u8().await?);
            }
            client
                .write_all(b"HTTP/1.1 200 Here you are\r\n\r\n")
                .await?;
        }
        Opening::Socks => {
            // Version 5, one method, no authentication; then a request for an IPv4 address.
            client.read_exact(&mut [0; 3]).await?;
            client.write_all(&[5, 0]).await?;
            client.read_exact(&mut [0; 10]).await?;
            client.write_all(&[5, 0, 0, 1, 127, 0, 0, 1, 0, 0]).await?;
        }
    }
    let mut server = TcpStream::connect(to).await?;
    tokio::io::copy_bidirectional(&mut client, &mut server).await?;
    Ok(())
}

#[derive(Clone, Copy)]
enum Opening {
    Nothing,
    Connect,
    Socks,
}

async fn relay_tcp(listener: TcpListener, opening: Opening, to: SocketAddr) {
    let mut tasks = JoinSet::new();
    loop {
        tokio::select! {
            client = listener.accept() => {
                tasks.spawn(relay(client.unwrap().0, opening, to));
            }
            Some(_) = tasks.join_next(), if !tasks.is_empty() => {}
        }
    }
}

async fn relay_unix(listener: UnixListener, to: SocketAddr) {
    let mut tasks = JoinSet::new();
    loop {
        tokio::select! {
            client = listener.accept() => {
                tasks.spawn(relay(client.unwrap().0, Opening::Nothing, to));
            }
            Some(_) = tasks.join_next(), if !tasks.is_empty() => {}
        }
    }
}

/// A way to the server.
struct Way {
    name: &'static str,
    connector: Connector,
    url: String,
    /// Whether whole conversations are dropped, too, not the dialing alone.
    conversations: bool,
}

#[test]
fn a_thousand_drops_at_every_await_leave_nothing() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut servers = JoinSet::new();
        let (listener, plain) = listen(None).await;
        servers.spawn(serve(listener));
        let (listener, secure) = listen(Some(tls())).await;
        servers.spawn(serve(listener));
        let (http, http_proxy) = listen_bare().await;
        servers.spawn(relay_tcp(http, Opening::Connect, secure));
        let (socks, socks_proxy) = listen_bare().await;
        servers.spawn(relay_tcp(socks, Opening::Socks, plain));
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("socket");
        servers.spawn(relay_unix(UnixListener::bind(&socket).unwrap(), plain));

        let connector = || {
            let tls = TlsOptions::new().insecure(true);
            Connector::new().config(quick()).tls(tls)
        };
        let through = |proxy: String| connector().proxies(proxy.parse::<Proxy>().unwrap());
        let way = |name, connector, url| Way {
            name,
            connector,
            url,
            conversations: false,
        };
        let ways = [
            Way {
                conversations: true,
                ..way("ws", connector(), format!("ws://{plain}/"))
            },
            Way {
                conversations: true,
                ..way("wss", connector(), format!("wss://{secure}/"))
            },
            way(
                "by name",
                connector(),
                format!("ws://localhost:{}/", plain.port()),
            ),
            way(
                "wss through an HTTP proxy",
                through(format!("http://{http_proxy}")),
                format!("wss://{secure}/"),
            ),
            way(
                "through a SOCKS proxy",
                through(format!("socks5://{socks_proxy}")),
                format!("ws://{plain}/"),
            ),
            way(
                "a Unix socket",
                connector().unix_socket(&socket),
                "ws://localhost/".to_owned(),
            ),
        ];
        for way in &ways {
            let request = Request::new(way.url.as_str());
            leaves_nothing(
                &format!("{}: dialing", way.name),
                Box::new(|waits| Box::pin(drop_after(way.connector.connect(&request), waits))),
            )
            .await;
            if way.conversations {
                leaves_nothing(
                    &format!("{}: a conversation", way.name),
                    Box::new(|waits| {
                        Box::pin(drop_after(converse(&way.connector, &request), waits))
                    }),
                )
                .await;
            }
        }
        servers.shutdown().await;

        let (listener, address) = listen(None).await;
        leaves_nothing(
            "serving",
            Box::new(|waits| {
                let listener = &listener;
                Box::pin(async move {
                    let client = tokio::spawn(async move {
                        let url = format!("ws://{address}/");
                        let connector = Connector::new().config(quick());
                        converse(&connector, &Request::new(url)).await;
                    });
                    let incoming = listener.accept().await.unwrap();
                    let done = drop_after(serve_one(incoming), waits).await;
                    let _ = client.await;
                    done
                })
            }),
        )
        .await;
    });
}

async fn listen_bare() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}
