//! What came instead of what a test waited for.

use std::{error::Error as StdError, fmt, time::Duration};

use crate::{CloseFrame, Error, Message, client::pattern::Shown};

/// How many messages a failure shows.
const SHOWN: usize = 10;

/// A message did not come, or one came that was not to; its sentence says what did.
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let (socket, mut server) = wiretalk::pair();
/// # let client = wiretalk::client::Background::new(socket);
/// server.send("busy").await?;
/// let deadline = std::time::Duration::from_secs(1);
/// let unexpected = client.wait_for("ack", deadline).await.unwrap_err();
/// assert_eq!(
///     unexpected.to_string(),
///     "the text \"ack\" did not come within 1s; what came: \"busy\"",
/// );
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Unexpected(Box<Failure>);

#[derive(Clone)]
pub(super) struct Failure {
    pub(super) wanted: Wanted,
    pub(super) within: Duration,
    pub(super) came: Vec<Message>,
    /// Of those that nobody has looked at.
    pub(super) dropped: usize,
    pub(super) end: Option<Result<CloseFrame, Error>>,
}

#[derive(Clone)]
pub(super) enum Wanted {
    Message(String),
    Silence,
}

impl Unexpected {
    pub(super) fn new(failure: Failure) -> Self {
        Self(Box::new(failure))
    }

    /// The messages that came and were not looked at before: instead of the one that was waited for, or of silence.
    ///
    /// ```
    /// use std::time::Duration;
    /// use wiretalk::client::Background;
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let (socket, mut server) = wiretalk::pair();
    /// # let client = Background::new(socket);
    /// server.send("busy").await?;
    /// let unexpected = client.wait_for("ack", Duration::from_secs(1)).await.unwrap_err();
    /// assert_eq!(unexpected.came(), ["busy".into()]);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn came(&self) -> &[Message] {
        &self.0.came
    }

    /// How the connection ended, if it had.
    ///
    /// ```
    /// use std::time::Duration;
    /// use wiretalk::client::Background;
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let (socket, server) = wiretalk::pair();
    /// # let client = Background::new(socket);
    /// drop(server);
    /// let unexpected = client.wait_for("ack", Duration::from_secs(1)).await.unwrap_err();
    /// assert!(unexpected.ended().is_some_and(Result::is_err), "it was lost");
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn ended(&self) -> Option<&Result<CloseFrame, Error>> {
        self.0.end.as_ref()
    }
}

impl fmt::Display for Unexpected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Failure {
            wanted,
            within,
            came,
            dropped,
            end,
        } = &*self.0;
        match (wanted, end) {
            (Wanted::Message(wanted), None) => {
                write!(f, "{wanted} did not come within {within:?}")?;
            }
            (Wanted::Message(wanted), Some(_)) => {
                write!(f, "{wanted} did not come before the connection ended")?;
            }
            (Wanted::Silence, _) => write!(f, "there was to be silence for {within:?}")?,
        }
        match end {
            None => {}
            Some(Ok(frame)) => {
                write!(f, " (the peer closed it with {}", frame.code)?;
                if !frame.reason.is_empty() {
                    write!(f, ": {}", frame.reason)?;
                }
                f.write_str(")")?;
            }
            Some(Err(error)) => write!(f, " ({error})")?,
        }
        if came.is_empty() {
            f.write_str("; nothing came")?;
        } else {
            f.write_str("; what came: ")?;
            for (index, message) in came.iter().take(SHOWN).enumerate() {
                let separator = if index == 0 { "" } else { ", " };
                write!(f, "{separator}{}", Shown(message))?;
            }
            if came.len() > SHOWN {
                write!(f, " and {} more", came.len() - SHOWN)?;
            }
        }
        if *dropped > 0 {
            write!(
                f,
                "; {dropped} before that were dropped at the limit in bytes"
            )?;
        }
        Ok(())
    }
}

/// The same sentence, since it is `unwrap` that shows it in a test.
impl fmt::Debug for Unexpected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl StdError for Unexpected {}

/// Why [`Background::join`](super::Background::join) failed.
///
/// ```
/// use std::time::Duration;
/// use wiretalk::client::{Background, JoinError};
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// # let (socket, _server) = wiretalk::pair();
/// # let client = Background::new(socket);
/// match client.join(Duration::from_secs(5)).await {
///     Err(JoinError::Timeout(limit)) => assert_eq!(limit, Duration::from_secs(5)),
///     other => panic!("nobody closed the connection, but {other:?}"),
/// }
/// # }
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub enum JoinError {
    /// The connection did not end in so much time.
    Timeout(Duration),
    /// The connection ended without a close handshake.
    Lost(Error),
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Timeout(limit) => write!(f, "the connection did not end within {limit:?}"),
            Self::Lost(error) => error.fmt(f),
        }
    }
}

/// The same sentence, as of [`Unexpected`].
impl fmt::Debug for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl StdError for JoinError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Timeout(_) => None,
            Self::Lost(error) => error.source(),
        }
    }
}
