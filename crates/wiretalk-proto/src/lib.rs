//! RFC 6455 and RFC 7692 without I/O: frames, masking, UTF-8, compression, handshake, the connection's state machine.
//!
//! Nothing in this crate reads a socket, a clock or a random source. Bytes that came are handed to
//! [`Connection::handle_input`], which answers with events that borrow from them; what is to be sent is appended to
//! a buffer of the caller's; masking keys come from a [`MaskKeys`] that is passed in, and compressors from [`Codecs`]
//! that many connections share.
//!
//! ```
//! use wiretalk_proto::{Codecs, Compression, Config, Connection, Event, Lent, Role};
//!
//! let mut client = Connection::new(Role::Client, Config::default());
//! let mut server = Connection::new(Role::Server, Config::default());
//!
//! let mut codecs = Codecs::new();
//! let mut lent = Lent { keys: &mut || [1, 2, 3, 4], codecs: &mut codecs };
//! let mut wire = Vec::new();
//! client.send_text("hello", Compression::Auto, &mut lent, &mut wire)?;
//!
//! let step = server.handle_input(&mut wire, &mut codecs)?;
//! assert_eq!(step.event, Some(Event::Text("hello")));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod close;
mod connection;
mod deflate;
mod error;
pub mod frame;
pub mod handshake;
mod limits;
pub mod mask;
mod opcode;
mod prepared;
pub mod raw;
pub mod utf8;

pub use close::{CloseCode, CloseFrame, REASON_LIMIT};
pub use connection::{Assembled, Config, Connection, End, Event, Role, State, Step};
pub use deflate::{Agreed, AnswerError, Codecs, Compression, DeflateConfig, Lent};
pub use error::{ProtocolError, ProtocolErrorKind, SendError};
pub use limits::Limits;
pub use mask::MaskKeys;
pub use opcode::{MessageKind, OpCode};
pub use prepared::Prepared;
