//! What a talk comes to: its tests, rules and clocks, taken apart once and shared by every player of it.

use std::sync::Arc;
use std::time::Duration;

use super::{Player, Setup};
use crate::check::walk::each_name;
use crate::expression::OF_ROOMS;
use crate::files::Files;
use crate::pattern::Pattern;
use crate::query::Check;
use crate::scope::Bindings;
use crate::source::{Source, Span};
use crate::syntax::{
    Arrow, Content, Frame, Header, On, RefuseBy, Retry, Statement, StatementKind, Talk, TalkOption,
    Trigger,
};

/// How long an expected message may take if nothing else is said.
pub(crate) const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);

/// A test that `wiretalk test` runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedTest {
    /// What [`Player::test`] is given.
    pub index: usize,
    /// Its title, and with `each` which row it plays: `logs in [row 2: name=bob]`.
    pub title: String,
    /// The line of the talk where it begins, from 1.
    pub line: usize,
    /// Its `tag` words, after those that stand before the first test.
    pub tags: Vec<String>,
    /// How often it is run again if it fails, and the pause before each of these runs.
    pub retry: Option<(u32, Duration)>,
    /// The row of `each` that it plays, from 0: what [`Manner::row`](super::Manner::row) is to be.
    pub row: Option<usize>,
}

/// A talk ready to be played.
#[derive(Clone, Debug)]
pub struct Plan {
    pub(crate) source: Source,
    pub(crate) listen: Option<Pattern>,
    /// `set` lines before the dialogue begins: a mock runs them once, when it starts.
    pub(crate) settings: Arc<[Statement]>,
    pub(crate) parts: Vec<Part>,
    /// What stands before the first `test`; empty parts are left out.
    pub(crate) shared: Common,
    pub(crate) connects: Vec<HandshakeRule>,
    pub(crate) gets: Vec<HandshakeRule>,
    /// The files that the talk names.
    pub(crate) files: Arc<Files>,
    /// Whether any line asks what rooms have heard.
    pub(crate) asks_history: bool,
    /// Whether a line may look at a client's headers after the handshake: it says `header` somewhere. Where none does, a mock
    /// keeps none.
    pub(crate) names_headers: bool,
}

/// What a talk wants its rooms to remember.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Remembers {
    /// How many messages of each room; `None`: as many as the server likes.
    pub messages: Option<usize>,
    /// For how long; `None`: for as long as the server likes.
    pub age: Option<Duration>,
}

/// One test of the talk, as a dialogue.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) title: String,
    pub(crate) span: Span,
    pub(crate) steps: Arc<[Statement]>,
    /// The lines that a mock plays: a test's `finally` follows its dialogue.
    pub(crate) served: Arc<[Statement]>,
    pub(crate) common: Common,
    /// Whether it has a `test` line of its own.
    pub(crate) named: bool,
    pub(crate) tags: Vec<String>,
    pub(crate) retry: Option<Retry>,
    /// The rows of `each`, if it has one; none if the file was not read.
    pub(crate) rows: Option<Arc<[Bindings]>>,
}

/// What works beside a dialogue.
#[derive(Clone, Debug, Default)]
pub(crate) struct Common {
    pub(crate) rules: Vec<Rule>,
    pub(crate) clocks: Vec<Clock>,
    pub(crate) finally: Arc<[Statement]>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) strict: Option<bool>,
    pub(crate) subprotocols: Vec<String>,
    pub(crate) compression: Option<bool>,
    pub(crate) refuse: Option<RefuseBy>,
    pub(crate) remembers: Option<Remembers>,
    pub(crate) workers: Option<usize>,
    /// `on open`, `on close` and `on lost`.
    pub(crate) opens: Vec<Visit>,
    pub(crate) closes: Vec<Visit>,
    pub(crate) losses: Vec<Visit>,
    /// `ignore` lines before the dialogue begins: in a mock they hold from the start.
    pub(crate) ignored: Vec<Frame>,
}

/// What is said of a test beside its lines.
#[derive(Clone, Default)]
struct Marks {
    tags: Vec<String>,
    retry: Option<Retry>,
    each: Option<Arc<[Bindings]>>,
}

#[derive(Clone, Debug)]
pub(crate) struct Rule {
    pub(crate) span: Span,
    pub(crate) arrow: Arrow,
    pub(crate) content: Content,
    pub(crate) checks: Vec<Check>,
    pub(crate) body: Arc<[Statement]>,
}

#[derive(Clone, Debug)]
pub(crate) struct Clock {
    pub(crate) period: Duration,
    pub(crate) per_client: bool,
    pub(crate) body: Arc<[Statement]>,
    /// The lines as they stand in the talk, to know them again.
    pub(crate) text: Arc<str>,
}

/// `on open`, `on close` or `on lost`.
#[derive(Clone, Debug)]
pub(crate) struct Visit {
    pub(crate) checks: Vec<Check>,
    pub(crate) body: Arc<[Statement]>,
}

impl Visit {
    fn new(on: &On) -> Self {
        Self {
            checks: on.checks.clone(),
            body: on.body.clone().into(),
        }
    }
}

/// `on connect` or `on GET`.
#[derive(Clone, Debug)]
pub(crate) struct HandshakeRule {
    pub(crate) path: Option<Pattern>,
    pub(crate) headers: Vec<Header>,
    pub(crate) checks: Vec<Check>,
    pub(crate) body: Arc<[Statement]>,
}

impl Plan {
    /// Takes a talk apart.
    #[must_use]
    pub fn new(talk: &Talk) -> Self {
        let mut plan = Self {
            source: talk.source.clone(),
            listen: None,
            settings: Arc::default(),
            parts: Vec::new(),
            shared: Common::default(),
            connects: Vec::new(),
            gets: Vec::new(),
            files: Arc::clone(&talk.files),
            asks_history: talk.statements.iter().any(asks_history),
            names_headers: talk.source.text().to_ascii_lowercase().contains("header"),
        };
        let first_test = talk
            .statements
            .iter()
            .position(|statement| matches!(statement.kind, StatementKind::Test(_)))
            .unwrap_or(talk.statements.len());
        let (prelude, tests) = talk.statements.split_at(first_test);
        let mut shared = Common::default();
        let mut marks = Marks::default();
        let prelude_steps = plan.sort(prelude, &mut shared, &mut marks);
        plan.settings = prelude_steps
            .iter()
            .take_while(|step| matches!(step.kind, StatementKind::Set(_)))
            .cloned()
            .collect();
        if tests.is_empty() {
            plan.parts.push(Part {
                title: file_title(talk.source.name()),
                span: Span::default(),
                steps: prelude_steps.into(),
                served: Arc::default(),
                common: Common::default(),
                named: false,
                tags: marks.tags,
                retry: marks.retry,
                rows: marks.each,
            });
        } else {
            let mut rest = tests;
            while let [first, more @ ..] = rest {
                let end = more
                    .iter()
                    .position(|statement| matches!(statement.kind, StatementKind::Test(_)))
                    .unwrap_or(more.len());
                let (own, next) = more.split_at(end);
                rest = next;
                let mut common = Common::default();
                let mut marks = marks.clone();
                let mut steps = prelude_steps.clone();
                steps.extend(plan.sort(own, &mut common, &mut marks));
                let title = match &first.kind {
                    StatementKind::Test(title) => title.clone(),
                    _ => String::new(),
                };
                plan.parts.push(Part {
                    title,
                    span: first.span,
                    steps: steps.into(),
                    served: Arc::default(),
                    common,
                    named: true,
                    tags: marks.tags,
                    retry: marks.retry,
                    rows: marks.each,
                });
            }
        }
        for part in &mut plan.parts {
            let last = part.common.finally.iter().chain(shared.finally.iter());
            let mut last = last.peekable();
            part.served = match last.peek() {
                Some(_) => part.steps.iter().chain(last).cloned().collect(),
                None => Arc::clone(&part.steps),
            };
        }
        plan.shared = shared;
        plan
    }

    /// Takes the lines of a dialogue out of statements, and puts the others where they belong.
    fn sort(
        &mut self,
        statements: &[Statement],
        common: &mut Common,
        marks: &mut Marks,
    ) -> Vec<Statement> {
        let mut steps = Vec::new();
        for statement in statements {
            match &statement.kind {
                StatementKind::Frame(_)
                | StatementKind::Connect(_)
                | StatementKind::Http(_)
                | StatementKind::Set(_)
                | StatementKind::Wait(_)
                | StatementKind::Silence { .. }
                | StatementKind::Unordered(_)
                | StatementKind::Repeat(_)
                | StatementKind::Join(_)
                | StatementKind::Leave(_)
                | StatementKind::Identify { .. }
                | StatementKind::Keep { .. } => steps.push(statement.clone()),
                StatementKind::Ignore(frame) => {
                    // In the midst of a dialogue it holds from there on.
                    if !steps.iter().any(begins_dialogue) {
                        common.ignored.push((**frame).clone());
                    }
                    steps.push(statement.clone());
                }
                StatementKind::Listen(url) => {
                    self.listen.get_or_insert_with(|| (**url).clone());
                }
                StatementKind::Test(_) => {}
                StatementKind::Tag(words) => {
                    let new = words.iter().filter(|word| !marks.tags.contains(word));
                    let new: Vec<String> = new.cloned().collect();
                    marks.tags.extend(new);
                }
                StatementKind::Each(file) => {
                    let rows = self.files.rows.get(&file.path);
                    marks.each = Some(rows.cloned().unwrap_or_default());
                }
                StatementKind::Retry(retry) => marks.retry = Some(*retry),
                StatementKind::Finally(body) => {
                    let before = common.finally.iter().cloned();
                    common.finally = before.chain(body.iter().cloned()).collect();
                }
                StatementKind::Option(option) => match option {
                    TalkOption::Timeout(time) => common.timeout = Some(*time),
                    TalkOption::Strict(strict) => common.strict = Some(*strict),
                    TalkOption::Compression(yes) => common.compression = Some(*yes),
                    TalkOption::Refuse(by) => common.refuse = Some(*by),
                    TalkOption::History(messages, age) => {
                        common.remembers = Some(Remembers {
                            messages: Some(*messages),
                            age: *age,
                        });
                    }
                    TalkOption::Workers(workers) => common.workers = Some(*workers),
                    TalkOption::Subprotocol(names) => common.subprotocols.clone_from(names),
                },
                StatementKind::Every(every) => common.clocks.push(Clock {
                    period: every.period,
                    per_client: every.per_client,
                    body: every.body.clone().into(),
                    text: super::reload::block_text(&self.source, statement.span).into(),
                }),
                StatementKind::On(on) => {
                    let handshake = |path: Option<Pattern>, headers: &[Header]| HandshakeRule {
                        path,
                        headers: headers.to_vec(),
                        checks: on.checks.clone(),
                        body: on.body.clone().into(),
                    };
                    match &on.trigger {
                        Trigger::Open => common.opens.push(Visit::new(on)),
                        Trigger::Close => common.closes.push(Visit::new(on)),
                        Trigger::Lost => common.losses.push(Visit::new(on)),
                        Trigger::Message { arrow, content } => common.rules.push(Rule {
                            span: statement.span,
                            arrow: *arrow,
                            content: content.clone(),
                            checks: on.checks.clone(),
                            body: on.body.clone().into(),
                        }),
                        Trigger::Connect { path, headers } => {
                            self.connects.push(handshake(path.clone(), headers));
                        }
                        Trigger::Get { path, headers } => {
                            self.gets.push(handshake(Some(path.clone()), headers));
                        }
                    }
                }
            }
        }
        steps
    }

    /// The same with a title for the dialogue of a talk that has no `test` line.
    #[must_use]
    pub fn with_title(mut self, title: &str) -> Self {
        for part in self.parts.iter_mut().filter(|part| !part.named) {
            title.clone_into(&mut part.title);
        }
        self
    }

    /// The text that the talk was read from.
    #[must_use]
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// The tests that `wiretalk test` runs, one for each row of `each`. None if the talk has no dialogue.
    pub fn tests(&self) -> impl Iterator<Item = PlannedTest> {
        self.dialogues().flat_map(|index| {
            let part = &self.parts[index];
            let line = self.source.position(part.span.start).0;
            let rows = part.rows.as_ref().map_or(1, |rows| rows.len());
            (0..rows).map(move |row| PlannedTest {
                index,
                title: part.title_of(row),
                line,
                tags: part.tags.clone(),
                retry: part.retry.map(|retry| (retry.times, retry.every)),
                row: part.rows.as_ref().map(|_| row),
            })
        })
    }

    /// The indexes of the parts that can be played as a test.
    pub(crate) fn dialogues(&self) -> impl Iterator<Item = usize> {
        let parts = self.parts.iter().enumerate();
        let played = parts.filter(|(_, part)| part.named || part.has_connect());
        played.map(|(index, _)| index)
    }

    /// The index of the test with that title.
    #[must_use]
    pub fn test_named(&self, title: &str) -> Option<usize> {
        self.parts.iter().position(|part| part.title == title)
    }

    /// The test that a mock plays if none is chosen: the only one there is, unless the talk has rules of a server.
    #[must_use]
    pub fn served_by_default(&self) -> Option<usize> {
        match &self.parts[..] {
            [part] if !part.named => Some(0),
            [_] if !self.serves() => Some(0),
            _ => None,
        }
    }

    /// Whether the talk has lines that only a server plays: `listen`, `on connect`, `on GET`, or a rule `on >`.
    #[must_use]
    pub fn serves(&self) -> bool {
        let rules = |common: &Common| {
            let mut rules = common.rules.iter();
            rules.any(|rule| rule.arrow == Arrow::ToServer)
        };
        self.listen.is_some()
            || !self.connects.is_empty()
            || !self.gets.is_empty()
            || rules(&self.shared)
            || self.parts.iter().any(|part| rules(&part.common))
    }

    /// What the rooms of a mock are to remember, if a line asks for it or `option history` says so.
    ///
    /// ```
    /// use wiretalk_talk::{parse, player::Plan};
    ///
    /// let remembers = |talk| Plan::new(&parse("chat.talk", talk).talk).remembers();
    /// assert_eq!(remembers("on > a\n  < b\n"), None);
    /// let some = remembers("option history 50\n").expect("it says so");
    /// assert_eq!(some.messages, Some(50));
    /// let any = remembers("on > a\n  < {{ history(\"lobby\", 9) }}\n").expect("a line asks");
    /// assert_eq!(any.messages, None);
    /// ```
    #[must_use]
    pub fn remembers(&self) -> Option<Remembers> {
        let parts = self.parts.iter().map(|part| &part.common);
        let said = std::iter::once(&self.shared)
            .chain(parts)
            .filter_map(|common| common.remembers)
            .next_back();
        said.or_else(|| self.asks_history.then(Remembers::default))
    }

    /// Where the talk says that a mock listens: `listen` with the variables and the `set` lines before the dialogue, else
    /// the first `connect` to a loopback address that says so to the letter.
    ///
    /// # Errors
    /// A sentence: why the holes of `listen` cannot be filled.
    pub fn address(self: &Arc<Self>, setup: Setup) -> Result<Option<String>, String> {
        if self.listen.is_some() {
            return Player::mock(Arc::clone(self), None, setup).listens_at();
        }
        let first = self.parts.iter().flat_map(|part| part.steps.iter());
        let mut urls = first.filter_map(|step| match &step.kind {
            StatementKind::Connect(connect) if connect.url.holes.is_empty() => {
                Some(connect.url.raw.as_str())
            }
            _ => None,
        });
        let url = urls.find(|url| {
            let host = url.split_once("://").map_or(*url, |(_, rest)| rest);
            ["127.", "localhost:", "localhost/", "[::1]"]
                .iter()
                .any(|start| host.starts_with(start))
        });
        Ok(url.map(str::to_owned))
    }
}

impl Part {
    pub(crate) fn has_connect(&self) -> bool {
        let mut steps = self.steps.iter();
        steps.any(|step| matches!(step.kind, StatementKind::Connect(_)))
    }

    /// The title, with what tells a row of `each` from the others.
    fn title_of(&self, row: usize) -> String {
        let Some(rows) = &self.rows else {
            return self.title.clone();
        };
        // A title that names columns says itself which row it is.
        let mut title = self.title.clone();
        for (name, value) in rows.get(row).into_iter().flatten() {
            for hole in [format!("{{{{{name}}}}}"), format!("{{{{ {name} }}}}")] {
                title = title.replace(&hole, value.to_string().lines().next().unwrap_or_default());
            }
        }
        if title != self.title {
            return format!("{title} [row {}]", row + 1);
        }
        let first = rows.get(row).and_then(|row| row.iter().next());
        let Some((name, value)) = first else {
            return format!("{} [row {}]", self.title, row + 1);
        };
        let value = value.to_string();
        let line = value.lines().next().unwrap_or_default();
        let short: String = line.chars().take(MOST_OF_ROW).collect();
        let dots = if short.len() < value.len() { "…" } else { "" };
        format!("{} [row {}: {name}={short}{dots}]", self.title, row + 1)
    }
}

/// Whether the dialogue has begun with a line.
fn begins_dialogue(step: &Statement) -> bool {
    !matches!(step.kind, StatementKind::Set(_) | StatementKind::Ignore(_))
}

/// Characters of a row's column in a title: the first one in the order of the alphabet.
const MOST_OF_ROW: usize = 24;

/// A talk without `test` is one test, called as its file without the folders and the ending.
fn file_title(name: &str) -> String {
    let file = name.rsplit(['/', '\\']).next().unwrap_or(name);
    file.strip_suffix(".talk").unwrap_or(file).to_owned()
}

/// Whether a line, or one under it, asks what rooms have heard.
pub(super) fn asks_history(statement: &Statement) -> bool {
    let mut asks = false;
    each_name(statement, &mut |name| asks |= OF_ROOMS.contains(&name));
    asks
}
