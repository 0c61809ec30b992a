//! What a talk comes to: its tests, rules and clocks, taken apart once and shared by every player of it.

use std::sync::Arc;
use std::time::Duration;

use super::{Player, Setup};
use crate::pattern::Pattern;
use crate::query::Check;
use crate::source::{Source, Span};
use crate::syntax::{Arrow, Content, Header, Statement, StatementKind, Talk, TalkOption, Trigger};

/// How long an expected message may take if nothing else is said.
pub(crate) const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);

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
}

/// One test of the talk, as a dialogue.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) title: String,
    pub(crate) span: Span,
    pub(crate) steps: Arc<[Statement]>,
    pub(crate) common: Common,
    /// Whether it has a `test` line of its own.
    pub(crate) named: bool,
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
        };
        let first_test = talk
            .statements
            .iter()
            .position(|statement| matches!(statement.kind, StatementKind::Test(_)))
            .unwrap_or(talk.statements.len());
        let (prelude, tests) = talk.statements.split_at(first_test);
        let mut shared = Common::default();
        let prelude_steps = plan.sort(prelude, &mut shared);
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
                common: Common::default(),
                named: false,
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
                let mut steps = prelude_steps.clone();
                steps.extend(plan.sort(own, &mut common));
                let title = match &first.kind {
                    StatementKind::Test(title) => title.clone(),
                    _ => String::new(),
                };
                plan.parts.push(Part {
                    title,
                    span: first.span,
                    steps: steps.into(),
                    common,
                    named: true,
                });
            }
        }
        plan.shared = shared;
        plan
    }

    /// Takes the lines of a dialogue out of statements, and puts the others where they belong.
    fn sort(&mut self, statements: &[Statement], common: &mut Common) -> Vec<Statement> {
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
                | StatementKind::Keep { .. }
                | StatementKind::Ignore(_) => steps.push(statement.clone()),
                StatementKind::Listen(url) => {
                    self.listen.get_or_insert_with(|| url.clone());
                }
                StatementKind::Test(_)
                | StatementKind::Tag(_)
                | StatementKind::Each(_)
                | StatementKind::Retry(_) => {}
                StatementKind::Finally(body) => {
                    let before = common.finally.iter().cloned();
                    common.finally = before.chain(body.iter().cloned()).collect();
                }
                StatementKind::Option(option) => match option {
                    TalkOption::Timeout(time) => common.timeout = Some(*time),
                    TalkOption::Strict(strict) => common.strict = Some(*strict),
                    TalkOption::Compression(_) | TalkOption::Refuse(_) => {}
                    TalkOption::Subprotocol(names) => common.subprotocols.clone_from(names),
                },
                StatementKind::Every(every) => common.clocks.push(Clock {
                    period: every.period,
                    per_client: every.per_client,
                    body: every.body.clone().into(),
                }),
                StatementKind::On(on) => {
                    let handshake = |path: Option<Pattern>, headers: &[Header]| HandshakeRule {
                        path,
                        headers: headers.to_vec(),
                        checks: on.checks.clone(),
                        body: on.body.clone().into(),
                    };
                    match &on.trigger {
                        Trigger::Open | Trigger::Close => {}
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

    /// The text that the talk was read from.
    #[must_use]
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// The tests that `wiretalk test` runs: title, and the line where each begins. None if the talk has no dialogue.
    pub fn tests(&self) -> impl Iterator<Item = (usize, &str, usize)> {
        self.parts
            .iter()
            .enumerate()
            .filter(|(_, part)| part.named || part.has_connect())
            .map(|(index, part)| {
                let line = self.source.position(part.span.start).0;
                (index, part.title.as_str(), line)
            })
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
        self.steps
            .iter()
            .any(|step| matches!(step.kind, StatementKind::Connect(_)))
    }
}

/// A talk without `test` is one test, called as its file without the folders and the ending.
fn file_title(name: &str) -> String {
    let file = name.rsplit(['/', '\\']).next().unwrap_or(name);
    file.strip_suffix(".talk").unwrap_or(file).to_owned()
}
