//! What comes from a log: publications, the presence of other nodes, and what happens to the log itself.

use std::sync::Arc;

use wiretalk_proto::Prepared;

use crate::Delivery;
use crate::history::{Entry, Origin};
use crate::hub::{Hub, State};
use crate::log::{News, Outcome};
use crate::record::{self, People, Publication, Record, Scope};

/// A part of who is present is no larger than this, in bytes, but for the last connection in it.
const PART: usize = 32 * 1024;

/// What happens to a hub that shares a log with others.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HubEvent {
    /// Publications were lost for this hub: its members never got them, and never will.
    Lost {
        /// How many. Messages, and changes of what rooms keep.
        count: u64,
    },
    /// The broker is reached.
    Up,
    /// The broker is not reached any more. What is published waits.
    Down {
        /// Why, as a sentence without secrets.
        why: String,
    },
    /// The log has been read to its end for the first time.
    Ready,
}

/// Who wants to know.
pub(crate) type Listener = Arc<dyn Fn(HubEvent) + Send + Sync>;

impl<C> Hub<C> {
    /// Calls `listener` for all that happens to the log from now on, in order with what is delivered; in place of the one
    /// before. It is called with no lock held, by whoever drives the log, so it should not wait.
    pub fn set_listener(&self, listener: impl Fn(HubEvent) + Send + Sync + 'static) {
        let before = self.lock().listener.replace(Arc::new(listener));
        drop(before);
    }

    /// Applies what was read from the log.
    pub fn follow(&self, outcome: &Outcome<'_>) -> Delivery {
        if outcome.lost > 0 {
            self.announce(HubEvent::Lost {
                count: outcome.lost,
            });
        }
        if let Some(first) = outcome.first {
            self.lock().histories.missed(first.saturating_sub(1));
        }
        match &outcome.news {
            Some(news) => self.apply(news),
            None => Delivery::default(),
        }
    }

    /// Says that another log begins, by its name. What is remembered stays.
    pub fn begin(&self, epoch: &str) {
        self.lock().histories.begin(epoch.into());
    }

    /// Says that a node is gone, and with it all who were present there.
    pub fn node_gone(&self, node: u64) {
        self.lock().elsewhere.node_gone(node);
    }

    /// Tells the hubs of other nodes who is in rooms here, and who are users.
    pub fn tell_presence(&self) {
        let mut state = self.lock();
        let State {
            places, backplane, ..
        } = &mut *state;
        let mut first = true;
        let mut part = Vec::new();
        for (&id, place) in places.iter() {
            let rooms = place.rooms.iter().map(|room| &**room);
            record::put_person(&mut part, id, place.user.as_deref(), rooms);
            if part.len() >= PART {
                let people = People::written(&part);
                backplane.append(&Record::Present { first, people });
                first = false;
                part.clear();
            }
        }
        if first || !part.is_empty() {
            let people = People::written(&part);
            backplane.append(&Record::Present { first, people });
        }
    }

    /// Counts what happened to the log, and tells the listener.
    pub fn announce(&self, event: HubEvent) {
        let mut state = self.lock();
        match &event {
            HubEvent::Lost { count } => state.counts.lost += count,
            HubEvent::Up => state.counts.up = true,
            HubEvent::Down { .. } => state.counts.up = false,
            HubEvent::Ready => state.counts.ready = true,
        }
        let listener = state.listener.clone();
        drop(state);
        if let Some(listener) = listener {
            listener(event);
        }
    }

    fn apply(&self, news: &News<'_>) -> Delivery {
        let mut state = self.lock();
        let node = news.stamp.node;
        match news.record {
            Record::Publish(publication) => {
                let but = publication.but.filter(|_| node == state.node);
                let is_wanted = !news.again
                    && state.is_new(news, &publication)
                    && state.has_receiver(publication.to);
                if is_wanted || state.is_to_remember(&publication) {
                    let message = publication.message.prepared();
                    state.remember(&publication, &message, news);
                    if is_wanted {
                        return Self::deliver_here(state, publication.to.target(but), &message);
                    }
                }
            }
            Record::Keep { room, value } => {
                let _ = state.kept.keep(room, value.prepared());
            }
            Record::Forget { room } => state.kept.forget(room),
            Record::Join { connection, room } => state.elsewhere.join(node, connection, room),
            Record::Leave { connection, room } => state.elsewhere.leave(node, connection, room),
            Record::Identify { connection, user } => {
                state.elsewhere.identify(node, connection, user);
            }
            Record::Gone { connection } => state.elsewhere.gone(node, connection),
            Record::Present { first, people } => {
                if first {
                    state.elsewhere.begin(node);
                }
                for person in people.iter() {
                    state.elsewhere.present(node, person);
                }
            }
            Record::Bye => state.elsewhere.node_gone(node),
            Record::Hello | Record::Heartbeat => {}
        }
        Delivery::default()
    }
}

impl<C> State<C> {
    /// Whether a message is for those who are here. What a hub finds in the log when it begins was for others, but for what
    /// was published while it could not be read.
    fn is_new(&self, news: &News<'_>, publication: &Publication<'_>) -> bool {
        !news.old || (self.began > 0 && publication.time >= self.began)
    }

    fn has_receiver(&self, scope: Scope<'_>) -> bool {
        match scope {
            Scope::All => !self.members.is_empty(),
            Scope::Room(room) => self.rooms.get(room).is_some(),
            Scope::User(user) => self.users.get(user).is_some(),
        }
    }

    fn is_to_remember(&self, publication: &Publication<'_>) -> bool {
        matches!(publication.to, Scope::Room(_))
            && (publication.keep || (publication.history && self.histories.is_kept()))
    }

    fn remember(&mut self, publication: &Publication<'_>, message: &Prepared, news: &News<'_>) {
        let Scope::Room(room) = publication.to else {
            return;
        };
        if publication.keep && !news.again {
            // What has no space is not kept by any hub: all have the same limits and the same log.
            let _ = self.kept.keep(room, message.clone());
        }
        if publication.history {
            let now = (self.clock)();
            let entry = Entry {
                offset: news.offset,
                origin: Origin {
                    node: news.stamp.node,
                    seq: news.stamp.seq,
                },
                time: publication.time,
                message: message.clone(),
            };
            if news.again {
                self.histories.push_again(room, entry, now);
            } else {
                self.histories.push(room, entry, now);
            }
        }
    }
}
