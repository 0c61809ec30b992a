//! Messages that are as if they had not come.

use super::connection::Item;
use super::matching::Line;
use super::run::RunId;
use super::{ConnectionId, Incoming, Player, Side};
use crate::scope::Bindings;
use crate::source::Span;
use crate::syntax::{Frame, Who};
use crate::value::document::Document;

/// An `ignore` line that was played.
pub(super) struct Ignored {
    span: Span,
    frame: Frame,
    /// The names in sight of the line.
    locals: Bindings,
}

impl Player {
    /// `ignore < PATTERN`: from here on, if the other side sends such messages.
    pub(super) fn play_ignore(&mut self, id: RunId, span: Span, frame: &Frame) {
        let Some(run) = self.runs.get(&id) else {
            return;
        };
        if self.is_ours(frame.arrow) {
            return;
        }
        if let (Some(own), Some(Who::Name(other))) = (&run.name, &frame.who)
            && own != other
        {
            return;
        }
        let ignored = Ignored {
            span,
            frame: frame.clone(),
            locals: run.locals.clone(),
        };
        let list = match (self.side, run.connection) {
            (Side::Server, Some(client)) => match self.connections.get_mut(&client) {
                Some(connection) => &mut connection.ignored,
                None => return,
            },
            _ => &mut self.ignored,
        };
        // A line that is played again is no second one.
        list.retain(|known| known.span != span);
        list.push(ignored);
        match (self.side, run.connection) {
            (Side::Server, Some(client)) => self.dirty.push_back(client),
            _ => self.dirty.extend(self.connections.keys().copied()),
        }
    }

    /// Whether something that came is as if it had not.
    pub(super) fn is_ignored(&self, id: ConnectionId, item: &Item) -> bool {
        if matches!(item.what, Incoming::Close { .. } | Incoming::End { .. }) {
            return false;
        }
        let Some(connection) = self.connections.get(&id) else {
            return false;
        };
        let here = self.ignored.iter().chain(&connection.ignored);
        let played = here.map(|ignored| (&ignored.frame, &ignored.locals));
        let shared = match self.side {
            Side::Server => &self.plan.shared.ignored[..],
            Side::Client => &[],
        };
        let none = &super::sight::NOTHING;
        let shared = shared
            .iter()
            .filter(|frame| !self.is_ours(frame.arrow))
            .map(|frame| (frame, none));
        let mut all = played.chain(shared).peekable();
        if all.peek().is_none() {
            return false;
        }
        let subject = self.subject(id, item);
        all.any(|(frame, locals)| {
            if let Some(who) = &frame.who
                && self.side == Side::Client
                && !self.is_meant_by(id, who)
            {
                return false;
            }
            let text = subject.document.map(Document::text);
            let mut context = self.context_of(locals, Some(id), text);
            context.parsed = Some(&item.parsed);
            let line = Line {
                content: &frame.content,
                checks: &frame.checks,
                sent: None,
                files: &self.plan.files,
            };
            let taken = line.takes(&subject, &item.what, &context, &context);
            taken.is_some()
        })
    }
}
