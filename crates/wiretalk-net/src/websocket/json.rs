//! Messages as values of serde.

use serde::{Serialize, de::DeserializeOwned};

use super::{Receiver, Sender, WebSocket};
use crate::{
    error::{Blame, Error},
    message::Message,
};

impl WebSocket {
    /// Sends a value as the JSON of a text message; see [`send`](Self::send).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk_net::Error> {
    /// # let (mut client, mut server) = wiretalk_net::pair();
    /// client.send_json(&[1, 2, 3]).await?;
    /// assert_eq!(server.recv().await.transpose()?, Some("[1,2,3]".into()));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `Json` if the value cannot be written as JSON; otherwise as [`send`](Self::send).
    pub async fn send_json<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.send(Message::from_json(value)?).await
    }

    /// The next message, read as JSON, be it text or binary; `None` once the connection has ended. Cancel-safe, as
    /// [`recv`](Self::recv) is.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk_net::Error> {
    /// # let (mut client, mut server) = wiretalk_net::pair();
    /// client.send("[1, 2, 3]").await?;
    /// let numbers: Vec<u8> = server.recv_json().await.expect("it is open")?;
    /// assert_eq!(numbers, [1, 2, 3]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `Json` if the message is not the JSON of such a value, which leaves the connection as it is; otherwise as
    /// [`recv`](Self::recv).
    pub async fn recv_json<T: DeserializeOwned>(&mut self) -> Option<Result<T, Error>> {
        let message = self.recv().await?;
        Some(message.and_then(|message| message.parse_json()))
    }
}

impl Sender {
    /// Sends a value as the JSON of a text message; see [`send`](Self::send).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk_net::Error> {
    /// # let (client, mut server) = wiretalk_net::pair();
    /// let (sender, mut receiver) = client.split();
    /// sender.send_json("hello").await?;
    /// assert_eq!(server.recv().await.transpose()?, Some("\"hello\"".into()));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `Json` if the value cannot be written as JSON; otherwise as [`send`](Self::send).
    pub async fn send_json<T: Serialize + ?Sized>(&self, value: &T) -> Result<(), Error> {
        self.send(Message::from_json(value)?).await
    }
}

impl Receiver {
    /// The next message, read as JSON; see [`WebSocket::recv_json`].
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk_net::Error> {
    /// # let (client, mut server) = wiretalk_net::pair();
    /// let (sender, mut receiver) = client.split();
    /// server.send("true").await?;
    /// let answer: bool = receiver.recv_json().await.expect("it is open")?;
    /// assert!(answer);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`WebSocket::recv_json`].
    pub async fn recv_json<T: DeserializeOwned>(&mut self) -> Option<Result<T, Error>> {
        let message = self.recv().await?;
        Some(message.and_then(|message| message.parse_json()))
    }
}

impl Message {
    /// The JSON of a value, as a text message.
    ///
    /// ```
    /// # fn main() -> Result<(), wiretalk_net::Error> {
    /// let message = wiretalk_net::Message::from_json(&("join", 7))?;
    /// assert_eq!(message.as_text(), Some(r#"["join",7]"#));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `Json` if the value cannot be written as JSON: a map with keys that are no strings, say.
    pub fn from_json<T: Serialize + ?Sized>(value: &T) -> Result<Self, Error> {
        serde_json::to_string(value)
            .map(Self::from)
            .map_err(|error| Error::json(Blame::Us, "the value cannot be written as JSON", error))
    }

    /// Reads the payload as JSON, be it text or binary. The value may borrow from the message.
    ///
    /// ```
    /// # fn main() -> Result<(), wiretalk_net::Error> {
    /// let message = wiretalk_net::Message::from(r#"["join", 7]"#);
    /// let (verb, room): (&str, u32) = message.parse_json()?;
    /// assert_eq!((verb, room), ("join", 7));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `Json` if it is not the JSON of such a value: what is wrong, and where.
    pub fn parse_json<'a, T: serde::Deserialize<'a>>(&'a self) -> Result<T, Error> {
        serde_json::from_slice(self.as_bytes()).map_err(|error| {
            Error::json(
                Blame::Peer,
                "the message is not the JSON that was expected",
                error,
            )
        })
    }
}
