//! Clients that play a dialogue of several names together.
//!
//! Each plays its own lines; but what a line does beside expecting waits until the lines before it, which are others',
//! have been played. So `bob < hi` behind `alice > hi` goes out when alice has said it. Of a client that is not there,
//! only what it has to say is waited for.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use super::block::LevelKind;
use super::block::LinesLeft;
use super::handshake::{connect_name, end_of_dialogue};
use super::run::{Owner, Run, RunId, Wait};
use super::{ConnectionId, Player, Side};
use crate::scope::Bindings;
use crate::syntax::{Arrow, Statement, StatementKind, Who};
use crate::value::Value;

/// Clients that play a dialogue together.
#[derive(Debug, Default)]
pub(super) struct Group {
    /// Each under the place of its `connect`.
    pub(super) members: BTreeMap<usize, Member>,
    /// What their lines have bound: what one of them was told, the next line may send to another one.
    pub(super) bindings: Bindings,
    /// Whose line has bound it, by the place of the `connect`.
    bound_by: BTreeMap<String, usize>,
}

/// One of those that play a dialogue together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Member {
    Here(ConnectionId),
    /// Not come yet, or gone: the line is at that place that it has to say next.
    Away(usize),
}

impl Player {
    /// A client plays a `connect` of a name with those that came for the others: the first group that lacks one for it.
    pub(super) fn join_group(&mut self, connect: usize, id: ConnectionId) -> Option<u64> {
        let steps = self.steps();
        connect_name(steps.get(connect)?)?;
        let lacks =
            |group: &Group| matches!(group.members.get(&connect), None | Some(Member::Away(_)));
        let lacking = self.groups.iter_mut().find(|(_, group)| lacks(group));
        if let Some((number, group)) = lacking {
            group.members.insert(connect, Member::Here(id));
            // Whoever comes in the place of one that has gone binds these names anew.
            let Group {
                bindings, bound_by, ..
            } = group;
            bindings.retain(|name, _| bound_by.get(name) != Some(&connect));
            bound_by.retain(|_, by| *by != connect);
            return Some(*number);
        }
        let connects = steps.iter().enumerate();
        let named = connects.filter_map(|(index, step)| Some((index, connect_name(step)?)));
        let mut members: BTreeMap<usize, Member> = named
            .map(|(index, name)| {
                let end = end_of_dialogue(&steps, index + 1, Some(&name));
                (
                    index,
                    Member::Away(next_said(&steps[..end], index + 1, &name)),
                )
            })
            .collect();
        members.insert(connect, Member::Here(id));
        self.last_group += 1;
        let group = Group {
            members,
            ..Group::default()
        };
        self.groups.insert(self.last_group, group);
        Some(self.last_group)
    }

    /// A client is gone, which had come to a place in its dialogue, or to its end.
    pub(super) fn leave_group(&mut self, group: u64, id: ConnectionId, place: Option<usize>) {
        let steps = self.steps();
        let Some(members) = self.groups.get_mut(&group).map(|group| &mut group.members) else {
            return;
        };
        for (connect, member) in members.iter_mut() {
            if *member != Member::Here(id) {
                continue;
            }
            let name = steps.get(*connect).and_then(connect_name);
            *member = Member::Away(match (place, name) {
                (Some(place), Some(name)) => {
                    let end = end_of_dialogue(&steps, connect + 1, Some(&name));
                    next_said(&steps[..end], place, &name)
                }
                _ => usize::MAX,
            });
        }
        let here = |member: &Member| matches!(member, Member::Here(_));
        if members.values().any(here) {
            self.wake(group);
        } else {
            self.groups.remove(&group);
        }
    }

    /// What a client's line has bound is in sight of those that play the dialogue together with it, as it is in a test.
    pub(super) fn share(&mut self, id: ConnectionId, name: &str, value: &Value) {
        let Some(connection) = self.connections.get(&id) else {
            return;
        };
        let (Some(group), Some(plays)) = (connection.group, connection.plays) else {
            return;
        };
        let one_of_many = match self.steps().get(plays).map(|step| &step.kind) {
            Some(StatementKind::Connect(connect)) => connect.count > 1,
            _ => true,
        };
        if let Some(group) = self.groups.get_mut(&group).filter(|_| !one_of_many) {
            group.bindings.insert(name.to_owned(), value.clone());
            group.bound_by.insert(name.to_owned(), plays);
        }
    }

    /// The names that a run sees beside its own and its client's: those of the dialogue.
    pub(super) fn names_beside(&self, run: &Run) -> &Bindings {
        let connection = run.connection.filter(|_| run.owner == Owner::Dialogue);
        let group = connection.and_then(|id| self.connections.get(&id)?.group);
        let group = group.and_then(|group| self.groups.get(&group));
        group.map_or(&self.dialogue, |group| &group.bindings)
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
        group.members.values().any(|other| match other {
            Member::Here(other) if *other == own => false,
            Member::Here(other) => {
                let dialogue = self.connections.get(other).and_then(|c| c.dialogue);
                let other = dialogue.and_then(|dialogue| self.runs.get(&dialogue));
                other.is_some_and(|other| other.is_behind(run))
            }
            Member::Away(place) => *place < run.at,
        })
    }

    /// A client has gone on in its dialogue, or is at its end: others may have their turn.
    pub(super) fn wake_group(&mut self, id: ConnectionId) {
        if let Some(group) = self.connections.get(&id).and_then(|c| c.group) {
            self.wake(group);
        }
    }

    pub(super) fn wake(&mut self, group: u64) {
        let members = self.groups.get(&group).map(|group| &group.members);
        let Some(members) = members.filter(|members| members.len() > 1) else {
            return;
        };
        for member in members.values() {
            let Member::Here(member) = member else {
                continue;
            };
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

/// The place of the next line, from a place on, that a client of a name has to say.
fn next_said(steps: &[Statement], from: usize, name: &str) -> usize {
    let says = |step: &Statement| match &step.kind {
        StatementKind::Frame(frame) => {
            let own = matches!(&frame.who, Some(Who::Name(who)) if who == name);
            own && frame.arrow == Arrow::ToServer && !frame.options.optional
        }
        _ => false,
    };
    let left = steps.iter().enumerate().skip(from);
    let mut said = left.filter(|(_, step)| LinesLeft::of(std::slice::from_ref(*step)).any(says));
    said.next().map_or(usize::MAX, |(place, _)| place)
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
