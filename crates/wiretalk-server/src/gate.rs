//! What the driver of a connection asks before a client's message is handed over.

use std::borrow::Cow;
use std::fmt;
use std::time::Instant;

/// A message as it came, before anybody has looked at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payload<'a> {
    /// A text message.
    Text(&'a str),
    /// A binary message.
    Binary(&'a [u8]),
}

impl<'a> Payload<'a> {
    /// Its bytes; of a text, in UTF-8.
    ///
    /// ```
    /// use wiretalk_server::gate::Payload;
    ///
    /// assert_eq!(Payload::Text("é").as_bytes(), [0xC3, 0xA9]);
    /// ```
    #[must_use]
    pub fn as_bytes(&self) -> &'a [u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }
}

/// What becomes of a message that a gate has nothing against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Pass {
    /// It is handed over.
    On,
    /// It was for the gate itself, and goes no further: a token, say.
    Taken,
}

/// Why a client has to leave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expelled {
    /// The code of the close frame (RFC 6455 7.4).
    pub code: u16,
    /// A short name that never changes, for a metric's label: `rate`, say.
    pub kind: &'static str,
    /// The close frame's reason, 123 bytes at the most: it says nothing that the client must not know.
    pub reason: Cow<'static, str>,
}

impl fmt::Display for Expelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}: {})", self.reason, self.kind, self.code)
    }
}

/// Stands between a connection and what its messages are for: asked for each message, and at a time of its own.
///
/// The driver of a connection holds an `Option<Box<dyn Gate>>`: where nothing is guarded, there is none. It asks
/// [`message`](Gate::message) for each whole message before it is handed over, and sends the close frame of an
/// [`Expelled`]. When [`deadline`](Gate::deadline) has come, it calls [`over`](Gate::over). Dropping the gate gives back
/// what the client took up: its place among the connections of its address, say.
///
/// ```
/// use std::time::{Duration, Instant};
/// use wiretalk_server::gate::{Expelled, Gate, Pass, Payload};
///
/// /// Lets three messages pass, for an hour at the most.
/// struct Three(u8, Instant);
///
/// impl Gate for Three {
///     fn message(&mut self, _: Payload<'_>, _: Instant) -> Result<Pass, Expelled> {
///         self.0 += 1;
///         match self.0 {
///             0..=3 => Ok(Pass::On),
///             _ => Err(Expelled { code: 1008, kind: "rate", reason: "that was enough".into() }),
///         }
///     }
///
///     fn deadline(&self) -> Option<Instant> {
///         Some(self.1)
///     }
///
///     fn over(&mut self, now: Instant) -> Result<(), Expelled> {
///         if now < self.1 {
///             return Ok(());
///         }
///         Err(Expelled { code: 1001, kind: "time", reason: "the hour is over".into() })
///     }
/// }
///
/// let now = Instant::now();
/// let mut gate = Three(0, now + Duration::from_secs(3600));
/// for _ in 0..3 {
///     assert_eq!(gate.message(Payload::Text("hi"), now), Ok(Pass::On));
/// }
/// assert_eq!(gate.message(Payload::Text("hi"), now).unwrap_err().code, 1008);
/// ```
pub trait Gate: Send {
    /// Looks at a message that came whole at `now`.
    ///
    /// # Errors
    /// Why the client has to leave; the message is dropped, and no other is asked about.
    fn message(&mut self, payload: Payload<'_>, now: Instant) -> Result<Pass, Expelled>;

    /// A ping or a pong came at `now`. By default they are free.
    ///
    /// # Errors
    /// Why the client has to leave.
    fn control(&mut self, now: Instant) -> Result<(), Expelled> {
        let _ = now;
        Ok(())
    }

    /// At `now` nothing is read from the client, for what it sent before is not worked off yet: it is not to blame for its
    /// silence.
    fn unread(&mut self, now: Instant) {
        let _ = now;
    }

    /// When the gate wants to be called next, whether a message comes or not: the end of a token, or of a silence.
    /// A message may move it, in both directions; whoever drives sets its clock anew when it goes off, and after a
    /// message for which the deadline came nearer.
    fn deadline(&self) -> Option<Instant>;

    /// The deadline has come, or may have: a message moved it meanwhile, say, and then nothing is wrong.
    ///
    /// # Errors
    /// Why the client has to leave.
    fn over(&mut self, now: Instant) -> Result<(), Expelled>;
}
