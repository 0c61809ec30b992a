//! A world that holds still, for tests.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use proptest::prelude::*;

use crate::diagnostic::Diagnostic;
use crate::scope::{Bindings, Client, Context};
use crate::source::Source;
use crate::value::Value;
use crate::world::World;

#[derive(Default)]
pub(crate) struct StillWorld {
    pub(crate) variables: BTreeMap<String, String>,
    state: AtomicU64,
}

impl World for StillWorld {
    fn unix_time(&self) -> f64 {
        1_700_000_000.5
    }

    fn local_time(&self, format: &str) -> Result<String, String> {
        match format {
            "%Y-%m-%dT%H:%M:%S%:z" => Ok("2023-11-14T22:13:20+00:00".into()),
            "%H:%M:%S" => Ok("22:13:20".into()),
            other => Err(format!("`{other}` is not a time format")),
        }
    }

    fn variable(&self, name: &str) -> Option<String> {
        self.variables.get(name).cloned()
    }

    fn random(&self) -> u64 {
        // SplitMix64: well spread, and the same each time.
        let mut z = self
            .state
            .fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed)
            .wrapping_add(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// A scene in which a pattern is matched or filled: the names that are bound, and what was received.
pub(crate) struct Scene {
    world: Arc<dyn World>,
    names: Bindings,
    none: Bindings,
    rooms: Arc<crate::player::Rooms>,
    directory: Arc<dyn crate::Directory>,
    message: Option<String>,
    client: Option<Client>,
}

impl Scene {
    /// A scene with names bound as `set` would: `name=value`, with blanks between.
    pub(crate) fn with(names: &str) -> Self {
        let names = names.split_whitespace().map(|pair| {
            let (name, value) = pair.split_once('=').expect("name=value");
            (name.to_owned(), Value::read(value))
        });
        let variables = [("TOKEN".to_owned(), "s3cret".to_owned())];
        Self {
            world: Arc::new(StillWorld {
                variables: variables.into(),
                ..StillWorld::default()
            }),
            names: names.collect(),
            none: Bindings::new(),
            rooms: Arc::default(),
            directory: Arc::new(crate::Alone),
            message: None,
            client: None,
        }
    }

    pub(crate) fn message(mut self, text: &str) -> Self {
        self.message = Some(text.to_owned());
        self
    }

    pub(crate) fn client(mut self, client: Client) -> Self {
        self.client = Some(client);
        self
    }

    pub(crate) fn context(&self) -> Context<'_> {
        Context {
            layers: [&self.names, &self.none, &self.none, &self.none],
            global: &self.none,
            message: self.message.as_deref(),
            parsed: None,
            client: self.client.as_ref(),
            clients: 3,
            rooms: &self.rooms,
            directory: &self.directory,
            load: crate::player::Load::default(),
            world: &self.world,
        }
    }
}

/// A diagnostic as `line:column severity: what / mend`.
pub(crate) fn show(source: &Source, diagnostic: &Diagnostic) -> String {
    let (line, column) = source.position(diagnostic.span.start);
    let severity = if diagnostic.is_error() {
        "error"
    } else {
        "warning"
    };
    format!(
        "{line}:{column} {severity}: {} / {}",
        diagnostic.what, diagnostic.mend
    )
}

/// Talks as people write them, with all kinds of lines, blanks and line ends; most of them can be read.
pub(crate) fn talks() -> impl Strategy<Value = String> {
    let line_end = prop_oneof![Just("\n"), Just("\r\n")];
    (prop::collection::vec(block(), 1..8), line_end).prop_map(|(blocks, end)| {
        let lines: Vec<String> = blocks.into_iter().flatten().collect();
        lines.join(end)
    })
}

/// A line with what hangs under it.
fn block() -> impl Strategy<Value = Vec<String>> {
    let indent = prop_oneof![Just("  "), Just("   "), Just("    "), Just("\t")];
    let headed = (head(), prop::collection::vec(child(), 0..4), indent.clone()).prop_map(
        |(head, children, indent)| {
            let children = children.into_iter().map(|line| format!("{indent}{line}"));
            std::iter::once(head).chain(children).collect()
        },
    );
    let barred = (
        frame(),
        prop::collection::vec(payload(), 1..4),
        prop_oneof![Just(""), indent],
    )
        .prop_map(|(frame, bars, indent)| {
            let bars = bars.into_iter().map(|text| format!("{indent}| {text}"));
            std::iter::once(frame).chain(bars).collect()
        });
    prop_oneof![
        4 => frame().prop_map(|line| vec![line]),
        2 => headed,
        2 => barred,
        2 => single().prop_map(|line| vec![line]),
        1 => Just(vec![String::new()]),
        1 => ("[ \t]{0,3}#[ -~]{0,10}").prop_map(|line| vec![line]),
    ]
}

fn frame() -> impl Strategy<Value = String> {
    let who = prop_oneof![
        4 => Just(String::new()),
        1 => "(alice|bob|all|others)[ \t]{1,3}",
        1 => Just("room  lobby-{{ x  ~ \"a  >\" }}   ".to_owned()),
        1 => Just("user {{x}} ".to_owned()),
    ];
    let text = prop_oneof![
        6 => payload().prop_map(|payload| format!(" {payload}")),
        1 => payload().prop_map(|payload| format!("( within  5s,skip ) {payload}")),
        1 => payload().prop_map(|payload| format!("text {payload}")),
        1 => Just(r"esc a\n\u{e9} ".to_owned()),
        1 => Just("hex 00  ff".to_owned()),
        1 => Just("ping x ".to_owned()),
        1 => Just("pong(hex) 00".to_owned()),
        1 => Just("close  1000  bye {{x}} ".to_owned()),
        1 => Just("echo".to_owned()),
        1 => Just("re  a+(?P<x>b) ".to_owned()),
        1 => Just("file( bytes   0..9 ,after  1s )  a b.bin ".to_owned()),
        1 => Just("error   protocol  1002".to_owned()),
        1 => Just("frame( fin=no,opcode=0x1 , rsv=4,key=01020304) {{x}}".to_owned()),
        1 => Just("raw 81  00".to_owned()),
        1 => Just("stall  5s ".to_owned()),
        1 => payload().prop_map(|payload| format!("(x2..5, optional,fragment  256 ,compress=no) {payload}")),
        1 => Just(String::new()),
    ];
    (who, "[<>]", text).prop_map(|(who, arrow, text)| who + &arrow + &text)
}

fn payload() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => "[ -~]{0,12}",
        2 => "[^\n\r]{0,8}",
        1 => Just(r#"{"a":{{x:int}},"b":["{{y}}", ...], ...}"#.to_owned()),
        1 => Just("  {{x:word=abc}}  {{{{ ".to_owned()),
        1 => Just(r#"42["chat",{ ... }] "#.to_owned()),
        1 => Just(r#"{{ message | regex_replace("a", "}}") }}"#.to_owned()),
        1 => Just("{{n:int(1..5)}} {{r:/[}]{2}/}}".to_owned()),
    ]
}

fn head() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("on   > {{_}}  ".to_owned()),
        Just("on >".to_owned()),
        Just("on < x".to_owned()),
        Just("every  5s".to_owned()),
        Just("every 1s  per  client ".to_owned()),
        Just("finally".to_owned()),
        Just("unordered ".to_owned()),
        Just("repeat   3".to_owned()),
        Just("on   open".to_owned()),
        Just("ignore   <  a".to_owned()),
        frame(),
    ]
}

/// What hangs under a head: not all of it fits every head.
fn child() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => frame(),
        1 => Just("?  $.a  ==  1".to_owned()),
        1 => Just("x=$.b[0]".to_owned()),
        1 => Just("wait   5ms".to_owned()),
        1 => Just("set  client.y=  {{x}} ".to_owned()),
        1 => Just("join  a ,b-{{x}}".to_owned()),
        1 => Just("room  {{ \"a  b\" }}   leave   a".to_owned()),
        1 => Just("keep  {{ x  ~ x }}   {\"a\":  1} ".to_owned()),
        1 => Just("# a comment".to_owned()),
        1 => payload().prop_map(|text| format!("| {text}")),
    ]
}

fn single() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("connect   alice  ws://h/?a=b ".to_owned()),
        Just("connect {{ url }}".to_owned()),
        Just("HTTP   101".to_owned()),
        Just("listen  ws://h".to_owned()),
        Just("test   a title: x = y ".to_owned()),
        Just("test silence  is kept".to_owned()),
        Just("set x=1 = 2".to_owned()),
        Just("set  y  =  {\"a\": {{x}}} ".to_owned()),
        Just("option   strict  ".to_owned()),
        Just("option subprotocol  a,b ".to_owned()),
        Just("silence  1.5s ".to_owned()),
        Just("alice   silence  1s".to_owned()),
        Just("tag   slow  chat".to_owned()),
        Just("each  users.csv ".to_owned()),
        Just("retry   3   every  1s".to_owned()),
        Just("connect   bots   x10   ws://h".to_owned()),
        Just("bob   identify   {{ x }}".to_owned()),
    ]
}

/// Talks, some of them the examples, with characters and lines taken away, doubled and swapped.
pub(crate) fn mutated() -> impl Strategy<Value = String> {
    const EXAMPLES: [&str; 7] = [
        include_str!("../../../examples/echo-close.talk"),
        include_str!("../../../examples/echo-json.talk"),
        include_str!("../../../examples/echo-test.talk"),
        include_str!("../../../examples/modes.talk"),
        include_str!("../../../examples/politeness.talk"),
        include_str!("../../../examples/refused.talk"),
        include_str!("../../../examples/two-clients.talk"),
    ];
    let example = prop::sample::select(EXAMPLES.to_vec()).prop_map(str::to_owned);
    let damage = prop::collection::vec((any::<prop::sample::Index>(), 0..7_u8), 1..12);
    (prop_oneof![example, talks()], damage).prop_map(|(mut talk, damage)| {
        for (index, kind) in damage {
            talk = damaged(&talk, index, kind);
        }
        talk
    })
}

fn damaged(talk: &str, index: prop::sample::Index, kind: u8) -> String {
    let mut chars: Vec<char> = talk.chars().collect();
    let mut lines: Vec<&str> = talk.split('\n').collect();
    if kind < 4 && chars.is_empty() {
        return talk.to_owned();
    }
    match kind {
        0 => {
            chars.remove(index.index(chars.len()));
        }
        1 => {
            let at = index.index(chars.len());
            chars.insert(at, chars[at]);
        }
        2 => {
            let at = index.index(chars.len());
            let strange = [
                '{', '}', '"', '\\', '\t', '|', '(', '\u{0}', 'é', '\r', '\n', '.',
            ];
            chars[at] = strange[at % strange.len()];
        }
        3 => chars.truncate(index.index(chars.len())),
        4 => {
            lines.remove(index.index(lines.len()));
            return lines.join("\n");
        }
        5 => {
            let at = index.index(lines.len());
            lines.insert(at, lines[at]);
            return lines.join("\n");
        }
        _ => {
            let at = index.index(lines.len());
            lines.swap(at, 0);
            return lines.join("\n");
        }
    }
    chars.into_iter().collect()
}
