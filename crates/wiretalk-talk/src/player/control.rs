//! Pings, pongs and closes: what is answered by itself, and what the talk answers.

use super::block::LinesLeft;
use super::{ConnectionId, Incoming, Player, Side};
use crate::query::Check;
use crate::syntax::{Arrow, Content, Data, Frame, StatementKind, Who};

impl Player {
    /// Looks whether any line waits for pings or pongs, or looks at what we sent before, or at how long ago.
    pub(super) fn look_for_control_frames(&mut self) {
        let mut found = [false; 4];
        let mut look = |arrow: Arrow, content: &Content, checks: &[Check]| {
            if self.is_ours(arrow) {
                return;
            }
            match content {
                Content::Ping(_) => found[0] = true,
                Content::Pong(_) => found[1] = true,
                _ => {}
            }
            found[2] |= matches!(content, Content::Echo)
                || content.patterns().any(|pattern| pattern.names("message"));
            found[3] |= checks.iter().any(Check::asks_latency);
        };
        let part = self.part.and_then(|part| self.plan.parts.get(part));
        let finally = self.commons().map(|common| &common.finally);
        let rules = || self.commons().flat_map(|common| &common.rules);
        let bodies = self.commons().flat_map(|common| {
            let visits = common.opens.iter().chain(&common.closes);
            let visits = visits.chain(&common.losses);
            let opens = visits.map(|visit| &visit.body);
            opens.chain(common.clocks.iter().map(|clock| &clock.body))
        });
        let bodies = bodies.chain(rules().map(|rule| &rule.body));
        let dialogue = part.iter().map(|part| &part.steps);
        for step in dialogue
            .chain(finally)
            .chain(bodies)
            .flat_map(|body| LinesLeft::of(body))
        {
            if let StatementKind::Frame(frame) = &step.kind {
                look(frame.arrow, &frame.content, &frame.checks);
            }
        }
        for rule in rules() {
            look(rule.arrow, &rule.content, &rule.checks);
        }
        [
            self.expects_ping,
            self.expects_pong,
            self.remembers_sent,
            self.asks_latency,
        ] = found;
    }

    /// The frames of the dialogue that are still to come on a connection, the one at hand first.
    fn upcoming(&self, id: ConnectionId) -> impl Iterator<Item = &Frame> {
        let connection = self.connections.get(&id);
        let run = match self.side {
            Side::Client => self.dialogue_run,
            Side::Server => connection.and_then(|connection| connection.dialogue),
        };
        let run = run.and_then(|run| self.runs.get(&run));
        let name = connection.and_then(|connection| connection.name.as_deref());
        let left = run.map(|run| self.lines_left(run)).into_iter().flatten();
        left.filter_map(move |step| match &step.kind {
            StatementKind::Frame(frame) => match &frame.who {
                Some(Who::Name(who)) if Some(who.as_str()) != name => None,
                _ => Some(&**frame),
            },
            _ => None,
        })
    }

    /// Whether the dialogue answers the peer's close with a line of its own.
    pub(super) fn will_write_close(&self, id: ConnectionId) -> bool {
        let mut frames = self.upcoming(id).skip_while(|frame| {
            self.is_ours(frame.arrow) || !matches!(frame.content, Content::Close { .. })
        });
        frames.next().is_some()
            && frames.next().is_some_and(|frame| {
                self.is_ours(frame.arrow) && matches!(frame.content, Content::Close { .. })
            })
    }

    /// Whether a line of the talk answers a ping that comes now: in the dialogue the frame behind the one that
    /// expects it, or in the body of the rule that takes it.
    pub(super) fn will_write_pong(&self, id: ConnectionId, payload: &[u8]) -> bool {
        if !self.expects_ping {
            return false;
        }
        let is_pong =
            |frame: &Frame| self.is_ours(frame.arrow) && matches!(frame.content, Content::Pong(_));
        let frames: Vec<&Frame> = self.upcoming(id).collect();
        let expecting: Vec<usize> = (0..frames.len())
            .filter(|at| {
                !self.is_ours(frames[*at].arrow) && could_take(&frames[*at].content, payload)
            })
            .collect();
        // Pings that came before and lie there take the first of these lines.
        let waiting = self.connections.get(&id).into_iter();
        let before = waiting
            .flat_map(|connection| &connection.control)
            .filter(|item| match &item.what {
                Incoming::Ping(earlier) => expecting
                    .iter()
                    .any(|at| could_take(&frames[*at].content, earlier)),
                _ => false,
            })
            .count();
        if let Some(at) = expecting.get(before) {
            return frames.get(at + 1).is_some_and(|next| is_pong(next));
        }
        let rule = self.rules().find(|rule| could_take(&rule.content, payload));
        rule.is_some_and(|rule| {
            LinesLeft::of(&rule.body).any(|step| match &step.kind {
                StatementKind::Frame(frame) => is_pong(frame),
                _ => false,
            })
        })
    }
}

/// Whether a line can take a ping, as far as can be said without the values of its holes.
fn could_take(content: &Content, payload: &[u8]) -> bool {
    match content {
        Content::Ping(Some(Data::Bytes(bytes))) => bytes == payload,
        Content::Ping(Some(Data::Text(pattern))) => {
            !pattern.holes.is_empty() || pattern.raw.as_bytes() == payload
        }
        Content::Ping(None) => true,
        _ => false,
    }
}
