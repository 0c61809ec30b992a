//! What a test waits for.

use std::fmt;

use crate::Message;

/// What a message must be like for [`Background::wait_for`](super::Background::wait_for).
///
/// - A `&str` or `String`: a text message, equal to it.
/// - A [`Message`]: equal to it.
/// - [`containing`]: a text message with that somewhere in it.
/// - A `serde_json::Value` (feature `json`): a text message of JSON that contains it. An object contains another if it has
///   all of its members, each containing the other's; an array, if it has as many elements, each containing the other's;
///   anything else, if it is equal.
/// - A closure of `&Message` that says whether it is the one; say the type of its argument.
///
/// ```
/// use wiretalk::{Message, client::{Pattern, containing}};
///
/// let message = Message::from(r#"{"type": "trade", "price": 7, "book": {"bid": 6, "ask": 8}}"#);
/// assert!(!"trade".accepts(&message));
/// assert!(containing("trade").accepts(&message));
/// assert!((|message: &Message| message.as_bytes().len() > 20).accepts(&message));
/// # #[cfg(feature = "json")]
/// assert!(serde_json::json!({"type": "trade", "book": {"bid": 6}}).accepts(&message));
/// ```
pub trait Pattern {
    /// Whether it is such a message.
    ///
    /// ```
    /// use wiretalk::client::{Pattern, containing};
    ///
    /// assert!("hello".accepts(&"hello".into()));
    /// assert!(!"hello".accepts(&"hello, world".into()));
    /// assert!(containing("hello").accepts(&"hello, world".into()));
    /// ```
    fn accepts(&self, message: &Message) -> bool;

    /// Says what it looks for, for the sentence that tells a failure.
    ///
    /// ```
    /// use std::{fmt, time::Duration};
    /// use wiretalk::{Message, client::{Background, Pattern}};
    ///
    /// struct Trade;
    ///
    /// impl Pattern for Trade {
    ///     fn accepts(&self, message: &Message) -> bool {
    ///         message.as_text().is_some_and(|text| text.starts_with("trade "))
    ///     }
    ///
    ///     fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    ///         f.write_str("a trade")
    ///     }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let (socket, _server) = wiretalk::pair();
    /// # let client = Background::new(socket);
    /// let unexpected = client.wait_for(Trade, Duration::from_secs(1)).await.unwrap_err();
    /// assert_eq!(unexpected.to_string(), "a trade did not come within 1s; nothing came");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As writing does.
    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result;
}

impl Pattern for &str {
    fn accepts(&self, message: &Message) -> bool {
        message.as_text() == Some(self)
    }

    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the text {self:?}")
    }
}

impl Pattern for String {
    fn accepts(&self, message: &Message) -> bool {
        self.as_str().accepts(message)
    }

    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().describe(f)
    }
}

impl Pattern for Message {
    fn accepts(&self, message: &Message) -> bool {
        self == message
    }

    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&Shown(self), f)
    }
}

/// A text message with this somewhere in it, as a [`Pattern`].
///
/// ```
/// use wiretalk::client::{Pattern, containing};
///
/// assert!(containing("wor").accepts(&"hello, world".into()));
/// ```
pub fn containing(part: impl Into<String>) -> Containing {
    Containing(part.into())
}

/// What [`containing`] gives.
///
/// ```
/// use wiretalk::client::{Containing, Pattern, containing};
///
/// let trade: Containing = containing("trade");
/// assert!(trade.accepts(&"a trade at 7".into()));
/// assert!(!trade.accepts(&b"a trade at 7".to_vec().into()), "it is no text");
/// ```
#[derive(Clone, Debug)]
pub struct Containing(String);

impl Pattern for Containing {
    fn accepts(&self, message: &Message) -> bool {
        message.as_text().is_some_and(|text| text.contains(&self.0))
    }

    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a text with {:?} in it", self.0)
    }
}

impl<F: Fn(&Message) -> bool> Pattern for F {
    fn accepts(&self, message: &Message) -> bool {
        self(message)
    }

    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a message as the closure wants it")
    }
}

#[cfg(feature = "json")]
impl Pattern for serde_json::Value {
    fn accepts(&self, message: &Message) -> bool {
        message
            .as_text()
            .and_then(|text| serde_json::from_str(text).ok())
            .is_some_and(|found| contains(&found, self))
    }

    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JSON with {self} in it")
    }
}

#[cfg(feature = "json")]
fn contains(found: &serde_json::Value, wanted: &serde_json::Value) -> bool {
    use serde_json::Value;
    match (found, wanted) {
        (Value::Object(found), Value::Object(wanted)) => wanted
            .iter()
            .all(|(name, wanted)| found.get(name).is_some_and(|found| contains(found, wanted))),
        (Value::Array(found), Value::Array(wanted)) => {
            found.len() == wanted.len()
                && found
                    .iter()
                    .zip(wanted)
                    .all(|(found, wanted)| contains(found, wanted))
        }
        (found, wanted) => found == wanted,
    }
}

/// Anything.
pub(super) struct Any;

impl Pattern for Any {
    fn accepts(&self, _: &Message) -> bool {
        true
    }

    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a message")
    }
}

/// What it looks for.
pub(super) fn described(pattern: &impl Pattern) -> String {
    struct Described<'a, P>(&'a P);
    impl<P: Pattern> fmt::Display for Described<'_, P> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            self.0.describe(f)
        }
    }
    Described(pattern).to_string()
}

/// Shows a message in a line, cut if it is long.
pub(super) struct Shown<'a>(pub(super) &'a Message);

/// How much of a message is shown: characters of a text, bytes of a binary one.
const SHOWN: usize = 200;

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Message::Text(text) => {
                let end = text
                    .char_indices()
                    .nth(SHOWN)
                    .map_or(text.len(), |(at, _)| at);
                write!(f, "{:?}", &text[..end])?;
                if end < text.len() {
                    write!(f, "… ({} bytes)", text.len())?;
                }
                Ok(())
            }
            Message::Binary(bytes) => {
                let shown = &bytes[..bytes.len().min(SHOWN / 2)];
                f.write_str("binary ")?;
                for byte in shown {
                    write!(f, "{byte:02x}")?;
                }
                if shown.len() < bytes.len() {
                    f.write_str("…")?;
                }
                write!(f, " ({} bytes)", bytes.len())
            }
        }
    }
}

#[cfg(test)]
mod tests;
