//! One message to many: framed once, and sent to each connection when the sender has no more for now, so that a burst
//! leaves each connection in one write.

use std::{
    future::poll_fn,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use wiretalk_net::{Error, Message, Prepared, Receiver, Sender, WebSocket};

/// Everyone who is connected.
#[derive(Default)]
pub(crate) struct Room {
    members: Mutex<Vec<Sender>>,
}

impl Room {
    /// Serves a connection until it ends: what it sends goes to all.
    pub(crate) async fn serve(self: Arc<Self>, socket: WebSocket) -> Result<(), Error> {
        let (sender, mut receiver) = socket.split();
        self.members().push(sender);
        let mut batch = Vec::new();
        while let Some(message) = self.next(&mut receiver, &mut batch).await {
            batch.push(match message? {
                Message::Text(text) => Prepared::text(&text),
                Message::Binary(payload) => Prepared::binary(&payload),
            });
        }
        Ok(())
    }

    /// The next message; before this waits for one, the batch is sent.
    async fn next(
        &self,
        receiver: &mut Receiver,
        batch: &mut Vec<Prepared>,
    ) -> Option<Result<Message, Error>> {
        poll_fn(|cx| {
            let next = pin!(receiver.recv()).poll(cx);
            if next.is_pending() && !batch.is_empty() {
                self.send(batch);
                batch.clear();
            }
            next
        })
        .await
    }

    /// Sends to everyone, and waits for nobody: a connection that has ended, or reads too slowly, leaves.
    fn send(&self, batch: &[Prepared]) {
        self.members()
            .retain(|member| member.try_send_batch(batch).is_ok());
    }

    fn members(&self) -> MutexGuard<'_, Vec<Sender>> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
