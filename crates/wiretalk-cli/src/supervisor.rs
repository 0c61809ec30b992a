//! What starts and watches a server: systemd, or whoever speaks as it does. It may hand over sockets that listen already
//! (`LISTEN_FDS`, sd_listen_fds(3)), and wants to know how the server is (`NOTIFY_SOCKET`, sd_notify(3)). Without it, all of
//! this does nothing.

use std::net::TcpListener;
use std::time::Duration;

/// The sockets that were handed over, in their order. To be called once.
#[cfg(unix)]
pub(crate) fn sockets() -> Result<Vec<TcpListener>, String> {
    let mut given = listenfd::ListenFd::from_env();
    let mut sockets = Vec::new();
    for at in 0..given.len() {
        let socket = given.take_tcp_listener(at).map_err(|error| {
            format!("socket {at} of those that were handed over (LISTEN_FDS) is no TCP socket that listens: {error}")
        })?;
        sockets.extend(socket);
    }
    Ok(sockets)
}

#[cfg(not(unix))]
pub(crate) fn sockets() -> Result<Vec<TcpListener>, String> {
    Ok(Vec::new())
}

/// The server listens, and clients may come.
pub(crate) fn ready() {
    #[cfg(unix)]
    tell(&[sd_notify::NotifyState::Ready]);
}

/// The server reads its files anew; [`ready`] says that it is done.
pub(crate) fn reloading() {
    #[cfg(unix)]
    match sd_notify::NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[sd_notify::NotifyState::Reloading, now]),
        Err(_) => tell(&[sd_notify::NotifyState::Reloading]),
    }
}

/// The server ends, with these words for whoever asks how it is.
pub(crate) fn stopping(status: &str) {
    #[cfg(unix)]
    tell(&[
        sd_notify::NotifyState::Stopping,
        sd_notify::NotifyState::Status(status),
    ]);
    #[cfg(not(unix))]
    let _ = status;
}

/// Says again and again that the server lives, if that is wanted; never ends.
pub(crate) async fn live() {
    let Some(limit) = watchdog() else {
        return std::future::pending().await;
    };
    // Twice in the time after which it would be taken for dead, as sd_watchdog_enabled(3) advises.
    let mut beats = tokio::time::interval(limit / 2);
    loop {
        beats.tick().await;
        #[cfg(unix)]
        tell(&[sd_notify::NotifyState::Watchdog]);
    }
}

#[cfg(unix)]
fn watchdog() -> Option<Duration> {
    sd_notify::watchdog_enabled().filter(|limit| !limit.is_zero())
}

#[cfg(not(unix))]
fn watchdog() -> Option<Duration> {
    None
}

#[cfg(unix)]
fn tell(state: &[sd_notify::NotifyState<'_>]) {
    // Who does not listen any more does not want to know.
    let _ = sd_notify::notify(state);
}
