//! Several addresses of one host, tried as browsers do: RFC 8305 ("Happy Eyeballs").

use std::{
    collections::HashSet,
    future::{Future, poll_fn},
    io,
    net::SocketAddr,
    pin::{Pin, pin},
    task::Poll,
    time::Duration,
};

use tokio::time::{Instant, sleep_until};

/// How long an attempt has for itself before the next one joins it (section 5: 250 ms is recommended).
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// And the least, when there are so many addresses that not all had their turn in time (section 8).
const SHORTEST_DELAY: Duration = Duration::from_millis(10);

/// One address that was tried in vain.
#[derive(Debug)]
pub(super) struct Attempt {
    pub(super) address: SocketAddr,
    /// Why; `None` if no answer came.
    pub(super) error: Option<io::Error>,
}

/// The order in which to try them (section 4): the families take turns, beginning with the one that the system's
/// resolver puts first, which knows by RFC 6724 what is reachable from here. Within a family the resolver's order
/// stands. Each address comes once.
pub(super) fn interleave(addresses: impl IntoIterator<Item = SocketAddr>) -> Vec<SocketAddr> {
    let mut seen = HashSet::new();
    let mut addresses = addresses
        .into_iter()
        .filter(|address| seen.insert(*address))
        .peekable();
    let Some(first) = addresses.peek().copied() else {
        return Vec::new();
    };
    let (liked, others): (Vec<_>, Vec<_>) =
        addresses.partition(|address| address.is_ipv6() == first.is_ipv6());
    let mut order = Vec::with_capacity(liked.len() + others.len());
    let (mut liked, mut others) = (liked.into_iter(), others.into_iter());
    loop {
        let before = order.len();
        order.extend(liked.next());
        order.extend(others.next());
        if order.len() == before {
            return order;
        }
    }
}

/// Connects to the first that answers. The next attempt begins when the one before it fails, or after 250 ms; those
/// that run go on meanwhile, and are dropped when one wins, at the deadline, and with this future.
///
/// # Errors
/// All attempts, in the order in which they failed; those without an answer come last.
pub(super) async fn race<S, F>(
    addresses: &[SocketAddr],
    deadline: Instant,
    connect: impl Fn(SocketAddr) -> F,
) -> Result<S, Vec<Attempt>>
where
    F: Future<Output = io::Result<S>>,
{
    let left = deadline.saturating_duration_since(Instant::now());
    let share = left / u32::try_from(addresses.len().max(1)).unwrap_or(u32::MAX);
    let delay = ATTEMPT_DELAY.min(share).max(SHORTEST_DELAY);

    let mut waiting = addresses.iter().copied();
    let mut running: Vec<(SocketAddr, Pin<Box<F>>)> = Vec::new();
    let mut failed = Vec::new();
    let mut turn = pin!(sleep_until(Instant::now()));
    let mut end = pin!(sleep_until(deadline));
    let won = poll_fn(|cx| {
        loop {
            // A timer for now may still have to wait for its tick; the first attempt does not.
            let mut next = turn.as_mut().poll(cx).is_ready() || running.is_empty();
            let mut index = 0;
            while let Some((address, attempt)) = running.get_mut(index) {
                match attempt.as_mut().poll(cx) {
                    Poll::Pending => index += 1,
                    Poll::Ready(Ok(stream)) => return Poll::Ready(Some(stream)),
                    Poll::Ready(Err(error)) => {
                        failed.push(Attempt {
                            address: *address,
                            error: Some(error),
                        });
                        drop(running.remove(index));
                        next = true;
                    }
                }
            }
            if end.as_mut().poll(cx).is_ready() {
                return Poll::Ready(None);
            }
            if next && let Some(address) = waiting.next() {
                running.push((address, Box::pin(connect(address))));
                turn.as_mut().reset(Instant::now() + delay);
            } else if running.is_empty() {
                return Poll::Ready(None);
            } else {
                return Poll::Pending;
            }
        }
    });
    match won.await {
        Some(stream) => Ok(stream),
        None => {
            let silent = running.iter().map(|(address, _)| *address);
            failed.extend(silent.map(|address| Attempt {
                address,
                error: None,
            }));
            Err(failed)
        }
    }
}

#[cfg(test)]
mod tests;
