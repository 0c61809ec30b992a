//! Whom a line means.

use super::run::{Owner, Run};
use super::sight::NOTHING;
use super::{ConnectionId, Player, Side, State, Target};
use crate::syntax::{Arrow, Content, Frame, Who};

impl Run {
    /// A line of a client is played: `others` are from now on all but this one.
    pub(super) fn speaks(&mut self, frame: &Frame) {
        if frame.arrow != Arrow::ToServer {
            return;
        }
        let name = match &frame.who {
            Some(Who::Name(name)) => Some(name),
            None => None,
            Some(_) => return,
        };
        // The same one goes on speaking, mostly.
        if self.spoke.as_ref().map(Option::as_ref) != Some(name) {
            self.spoke = Some(name.cloned());
        }
    }

    /// The name of the client that spoke last, if one did; `Some(None)` for one without a name.
    fn speaker(&self) -> Option<Option<&str>> {
        self.spoke.as_ref().map(Option::as_deref)
    }
}

impl Player {
    /// To whom a line goes.
    pub(super) fn targets(&self, run: &Run, who: Option<&Who>) -> Result<Vec<Target>, String> {
        match (self.side, who) {
            // Each client with a name plays the lines for several by itself.
            (Side::Server, Some(who @ (Who::All | Who::Others | Who::Room(_) | Who::User(_))))
                if run.name.is_some() =>
            {
                match run.connection {
                    Some(id) if self.is_one_of(run, id, who)? => self.open_target(id),
                    _ => Ok(Vec::new()),
                }
            }
            (Side::Server, Some(Who::All)) => Ok(vec![Target::All]),
            (Side::Server, Some(Who::Others)) => run
                .connection
                .map(|id| vec![Target::Others(id)])
                .ok_or_else(|| "`others` needs a client that it is not".to_owned()),
            (Side::Server, Some(Who::Room(room))) => {
                Ok(vec![Target::Room(self.filled(run, room)?)])
            }
            (Side::Server, Some(Who::User(user))) => {
                Ok(vec![Target::User(self.filled(run, user)?)])
            }
            (Side::Server, _) => match run.connection {
                Some(id) => self.open_target(id),
                None => Err("no client is meant: write `all <`".to_owned()),
            },
            (Side::Client, who) => {
                let meant = self.listeners(run, who)?;
                let mut targets = Vec::with_capacity(meant.len());
                for id in meant {
                    targets.append(&mut self.open_target(id)?);
                }
                Ok(targets)
            }
        }
    }

    /// A connection that something can be sent over.
    fn open_target(&self, id: ConnectionId) -> Result<Vec<Target>, String> {
        match self.connections.get(&id) {
            // A close may still be answered.
            Some(connection) if connection.state == State::Open && !connection.close_sent => {
                Ok(vec![Target::One(id)])
            }
            Some(connection) if connection.close_came => Err(
                "the peer has closed the connection, so nothing can be sent any more".to_owned(),
            ),
            Some(connection) if connection.close_sent => {
                Err("the connection is being closed, so nothing can be sent any more".to_owned())
            }
            _ => Err("the connection is not open".to_owned()),
        }
    }

    /// Whether a client with a name is one of those that a line of its dialogue is for.
    fn is_one_of(&self, run: &Run, id: ConnectionId, who: &Who) -> Result<bool, String> {
        Ok(match who {
            Who::Others => run.speaker() != Some(run.name.as_deref()),
            Who::Room(room) => {
                let room = self.filled(run, room)?;
                self.rooms.in_room(&room).any(|member| member == id)
            }
            Who::User(user) => self.rooms.user_of(id) == Some(&*self.filled(run, user)?),
            Who::All | Who::Name(_) => true,
        })
    }

    /// The connections of a test that a line is about.
    pub(super) fn listeners(
        &self,
        run: &Run,
        who: Option<&Who>,
    ) -> Result<Vec<ConnectionId>, String> {
        match who {
            None | Some(Who::Name(_)) => self.meant(run, who),
            Some(who) => self.everyone(run, who),
        }
    }

    /// The connections of a test that `all`, `others`, `room NAME` or `user NAME` means.
    pub(super) fn everyone(&self, run: &Run, who: &Who) -> Result<Vec<ConnectionId>, String> {
        let open = |id: &ConnectionId| {
            let connection = self.connections.get(id);
            connection.is_some_and(|connection| connection.state == State::Open)
        };
        let all = self.connections.keys().copied();
        let (meant, nobody) = match who {
            Who::Room(room) => {
                let room = self.filled(run, room)?;
                let members = self.rooms.in_room(&room).filter(open).collect::<Vec<_>>();
                let nobody =
                    format!("nobody is in the room `{room}`: say who with `NAME join {room}`");
                (members, nobody)
            }
            Who::User(user) => {
                let user = self.filled(run, user)?;
                let own = self.rooms.of_user(&user).filter(open).collect::<Vec<_>>();
                let nobody =
                    format!("nobody is the user `{user}`: say who with `NAME identify {user}`");
                (own, nobody)
            }
            _ => {
                let but = match (who, run.connection) {
                    (Who::Others, Some(own)) => vec![own],
                    (Who::Others, None) => {
                        let spoke = run.speaker().map(|name| self.connections_named(name));
                        spoke.filter(|spoke| !spoke.is_empty()).ok_or(
                            "`others` are all but the one that spoke last, and none has spoken yet",
                        )?
                    }
                    _ => Vec::new(),
                };
                let meant = all.filter(|id| open(id) && !but.contains(id)).collect();
                (meant, "no connection is open that is meant".to_owned())
            }
        };
        match meant[..] {
            [] => Err(nobody),
            _ => Ok(meant),
        }
    }

    /// The connections that a line of a test with a name, or with none, means.
    pub(super) fn meant(&self, run: &Run, who: Option<&Who>) -> Result<Vec<ConnectionId>, String> {
        if let (None, Some(id)) = (who, run.connection) {
            return Ok(vec![id]);
        }
        let name = match who {
            Some(Who::Name(name)) => Some(name.as_str()),
            _ => None,
        };
        let meant = self.connections_named(name);
        if !meant.is_empty() {
            return Ok(meant);
        }
        Err(match name {
            Some(name) => format!("there is no connection called `{name}`"),
            None => "there is no connection: `connect` comes first".to_owned(),
        })
    }

    /// The newest connection of that name, or all that were opened with it; without a name, the newest without one, or
    /// the only one there is.
    fn connections_named(&self, name: Option<&str>) -> Vec<ConnectionId> {
        let mut own = self
            .connections
            .iter()
            .rev()
            .filter(|(_, connection)| connection.name.as_deref() == name);
        let batch = match own.next() {
            Some((id, connection)) => connection.batch.unwrap_or((*id, *id)),
            None if name.is_none() && self.connections.len() == 1 => {
                match self.connections.keys().next() {
                    Some(only) => (*only, *only),
                    None => return Vec::new(),
                }
            }
            None => return Vec::new(),
        };
        let batch = self.connections.range(batch.0..=batch.1);
        batch.map(|(id, _)| *id).collect()
    }

    /// Whether a connection of a test is one of those that a who can mean.
    pub(super) fn is_meant_by(&self, id: ConnectionId, who: &Who) -> bool {
        let filled = |pattern: &crate::pattern::Pattern| {
            let context = self.context_of(&NOTHING, Some(id), None);
            pattern.render(&context).map(|rendered| rendered.text)
        };
        match who {
            Who::Name(name) => {
                let connection = self.connections.get(&id);
                connection.and_then(|connection| connection.name.as_ref()) == Some(name)
            }
            Who::All | Who::Others => true,
            Who::Room(room) => {
                filled(room).is_ok_and(|room| self.rooms.in_room(&room).any(|own| own == id))
            }
            Who::User(user) => filled(user).is_ok_and(|user| self.rooms.user_of(id) == Some(&user)),
        }
    }

    /// Whether a body has outlived its connection: what it would send is of no use to anybody, and no fault.
    pub(super) fn is_moot(&self, run: &Run, frame: &Frame) -> bool {
        let beside = matches!(run.owner, Owner::Rule | Owner::Clock);
        let Some(connection) = run.connection.and_then(|id| self.connections.get(&id)) else {
            return false;
        };
        match self.side {
            // A clock ticks for each connection: a line that names one is for that one's clock.
            Side::Client => match &frame.who {
                Some(Who::Name(who)) if run.owner == Owner::Clock => {
                    Some(who) != connection.name.as_ref()
                }
                None => beside && (connection.close_sent || connection.close_came),
                _ => false,
            },
            Side::Server => {
                !matches!(
                    frame.who,
                    Some(Who::All | Who::Others | Who::Room(_) | Who::User(_))
                ) && (connection.shut
                    || connection.close_came
                        && (connection.close_sent
                            || !matches!(frame.content, Content::Close { .. })))
            }
        }
    }
}
