//! Single lines, wherever they stand: what can be sent or expected there, and whom it means.

use super::{Around, Checker, Role};
use crate::diagnostic::closest;
use crate::source::Span;
use crate::syntax::{Content, Frame, Http, Statement, StatementKind, Who};

impl Checker {
    /// The lines of a block. What they capture lasts as long as the block runs.
    pub(super) fn body(&mut self, lines: &[Statement]) {
        for line in lines {
            self.statement(line);
        }
    }

    pub(super) fn statement(&mut self, statement: &Statement) {
        let span = statement.span;
        if self.around == Around::Handshake && !self.stands_in_a_handshake(statement) {
            return;
        }
        match &statement.kind {
            StatementKind::Frame(frame) => self.frame(span, frame),
            StatementKind::Connect(connect) => {
                // A mock compares the address with what a client asks for: it need not know every name in it.
                if self.role == Role::Test {
                    self.pattern(&connect.url, true);
                }
                for header in &connect.headers {
                    self.pattern(&header.value, self.role == Role::Test);
                }
            }
            StatementKind::Http(http) => self.http(span, http),
            StatementKind::Set(set) => {
                self.pattern(&set.value, true);
                self.bind_set(set);
                let clientless = matches!(self.around, Around::ServerClock | Around::Settings);
                if set.scope == crate::syntax::SetScope::Client
                    && (clientless || self.role == Role::Test)
                {
                    self.error(
                        span,
                        "there is no client here whose value could be set",
                        "put it under `on >` or `on connect` of a mock, or write `set NAME = …`",
                    );
                }
            }
            StatementKind::Unordered(body) => self.body(body),
            StatementKind::Repeat(repeat) => {
                self.pattern(&repeat.times, true);
                let entered = self.names.enter();
                self.repeats += 1;
                self.body(&repeat.body);
                self.repeats -= 1;
                self.names.leave(entered);
            }
            StatementKind::Ignore(frame) => {
                let entered = self.names.enter();
                if !self.ours(frame.arrow) {
                    self.content(span, &frame.content, false);
                    self.checks(&frame.checks);
                }
                self.names.leave(entered);
            }
            StatementKind::Join(rooms) | StatementKind::Leave(rooms) => {
                self.membership(span, rooms.who.as_ref());
                if self.role == Role::Mock {
                    rooms.rooms.iter().for_each(|room| self.pattern(room, true));
                }
            }
            StatementKind::Identify { who, user } => {
                self.membership(span, who.as_ref());
                if self.role == Role::Mock {
                    self.pattern(user, true);
                }
            }
            StatementKind::Keep { room, value } if self.role == Role::Mock => {
                self.pattern(room, true);
                self.pattern(value, true);
            }
            _ => {}
        }
    }

    /// Before a connection is open there is nothing but an answer.
    fn stands_in_a_handshake(&mut self, statement: &Statement) -> bool {
        let mend = match &statement.kind {
            StatementKind::Http(_) | StatementKind::Set(_) => return true,
            StatementKind::Join(_) | StatementKind::Leave(_) | StatementKind::Identify { .. } => {
                "the connection is not open yet; put it under `on open`"
            }
            _ => {
                "the connection is not open yet; put frames under `on open` or `on >`, or into the dialogue"
            }
        };
        self.error(statement.span, "only `HTTP` and `set` can stand here", mend);
        false
    }

    /// Whose rooms, or whose name, a line changes.
    fn membership(&mut self, span: Span, who: Option<&Who>) {
        if self.role != Role::Mock {
            return;
        }
        let clientless = matches!(self.around, Around::ServerClock | Around::Settings);
        if clientless && matches!(who, None | Some(Who::Others)) {
            self.error(
                span,
                "there is no client here that could be meant",
                "put the line under `on open` or `on >`, or write `all` before it",
            );
        }
        self.who_holes(who);
    }

    /// The holes in `room NAME` and `user NAME`.
    fn who_holes(&mut self, who: Option<&Who>) {
        if let Some(Who::Room(name) | Who::User(name)) = who
            && self.role == Role::Mock
        {
            self.pattern(name, true);
        }
    }

    fn http(&mut self, span: Span, http: &Http) {
        let sent = self.role == Role::Mock;
        if !matches!(self.around, Around::Dialogue | Around::Handshake) {
            self.error(
                span,
                "`HTTP` is the answer to a handshake or a plain request, and here is none",
                "put it under `on connect`, `on GET` or `connect`",
            );
            return;
        }
        for header in &http.headers {
            self.pattern(&header.value, sent);
        }
        if let Some(body) = &http.body {
            self.pattern(body, sent);
        }
        if self.around == Around::Handshake
            && let Some(check) = http.checks.first()
        {
            self.useless_check(check.span);
        }
        self.checks(&http.checks);
    }

    fn useless_check(&mut self, span: Span) {
        self.warning(
            span,
            "a check under a line that is sent checks nothing",
            "put it under a line that is expected",
        );
    }

    fn frame(&mut self, span: Span, frame: &Frame) {
        let sent = self.ours(frame.arrow);
        if !sent && matches!(self.around, Around::ClientClock | Around::ServerClock) {
            return;
        }
        self.known_rooms(span, frame.who.as_ref());
        match self.around {
            Around::ServerClock => self.server_clock(span, frame),
            Around::Dialogue => {}
            _ => self.who_beside(span, frame),
        }
        self.who_holes(frame.who.as_ref());
        // The lines of a dialogue that a mock sends are those that a test expects, with checks and all.
        if sent && (self.role == Role::Test || self.around != Around::Dialogue) {
            if let Some(check) = frame.checks.iter().find(|check| !check.captures()) {
                self.useless_check(check.span);
            }
            if frame.options.within.is_some() || frame.options.skip {
                self.warning(
                    span,
                    "`within` and `skip` say nothing of a line that is sent",
                    "leave them out",
                );
            }
        }
        let entered = self.names.enter();
        self.content(span, &frame.content, sent);
        self.checks(&frame.checks);
        if frame.options.count.is_some() {
            // What one of several messages captures lives for that one.
            self.names.leave(entered);
        }
    }

    /// Rooms and users that nobody is in.
    fn known_rooms(&mut self, span: Span, who: Option<&Who>) {
        let (what, known, line) = match who {
            Some(Who::Room(_)) => ("in the room", self.joins, "join ROOM"),
            Some(Who::User(_)) => ("that user", self.identifies, "identify NAME"),
            _ => return,
        };
        if known || !self.broken.is_empty() {
            return;
        }
        match self.role {
            Role::Test => self.error(
                span,
                format!("nothing in this talk tells which clients are {what}"),
                format!("name the client: `alice <`; or say who they are before: `alice {line}`"),
            ),
            Role::Mock => self.warning(
                span,
                format!("no client is {what}: nothing in this talk says `{line}`"),
                format!("put `{line}` under `on open` or `on >`"),
            ),
        }
    }

    fn server_clock(&mut self, span: Span, frame: &Frame) {
        let mend = "write `all <`, or `every … per client` for a clock of each client's own";
        match (&frame.who, &frame.content) {
            (None | Some(Who::Name(_)), _) => self.error(
                span,
                "the server's clock has no client to send this to",
                mend,
            ),
            (Some(Who::Others), _) => self.error(
                span,
                "`others` needs a client that it is not, and the server's clock has none",
                mend,
            ),
            (Some(Who::All | Who::Room(_) | Who::User(_)), Content::Echo) => {
                self.error(span, "nothing was received that could be echoed", mend);
            }
            (Some(Who::All | Who::Room(_) | Who::User(_)), _) => {}
        }
    }

    /// Whom a line beside the dialogue means.
    fn who_beside(&mut self, span: Span, frame: &Frame) {
        if matches!(
            self.around,
            Around::ClientClock | Around::Open | Around::Close | Around::Lost
        ) && matches!(frame.content, Content::Echo)
        {
            self.error(
                span,
                "nothing was received that could be echoed",
                "write the message itself",
            );
        }
        if self.around == Around::Close && frame.who.is_none() {
            self.error(
                span,
                "the client that this line means has gone",
                "write to those who are left: `all <`, `others <` or `room NAME <`",
            );
        }
        let Some(Who::Name(name)) = &frame.who else {
            return;
        };
        if self.role == Role::Mock {
            self.error(
                span,
                format!("a mock's rules and clocks know no client called `{name}`"),
                "write the arrow alone for the client that it is about, or `all`, `others`, `room NAME` or `user NAME`",
            );
        } else if !self.clients.contains(name) {
            let mend = match closest(name, self.clients.iter().map(String::as_str)) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("open it: `connect {name} ws://…`"),
            };
            self.error(span, format!("there is no client called `{name}`"), mend);
        }
    }

    /// What is sent or expected.
    pub(super) fn content(&mut self, span: Span, content: &Content, sent: bool) {
        let only_expected = match content {
            Content::Any => Some("any"),
            Content::Re(_) => Some("re"),
            Content::Error(_) => Some("error"),
            Content::Fail(_) => Some("fail"),
            _ => None,
        };
        let only_sent = match content {
            Content::RawFrame(_) => Some("frame"),
            Content::Raw(_) => Some("raw"),
            _ => None,
        };
        if let (true, Some(kind)) = (sent, only_expected) {
            let mend = match content {
                Content::Error(_) | Content::Fail(_) => {
                    "it tells what became of the other side; `drop` ends a connection, `frame` and `raw` break the rules".to_owned()
                }
                _ => format!(
                    "write the message itself; `{kind}` only stands where a message is expected"
                ),
            };
            self.error(span, format!("`{kind}` cannot be sent"), mend);
        }
        if let (false, Some(kind)) = (sent, only_sent) {
            self.error(
                span,
                format!("`{kind}` cannot be expected: it is written to a stream, and messages come from one"),
                "expect what comes of it: a message, or `error protocol 1002` if it breaks the rules",
            );
        }
        for pattern in content.patterns() {
            self.pattern(pattern, sent);
        }
        for group in content.groups() {
            self.names.bind(group);
        }
    }
}
