//! Lines that send.

use super::connection::Item;
use super::run::{Owner, Played, Run, RunId, Wait};
use super::{
    Action, ConnectionId, Delivery, Incoming, Outgoing, Player, RawHeader, Side, Target, Time,
};
use crate::pattern::{Captures, Mismatch};
use crate::query::{self, CheckKind, Subject};
use crate::source::Span;
use crate::syntax::{Content, Data, FilePart, Frame, Who};
use crate::value::document::{Document, Parsed};

/// The opcode of a close frame, RFC 6455 section 5.5.1.
const CLOSE: u8 = 8;

impl Player {
    pub(super) fn play_send(&mut self, id: RunId, span: Span, frame: &Frame) -> Played {
        let waits = self.side == Side::Server || self.manner.paced;
        let Some(run) = self.runs.get_mut(&id) else {
            return Played::Failed;
        };
        run.speaks(frame);
        if let (Some(name), who) = (&run.name, &frame.who)
            && matches!(who, Some(Who::Name(other)) if other != name)
        {
            return Played::Done;
        }
        let (least, _) = frame.counts();
        if run.times >= least {
            return Played::Done;
        }
        if waits
            && let Some(after) = frame.options.after
            && !matches!(run.wait, Wait::Before(_))
        {
            let until = self.now.saturating_add(after);
            self.wait(id, Wait::Before(until));
            return Played::Waits;
        }
        let Some(run) = self.runs.get(&id) else {
            return Played::Failed;
        };
        if self.is_moot(run, frame) {
            // What the other lines of `on close` send is for those that are still there.
            return match run.owner {
                Owner::Close => Played::Done,
                _ => Played::Failed,
            };
        }
        let targets = match self.targets(run, frame.who.as_ref()) {
            Ok(targets) => targets,
            Err(why) => return self.impossible(id, span, why),
        };
        for to in targets {
            let on = match (self.side, &to) {
                (Side::Client, Target::One(on)) => Some(*on),
                _ => None,
            };
            if let Err(why) = self.send_one(id, on, to, frame) {
                return self.impossible(id, span, why);
            }
        }
        let Some(run) = self.runs.get_mut(&id) else {
            return Played::Failed;
        };
        run.times += 1;
        match run.times < least {
            true => Played::Again,
            false => Played::Done,
        }
    }

    /// Sends what a line says to one target.
    fn send_one(
        &mut self,
        id: RunId,
        on: Option<ConnectionId>,
        to: Target,
        frame: &Frame,
    ) -> Result<(), String> {
        let counted = frame.options.count.is_some();
        let (outgoing, made_up) = self.fill(id, on, &frame.content)?;
        let mut bound = made_up;
        self.bind_from_sent(id, on, &outgoing, frame, &mut bound)?;
        // What is made up for one of several messages is for that one.
        if !counted {
            self.bind(id, on, bound);
        }
        if self.remembers_sent
            && let Some(run) = self.runs.get_mut(&id)
        {
            run.sent = Some(outgoing.clone());
        }
        self.note_sent(&to, &outgoing);
        self.actions.push_back(Action::Send {
            to,
            frame: outgoing,
            delivery: Delivery {
                fragment: frame.options.fragment,
                chop: frame.options.chop,
                compress: frame.options.compress,
                unremembered: frame.options.history == Some(false),
            },
        });
        Ok(())
    }

    /// `NAME = QUERY` under a line that sends looks at what is sent. The checks are for whoever expects it.
    fn bind_from_sent(
        &self,
        id: RunId,
        on: Option<ConnectionId>,
        outgoing: &Outgoing,
        frame: &Frame,
        bound: &mut Captures,
    ) -> Result<(), String> {
        let Some(run) = self.runs.get(&id).filter(|_| !frame.checks.is_empty()) else {
            return Ok(());
        };
        let parsed = Parsed::default();
        let subject = Subject {
            document: outgoing.text().map(|text| Document::new(text, &parsed)),
            size: outgoing.size(),
            ..Subject::default()
        };
        let context = self.context_on(run, on);
        for check in &frame.checks {
            if !matches!(check.kind, CheckKind::Capture { .. }) {
                continue;
            }
            let found = query::apply(std::slice::from_ref(check), &subject, &context, bound);
            match found {
                Ok(()) => {}
                // A test may bind there what only it sees: a header, or how long it took.
                Err(_) if self.side == Side::Server => {}
                Err(Mismatch::Check { check, came }) => {
                    return Err(format!("`{check}` finds nothing in what is sent: {came}"));
                }
                Err(_) => return Err(format!("`{}` finds nothing in what is sent", check.raw)),
            }
        }
        Ok(())
    }

    /// Something went to clients of a mock that no line of the talk sends (a control API did, say): it counts for
    /// `latency`, and after a close nothing more is sent.
    pub fn sent_beside(&mut self, now: Time, to: &Target, outgoing: &Outgoing) {
        self.begin(now);
        self.note_sent(to, outgoing);
    }

    pub(super) fn note_sent(&mut self, to: &Target, outgoing: &Outgoing) {
        let closes = match outgoing {
            Outgoing::Close { .. } | Outgoing::Drop => true,
            Outgoing::Frame { header, .. } => header.opcode == Some(CLOSE),
            _ => false,
        };
        if let Target::One(id) = to {
            if let Some(connection) = self.connections.get_mut(id) {
                connection.last_sent = Some(self.now);
                connection.close_sent |= closes;
            }
            return;
        }
        // Ten thousand clients are not gone through for each message unless somebody asks.
        if !closes && !self.asks_latency {
            return;
        }
        let now = self.now;
        let receivers: Vec<ConnectionId> = match to {
            Target::Room(room) => self.rooms.in_room(room).collect(),
            Target::User(user) => self.rooms.of_user(user).collect(),
            Target::All | Target::Others(_) | Target::One(_) => {
                let all = self.connections.keys().copied();
                all.filter(|id| *to != Target::Others(*id)).collect()
            }
        };
        for id in receivers {
            if let Some(connection) = self.connections.get_mut(&id) {
                connection.last_sent = Some(now);
                connection.close_sent |= closes;
            }
        }
    }

    /// Fills what a line sends; the names that got a value for it.
    fn fill(
        &self,
        id: RunId,
        on: Option<ConnectionId>,
        content: &Content,
    ) -> Result<(Outgoing, Captures), String> {
        let run = self.runs.get(&id).ok_or("the line is over")?;
        let context = self.context_on(run, on);
        let mut bound = Captures::new();
        let mut data = |data: Option<&Data>| match data {
            None => Ok(Vec::new()),
            Some(Data::Bytes(bytes)) => of_control(bytes.clone()),
            Some(Data::Text(pattern)) => {
                let rendered = pattern.render(&context)?;
                bound = rendered.bound;
                of_control(rendered.text.into_bytes())
            }
        };
        let outgoing = match content {
            Content::Ping(payload) => Outgoing::Ping(data(payload.as_ref())?),
            Content::Pong(payload) => Outgoing::Pong(data(payload.as_ref())?),
            Content::Text(pattern) => {
                let rendered = pattern.render(&context)?;
                bound = rendered.bound;
                Outgoing::Text(rendered.text)
            }
            Content::Binary(bytes) => Outgoing::Binary(bytes.clone()),
            Content::File(part) => Outgoing::Binary(self.file(part)?.to_vec()),
            Content::Echo => echo_of(run)?,
            Content::Close { code, reason } => {
                let reason = match reason {
                    Some(reason) => {
                        let rendered = reason.render(&context)?;
                        bound = rendered.bound;
                        rendered.text
                    }
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
            Content::RawFrame(frame) => {
                let payload = match &frame.bytes {
                    Some(bytes) => bytes.clone(),
                    None => {
                        let rendered = frame.payload.render(&context)?;
                        bound = rendered.bound;
                        rendered.text.into_bytes()
                    }
                };
                let header: RawHeader = frame.header;
                Outgoing::Frame { header, payload }
            }
            Content::Raw(bytes) => Outgoing::Raw(bytes.clone()),
            Content::Drop => Outgoing::Drop,
            Content::Stall(time) => Outgoing::Stall(*time),
            Content::Any => return Err("`any` cannot be sent".into()),
            Content::Re(_) => return Err("`re` cannot be sent: it says what may come".into()),
            Content::Error(_) | Content::Fail(_) => {
                return Err("how a connection fails cannot be sent".into());
            }
        };
        Ok((outgoing, bound))
    }

    /// The bytes of a file, or of a part of it.
    pub(super) fn file(&self, part: &FilePart) -> Result<&[u8], String> {
        super::matching::file(&self.plan.files, part)
    }
}

fn echo_of(run: &Run) -> Result<Outgoing, String> {
    let message = run.message.as_deref().map(|item: &Item| &item.what);
    Ok(match message {
        Some(Incoming::Text(text)) => Outgoing::Text(text.clone()),
        Some(Incoming::Binary(bytes)) => Outgoing::Binary(bytes.clone()),
        Some(Incoming::Ping(bytes)) => Outgoing::Ping(bytes.clone()),
        Some(Incoming::Pong(bytes)) => Outgoing::Pong(bytes.clone()),
        _ => return Err("nothing was received that could be echoed".into()),
    })
}

fn of_control(bytes: Vec<u8>) -> Result<Vec<u8>, String> {
    if bytes.len() > 125 {
        return Err(format!(
            "a control frame carries 125 bytes at the most, and this has {} (RFC 6455 section 5.5)",
            bytes.len()
        ));
    }
    Ok(bytes)
}
