//! Serves the HTTP of those who look after a server: the admin endpoint and the control API.

use std::io;
use std::pin::pin;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// What whoever connects may take up.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// How long the head of a request may take, from the end of the one before.
    head: Duration,
    /// How many connections there may be; others wait to be accepted.
    connections: usize,
}

/// Far more than those who look after a server need.
pub(super) const BOUNDS: Bounds = Bounds {
    head: Duration::from_secs(30),
    connections: 128,
};

/// How long requests under way may take when the server stops.
const STOPPING: Duration = Duration::from_secs(1);
/// How long nothing is accepted when the system has no descriptor left.
const PAUSE: Duration = Duration::from_millis(100);

/// Serves until `stop` is done, and then what is under way.
///
/// Dropping this future ends it at once.
pub(super) async fn serve(
    listener: TcpListener,
    router: Router,
    bounds: Bounds,
    stop: impl Future<Output = ()>,
) {
    let (stopping, told) = watch::channel(false);
    let mut connections = JoinSet::new();
    let mut stop = pin!(stop);
    loop {
        tokio::select! {
            biased;
            () = &mut stop => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept(), if connections.len() < bounds.connections => {
                match accepted {
                    Ok((stream, _)) => {
                        connections.spawn(connection(stream, router.clone(), bounds.head, told.clone()));
                    }
                    Err(error) if is_of_the_client(&error) => {}
                    Err(_) => sleep(PAUSE).await,
                }
            }
        }
    }
    drop(listener);
    stopping.send_replace(true);
    let ended = async { while connections.join_next().await.is_some() {} };
    // Those that are left are cut off.
    let _ = timeout(STOPPING, ended).await;
}

async fn connection(
    stream: TcpStream,
    router: Router,
    head: Duration,
    mut told: watch::Receiver<bool>,
) {
    // It matters only for how soon an answer is there.
    let _ = stream.set_nodelay(true);
    let mut served = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(head)
            .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
    );
    // How a connection fails is of no interest to anybody but its other end.
    tokio::select! {
        _ = &mut served => return,
        _ = told.wait_for(|stopping| *stopping) => {}
    }
    served.as_mut().graceful_shutdown();
    let _ = served.await;
}

/// The client was gone before it could be accepted.
fn is_of_the_client(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
    )
}

#[cfg(test)]
mod tests;
