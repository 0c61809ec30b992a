//! A connection that the player knows of, and what waits on it.

use std::collections::{BTreeSet, VecDeque};
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use super::ignore::Ignored;
use super::run::RunId;
use super::workers::Work;
use super::{ClientInfo, ConnectionId, Incoming, Player, Time};
use crate::scope::{Bindings, Client};
use crate::value::document::{Document, Parsed};

/// What is known of every connection. The rest it has only while there is some: of many thousand clients most are silent
/// most of the time.
pub(super) struct Connection {
    pub(super) state: State,
    pub(super) client: Client,
    pub(super) last_sent: Option<Time>,
    pub(super) close_sent: bool,
    /// Whether a strict mock has closed it for a message that no line expects.
    pub(super) shut: bool,
    /// Whether the peer has sent its close, or is gone.
    pub(super) close_came: bool,
    /// Whether nothing more is read until there is space in the inbox.
    pub(super) paused: bool,
    /// Made when it is first written to, and gone again with [`settle`](Self::settle).
    rest: Option<Box<Rest>>,
}

/// What most connections have nothing of, most of the time.
pub(super) struct Rest {
    pub(super) name: Option<String>,
    /// Names bound with this client in a mock's dialogue; in a test, with one of many connections of a name.
    pub(super) bindings: Bindings,
    /// Messages and closes that no line has taken yet.
    pub(super) inbox: VecDeque<Arc<Item>>,
    pub(super) inbox_bytes: usize,
    /// Pings and pongs that no line has taken yet.
    pub(super) control: VecDeque<Arc<Item>>,
    /// Runs that wait for something to come here, the youngest last.
    pub(super) waiting: Vec<RunId>,
    /// A mock's dialogue with this client.
    pub(super) dialogue: Option<RunId>,
    /// Which `connect` of the dialogue this client plays.
    pub(super) plays: Option<usize>,
    /// Those that play the dialogue together with this client.
    pub(super) group: Option<u64>,
    /// The row of `each` that this client plays: its columns win over `set` lines.
    pub(super) row: Option<Bindings>,
    /// The connections that one `connect NAME xN` opened, this one among them, if they are many: the first and the last.
    pub(super) batch: Option<(ConnectionId, ConnectionId)>,
    /// What runs in its name.
    pub(super) runs: BTreeSet<RunId>,
    pub(super) clocks: Vec<u64>,
    /// Messages that are as if they had not come.
    pub(super) ignored: Vec<Ignored>,
    /// Whether the peer's close lies in the inbox, behind messages that wait for a worker.
    pub(super) close_waits: bool,
    /// How it stands to the workers.
    pub(super) work: Work,
}

impl Rest {
    /// What a connection has that has none.
    const NONE: &'static Self = &Self::new();

    const fn new() -> Self {
        Self {
            name: None,
            bindings: Bindings::new(),
            inbox: VecDeque::new(),
            inbox_bytes: 0,
            control: VecDeque::new(),
            waiting: Vec::new(),
            dialogue: None,
            plays: None,
            group: None,
            row: None,
            batch: None,
            runs: BTreeSet::new(),
            clocks: Vec::new(),
            ignored: Vec::new(),
            close_waits: false,
            work: Work::None,
        }
    }

    fn is_none(&self) -> bool {
        let Self {
            name,
            bindings,
            inbox,
            // It is that of the inbox.
            inbox_bytes: _,
            control,
            waiting,
            dialogue,
            plays,
            group,
            row,
            batch,
            runs,
            clocks,
            ignored,
            close_waits,
            work,
        } = self;
        name.is_none()
            && bindings.is_empty()
            && inbox.is_empty()
            && control.is_empty()
            && waiting.is_empty()
            && dialogue.is_none()
            && plays.is_none()
            && group.is_none()
            && row.is_none()
            && batch.is_none()
            && runs.is_empty()
            && clocks.is_empty()
            && ignored.is_empty()
            && !close_waits
            && *work == Work::None
    }
}

impl Deref for Connection {
    type Target = Rest;

    fn deref(&self) -> &Rest {
        self.rest.as_deref().unwrap_or(Rest::NONE)
    }
}

impl DerefMut for Connection {
    fn deref_mut(&mut self) -> &mut Rest {
        self.rest.get_or_insert_with(|| Box::new(Rest::new()))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Opening,
    Open,
    Gone,
}

/// Something that came, and when.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) at: Time,
    pub(super) what: Incoming,
    /// What it is as JSON, for all lines and rules that look at it.
    pub(super) parsed: Parsed,
}

impl Item {
    pub(super) fn new(at: Time, what: Incoming) -> Self {
        Self {
            at,
            what,
            parsed: Parsed::default(),
        }
    }

    /// The payload as text, if it is UTF-8.
    pub(super) fn document(&self) -> Option<Document<'_>> {
        super::matching::text_of(&self.what).map(|text| Document::new(text, &self.parsed))
    }

    /// What it counts against the bound of an inbox: an empty message takes room too.
    pub(super) fn weight(&self) -> usize {
        self.what.bytes().len() + size_of::<Self>()
    }
}

impl Connection {
    pub(super) fn new(name: Option<String>, client: Client) -> Self {
        let mut new = Self {
            state: State::Opening,
            client,
            last_sent: None,
            close_sent: false,
            shut: false,
            close_came: false,
            paused: false,
            rest: None,
        };
        if name.is_some() {
            new.name = name;
        }
        new
    }

    /// Whether it takes no more memory than itself.
    #[cfg(test)]
    pub(super) fn is_at_rest(&self) -> bool {
        self.rest.is_none()
    }

    /// Something may be over: what the connection has nothing of any more takes no memory.
    pub(super) fn settle(&mut self) {
        if self.rest.as_ref().is_some_and(|rest| rest.is_none()) {
            self.rest = None;
        }
    }

    /// Whether it has a message for a worker, or a worker plays a body for it.
    pub(super) fn is_at_work(&self) -> bool {
        matches!(self.work, Work::Queued | Work::Busy(_))
    }

    /// Whether it is one of many connections of a name.
    pub(super) fn is_one_of_many(&self) -> bool {
        self.batch.is_some()
    }
}

impl Player {
    /// How many clients a mock has, or how many connections a test has open.
    #[must_use]
    pub fn open_connections(&self) -> usize {
        self.open
    }

    /// The name that a connection has in the talk.
    #[must_use]
    pub fn name_of(&self, id: ConnectionId) -> Option<&str> {
        self.connections.get(&id)?.name.as_deref()
    }

    /// The clients of a mock, in the order of connecting.
    pub fn clients(&self) -> impl Iterator<Item = ClientInfo> {
        let open = self.connections.iter();
        let open = open.filter(|(_, connection)| connection.state == State::Open);
        open.map(|(id, connection)| ClientInfo {
            id: *id,
            name: connection.name.clone(),
            path: connection.client.path.to_string(),
            rooms: self.rooms.rooms_of(*id).map(str::to_owned).collect(),
            user: self.rooms.user_of(*id).map(str::to_owned),
        })
    }

    /// Whether nothing can be sent over a connection any more, or not yet.
    pub(super) fn is_closing(&self, id: ConnectionId) -> bool {
        self.connections.get(&id).is_none_or(|connection| {
            connection.state != State::Open || connection.close_sent || connection.close_came
        })
    }
}
