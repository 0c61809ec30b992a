//! Pings, pongs and closes: what is answered by itself.

use super::Player;
use crate::syntax::{Arrow, Content, StatementKind};

impl Player {
    /// Looks whether any line waits for pings or pongs, or writes pongs of its own.
    pub(super) fn look_for_control_frames(&mut self) {
        let mut found = [false; 3];
        let mut look = |arrow: Arrow, content: &Content| match (content, self.is_ours(arrow)) {
            (Content::Ping(_), false) => found[0] = true,
            (Content::Pong(_), true) => found[1] = true,
            (Content::Pong(_), false) => found[2] = true,
            _ => {}
        };
        let part = self.part.and_then(|part| self.plan.parts.get(part));
        for step in part.iter().flat_map(|part| part.steps.iter()) {
            if let StatementKind::Frame(frame) = &step.kind {
                look(frame.arrow, &frame.content);
            }
        }
        for rule in self.commons().flat_map(|common| &common.rules) {
            look(rule.arrow, &rule.content);
            for step in rule.body.iter() {
                if let StatementKind::Frame(frame) = &step.kind {
                    look(frame.arrow, &frame.content);
                }
            }
        }
        [self.expects_ping, self.writes_pong, self.expects_pong] = found;
    }
}
