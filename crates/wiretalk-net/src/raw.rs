//! Breaking the rules on purpose, to see how the other end takes it. Only with the feature `raw`.
//!
//! [`RawAccess`] is to be imported by whoever wants this, and [`break_rules`](RawAccess::break_rules) to be called:
//!
//! ```no_run
//! use wiretalk_net::raw::{RawAccess, RawFrame};
//!
//! # async fn example() -> Result<(), wiretalk_net::Error> {
//! let (mut socket, _) = wiretalk_net::connect("ws://127.0.0.1:4000/").await?;
//! let mut frame = RawFrame::new(0x1, "half a");
//! frame.fin = false;
//! frame.rsv = 4;
//! socket.break_rules().send_frame(&frame).await?;
//! println!("{:?}", socket.next_event().await);
//! # Ok(())
//! # }
//! ```
//!
//! The connection itself goes on as if nothing had been sent: after a raw close frame it is open still, and answers the
//! peer's close frame with another; after a raw first fragment it begins a message with a first fragment. Messages in
//! fragments that follow the rules are for [`WebSocket::send_fragment`](crate::WebSocket::send_fragment).

use std::{num::NonZeroUsize, time::Duration};

pub use wiretalk_proto::raw::{
    Irregularity, LengthForm, RawFrame, RawFrameError, RawHeader, RawMask, RawPiece, RawReader,
    RawStep,
};

use crate::{
    error::Error,
    websocket::{Receiver, Sender, Unruly, WebSocket},
};

/// How what is sent is cut for the stream.
///
/// ```
/// use std::{num::NonZeroUsize, time::Duration};
/// use wiretalk_net::raw::{Chop, RawAccess};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), wiretalk_net::Error> {
/// # let (mut client, mut server) = wiretalk_net::pair();
/// let bytes = NonZeroUsize::new(3).expect("it is not 0");
/// let pause = Duration::from_millis(1);
/// client.break_rules().chop(Chop { bytes, pause });
/// client.send("it takes a while until this is whole").await?;
/// assert!(server.recv().await.is_some());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chop {
    /// Bytes of each write. Nagle's algorithm is off, so that each leaves as a TCP segment (over TLS: as a record) of
    /// its own, unless the peer does not keep up.
    pub bytes: NonZeroUsize,
    /// How long to wait between two writes.
    pub pause: Duration,
}

/// A connection, or a half of one, that can be made to break the rules.
///
/// ```
/// use wiretalk_net::ErrorKind;
/// use wiretalk_net::raw::{RawAccess, RawFrame, RawMask};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), wiretalk_net::Error> {
/// # let (mut client, mut server) = wiretalk_net::pair();
/// let unmasked = RawFrame {
///     mask: RawMask::None,
///     ..RawFrame::new(0x1, "clients must mask")
/// };
/// client.break_rules().send_frame(&unmasked).await?;
/// let error = server.recv().await.expect("it is told once").unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::Protocol);
/// # Ok(())
/// # }
/// ```
pub trait RawAccess {
    /// The way around the protocol's state machine.
    ///
    /// ```
    /// use wiretalk_net::raw::RawAccess;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk_net::Error> {
    /// # let (mut client, mut server) = wiretalk_net::pair();
    /// client.break_rules().send_bytes(b"this is no frame").await?;
    /// assert!(server.recv().await.expect("it is told once").is_err());
    /// # Ok(())
    /// # }
    /// ```
    fn break_rules(&mut self) -> Raw<'_>;
}

impl RawAccess for WebSocket {
    fn break_rules(&mut self) -> Raw<'_> {
        Raw(Unruly::whole(self))
    }
}

impl RawAccess for Sender {
    fn break_rules(&mut self) -> Raw<'_> {
        Raw(Unruly::half(self.clone()))
    }
}

impl RawAccess for Receiver {
    fn break_rules(&mut self) -> Raw<'_> {
        Raw(Unruly::half(self.sender()))
    }
}

/// The way around the protocol's state machine; see [`RawAccess`].
///
/// ```
/// use wiretalk_net::raw::{RawAccess, RawFrame};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), wiretalk_net::Error> {
/// # let (mut client, mut server) = wiretalk_net::pair();
/// let mut raw = client.break_rules();
/// raw.feed_frame(&RawFrame::new(0x3, "a reserved opcode")).await?;
/// raw.feed_bytes(&[0xff; 10]).await?;
/// client.flush().await?;
/// assert!(server.recv().await.expect("it is told once").is_err());
/// # Ok(())
/// # }
/// ```
pub struct Raw<'a>(Unruly<'a>);

impl Raw<'_> {
    /// Sends a frame, and waits until it and all before it is handed to the kernel. It may be sent in any state, behind
    /// a close frame too, as long as the stream has not ended.
    ///
    /// ```
    /// use wiretalk_net::raw::{RawAccess, RawFrame};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk_net::Error> {
    /// # let (mut client, mut server) = wiretalk_net::pair();
    /// let mut frame = RawFrame::new(0x2, vec![1, 2, 3]);
    /// frame.length = Some(1 << 40);
    /// client.break_rules().send_frame(&frame).await?;
    /// let error = server.recv().await.expect("it is told once").unwrap_err();
    /// assert_eq!(error.close_code().map(|code| code.as_u16()), Some(1009));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `InvalidInput` for a frame that no bits can say; otherwise how the connection ended.
    pub async fn send_frame(&mut self, frame: &RawFrame) -> Result<(), Error> {
        let wire = self.0.encode(frame)?;
        self.0.send(&wire).await
    }

    /// Queues a frame behind what is queued already, without writing it.
    ///
    /// ```
    /// use wiretalk_net::raw::{RawAccess, RawFrame};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk_net::Error> {
    /// # let (mut client, mut server) = wiretalk_net::pair();
    /// client.break_rules().feed_frame(&RawFrame::new(0x9, "a ping")).await?;
    /// client.feed("and a message in the same write").await?;
    /// client.flush().await?;
    /// assert!(server.recv().await.is_some());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`send_frame`](Self::send_frame).
    pub async fn feed_frame(&mut self, frame: &RawFrame) -> Result<(), Error> {
        let wire = self.0.encode(frame)?;
        self.0.feed(&wire).await
    }

    /// Sends bytes outside any frame, and waits until they and all before them are handed to the kernel.
    ///
    /// ```
    /// use wiretalk_net::raw::RawAccess;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk_net::Error> {
    /// # let (mut client, mut server) = wiretalk_net::pair();
    /// // The header of a masked text of five bytes, and two of them.
    /// client.break_rules().send_bytes(b"\x81\x85\0\0\0\0he").await?;
    /// client.abort();
    /// assert!(server.recv().await.expect("it is told once").is_err());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// How the connection ended.
    pub async fn send_bytes(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.0.send(bytes).await
    }

    /// Queues bytes behind what is queued already, without writing them.
    ///
    /// ```
    /// use wiretalk_net::raw::RawAccess;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk_net::Error> {
    /// # let (mut client, mut server) = wiretalk_net::pair();
    /// client.break_rules().feed_bytes(b"\x81\x82\0\0\0\0hi").await?;
    /// client.flush().await?;
    /// assert_eq!(server.recv().await.transpose()?, Some("hi".into()));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// How the connection ended.
    pub async fn feed_bytes(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.0.feed(bytes).await
    }

    /// From now on, writes all that is queued and sent in small pieces, pongs too; `None`: as it comes. What should not
    /// be cut must be [flushed](WebSocket::flush) before.
    ///
    /// While it holds, a queue that does not move is not taken for a dead peer.
    ///
    /// ```
    /// use std::{num::NonZeroUsize, time::Duration};
    /// use wiretalk_net::raw::{Chop, RawAccess};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk_net::Error> {
    /// # let (mut client, mut server) = wiretalk_net::pair();
    /// let bytes = NonZeroUsize::MIN;
    /// client.break_rules().chop(Chop { bytes, pause: Duration::ZERO });
    /// client.send("byte by byte").await?;
    /// client.break_rules().chop(None);
    /// client.send("in one go").await?;
    /// # assert_eq!(server.queued(), 2);
    /// # Ok(())
    /// # }
    /// ```
    pub fn chop(&mut self, chop: impl Into<Option<Chop>>) {
        self.0.chop(chop.into());
    }

    /// Stops reading for so long ([`Duration::MAX`]: until [`resume`](Self::resume)), so that the peer cannot send any
    /// more once the kernel's buffers are full. What was read already is still told of, and sending goes on. Meanwhile
    /// no clock of the connection runs: neither pings nor silence nor a close handshake end it.
    ///
    /// ```
    /// use std::time::Duration;
    /// use wiretalk_net::raw::RawAccess;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk_net::Error> {
    /// # let (mut client, mut server) = wiretalk_net::pair();
    /// client.break_rules().stall(Duration::MAX);
    /// server.send("nobody reads this").await?;
    /// assert!(!client.has_queued());
    /// client.break_rules().resume();
    /// assert!(client.has_queued());
    /// # Ok(())
    /// # }
    /// ```
    pub fn stall(&mut self, by: Duration) {
        self.0.stall(by);
    }

    /// Reads again. The clocks begin anew.
    ///
    /// ```
    /// use std::time::Duration;
    /// use wiretalk_net::raw::RawAccess;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk_net::Error> {
    /// # let (mut client, mut server) = wiretalk_net::pair();
    /// client.break_rules().stall(Duration::MAX);
    /// client.break_rules().resume();
    /// server.send("hello").await?;
    /// assert!(client.has_queued());
    /// # Ok(())
    /// # }
    /// ```
    pub fn resume(&mut self) {
        self.0.resume();
    }

    /// Ends the connection at once with a TCP reset. Whoever waits for an event is told that it has ended.
    ///
    /// ```
    /// use wiretalk_net::raw::RawAccess;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk_net::Error> {
    /// # let (mut client, mut server) = wiretalk_net::pair();
    /// client.break_rules().reset();
    /// assert!(server.recv().await.expect("it is told once").is_err());
    /// # Ok(())
    /// # }
    /// ```
    pub fn reset(&mut self) {
        self.0.reset();
    }
}

impl std::fmt::Debug for Raw<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Raw").finish_non_exhaustive()
    }
}
