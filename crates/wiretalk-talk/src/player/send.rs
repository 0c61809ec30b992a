//! Lines that send, and what they bind.

use super::run::{Owner, Played, Run, RunId, Wait};
use super::{Action, ConnectionId, Delivery, Incoming, Outgoing, Player, Side, State, Target};
use crate::pattern::{Captures, Pattern};
use crate::source::Span;
use crate::syntax::{Arrow, Content, Data, Frame, Set, SetScope, StatementKind, Who};

impl Player {
    pub(super) fn play_send(&mut self, id: RunId, span: Span, frame: &Frame) -> Played {
        let Some(run) = self.runs.get(&id) else {
            return Played::Failed;
        };
        if let (Some(name), who) = (&run.name, &frame.who)
            && matches!(who, Some(Who::Name(other)) if other != name)
        {
            return Played::Done;
        }
        if self.side == Side::Server
            && let Some(after) = frame.options.after
            && !matches!(run.wait, Wait::Before(_))
        {
            let until = self.now.saturating_add(after);
            self.wait(id, Wait::Before(until));
            return Played::Waits;
        }
        if self.is_moot(run, frame) {
            return Played::Failed;
        }
        let targets = match self.targets(run, frame.who.as_ref()) {
            Ok(targets) => targets,
            Err(why) => return self.impossible(id, span, why),
        };
        let outgoing = match self.fill(id, &frame.content) {
            Ok(outgoing) => outgoing,
            Err(why) => return self.impossible(id, span, why),
        };
        if self.remembers_sent
            && let Some(run) = self.runs.get_mut(&id)
        {
            run.sent = Some(outgoing.clone());
        }
        for to in targets {
            self.note_sent(&to, &outgoing);
            self.actions.push_back(Action::Send {
                to,
                frame: outgoing.clone(),
                delivery: Delivery {
                    fragment: frame.options.fragment,
                    chop: frame.options.chop,
                    compress: frame.options.compress,
                },
            });
        }
        Played::Done
    }

    /// Whether a body has outlived its connection: what it would send is of no use to anybody, and no fault.
    fn is_moot(&self, run: &Run, frame: &Frame) -> bool {
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
                !matches!(frame.who, Some(Who::All | Who::Others))
                    && (connection.shut
                        || connection.close_came
                            && (connection.close_sent
                                || !matches!(frame.content, Content::Close { .. })))
            }
        }
    }

    fn note_sent(&mut self, to: &Target, outgoing: &Outgoing) {
        let closes = matches!(outgoing, Outgoing::Close { .. });
        match to {
            Target::One(id) => {
                if let Some(connection) = self.connections.get_mut(id) {
                    connection.last_sent = Some(self.now);
                    connection.close_sent |= closes;
                }
            }
            Target::All | Target::Others(_) if closes => {
                for (id, connection) in &mut self.connections {
                    connection.close_sent |= *to != Target::Others(*id);
                }
            }
            Target::All | Target::Others(_) | Target::Room(_) | Target::User(_) => {}
        }
    }

    /// To whom a line goes.
    fn targets(&self, run: &Run, who: Option<&Who>) -> Result<Vec<Target>, String> {
        let open = |id: ConnectionId| match self.connections.get(&id) {
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
        };
        match (self.side, who) {
            // Each client with a name plays the lines for all by itself.
            (Side::Server, Some(Who::All | Who::Others)) if run.name.is_some() => {
                let own = matches!(who, Some(Who::Others))
                    && self.speaker(run) == Some(run.name.as_deref());
                match run.connection {
                    Some(id) if !own => open(id),
                    _ => Ok(Vec::new()),
                }
            }
            (Side::Server, Some(Who::All)) => Ok(vec![Target::All]),
            (Side::Server, Some(Who::Others)) => run
                .connection
                .map(|id| vec![Target::Others(id)])
                .ok_or_else(|| "`others` needs a client that it is not".to_owned()),
            (Side::Client, Some(who @ (Who::All | Who::Others))) => {
                let everyone = self.everyone(run, who)?;
                Ok(everyone.into_iter().map(Target::One).collect())
            }
            (Side::Server, _) => match run.connection {
                Some(id) => open(id),
                None => Err("no client is meant: write `all <`".to_owned()),
            },
            (Side::Client, who) => open(self.meant(run, who)?),
        }
    }

    /// The name of the client that spoke last before the line at hand, if one did; `Some(None)` for one without a name.
    fn speaker<'a>(&self, run: &'a Run) -> Option<Option<&'a str>> {
        let before = run.steps[..run.at.min(run.steps.len())].iter().rev();
        let mut speakers = before.filter_map(|step| match &step.kind {
            StatementKind::Frame(frame) if frame.arrow == Arrow::ToServer => match &frame.who {
                Some(Who::Name(name)) => Some(Some(name.as_str())),
                None => Some(None),
                Some(_) => None,
            },
            _ => None,
        });
        speakers.next()
    }

    /// The connections of a test that `all` or `others` means.
    pub(super) fn everyone(&self, run: &Run, who: &Who) -> Result<Vec<ConnectionId>, String> {
        let but = match (who, run.connection) {
            (Who::Others, Some(own)) => Some(own),
            (Who::Others, None) => {
                let spoke = self
                    .speaker(run)
                    .and_then(|name| self.connection_named(name))
                    .ok_or(
                        "`others` are all but the one that spoke last, and none has spoken yet",
                    )?;
                Some(spoke)
            }
            _ => None,
        };
        let everyone: Vec<ConnectionId> = self
            .connections
            .iter()
            .filter(|(id, connection)| connection.state == State::Open && Some(**id) != but)
            .map(|(id, _)| *id)
            .collect();
        match everyone[..] {
            [] => Err("no connection is open that is meant".to_owned()),
            _ => Ok(everyone),
        }
    }

    /// The connection that a line of a test means.
    pub(super) fn meant(&self, run: &Run, who: Option<&Who>) -> Result<ConnectionId, String> {
        if let (None, Some(id)) = (who, run.connection) {
            return Ok(id);
        }
        let name = match who {
            Some(Who::Name(name)) => Some(name.as_str()),
            _ => None,
        };
        self.connection_named(name).ok_or_else(|| match name {
            Some(name) => format!("there is no connection called `{name}`"),
            None => "there is no connection: `connect` comes first".to_owned(),
        })
    }

    /// The newest connection of that name; without one, the newest without a name, or the only one there is.
    pub(super) fn connection_named(&self, name: Option<&str>) -> Option<ConnectionId> {
        let mut own = self
            .connections
            .iter()
            .rev()
            .filter(|(_, connection)| connection.name.as_deref() == name);
        match own.next() {
            Some((id, _)) => Some(*id),
            None if name.is_none() && self.connections.len() == 1 => {
                self.connections.keys().next().copied()
            }
            None => None,
        }
    }

    /// Fills what a line sends.
    fn fill(&mut self, id: RunId, content: &Content) -> Result<Outgoing, String> {
        Ok(match content {
            Content::Text(pattern) => Outgoing::Text(self.render(id, pattern)?),
            Content::Binary(bytes) => Outgoing::Binary(bytes.clone()),
            Content::Echo => match self
                .runs
                .get(&id)
                .and_then(|run| Some(&run.message.as_ref()?.what))
            {
                Some(Incoming::Text(text)) => Outgoing::Text(text.clone()),
                Some(Incoming::Binary(bytes)) => Outgoing::Binary(bytes.clone()),
                Some(Incoming::Ping(bytes)) => Outgoing::Ping(bytes.clone()),
                Some(Incoming::Pong(bytes)) => Outgoing::Pong(bytes.clone()),
                _ => return Err("nothing was received that could be echoed".into()),
            },
            Content::Ping(data) => Outgoing::Ping(self.fill_data(id, data.as_ref())?),
            Content::Pong(data) => Outgoing::Pong(self.fill_data(id, data.as_ref())?),
            Content::Close { code, reason } => {
                let reason = match reason {
                    Some(reason) => self.render(id, reason)?,
                    None => String::new(),
                };
                if reason.len() > 123 {
                    return Err(format!(
                        "a close reason has 123 bytes at the most, and this has {} (RFC 6455 section 5.5)",
                        reason.len()
                    ));
                }
                Outgoing::Close {
                    code: code.filter(|code| *code != 1005),
                    reason,
                }
            }
            _ => return Err("`any` cannot be sent".into()),
        })
    }

    fn fill_data(&mut self, id: RunId, data: Option<&Data>) -> Result<Vec<u8>, String> {
        let bytes = match data {
            None => Vec::new(),
            Some(Data::Bytes(bytes)) => bytes.clone(),
            Some(Data::Text(pattern)) => self.render(id, pattern)?.into_bytes(),
        };
        if bytes.len() > 125 {
            return Err(format!(
                "a control frame carries 125 bytes at the most, and this has {} (RFC 6455 section 5.5)",
                bytes.len()
            ));
        }
        Ok(bytes)
    }

    pub(super) fn render(&mut self, id: RunId, pattern: &Pattern) -> Result<String, String> {
        let Some(run) = self.runs.get(&id) else {
            return Err("the line is over".into());
        };
        let rendered = pattern.render(&self.context(run))?;
        self.bind(id, rendered.bound);
        Ok(rendered.text)
    }

    /// Binds what a line of a run captured or made up, for as long as it lasts.
    pub(super) fn bind(&mut self, id: RunId, captures: Captures) {
        let Some(run) = self.runs.get_mut(&id) else {
            return;
        };
        let own = match run.owner {
            Owner::Rule | Owner::Clock => &mut run.locals,
            Owner::Settings => &mut self.talk,
            Owner::Dialogue | Owner::Finally => match (self.side, run.connection) {
                (Side::Server, Some(id)) => match self.connections.get_mut(&id) {
                    Some(connection) => &mut connection.bindings,
                    None => return,
                },
                _ => &mut self.dialogue,
            },
        };
        own.extend(captures);
    }

    pub(super) fn play_set(&mut self, id: RunId, span: Span, set: &Set) -> Played {
        if set.scope == SetScope::Run && self.variables.contains_key(&set.name) {
            return Played::Done;
        }
        let Some(run) = self.runs.get(&id) else {
            return Played::Failed;
        };
        let value = match set.value.value(&self.context(run)) {
            Ok((value, bound)) => {
                self.bind(id, bound);
                value
            }
            Err(why) => return self.impossible(id, span, why),
        };
        let connection = self.runs.get(&id).and_then(|run| run.connection);
        match set.scope {
            SetScope::Run => self.bind(id, vec![(set.name.clone(), value)]),
            SetScope::Global => {
                self.global.insert(set.name.clone(), value);
            }
            SetScope::Client => match connection.and_then(|id| self.connections.get_mut(&id)) {
                Some(connection) => {
                    connection.client.values.insert(set.name.clone(), value);
                }
                None => {
                    let why = "`set client.NAME` needs a client".to_owned();
                    return self.impossible(id, span, why);
                }
            },
        }
        Played::Done
    }
}
