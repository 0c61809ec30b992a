//! How far a connection is.

use wiretalk_proto as proto;

/// How far a connection is: what browsers call `readyState`.
///
/// ```
/// use wiretalk_net::State;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), wiretalk_net::Error> {
/// # let (mut client, mut server) = wiretalk_net::pair();
/// assert_eq!(client.state(), State::Open);
/// drop(server);
/// assert!(client.recv().await.expect("it is told once").is_err());
/// assert_eq!(client.state(), State::Closed);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// There is no connection yet. A [`WebSocket`](crate::WebSocket) is past this; a client that dials by itself is not.
    Connecting,
    /// Messages may be sent.
    Open,
    /// A close frame came or went, or the peer broke the protocol: nothing more can be sent, and the stream is about to
    /// end. (Only a fragmented message that had begun when the peer's close frame came may still be ended.)
    Closing,
    /// The stream has ended. What came before may still wait to be read.
    Closed,
}

impl From<proto::State> for State {
    fn from(state: proto::State) -> Self {
        match state {
            proto::State::Open => Self::Open,
            proto::State::Closing | proto::State::PeerClosed | proto::State::Failing => {
                Self::Closing
            }
            proto::State::Closed => Self::Closed,
        }
    }
}
