//! Clients that play a dialogue of several names together.
//!
//! Each plays its own lines; but what a line does beside expecting waits until the lines before it, which are others',
//! have been played. So `bob < hi` behind `alice > hi` goes out when alice has said it. A client that is not there keeps
//! nobody waiting.

use std::cmp::Ordering;

use super::run::{LevelKind, Run, RunId, Wait};
use super::{ConnectionId, Player, Side};
use crate::syntax::{Statement, StatementKind, Who};

impl Player {
    /// A client plays a `connect` with those that came for the others: the first group that lacks one for it.
    pub(super) fn join_group(&mut self, connect: usize, id: ConnectionId) -> u64 {
        let lacking = self
            .groups
            .iter_mut()
            .find(|(_, group)| !group.contains_key(&connect));
        if let Some((number, group)) = lacking {
            group.insert(connect, id);
            return *number;
        }
        self.last_group += 1;
        self.groups.insert(self.last_group, [(connect, id)].into());
        self.last_group
    }

    /// A client is gone: nobody waits for it any more.
    pub(super) fn leave_group(&mut self, group: u64, id: ConnectionId) {
        let Some(members) = self.groups.get_mut(&group) else {
            return;
        };
        members.retain(|_, member| *member != id);
        if members.is_empty() {
            self.groups.remove(&group);
        }
        self.wake(group);
    }

    /// Whether a line of a run waits for lines before it.
    pub(super) fn must_wait_for_turn(&self, id: RunId, statement: &Statement) -> bool {
        if self.side == Side::Client {
            return false;
        }
        let Some(run) = self.runs.get(&id) else {
            return false;
        };
        let (Some(own), Some(name)) = (run.connection, &run.name) else {
            return false;
        };
        let others = |who: &Option<Who>| matches!(who, Some(Who::Name(other)) if other != name);
        let free = match &statement.kind {
            StatementKind::Frame(frame) => !self.is_ours(frame.arrow) || others(&frame.who),
            StatementKind::Silence { who, .. } | StatementKind::Identify { who, .. } => others(who),
            StatementKind::Join(rooms) | StatementKind::Leave(rooms) => others(&rooms.who),
            StatementKind::Repeat(_)
            | StatementKind::Unordered(_)
            | StatementKind::Connect(_)
            | StatementKind::Http(_) => true,
            _ => false,
        };
        if free {
            return false;
        }
        let group = self.connections.get(&own).and_then(|c| c.group);
        let Some(group) = group.and_then(|group| self.groups.get(&group)) else {
            return false;
        };
        let others = group.values().filter(|other| **other != own);
        let mut runs = others.filter_map(|other| {
            let dialogue = self.connections.get(other)?.dialogue?;
            self.runs.get(&dialogue)
        });
        runs.any(|other| other.is_behind(run))
    }

    /// A client has gone on in its dialogue, or is at its end: others may have their turn.
    pub(super) fn wake_group(&mut self, id: ConnectionId) {
        if let Some(group) = self.connections.get(&id).and_then(|c| c.group) {
            self.wake(group);
        }
    }

    fn wake(&mut self, group: u64) {
        let Some(members) = self.groups.get(&group).filter(|group| group.len() > 1) else {
            return;
        };
        for member in members.values() {
            let dialogue = self.connections.get(member).and_then(|c| c.dialogue);
            if let Some(id) = dialogue
                && let Some(run) = self.runs.get_mut(&id)
                && matches!(run.wait, Wait::Turn)
            {
                run.wait = Wait::Nothing;
                self.ready.push_back(id);
            }
        }
    }
}

impl Run {
    /// Whether it stands at an earlier line than another run of the same dialogue, or in an earlier run of a `repeat`.
    fn is_behind(&self, other: &Run) -> bool {
        let order = self.at.cmp(&other.at);
        let levels = self.inner.iter().zip(&other.inner);
        let inner = levels.map(|(own, others)| {
            let round = |kind: &LevelKind| match kind {
                LevelKind::Repeat { n, .. } => *n,
                LevelKind::Unordered { .. } => 0,
            };
            let rounds = round(&own.kind).cmp(&round(&others.kind));
            rounds.then(own.at.cmp(&others.at))
        });
        let order = inner.fold(order, Ordering::then);
        // One that has not entered a block yet is behind one that has.
        order.then(self.inner.len().cmp(&other.inner.len())) == Ordering::Less
    }
}
