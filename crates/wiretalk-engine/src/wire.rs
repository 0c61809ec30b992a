//! What the player says and hears, on a connection of net's: the same for both roles.

use std::num::NonZeroUsize;
use std::time::Duration;

use bytes::Bytes;
use wiretalk_net::raw::{Chop, RawAccess, RawFrame, RawMask};
use wiretalk_net::{CloseCode, Compression, Error, ErrorKind as NetErrorKind, Event};
use wiretalk_net::{MessageKind, Sender};
use wiretalk_talk::player::{Delivery, ErrorKind, Incoming, Outgoing, RawHeader};

/// Between two pieces of what is sent chopped: short enough to be of no matter, long enough to leave as its own segment.
const BETWEEN_PIECES: Duration = Duration::from_millis(1);

/// Sends what the player wants sent, as it wants it delivered.
pub(crate) async fn send(
    sender: &mut Sender,
    frame: Outgoing,
    delivery: Delivery,
) -> Result<(), Error> {
    let Some(bytes) = delivery.chop.and_then(NonZeroUsize::new) else {
        return send_whole(sender, frame, delivery).await;
    };
    sender.flush().await?;
    sender.break_rules().chop(chopped(bytes));
    let sent = send_whole(sender, frame, delivery).await;
    let flushed = sender.flush().await;
    sender.break_rules().chop(None);
    sent.and(flushed)
}

/// In pieces of so many bytes.
pub(crate) fn chopped(bytes: NonZeroUsize) -> Chop {
    Chop {
        bytes,
        pause: BETWEEN_PIECES,
    }
}

/// Whether something is to be compressed.
pub(crate) fn compression(delivery: &Delivery) -> Compression {
    match delivery.compress {
        None => Compression::Auto,
        Some(true) => Compression::Always,
        Some(false) => Compression::Never,
    }
}

async fn send_whole(sender: &mut Sender, frame: Outgoing, delivery: Delivery) -> Result<(), Error> {
    let compression = compression(&delivery);
    match frame {
        Outgoing::Text(text) => match delivery.fragment {
            Some(size) => {
                let bytes = text.as_bytes();
                fragments(sender, MessageKind::Text, bytes, size, compression).await
            }
            None => sender.send_with(text, compression).await,
        },
        Outgoing::Binary(bytes) => match delivery.fragment {
            Some(size) => fragments(sender, MessageKind::Binary, &bytes, size, compression).await,
            None => sender.send_with(Bytes::from(bytes), compression).await,
        },
        Outgoing::Ping(payload) => sender.ping(&payload).await,
        Outgoing::Pong(payload) => sender.pong(&payload).await,
        Outgoing::Close { code, reason } => sender.close(code.map(CloseCode::new), &reason).await,
        Outgoing::Frame { header, payload } => {
            let frame = raw_frame(&header, payload);
            sender.break_rules().send_frame(&frame).await
        }
        Outgoing::Raw(bytes) => sender.break_rules().send_bytes(&bytes).await,
        Outgoing::Drop => {
            sender.flush().await?;
            sender.break_rules().reset();
            Ok(())
        }
        Outgoing::Stall(time) => {
            sender.break_rules().stall(time);
            Ok(())
        }
    }
}

async fn fragments(
    sender: &Sender,
    kind: MessageKind,
    payload: &[u8],
    size: usize,
    compression: Compression,
) -> Result<(), Error> {
    let mut pieces = payload.chunks(size.max(1)).peekable();
    if pieces.peek().is_none() {
        return sender
            .send_fragment_with(kind, payload, true, compression)
            .await;
    }
    while let Some(piece) = pieces.next() {
        let last = pieces.peek().is_none();
        sender
            .send_fragment_with(kind, piece, last, compression)
            .await?;
    }
    Ok(())
}

/// A frame as its header says, right in all that it leaves out.
pub(crate) fn raw_frame(header: &RawHeader, payload: Vec<u8>) -> RawFrame {
    let mut frame = RawFrame::new(header.opcode.unwrap_or(1), payload);
    frame.fin = header.fin.unwrap_or(true);
    frame.rsv = header.rsv.unwrap_or(0);
    frame.mask = match (header.key, header.mask) {
        (Some(key), _) => RawMask::Key(key),
        (None, None) => RawMask::Right,
        (None, Some(true)) => RawMask::Fresh,
        (None, Some(false)) => RawMask::None,
    };
    frame.length = header.length;
    frame
}

/// What came, in the words of the player.
pub(crate) fn incoming(event: Event) -> Incoming {
    match event {
        Event::Text(text) => Incoming::Text(text.as_str().to_owned()),
        Event::Binary(bytes) => Incoming::Binary(bytes.to_vec()),
        Event::Ping(bytes) => Incoming::Ping(bytes.to_vec()),
        Event::Pong(bytes) => Incoming::Pong(bytes.to_vec()),
        Event::Close(None) => Incoming::Close {
            code: 1005,
            reason: String::new(),
        },
        Event::Close(Some(frame)) => Incoming::Close {
            code: frame.code.as_u16(),
            reason: frame.reason,
        },
    }
}

/// How a connection ended, in the words of the player.
pub(crate) fn end(error: &Error) -> Incoming {
    Incoming::End {
        kind: error_kind(error),
        why: error.to_string(),
    }
}

/// How a connection failed, or could not be opened, in one word.
pub(crate) fn error_kind(error: &Error) -> ErrorKind {
    match error.kind() {
        NetErrorKind::Dns => ErrorKind::Dns,
        NetErrorKind::Refused | NetErrorKind::Unreachable => ErrorKind::Refused,
        NetErrorKind::Tls => ErrorKind::Tls,
        NetErrorKind::Handshake => ErrorKind::Handshake,
        NetErrorKind::Timeout
        | NetErrorKind::PingTimeout
        | NetErrorKind::IdleTimeout
        | NetErrorKind::MessageTimeout => ErrorKind::Timeout,
        NetErrorKind::Protocol => ErrorKind::Protocol(error.close_code().map(CloseCode::as_u16)),
        _ => ErrorKind::Reset,
    }
}
