//! What happens at the door: how a client is told that it is not let in, and how its token comes in a first message.

use std::future::Future;
use std::time::Instant;

use wiretalk_net::server::{AcceptOptions, Reply, Upgrade};
use wiretalk_net::{CloseCode, Config, Error, Event, Limits, WebSocket};

use super::Reason;
use crate::gate::{Expelled, Gate};

/// What a client may say in one message before it is known who it is, in bytes; also one that is about to be closed.
const FEW_WORDS: usize = 64 * 1024;

impl Reason {
    /// The HTTP response of a refusal, with what else a client needs to mend it: which credentials (RFC 6750 3), or when to
    /// come again (RFC 9110 10.2.3).
    ///
    /// ```
    /// let reply = wiretalk_server::guard::Reason::TokenMissing.reply();
    /// assert_eq!((reply.status().as_u16(), &reply.headers()["www-authenticate"]), (401, &"Bearer".parse().unwrap()));
    /// ```
    #[must_use]
    pub fn reply(self) -> Reply {
        let reply = Reply::text(self.status(), format!("{}\n", self.told()));
        let header = match self {
            // RFC 6750 3: whoever brings no token is told no error.
            Self::TokenMissing => Some(("WWW-Authenticate", "Bearer")),
            Self::TokenInvalid | Self::TokenExpired => {
                Some(("WWW-Authenticate", r#"Bearer error="invalid_token""#))
            }
            Self::TokenUnchecked | Self::AddressFull => Some(("Retry-After", "5")),
            // RFC 2817 4.2
            Self::Plain => Some(("Upgrade", "TLS/1.2, HTTP/1.1")),
            _ => None,
        };
        let with = header.map(|(name, value)| reply.clone().header(name, value));
        with.and_then(Result::ok).unwrap_or(reply)
    }
}

/// Upgrades a client that is not let in, so that a page in a browser can read why: give the socket to [`see_off`]. It agrees
/// on a subprotocol, if some are offered: a browser that gets none shows its page no close code.
///
/// # Errors
/// As [`Upgrade::accept`].
pub fn upgrade_to_close(
    upgrade: Upgrade,
) -> Result<
    (
        Reply,
        impl Future<Output = Result<WebSocket, Error>> + Send + use<>,
    ),
    Error,
> {
    let mut config = Config::default();
    config.limits = few_words(config.limits);
    let subprotocol = upgrade.subprotocols().next().map(str::to_owned);
    upgrade.accept(AcceptOptions {
        subprotocol,
        deflate: None,
        config: config.into(),
        ..AcceptOptions::default()
    })
}

/// Closes a client, and waits until it has closed, too. Dropping the future drops the connection.
pub async fn see_off(socket: &mut WebSocket, code: u16, why: &str) {
    // A client that is gone already has its answer.
    let _ = socket.close(CloseCode::new(code), why).await;
    while let Ok(Some(_)) = socket.next_event().await {}
}

/// What comes first of a client whose token is still to come.
#[derive(Debug)]
pub enum First {
    /// A message; one that is no text is empty, since no token is binary.
    Text(String),
    /// It broke a rule or a limit; our close frame with this code is on its way.
    Broken(Error, CloseCode),
    /// It did not pass the gate.
    Expelled(Expelled),
    /// It has left.
    Gone,
}

/// The first message, for [`Guard::prove`](super::Guard::prove). The gate is asked about what comes before it: pings, which are
/// answered. Give the socket [`few_words`] before, and its own limits behind. Dropping the future loses at most a pong.
pub async fn first_text(
    socket: &mut WebSocket,
    mut gate: Option<&mut (dyn Gate + 'static)>,
) -> First {
    loop {
        match socket.next_event().await {
            Ok(Some(Event::Text(text))) => return First::Text(text.to_string()),
            Ok(Some(Event::Binary(_))) => return First::Text(String::new()),
            Ok(Some(event @ (Event::Ping(_) | Event::Pong(_)))) => {
                let judged = gate.as_mut().map(|gate| gate.control(Instant::now()));
                if let Some(Err(expelled)) = judged {
                    return First::Expelled(expelled);
                }
                if let Event::Ping(payload) = event
                    && socket.pong(&payload).await.is_err()
                {
                    return First::Gone;
                }
            }
            Ok(Some(Event::Close(_)) | None) => return First::Gone,
            Err(error) => {
                return match error.close_code() {
                    Some(CloseCode::ABNORMAL) | None => First::Gone,
                    Some(code) => First::Broken(error, code),
                };
            }
        }
    }
}

/// Limits that leave room for few words, for a client of whom it is not known yet who it is.
#[must_use]
pub fn few_words(limits: Limits) -> Limits {
    Limits {
        message_size: limits.message_size.min(FEW_WORDS),
        frame_size: limits.frame_size.min(FEW_WORDS as u64),
        ..limits
    }
}
