//! One client of a mock, from the upgrade to its end.

use std::sync::Arc;
use std::time::Instant;

use wiretalk_hub::{Drain, Item, Member, Outbox};
use wiretalk_net::{CloseCode, Error, Receiver, Sender, WebSocket};
use wiretalk_talk::player::{ConnectionId, Delivery, Incoming, Outgoing};

use super::mock::Mock;
use super::{ClientId, Event};
use crate::wire::{self, incoming};

/// What a client's outbox holds beside messages.
#[derive(Clone, Debug)]
pub(crate) enum Command {
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close {
        code: Option<u16>,
        reason: String,
    },
    /// The peer's close frame, back to it.
    ReplyClose,
    /// What goes another way than messages do: in fragments, or outside the rules.
    Special(Arc<(Outgoing, Delivery)>),
}

/// How a client left.
pub(super) struct End {
    /// The close code: the peer's, or 1006.
    pub(super) code: u16,
    pub(super) why: String,
}

/// Serves a client, from the answer to its handshake on: it has its place in the hub already, so it misses nothing.
pub(super) async fn client(
    mock: Arc<Mock>,
    id: ConnectionId,
    (member, outbox): (Member<Command>, Outbox<Command>),
    socket: impl Future<Output = Result<WebSocket, Error>>,
) {
    let came = Instant::now();
    let end = match socket.await {
        Ok(socket) => {
            let client = ClientId(member.id().0);
            serve(&mock, id, client, socket, outbox).await
        }
        Err(error) => End {
            code: 1006,
            why: error.to_string(),
        },
    };
    mock.left(id, member, &end, came.elapsed());
}

async fn serve(
    mock: &Mock,
    id: ConnectionId,
    client: ClientId,
    socket: WebSocket,
    outbox: Outbox<Command>,
) -> End {
    let (sender, receiver) = socket.split();
    let closed = Closed::new(None);
    let reading = read(mock, id, receiver, &closed);
    let mut reading = std::pin::pin!(reading);
    let writing = write(mock, client, sender, outbox, &closed);
    tokio::select! {
        end = &mut reading => end,
        // Once nothing more can be written, what is left is to hear how it ends.
        () = writing => reading.await,
    }
}

/// The peer's close frame, once it has come: its code.
type Closed = std::sync::Mutex<Option<u16>>;

fn lock(closed: &Closed) -> std::sync::MutexGuard<'_, Option<u16>> {
    closed
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Hands what comes to the talk, until nothing more can come. Timers are driven from here as well.
async fn read(mock: &Mock, id: ConnectionId, mut receiver: Receiver, closed: &Closed) -> End {
    let mut end = End {
        code: 1006,
        why: "the connection ended without a close frame".to_owned(),
    };
    loop {
        match receiver.next_event().await {
            Ok(Some(event)) => {
                let what = incoming(event);
                if let Incoming::Close { code, reason } = &what {
                    *lock(closed) = Some(*code);
                    end.code = *code;
                    end.why.clone_from(reason);
                }
                mock.received(id, what);
            }
            Ok(None) => return end,
            Err(error) => {
                // After the peer's close frame the end of the stream is no news, however rough it is.
                if lock(closed).is_none() {
                    end.code = error.close_code().map_or(1006, CloseCode::as_u16);
                    end.why = error.to_string();
                }
                // A client that broke the rules is to see our close frame before the stream ends.
                while let Ok(Some(_)) = receiver.next_event().await {}
                return end;
            }
        }
    }
}

/// Sends what the outbox holds, all that is there in one go.
async fn write(
    mock: &Mock,
    client: ClientId,
    mut sender: Sender,
    mut outbox: Outbox<Command>,
    closed: &Closed,
) {
    let mut items = Vec::new();
    loop {
        let slow = match outbox.drain(&mut items).await {
            Drain::Items => tokio::select! {
                () = send(&mut sender, &mut items, closed) => false,
                () = outbox.overflowed() => true,
            },
            Drain::Closed => return,
            Drain::Overflow => true,
        };
        if slow {
            mock.tell(&Event::TooSlow { client });
            let _ = sender
                .close(CloseCode::POLICY, "the client reads too slowly")
                .await;
            return;
        }
    }
}

/// Sends items, all in one write if they fit.
async fn send(sender: &mut Sender, items: &mut Vec<Item<Command>>, closed: &Closed) {
    for item in items.drain(..) {
        // What cannot be sent any more is let go: the peer may have closed between. The reading half hears how a
        // connection ends, and a close of the peer's that came first still has its answer behind it.
        let _ = match item {
            Item::Message(message) => sender.feed_prepared(&message).await,
            Item::Control(command) => control(sender, command, closed).await,
        };
    }
    let _ = sender.flush().await;
}

async fn control(sender: &mut Sender, command: Command, closed: &Closed) -> Result<(), Error> {
    match command {
        Command::Ping(payload) => sender.ping(&payload).await,
        Command::Pong(payload) => sender.pong(&payload).await,
        Command::Close { code, reason } => sender.close(code.map(CloseCode::new), &reason).await,
        Command::ReplyClose => {
            let code = lock(closed).filter(|code| *code != 1005);
            sender.close(code.map(CloseCode::new), "").await
        }
        Command::Special(special) => {
            let (frame, delivery) = (*special).clone();
            wire::send(sender, frame, delivery).await
        }
    }
}
