// Over 600 lines: a table, a row for each word of the language.
//! The words of the language with what an editor says about them: one row each.

/// What a word is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Begins a line.
    Directive,
    /// Stands behind an arrow.
    Kind,
    /// Stands in parentheses behind a kind.
    FrameOption,
    /// Stands behind `option`.
    TalkOption,
    /// Stands behind `on`.
    Trigger,
    /// Stands behind the colon of a hole.
    Type,
    /// Stands behind `?`.
    Query,
    /// Stands behind a query.
    Predicate,
    /// A name that expressions have without a `set`.
    Name,
    /// Whom a line means.
    Who,
}

/// A word of the language.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Word {
    /// What it is.
    pub role: Role,
    /// The word itself.
    pub text: &'static str,
    /// How it is written with what belongs to it.
    pub form: &'static str,
    /// What it means, in a sentence or two.
    pub meaning: &'static str,
}

const fn word(role: Role, text: &'static str, form: &'static str, meaning: &'static str) -> Word {
    Word {
        role,
        text,
        form,
        meaning,
    }
}

/// Every word there is.
pub const WORDS: &[Word] = &[
    word(
        Role::Directive,
        "connect",
        "connect [NAME] [x1000] URL",
        "Opens a connection, or so many of one name. Headers stand indented under it.",
    ),
    word(
        Role::Directive,
        "HTTP",
        "HTTP STATUS",
        "The answer to the handshake: a test expects it, a mock gives it. Headers, checks, and a body behind bars stand under it.",
    ),
    word(
        Role::Directive,
        "listen",
        "listen URL",
        "Where a mock listens, if no `--listen` says otherwise.",
    ),
    word(
        Role::Directive,
        "test",
        "test TITLE",
        "What follows is a test of its own. What stands before the first `test` runs before each.",
    ),
    word(
        Role::Directive,
        "finally",
        "finally",
        "Its body runs after each test, also after one that failed.",
    ),
    word(
        Role::Directive,
        "tag",
        "tag WORD…",
        "Words by which `wiretalk test --tag` chooses tests.",
    ),
    word(
        Role::Directive,
        "set",
        "set NAME = VALUE",
        "A variable. `--set NAME=VALUE` and `WIRETALK_SET_NAME` win over it; `set client.NAME` lasts as long as the client, `set global.NAME` as long as the server.",
    ),
    word(
        Role::Directive,
        "option",
        "option NAME VALUE",
        "How the talk is played: `timeout`, `strict`, `subprotocol`, `compression`, `refuse`, `history`, `workers`.",
    ),
    word(
        Role::Directive,
        "wait",
        "wait 500ms",
        "Does nothing for that long.",
    ),
    word(
        Role::Directive,
        "silence",
        "[NAME] silence 500ms",
        "Nothing may arrive for that long.",
    ),
    word(
        Role::Directive,
        "unordered",
        "unordered",
        "The expected messages under it come in any order.",
    ),
    word(
        Role::Directive,
        "ignore",
        "ignore < PATTERN",
        "From here on, such messages are as if they had not come.",
    ),
    word(
        Role::Directive,
        "repeat",
        "repeat 10",
        "Runs its body so often; `n` counts from 0.",
    ),
    word(
        Role::Directive,
        "each",
        "each users.csv",
        "The talk once for each row of a file (CSV, or JSON lines), its columns bound.",
    ),
    word(
        Role::Directive,
        "on",
        "on > PATTERN",
        "A rule: whenever the other side sends such a message, its body runs. The first rule that matches wins.",
    ),
    word(
        Role::Directive,
        "every",
        "every 5s [per client]",
        "Its body runs on a clock: the server's, or each client's own.",
    ),
    word(
        Role::Directive,
        "join",
        "join ROOM, ROOM",
        "In a mock: this client is in these rooms from now on.",
    ),
    word(
        Role::Directive,
        "leave",
        "leave ROOM",
        "In a mock: this client is out of the room.",
    ),
    word(
        Role::Directive,
        "identify",
        "identify NAME",
        "In a mock: the user that this client is, for `user NAME <`.",
    ),
    word(
        Role::Directive,
        "keep",
        "keep ROOM VALUE",
        "In a mock: the room's last value, sent to whoever joins it.",
    ),
    word(
        Role::Directive,
        "retry",
        "retry 3 every 1s",
        "Runs the test again, if it fails.",
    ),
    word(
        Role::Kind,
        "text",
        ">text PAYLOAD",
        "A text message to the letter: no holes, no JSON.",
    ),
    word(
        Role::Kind,
        "esc",
        ">esc PAYLOAD",
        r"A text message with escapes: `\n \r \t \\ \xNN \u{…}`.",
    ),
    word(
        Role::Kind,
        "bin",
        ">bin PAYLOAD",
        r"A binary message with the escapes of `esc`: `>bin \x10\x0eMQTT`.",
    ),
    word(
        Role::Kind,
        "hex",
        ">hex 0a ff",
        "A binary message in hexadecimal digits.",
    ),
    word(
        Role::Kind,
        "base64",
        ">base64 PAYLOAD",
        "A binary message in base64 (RFC 4648 section 4).",
    ),
    word(
        Role::Kind,
        "file",
        ">file PATH",
        "A binary message from a file beside the talk; `(bytes 0..65535)` takes a part of it.",
    ),
    word(
        Role::Kind,
        "echo",
        "<echo",
        "What was just received: the same opcode and bytes.",
    ),
    word(
        Role::Kind,
        "ping",
        ">ping [PAYLOAD]",
        "A ping (RFC 6455 section 5.5.2); `(hex)` for a payload in bytes.",
    ),
    word(
        Role::Kind,
        "pong",
        ">pong [PAYLOAD]",
        "A pong (RFC 6455 section 5.5.3). Written out, it is the answer: the automatic one is not sent.",
    ),
    word(
        Role::Kind,
        "close",
        ">close [CODE [REASON]]",
        "The close frame (RFC 6455 section 7). Expected with neither code nor reason, any close will do; 1005 is one without a code.",
    ),
    word(
        Role::Kind,
        "re",
        "<re REGEX",
        "Expected only: a regular expression over the whole text. Named groups are captured.",
    ),
    word(
        Role::Kind,
        "any",
        "<any",
        "Expected only: whatever message comes next.",
    ),
    word(
        Role::Kind,
        "error",
        "<error KIND",
        "Expected only: how the connection failed: `refused`, `dns`, `tls`, `handshake`, `timeout`, `reset`, or `protocol CODE`.",
    ),
    word(
        Role::Kind,
        "fail",
        "<fail CODE",
        "Expected only: the peer fails the connection, with that close code or by ending the stream.",
    ),
    word(
        Role::Kind,
        "frame",
        "<frame (fin=no, opcode=1, rsv=4) PAYLOAD",
        "Sent only: a single frame as given, whatever the rules say. Header fields left out are the right ones.",
    ),
    word(
        Role::Kind,
        "raw",
        "<raw 81 02 68 69",
        "Sent only: bytes in hexadecimal digits straight onto the stream, outside any frame.",
    ),
    word(
        Role::Kind,
        "drop",
        "<drop",
        "The connection is reset; expected: it ended with no close frame.",
    ),
    word(
        Role::Kind,
        "stall",
        "<stall 5s",
        "Stops reading for that long.",
    ),
    word(
        Role::FrameOption,
        "within",
        "(within 200ms)",
        "Expected: a deadline for this one message instead of the talk's `timeout`.",
    ),
    word(
        Role::FrameOption,
        "optional",
        "(optional)",
        "Expected: passes if it has not come when a later line is met or the deadline ends.",
    ),
    word(
        Role::FrameOption,
        "x",
        "(x3), (x2..5)",
        "So many messages; sent, a range means the least number.",
    ),
    word(
        Role::FrameOption,
        "skip",
        "(skip)",
        "Expected: passes over messages that do not match, until one does.",
    ),
    word(
        Role::FrameOption,
        "after",
        "(after 1.204s)",
        "Sent by a mock, or with `--paced`: waits so long first. Expected: that much is added to the deadline.",
    ),
    word(
        Role::FrameOption,
        "fragment",
        "(fragment 256)",
        "Sent in fragments of so many bytes (RFC 6455 section 5.4).",
    ),
    word(
        Role::FrameOption,
        "chop",
        "(chop 7)",
        "Sent so many bytes to the stream at a time.",
    ),
    word(
        Role::FrameOption,
        "compress",
        "(compress=no)",
        "Sent with or without permessage-deflate (RFC 7692), for this one message.",
    ),
    word(
        Role::FrameOption,
        "history",
        "(history=no)",
        "Sent to a room: the room does not remember it.",
    ),
    word(
        Role::TalkOption,
        "timeout",
        "option timeout 5s",
        "How long an expected message may take.",
    ),
    word(
        Role::TalkOption,
        "strict",
        "option strict",
        "Messages that nobody consumed fail a test; a client that sends what the talk does not know is closed with 1008.",
    ),
    word(
        Role::TalkOption,
        "subprotocol",
        "option subprotocol a, b",
        "What a test offers, and what a mock agrees to.",
    ),
    word(
        Role::TalkOption,
        "compression",
        "option compression on",
        "Whether permessage-deflate (RFC 7692) is offered or agreed to.",
    ),
    word(
        Role::TalkOption,
        "refuse",
        "option refuse close",
        "How a mock refuses: with the HTTP status, or with a close frame behind an upgrade, which a browser can see.",
    ),
    word(
        Role::TalkOption,
        "history",
        "option history COUNT [AGE]",
        "How many messages each room of a mock remembers, and for how long, for `history(\"ROOM\", N)`.",
    ),
    word(
        Role::TalkOption,
        "workers",
        "option workers N",
        "In a mock: the bodies of rules run for so many clients at once, and for each client one after the other.",
    ),
    word(
        Role::Trigger,
        "connect",
        "on connect [PATH]",
        "A handshake that reaches a mock, with the headers under it. Its body may hold `HTTP 401`.",
    ),
    word(
        Role::Trigger,
        "GET",
        "on GET PATH",
        "A plain HTTP request that reaches a mock.",
    ),
    word(Role::Trigger, "open", "on open", "A client has come."),
    word(
        Role::Trigger,
        "close",
        "on close",
        "A client goes; it is still in its rooms.",
    ),
    word(
        Role::Trigger,
        "lost",
        "on lost",
        "Messages from other nodes are lost for good: `lost` says how many.",
    ),
    word(Role::Type, "any", "{{x:any}}", "Anything."),
    word(
        Role::Type,
        "string",
        "{{x:string}}",
        "A text; in JSON, a string.",
    ),
    word(
        Role::Type,
        "word",
        "{{x:word}}",
        "Letters, digits and underscores.",
    ),
    word(
        Role::Type,
        "int",
        "{{x:int(1..100)}}",
        "A whole number, in a range if one is given.",
    ),
    word(
        Role::Type,
        "number",
        "{{x:number(1..100)}}",
        "A number, in a range if one is given.",
    ),
    word(Role::Type, "bool", "{{x:bool}}", "`true` or `false`."),
    word(Role::Type, "uuid", "{{x:uuid}}", "A UUID (RFC 9562)."),
    word(
        Role::Type,
        "datetime",
        "{{x:datetime}}",
        "A date and time (RFC 3339).",
    ),
    word(Role::Type, "json", "{{x:json}}", "Any JSON value."),
    word(
        Role::Type,
        "base64",
        "{{x:base64}}",
        "Base64 (RFC 4648 section 4).",
    ),
    word(
        Role::Type,
        "hex",
        "{{x:hex}}",
        "Pairs of hexadecimal digits.",
    ),
    word(
        Role::Query,
        "text",
        "? text PREDICATE",
        "The message as text.",
    ),
    word(
        Role::Query,
        "size",
        "? size PREDICATE",
        "The payload's size in bytes.",
    ),
    word(
        Role::Query,
        "latency",
        "? latency < 50ms",
        "The time since the last frame that we sent.",
    ),
    word(
        Role::Query,
        "header",
        "? header NAME PREDICATE",
        "A header of the handshake.",
    ),
    word(
        Role::Query,
        "schema",
        "? schema item.schema.json",
        "The message is valid by that JSON Schema.",
    ),
    word(
        Role::Predicate,
        "startsWith",
        "? $.name startsWith \"a\"",
        "The text begins so.",
    ),
    word(
        Role::Predicate,
        "endsWith",
        "? $.name endsWith \"z\"",
        "The text ends so.",
    ),
    word(
        Role::Predicate,
        "contains",
        "? $.tags contains \"a\"",
        "The text or the array has it.",
    ),
    word(
        Role::Predicate,
        "matches",
        "? $.name matches /^a/",
        "The regular expression matches somewhere.",
    ),
    word(
        Role::Predicate,
        "exists",
        "? $.name exists",
        "There is such a value.",
    ),
    word(
        Role::Predicate,
        "isEmpty",
        "? $.items isEmpty",
        "The text, array or object has nothing in it.",
    ),
    word(
        Role::Predicate,
        "isString",
        "? $.name isString",
        "It is a string.",
    ),
    word(
        Role::Predicate,
        "isNumber",
        "? $.price isNumber",
        "It is a number.",
    ),
    word(
        Role::Predicate,
        "isInteger",
        "? $.count isInteger",
        "It is a whole number.",
    ),
    word(
        Role::Predicate,
        "isBoolean",
        "? $.open isBoolean",
        "It is `true` or `false`.",
    ),
    word(Role::Predicate, "isUuid", "? $.id isUuid", "It is a UUID."),
    word(
        Role::Predicate,
        "not",
        "? $.name not exists",
        "The contrary of the predicate behind it.",
    ),
    word(
        Role::Predicate,
        "count",
        "? $.items count >= 3",
        "How many items there are, for the predicate behind it.",
    ),
    word(
        Role::Predicate,
        "isFloat",
        "? $.price isFloat",
        "It is a number with a fraction.",
    ),
    word(
        Role::Predicate,
        "isObject",
        "? $.item isObject",
        "It is an object.",
    ),
    word(
        Role::Predicate,
        "isList",
        "? $.items isList",
        "It is an array.",
    ),
    word(
        Role::Predicate,
        "isIsoDate",
        "? $.at isIsoDate",
        "It is a date and time (RFC 3339).",
    ),
    word(
        Role::Predicate,
        "schema",
        "? $.item schema item.schema.json",
        "It is valid by that JSON Schema.",
    ),
    word(
        Role::Predicate,
        "first",
        "? $.items first isObject",
        "The first of the nodes, or of an array's items, for what stands behind it.",
    ),
    word(
        Role::Predicate,
        "last",
        "? $.items last isObject",
        "The last of the nodes, or of an array's items, for what stands behind it.",
    ),
    word(
        Role::Predicate,
        "nth",
        "? $.items nth 2 isObject",
        "One of the nodes, or of an array's items, counted from 0.",
    ),
    word(
        Role::Predicate,
        "split",
        "? text split \",\" count == 3",
        "The parts of a text, as an array.",
    ),
    word(
        Role::Predicate,
        "replace",
        "? text replace \"a\" \"b\" == \"b\"",
        "The text with every such part replaced.",
    ),
    word(
        Role::Predicate,
        "replaceRegex",
        "? text replaceRegex /[0-9]+/ \"N\" == \"N\"",
        "The text with every match replaced.",
    ),
    word(
        Role::Predicate,
        "regex",
        "? text regex /id=([0-9]+)/ == \"7\"",
        "The first group of the first match, or all of it.",
    ),
    word(
        Role::Predicate,
        "jsonpath",
        "? $.inner jsonpath \"$.name\" exists",
        "Looks into JSON that stands in a text.",
    ),
    word(
        Role::Predicate,
        "toInt",
        "? $.n toInt < 8",
        "As a whole number.",
    ),
    word(
        Role::Predicate,
        "toFloat",
        "? $.n toFloat < 8",
        "As a number.",
    ),
    word(
        Role::Predicate,
        "toString",
        "? $.n toString == \"8\"",
        "As a text.",
    ),
    word(
        Role::Name,
        "message",
        "{{ message }}, {{ message.field }}",
        "What was just received, as text; `message.field` reads it as JSON.",
    ),
    word(
        Role::Name,
        "n",
        "{{ n }}",
        "In `every` and `repeat`: counts from 0.",
    ),
    word(
        Role::Name,
        "client",
        "{{ client.id }}",
        "The client of a mock: `id`, `ip`, `path`, `query.NAME`, `header.NAME`, its `rooms`, the claims of its `token`, and what `set client.NAME` bound.",
    ),
    word(
        Role::Name,
        "server",
        "{{ server.clients }}",
        "The mock: how many clients it has.",
    ),
    word(
        Role::Name,
        "global",
        "{{ global.NAME }}",
        "What `set global.NAME` bound.",
    ),
    word(
        Role::Name,
        "env",
        "{{ env.NAME }}",
        "A variable of the environment.",
    ),
    word(
        Role::Name,
        "load",
        "{{ load.user }}",
        "Of a load run: the `user` and the `iteration`.",
    ),
    word(Role::Name, "uuid", "{{ uuid() }}", "A fresh UUID."),
    word(
        Role::Name,
        "now",
        "{{ now() }}, {{ now(\"%H:%M:%S\") }}",
        "The time in seconds, or the local time by a format.",
    ),
    word(
        Role::Name,
        "members",
        "{{ members(\"ROOM\") }}",
        "Who is in a room, on whatever node: each user once.",
    ),
    word(
        Role::Name,
        "history",
        "{{ history(\"ROOM\", 20) }}, {{ history(\"ROOM\", 20, after=OFFSET) }}",
        "What was delivered to a room, the oldest first: the newest messages, or those behind an offset.",
    ),
    word(
        Role::Name,
        "offset",
        "{{ offset(\"ROOM\") }}",
        "Where the history of a room has come to.",
    ),
    word(
        Role::Name,
        "epoch",
        "{{ epoch }}",
        "Within which offsets mean something: another one is that of another history.",
    ),
    word(Role::Who, "all", "all < hello", "Every client."),
    word(
        Role::Who,
        "others",
        "others < hello",
        "Every client but the one that a rule runs for.",
    ),
    word(
        Role::Who,
        "room",
        "room NAME < hello",
        "The clients in a room.",
    ),
    word(
        Role::Who,
        "user",
        "user NAME < hello",
        "The clients of a user.",
    ),
];

/// Filters of MiniJinja that talks have use for.
pub(super) const FILTERS: &[&str] = &[
    "abs",
    "attr",
    "capitalize",
    "default",
    "first",
    "float",
    "int",
    "join",
    "last",
    "length",
    "list",
    "lower",
    "max",
    "min",
    "regex_replace",
    "replace",
    "reverse",
    "round",
    "sort",
    "split",
    "string",
    "sum",
    "title",
    "tojson",
    "trim",
    "unique",
    "upper",
    "urlencode",
];

/// The words of a role.
pub(super) fn of(role: Role) -> impl Iterator<Item = &'static Word> {
    WORDS.iter().filter(move |word| word.role == role)
}

/// The word of that text in a role.
pub(super) fn find(role: Role, text: &str) -> Option<&'static Word> {
    of(role).find(|word| word.text == text)
}
