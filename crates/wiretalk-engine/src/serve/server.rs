//! Where a server listens.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;

use wiretalk_net::Error;
use wiretalk_net::server::{Incoming, Listener, TlsConfig};

/// A server that listens, and does not serve yet.
#[derive(Debug)]
pub struct Server {
    first: Listener,
    others: Vec<Listener>,
    /// Which of them is asked first for the next client, so that none keeps the others waiting.
    turn: AtomicUsize,
}

impl Server {
    /// Listens on an address such as `127.0.0.1:4000`; port 0 takes a free one.
    ///
    /// # Errors
    /// If the address is in use or not to be had.
    pub async fn bind(address: &str, tls: Option<TlsConfig>) -> Result<Self, Error> {
        Ok(Self::new(Listener::bind(address, tls).await?))
    }

    /// Listens on an address on which other processes may listen that say so as well: the system spreads what comes over
    /// them (`SO_REUSEPORT`).
    ///
    /// # Errors
    /// If the address is in use by others, or not to be had.
    pub async fn bind_beside_others(address: &str, tls: Option<TlsConfig>) -> Result<Self, Error> {
        Ok(Self::new(Listener::bind_beside_others(address, tls).await?))
    }

    /// Takes a socket that listens already: one that whoever has started the program handed over.
    ///
    /// # Errors
    /// If it cannot be used without blocking.
    pub fn from_std(socket: std::net::TcpListener, tls: Option<TlsConfig>) -> Result<Self, Error> {
        Ok(Self::new(Listener::from_std(socket, tls)?))
    }

    fn new(first: Listener) -> Self {
        Self {
            first,
            others: Vec::new(),
            turn: AtomicUsize::new(0),
        }
    }

    /// One server that listens where both did.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.others.push(other.first);
        self.others.extend(other.others);
        self
    }

    /// Where it listens; the first place, if there are several.
    ///
    /// # Errors
    /// If the system does not tell.
    pub fn local_addr(&self) -> Result<SocketAddr, Error> {
        self.first.local_addr()
    }

    /// All places where it listens, in the order in which they were [added](Self::and).
    ///
    /// # Errors
    /// If the system does not tell.
    pub fn local_addrs(&self) -> Result<Vec<SocketAddr>, Error> {
        self.all().map(Listener::local_addr).collect()
    }

    /// Waits for the next client, wherever it comes. Dropping the future loses none.
    pub(super) async fn accept(&self) -> Result<Incoming, Error> {
        if self.others.is_empty() {
            return self.first.accept().await;
        }
        let mut waiting: Vec<Pin<Box<_>>> = self
            .all()
            .map(|listener| Box::pin(listener.accept()))
            .collect();
        let turn = self.turn.fetch_add(1, Ordering::Relaxed) % waiting.len();
        waiting.rotate_left(turn);
        poll_fn(|cx| {
            for accepting in &mut waiting {
                if let Poll::Ready(accepted) = accepting.as_mut().poll(cx) {
                    return Poll::Ready(accepted);
                }
            }
            Poll::Pending
        })
        .await
    }

    fn all(&self) -> impl Iterator<Item = &Listener> {
        std::iter::once(&self.first).chain(&self.others)
    }
}
