//! What travels over a WebSocket connection, in owned form.

use std::{fmt, ops::Deref};

use bytes::Bytes;
use bytestring::ByteString;
use wiretalk_proto::{CloseCode, MessageKind};

/// The payload of a text message: bytes that are known to be UTF-8. A clone shares them.
///
/// ```
/// use bytes::Bytes;
/// use wiretalk_net::Text;
///
/// let text = Text::from("grüezi");
/// assert_eq!(text, "grüezi");
/// assert!(text.starts_with("grü"));
/// assert!(Text::try_from(Bytes::from_static(b"\xff")).is_err());
/// ```
#[derive(Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Text(ByteString);

impl Text {
    /// The text of a constant, without a copy.
    ///
    /// ```
    /// const HELLO: wiretalk_net::Text = wiretalk_net::Text::from_static("hello");
    /// assert_eq!(HELLO, "hello");
    /// ```
    #[must_use]
    pub const fn from_static(text: &'static str) -> Self {
        Self(ByteString::from_static(text))
    }

    /// The text as a string slice.
    ///
    /// ```
    /// let text = wiretalk_net::Text::from("hello");
    /// assert_eq!(text.as_str(), "hello");
    /// ```
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The bytes of the text, shared and not copied.
    ///
    /// ```
    /// let text = wiretalk_net::Text::from("hello");
    /// assert_eq!(text.into_bytes(), "hello");
    /// ```
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        self.0.into_bytes()
    }
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for Text {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl AsRef<[u8]> for Text {
    fn as_ref(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.as_str(), f)
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl TryFrom<Bytes> for Text {
    type Error = std::str::Utf8Error;

    fn try_from(bytes: Bytes) -> Result<Self, Self::Error> {
        ByteString::try_from(bytes).map(Self)
    }
}

impl PartialEq<str> for Text {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for Text {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

/// A data message (RFC 6455 5.6), whole, however many fragments it had on the wire.
///
/// ```
/// use wiretalk_net::Message;
///
/// let text = Message::from("hello");
/// let binary = Message::from(vec![1, 2, 3]);
/// match text {
///     Message::Text(text) => assert_eq!(text, "hello"),
///     Message::Binary(_) => unreachable!("it is a text"),
/// }
/// assert_eq!(binary.as_bytes(), [1, 2, 3]);
/// ```
///
/// Whatever takes an `impl Into<Message>` takes strings for texts, and bytes for binaries:
///
/// ```
/// use wiretalk_net::Message;
///
/// let name = String::from("ann");
/// assert_eq!(Message::from(&name), Message::from("ann"));
/// assert_eq!(Message::from(name).as_text(), Some("ann"));
/// assert_eq!(Message::from(b"ann"), Message::from(vec![b'a', b'n', b'n']));
/// assert_eq!(Message::from([1, 2]).as_text(), None);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// A text message.
    Text(Text),
    /// A binary message.
    Binary(Bytes),
}

impl Message {
    /// Text or binary.
    ///
    /// ```
    /// use wiretalk_net::{Message, MessageKind};
    ///
    /// assert_eq!(Message::from("hello").kind(), MessageKind::Text);
    /// ```
    #[must_use]
    pub fn kind(&self) -> MessageKind {
        match self {
            Self::Text(_) => MessageKind::Text,
            Self::Binary(_) => MessageKind::Binary,
        }
    }

    /// The payload, whichever opcode it has.
    ///
    /// ```
    /// assert_eq!(wiretalk_net::Message::from("hello").as_bytes(), b"hello");
    /// ```
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }

    /// The payload, whichever opcode it has, shared and not copied.
    ///
    /// ```
    /// assert_eq!(wiretalk_net::Message::from("hello").into_bytes(), "hello");
    /// ```
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        match self {
            Self::Text(text) => text.into_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }

    /// The text, if this is a text message.
    ///
    /// ```
    /// use wiretalk_net::Message;
    ///
    /// assert_eq!(Message::from("hello").as_text(), Some("hello"));
    /// assert_eq!(Message::from(vec![1, 2, 3]).as_text(), None);
    /// ```
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Binary(_) => None,
        }
    }
}

impl From<Text> for Message {
    fn from(text: Text) -> Self {
        Self::Text(text)
    }
}

impl From<&str> for Message {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for Message {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}

impl From<&String> for Message {
    fn from(text: &String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<Bytes> for Message {
    fn from(bytes: Bytes) -> Self {
        Self::Binary(bytes)
    }
}

impl From<Vec<u8>> for Message {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Binary(bytes.into())
    }
}

impl From<&[u8]> for Message {
    fn from(bytes: &[u8]) -> Self {
        Self::Binary(Bytes::copy_from_slice(bytes))
    }
}

impl<const N: usize> From<[u8; N]> for Message {
    fn from(bytes: [u8; N]) -> Self {
        Self::from(&bytes[..])
    }
}

impl<const N: usize> From<&[u8; N]> for Message {
    fn from(bytes: &[u8; N]) -> Self {
        Self::from(&bytes[..])
    }
}

/// Everything that can come from the peer while the connection lives.
///
/// ```
/// use wiretalk_net::{CloseCode, Event};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), wiretalk_net::Error> {
/// # let (mut client, mut server) = wiretalk_net::pair();
/// client.ping(b"?").await?;
/// client.close(CloseCode::NORMAL, "bye").await?;
/// while let Some(event) = server.next_event().await? {
///     match event {
///         Event::Text(text) => println!("{text}"),
///         Event::Binary(bytes) => println!("{} bytes", bytes.len()),
///         Event::Ping(payload) | Event::Pong(payload) => println!("{payload:?}"),
///         Event::Close(frame) => assert_eq!(frame.expect("it has a code").reason, "bye"),
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A text message.
    Text(Text),
    /// A binary message.
    Binary(Bytes),
    /// A ping and its payload (at most 125 bytes).
    Ping(Bytes),
    /// A pong and its payload (at most 125 bytes), asked for or not. The answers to the pings that
    /// [`Config::ping_interval`](crate::Config::ping_interval) sends are not shown.
    Pong(Bytes),
    /// The peer's close frame; `None` if it carried no code (1005 in RFC 6455 7.1.5).
    Close(Option<CloseFrame>),
}

impl From<Message> for Event {
    fn from(message: Message) -> Self {
        match message {
            Message::Text(text) => Self::Text(text),
            Message::Binary(bytes) => Self::Binary(bytes),
        }
    }
}

/// The message that came; otherwise the event as it was.
impl TryFrom<Event> for Message {
    type Error = Event;

    fn try_from(event: Event) -> Result<Self, Event> {
        match event {
            Event::Text(text) => Ok(Self::Text(text)),
            Event::Binary(bytes) => Ok(Self::Binary(bytes)),
            control => Err(control),
        }
    }
}

/// What a close frame carried (RFC 6455 5.5.1).
///
/// ```
/// use wiretalk_net::{CloseCode, CloseFrame};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), wiretalk_net::Error> {
/// # let (mut client, mut server) = wiretalk_net::pair();
/// client.close(CloseCode::NORMAL, "bye").await?;
/// assert!(server.recv().await.is_none());
/// let reason = String::from("bye");
/// assert_eq!(server.close_frame(), Some(&CloseFrame { code: CloseCode::NORMAL, reason }));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloseFrame {
    /// Why the peer closes.
    pub code: CloseCode,
    /// The same in words; often empty, at most 123 bytes.
    pub reason: String,
}
