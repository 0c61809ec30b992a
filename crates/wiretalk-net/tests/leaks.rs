//! What is dropped leaves nothing behind: no task, no descriptor, no byte, wherever it was waiting.
//!
//! All is counted for the whole process, so this is one test in a process of its own.

mod common;
#[path = "common/leftovers.rs"]
mod leftovers;

use std::{io, net::SocketAddr};

use common::{ms, quiet};
use leftovers::{drop_after, leaves_nothing};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream, UnixListener},
    task::JoinSet,
};
#[cfg(feature = "http2")]
use wiretalk_net::Http2;
use wiretalk_net::{
    CloseCode, Config, Connector, Proxy, Request, TlsOptions,
    server::{AcceptOptions, Listener, Reply, ServeOptions, TlsConfig, serve_connection},
};

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
    // Over HTTP/2 the connection is served as long as its WebSockets live, and they live beside it.
    let lives = std::sync::Mutex::new(JoinSet::new());
    let served = serve_connection(incoming, ServeOptions::default(), |mut request| {
        let options = AcceptOptions {
            config: quiet().into(),
            ..AcceptOptions::default()
        };
        let (reply, socket) = request.upgrade().unwrap().accept(options).unwrap();
        lives.lock().unwrap().spawn(async {
            let Ok(mut socket) = socket.await else { return };
            let _ = socket.send("hello").await;
            while let Some(Ok(message)) = socket.recv().await {
                let _ = socket.send(message).await;
            }
        });
        std::future::ready::<Reply>(reply)
    });
    let _ = served.await;
    let mut lives = lives.into_inner().unwrap();
    while lives.join_next().await.is_some() {}
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
        #[cfg(feature = "http2")]
        let ways = ways.into_iter().chain([
            Way {
                conversations: true,
                ..way(
                    "ws over HTTP/2",
                    connector().http2(Http2::Only),
                    format!("ws://{plain}/"),
                )
            },
            Way {
                conversations: true,
                ..way(
                    "wss over HTTP/2",
                    connector().http2(Http2::Only),
                    format!("wss://{secure}/"),
                )
            },
        ]);
        for way in ways {
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
