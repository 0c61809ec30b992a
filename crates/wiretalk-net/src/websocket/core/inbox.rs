//! What came before anybody asked for it.

use std::{
    collections::VecDeque,
    future::{Future, poll_fn},
    pin::pin,
    task::{Context, Poll, ready},
};

use tokio::task::coop;

use super::{Core, receive::Own};
use crate::{
    error::{Blame, Error, ErrorKind},
    message::{Event, Message},
};

/// What an event takes beside its payload.
const OVERHEAD: usize = 64;

/// Events in the order in which they came, and then perhaps how the connection failed.
#[derive(Default)]
pub(super) struct Inbox {
    events: VecDeque<Event>,
    /// How many of them are messages.
    messages: usize,
    bytes: usize,
    failed: Option<Error>,
}

impl Inbox {
    /// Whether there is more in it than pings and pongs.
    pub(super) fn has_news(&self) -> bool {
        self.messages > 0 || self.failed.is_some()
    }

    fn push(&mut self, event: Event) {
        self.messages += usize::from(is_message(&event));
        self.bytes += size(&event);
        self.events.push_back(event);
    }

    fn pop(&mut self) -> Option<Result<Event, Error>> {
        let Some(event) = self.events.pop_front() else {
            return self.failed.take().map(Err);
        };
        self.messages -= usize::from(is_message(&event));
        self.bytes -= size(&event);
        Some(Ok(event))
    }
}

impl Core {
    /// What waits already.
    pub(super) fn take_queued(&mut self) -> Option<Result<Event, Error>> {
        let event = self.inbox.as_mut()?.pop();
        if event.is_none() {
            self.inbox = None;
        }
        event
    }

    /// Passes over control frames up to a message, and says whether there is one, or how the connection failed.
    pub(super) fn seek_queued_message(&mut self) -> Option<Result<(), Error>> {
        let inbox = self.inbox.as_mut()?;
        while inbox.events.front().is_some_and(|event| !is_message(event)) {
            if let Some(Ok(Event::Ping(_) | Event::Pong(_))) = inbox.pop() {
                self.passed_over = self.passed_over.wrapping_add(1);
            }
        }
        if inbox.events.is_empty() {
            return self.take_queued().map(|failed| failed.map(|_| ()));
        }
        Some(Ok(()))
    }

    /// The message that [`seek_queued_message`](Self::seek_queued_message) has found.
    pub(in crate::websocket) fn take_queued_message(&mut self) -> Option<Message> {
        Message::try_from(self.take_queued()?.ok()?).ok()
    }

    /// How many messages have come and wait to be taken. Looks at the stream first, as far as there is room for what it
    /// has.
    pub(in crate::websocket) fn count_queued(&mut self, cx: &mut Context<'_>) -> usize {
        while self.poll_ahead(cx).is_ready() {}
        self.inbox.as_ref().map_or(0, |inbox| inbox.messages)
    }

    /// Puts what comes next behind what waits. Pending if nothing comes, there is no room for it, or nothing will.
    fn poll_ahead(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.is_inbox_full() {
            return Poll::Pending;
        }
        match ready!(self.poll_fresh::<Own>(cx)) {
            Ok(Some(event)) => self.inbox.get_or_insert_default().push(event),
            // Behind it there is nothing but the end.
            Err(error) => self.inbox.get_or_insert_default().failed = Some(error),
            Ok(None) => return Poll::Pending,
        }
        Poll::Ready(())
    }

    fn is_inbox_full(&self) -> bool {
        let limit = self.config().max_received;
        self.inbox
            .as_ref()
            .is_some_and(|inbox| inbox.bytes >= limit)
    }

    /// The payload of a ping whose pong is told from all others.
    pub(in crate::websocket) fn next_payload(&mut self) -> [u8; 8] {
        self.timers.next_payload()
    }

    /// Waits for the pong to a ping, and keeps what comes before it.
    pub(in crate::websocket) fn poll_pong(
        &mut self,
        payload: &[u8],
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Error>> {
        loop {
            if self.is_inbox_full() {
                let limit = self.config().max_received;
                let sentence = format!(
                    "the pong cannot be read: {limit} bytes of messages that nobody took came before it"
                );
                return Poll::Ready(Err(Error::new(ErrorKind::TooSlow, Blame::Us, sentence)));
            }
            match ready!(self.poll_fresh::<Own>(cx)) {
                Ok(Some(Event::Pong(pong))) if pong == payload => {
                    // The peer may wait for a pong of ours that came due meanwhile.
                    let _ = self.poll_send_due(cx);
                    return Poll::Ready(Ok(()));
                }
                Ok(Some(event)) => self.inbox.get_or_insert_default().push(event),
                Ok(None) => return Poll::Ready(Err(Error::closed())),
                Err(error) => {
                    // Whoever receives is told, too.
                    self.inbox.get_or_insert_default().failed = Some(error.clone());
                    return Poll::Ready(Err(error));
                }
            }
        }
    }
}

/// Does at once what can be done at once, even if the task has used up its share of the thread.
pub(in crate::websocket) fn now<T>(
    cx: &mut Context<'_>,
    action: impl FnOnce(&mut Context<'_>) -> T,
) -> T {
    let mut action = Some(action);
    let mut result = None;
    let once = coop::unconstrained(poll_fn(|cx| {
        result = action.take().map(|action| action(cx));
        Poll::Ready(())
    }));
    let _ = pin!(once).poll(cx);
    result.expect("a future that is ready at once is polled once")
}

fn is_message(event: &Event) -> bool {
    matches!(event, Event::Text(_) | Event::Binary(_))
}

fn size(event: &Event) -> usize {
    let payload = match event {
        Event::Text(text) => text.len(),
        Event::Binary(payload) | Event::Ping(payload) | Event::Pong(payload) => payload.len(),
        Event::Close(frame) => frame.as_ref().map_or(0, |frame| frame.reason.len()),
    };
    payload + OVERHEAD
}
