//! Why a connection ended or did not come about, and what follows from it.

use std::{error::Error as StdError, fmt, sync::Arc, time::Duration};

use crate::{CloseFrame, Error, ErrorKind, ProxyFailure};

/// Why a connection ended, or did not come about.
///
/// Its `Display` is a sentence for a person.
///
/// ```
/// use wiretalk::{CloseCode, CloseFrame, client::Cause};
///
/// let frame = CloseFrame { code: CloseCode::SERVICE_RESTART, reason: "back soon".into() };
/// let cause = Cause::Closed(frame);
/// assert_eq!(cause.close_frame().map(|frame| frame.code.as_u16()), Some(1012));
/// assert!(cause.error().is_none());
/// assert_eq!(
///     cause.to_string(),
///     "the server closed the connection with 1012 (service restart): back soon",
/// );
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Cause {
    /// Dialing failed.
    Dial(Error),
    /// The [hook](super::Builder::on_open) failed.
    Hook(Arc<dyn StdError + Send + Sync>),
    /// The connection was lost.
    Lost(Error),
    /// The connection ended with a close handshake. What the peer's close frame said; code 1005 if it carried none
    /// (RFC 6455 7.1.5).
    Closed(CloseFrame),
}

/// Whether to dial again.
///
/// ```
/// use std::time::Duration;
/// use wiretalk::{CloseCode, client::{Cause, Reconnecting, Retry}};
///
/// let client = Reconnecting::builder("ws://127.0.0.1:4000/")
///     .retry(|cause| match cause.close_frame() {
///         Some(frame) if frame.code == CloseCode::TRY_AGAIN_LATER => Retry::After(Duration::from_secs(60)),
///         Some(frame) if frame.code == CloseCode::POLICY => Retry::No,
///         _ => cause.retry(),
///     })
///     .build();
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Retry {
    /// After the [`Backoff`](crate::client::Backoff)'s delay.
    Yes,
    /// After so much time and, so that not all clients come back in one moment, the `Backoff`'s delay on top.
    After(Duration),
    /// Not at all.
    No,
}

impl Cause {
    /// Whether it is worth dialing again, if no [policy](super::Builder::retry) says otherwise:
    ///
    /// - not if a URL, a header or another option is wrong (`InvalidInput`), or if TLS failed, which is nearly always a
    ///   certificate that is not trusted: neither gets better by itself;
    /// - not if the server answered the handshake, but with no 101, or no correct one. Except with a 408, 425, 429 or 5xx
    ///   (501 and 505 excepted), which tell of a moment; its `Retry-After` (RFC 9110 10.2.3) is kept to;
    /// - not if a proxy wants other credentials, forbids the server, or is none; but if it could not be reached, could not
    ///   reach the server, or took too long;
    /// - else yes: nobody listens, a name cannot be resolved, time ran out, the connection was lost, the hook failed, the
    ///   peer closed, whatever the code.
    ///
    /// ```
    /// use wiretalk::{CloseCode, CloseFrame, client::{Cause, Retry}};
    ///
    /// let frame = CloseFrame { code: CloseCode::GOING_AWAY, reason: String::new() };
    /// assert_eq!(Cause::Closed(frame).retry(), Retry::Yes);
    /// ```
    #[must_use]
    pub fn retry(&self) -> Retry {
        let Self::Dial(error) = self else {
            return Retry::Yes;
        };
        match error.kind() {
            ErrorKind::InvalidInput | ErrorKind::Tls => Retry::No,
            ErrorKind::Proxy if !error.proxy_failure().is_some_and(is_of_a_moment_at_a_proxy) => {
                Retry::No
            }
            ErrorKind::Proxy => Retry::Yes,
            _ => error.response().map_or(Retry::Yes, |response| {
                if !is_of_a_moment(response.status) {
                    return Retry::No;
                }
                let after = response.headers.get("retry-after").and_then(retry_after);
                after.map_or(Retry::Yes, Retry::After)
            }),
        }
    }

    /// The code and reason of the peer's close frame, if that is how it ended.
    ///
    /// ```
    /// use wiretalk::{CloseCode, CloseFrame, client::Cause};
    ///
    /// let frame = CloseFrame { code: CloseCode::POLICY, reason: "too loud".into() };
    /// let cause = Cause::Closed(frame.clone());
    /// assert_eq!(cause.close_frame(), Some(&frame));
    /// ```
    #[must_use]
    pub fn close_frame(&self) -> Option<&CloseFrame> {
        match self {
            Self::Closed(frame) => Some(frame),
            Self::Dial(_) | Self::Hook(_) | Self::Lost(_) => None,
        }
    }

    /// The library's error, if that is how it ended.
    ///
    /// ```
    /// use wiretalk::{ErrorKind, client::Cause};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk::Error> {
    /// let error = wiretalk::connect("ws://127.0.0.1:1/").await.unwrap_err();
    /// let cause = Cause::Dial(error);
    /// assert_eq!(cause.error().map(|error| error.kind()), Some(ErrorKind::Refused));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn error(&self) -> Option<&Error> {
        match self {
            Self::Dial(error) | Self::Lost(error) => Some(error),
            Self::Hook(_) | Self::Closed(_) => None,
        }
    }
}

/// Statuses with which another attempt, later, may well succeed (RFC 9110 15.5, 15.6; RFC 8470 5.2; RFC 6585 4).
fn is_of_a_moment(status: u16) -> bool {
    matches!(status, 408 | 425 | 429)
        || (500..600).contains(&status) && !matches!(status, 501 | 505)
}

fn is_of_a_moment_at_a_proxy(failure: ProxyFailure) -> bool {
    matches!(
        failure,
        ProxyFailure::Unreachable | ProxyFailure::Target | ProxyFailure::Timeout
    )
}

/// RFC 9110 10.2.3: seconds, or a date.
fn retry_after(value: &[u8]) -> Option<Duration> {
    let value = std::str::from_utf8(value).ok()?.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    // A moment that is past already asks for no wait.
    Some(
        date.duration_since(std::time::SystemTime::now())
            .unwrap_or_default(),
    )
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dial(error) | Self::Lost(error) => error.fmt(f),
            Self::Hook(error) => write!(f, "what is done on open failed: {error}"),
            Self::Closed(CloseFrame { code, reason }) => {
                write!(f, "the server closed the connection with {code}")?;
                if reason.is_empty() {
                    Ok(())
                } else {
                    write!(f, ": {reason}")
                }
            }
        }
    }
}

impl StdError for Cause {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Dial(error) | Self::Lost(error) => error.source(),
            Self::Hook(error) => Some(&**error),
            Self::Closed(_) => None,
        }
    }
}

/// The client dials no more.
///
/// ```
/// use wiretalk::client::Reconnecting;
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut client = Reconnecting::builder("ws://127.0.0.1:1/").attempts(2).build();
/// let gave_up = client.recv().await.expect("how it ends").unwrap_err();
/// assert_eq!(gave_up.attempts, 2);
/// assert_eq!(gave_up.cause.to_string(), "127.0.0.1:1 refused the connection");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct GaveUp {
    /// How many attempts were made since the last success.
    pub attempts: u32,
    /// What the last of them, or the last connection, ended with.
    pub cause: Cause,
}

impl fmt::Display for GaveUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { attempts, cause } = self;
        match attempts {
            0 => write!(f, "gave up: {cause}"),
            1 => write!(f, "gave up after 1 attempt: {cause}"),
            _ => write!(f, "gave up after {attempts} attempts: {cause}"),
        }
    }
}

impl StdError for GaveUp {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&self.cause)
    }
}

#[cfg(test)]
mod tests;
