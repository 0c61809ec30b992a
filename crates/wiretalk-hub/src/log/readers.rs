//! How far each node has been read.

use std::collections::HashMap;

use super::SILENCE;
use crate::record::{Record, Stamp};

/// So many nodes are remembered; then the one that was silent for longest is forgotten.
const MOST_NODES: usize = 4096;

#[derive(Debug)]
pub(super) struct Nodes {
    own: u64,
    nodes: HashMap<u64, Node>,
}

#[derive(Debug, Default)]
struct Node {
    /// The highest number that was read, or told as lost.
    seq: u64,
    /// The publications up to that number.
    published: u64,
    /// The highest number that was read in the log as it is now.
    in_this_log: u64,
    heard: u64,
    /// It was heard since this node is ready, and not silent for too long since.
    lives: bool,
    /// Who is present there is known, and changes can be applied.
    is_known: bool,
}

/// What a record is, among those of its node.
#[derive(Debug, Default)]
pub(super) struct Verdict {
    pub(super) lost: u64,
    pub(super) apply: bool,
    pub(super) again: bool,
    /// Who is present there is not known (any more).
    pub(super) ask: bool,
}

impl Nodes {
    pub(super) fn new(own: u64) -> Self {
        let node = Node {
            is_known: true,
            ..Node::default()
        };
        Self {
            own,
            nodes: HashMap::from([(own, node)]),
        }
    }

    /// Another log begins.
    pub(super) fn begin(&mut self) {
        for node in self.nodes.values_mut() {
            node.in_this_log = 0;
        }
    }

    /// Nobody could be heard until now.
    pub(super) fn resume(&mut self, now: u64) {
        for node in self.nodes.values_mut() {
            node.heard = now;
        }
    }

    pub(super) fn silent(&mut self, now: u64) -> Vec<u64> {
        let own = self.own;
        let mut silent = Vec::new();
        for (&number, node) in &mut self.nodes {
            if number != own && node.lives && now > node.heard.saturating_add(SILENCE) {
                (node.lives, node.is_known) = (false, false);
                silent.push(number);
            }
        }
        silent.sort_unstable();
        silent
    }

    /// `is_live`: the log has been read to its end once, so that a loss is a loss to somebody, and who is present is
    /// present now. `came_back`: whoever is unknown has begun while nobody was heard.
    pub(super) fn heard(
        &mut self,
        stamp: Stamp,
        record: &Record<'_>,
        now: u64,
        is_live: bool,
        came_back: bool,
    ) -> Verdict {
        let own = stamp.node == self.own;
        let is_new = !self.nodes.contains_key(&stamp.node);
        if is_new {
            self.make_place();
        }
        let node = self.nodes.entry(stamp.node).or_default();
        node.heard = now;
        node.lives |= is_live;
        let numbered = record.is_numbered();
        let (before, published_before) = match numbered {
            true => (
                stamp.seq.saturating_sub(1),
                stamp
                    .published
                    .saturating_sub(u64::from(record.is_publication())),
            ),
            false => (stamp.seq, stamp.published),
        };
        if is_new && !came_back {
            // Where it had come before we knew it.
            (node.seq, node.published) = (before, published_before);
        }
        let mut verdict = Verdict::default();
        if numbered && stamp.seq <= node.in_this_log {
            return verdict;
        }
        if numbered && stamp.seq <= node.seq {
            node.in_this_log = stamp.seq;
            verdict.apply = matches!(record, Record::Publish(_));
            verdict.again = true;
            return verdict;
        }
        if before > node.seq {
            verdict.lost = published_before.saturating_sub(node.published);
            // Among what is lost may be who came and who went.
            node.is_known = own;
            (node.seq, node.published) = (before, published_before);
        }
        if numbered {
            (node.seq, node.published) = (stamp.seq, stamp.published);
            node.in_this_log = stamp.seq;
        }
        verdict.apply = match record {
            Record::Publish(_) | Record::Keep { .. } | Record::Forget { .. } => true,
            _ if own || !is_live => false,
            Record::Present { first, .. } => {
                node.is_known |= *first;
                node.is_known
            }
            Record::Join { .. }
            | Record::Leave { .. }
            | Record::Identify { .. }
            | Record::Gone { .. } => node.is_known,
            Record::Bye => {
                (node.lives, node.is_known) = (false, false);
                true
            }
            Record::Hello | Record::Heartbeat => false,
        };
        verdict.ask = !own && node.lives && !node.is_known;
        verdict
    }

    fn make_place(&mut self) {
        while self.nodes.len() >= MOST_NODES {
            let own = self.own;
            let others = self.nodes.iter().filter(|(number, _)| **number != own);
            let oldest = others.min_by_key(|(_, node)| (node.lives, node.heard));
            let Some(oldest) = oldest.map(|(number, _)| *number) else {
                return;
            };
            self.nodes.remove(&oldest);
        }
    }
}
