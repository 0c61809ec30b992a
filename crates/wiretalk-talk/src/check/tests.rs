use super::*;
use crate::testing::show;

/// The findings of a talk that can be read.
#[track_caller]
fn findings(role: Role, talk: &str, given: &[&str]) -> Vec<String> {
    let parsed = crate::parse("chat.talk", talk);
    assert_eq!(parsed.diagnostics, [], "{talk}");
    let given: Vec<String> = given.iter().map(|name| (*name).to_owned()).collect();
    let found = check(&parsed.talk, role, &given);
    found
        .iter()
        .map(|d| show(parsed.talk.source(), d))
        .collect()
}

#[track_caller]
fn finds(role: Role, talk: &str, expected: &[&str]) {
    assert_eq!(findings(role, talk, &[]), expected, "{role:?}:\n{talk}");
}

/// Every talk of a table finds what stands beside it; those that do not are told together.
#[track_caller]
fn all(role: Role, before: &str, table: &[(&str, &[&str])]) {
    let wrong: Vec<String> = table
        .iter()
        .filter_map(|(talk, expected)| {
            let found = findings(role, &format!("{before}{talk}"), &[]);
            (found != *expected).then(|| format!("{talk}found {found:#?}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{role:?}:\n{}", wrong.join("\n\n"));
}

const CONNECT: &str = "connect ws://h\n";

#[test]
fn each_finding_of_a_test() {
    #[rustfmt::skip]
    let table: &[(&str, &[&str])] = &[
        // Names.
        ("> {{price}}\n< x\n", &["2:3 error: `price` is not bound here / bind it before: `set price = …`, `--set price=…`, or capture it with `{{price:type}}`"]),
        ("< {{price:int}}\n< {{prise}}\n", &[
            "2:3 warning: `price` is captured and never used / write `{{_}}` or `{{_:type}}` if the value does not matter",
            "3:3 error: `prise` is not bound here / did you mean `price`?",
        ]),
        ("< {{ mesage|upper }}\n", &["2:3 error: `mesage` is not bound here / did you mean `message`?"]),
        ("> {{x}}\n< {{x:int}}\n> {{x}}\n", &["2:3 error: `x` is not bound here / bind it before: `set x = …`, `--set x=…`, or capture it with `{{x:type}}`"]),
        ("< a\n  ? $.n == {{gone}}\n", &["3:3 error: `gone` is not bound here / bind it before: `set gone = …`, `--set gone=…`, or capture it with `{{gone:type}}`"]),
        ("< a\n  id = $.id\n", &["3:3 warning: `id` is captured and never used / write `{{_}}` or `{{_:type}}` if the value does not matter"]),
        ("< {{id:int}}\n< again {{id:int}}\n", &[]),
        ("on < {{id:int}}!\n  > a\non < {{id:int}}?\n  > b\n< c\n", &["2:6 warning: `id` is captured and never used / write `{{_}}` or `{{_:type}}` if the value does not matter"]),
        ("set global.x = 1\n> {{x}}\n< a\n", &["2:1 warning: `global.x` is set and never used / leave it out, or use it: `{{global.x}}`", "3:3 error: `x` is not bound here / bind it before: `set x = …`, `--set x=…`, or capture it with `{{x:type}}`"]),
        ("> {{n}}\n< a\n", &["2:3 error: `n` counts the runs of `every` and `repeat`, and this is in neither / put the line under `every` or `repeat`, or bind a name of your own"]),
        ("> {{client.id}}\n< a\n", &["2:3 error: `client` is what a server knows of a client, and a test has none / bind what you need: `set user = alice`"]),
        ("set client.x = 1\n< a\n", &[
            "2:1 warning: `client.x` is set and never used / leave it out, or use it: `{{client.x}}`",
            "2:1 error: there is no client here whose value could be set / put it under `on >` or `on connect` of a mock, or write `set NAME = …`",
        ]),
        ("> {{ load.user }}\n< a\n", &[]),
        ("> {{ load.usr }}\n< a\n", &["2:3 error: `load.usr` is not known here / did you mean `load.user`?"]),
        ("> {{ history(\"x\") }}\n< a\n", &["2:3 error: what a room has heard is known to a server, and a test has none / look at what arrives"]),
        ("> {{ histori }}\n< a\n", &["2:3 error: `histori` is not bound here / did you mean `history`?"]),
        ("set offset = 1\n> {{ offset }}\n< a\n", &[]),
        (r#"> {{ members("x") }}
< a
"#, &["2:3 error: `members` is what a server knows of a room, and a test has none / look at what arrives"]),
        ("every 1s\n  > {{message}}\n< a\n", &["3:5 error: there is no `message` here: nothing was received / put the line under `on >`"]),
        // What cannot be sent.
        ("> {{_}}\n< a\n", &["2:3 error: this cannot be sent: `{{_}}` says nothing of what to send / give it a name and an example: `{{name=example}}`"]),
        ("> {{_:json}}\n< a\n", &["2:3 error: this cannot be sent: no value can be made up for JSON / give it a name and an example: `{{name=example}}`"]),
        ("> {{x:/a/}}\n< {{x}}\n", &["2:3 error: this cannot be sent: `x` is not bound, and has no example / give it one: `{{x:/a/=example}}`"]),
        (">any\n< a\n", &["2:1 error: `any` cannot be sent / write the message itself; `any` only stands where a message is expected"]),
        (">(within 1s) a\n< a\n", &["2:1 warning: `within` and `skip` say nothing of a line that is sent / leave them out"]),
        (">(skip) a\n  ? size > 0\n< a\n", &[
            "2:1 warning: `within` and `skip` say nothing of a line that is sent / leave them out",
            "3:3 warning: a check under a line that is sent checks nothing / put it under a line that is expected",
        ]),
        // Clients.
        ("alice > a\n< a\n", &["2:1 error: there is no client called `alice` / open it first: `connect alice ws://…`"]),
        ("connect alice ws://h\nalise > a\n< a\n", &["3:1 error: there is no client called `alise` / did you mean `alice`?"]),
        ("alice silence 1s\n", &["2:1 error: there is no client called `alice` / open it first: `connect alice ws://…`"]),
        ("others < a\n", &["2:1 error: `others` are all but the client that spoke last, and none has spoken yet / put a `>` line before it, or write `all`"]),
        ("on < a\n  bob > b\n< c\n", &["3:3 error: there is no client called `bob` / open it: `connect bob ws://…`"]),
        ("every 1s\n  bob > b\n< c\n", &["3:3 error: there is no client called `bob` / open it: `connect bob ws://…`"]),
        ("finally\n  bob > b\n< c\n", &["3:3 error: there is no client called `bob` / open it: `connect bob ws://…`"]),
        // Order.
        ("> a\nHTTP 101\n< b\n", &["3:1 error: `HTTP` is the answer to a handshake, and none stands right before it / put it right under its `connect`, without indentation"]),
        ("on < a\n  HTTP 101\n< b\n", &["3:3 error: `HTTP` is the answer to a handshake or a plain request, and here is none / put it under `on connect`, `on GET` or `connect`"]),
        ("> close\n<close\n", &["2:1 warning: `> close` sends the word `close`, not a close frame / write `>close` for the close frame, or `>text close` if the word is meant"]),
        ("on < {{_}}\n  > a\non < b\n  > c\n< d\n", &["4:1 warning: this rule is never reached: a rule above it takes every text message / put it above that rule; the first rule that matches wins"]),
        ("every 1s\n  >echo\n< a\n", &["3:3 error: nothing was received that could be echoed / write the message itself"]),
        // What only one side can do.
        (">re a\n>error reset\n>fail 1002\n< a\n", &[
            "2:1 error: `re` cannot be sent / write the message itself; `re` only stands where a message is expected",
            "3:1 error: `error` cannot be sent / it tells what became of the other side; `drop` ends a connection, `frame` and `raw` break the rules",
            "4:1 error: `fail` cannot be sent / it tells what became of the other side; `drop` ends a connection, `frame` and `raw` break the rules",
        ]),
        ("<frame(rsv=4) a\n<raw 00\n<drop\n", &[
            "2:1 error: `frame` cannot be expected: it is written to a stream, and messages come from one / expect what comes of it: a message, or `error protocol 1002` if it breaks the rules",
            "3:1 error: `raw` cannot be expected: it is written to a stream, and messages come from one / expect what comes of it: a message, or `error protocol 1002` if it breaks the rules",
        ]),
        (">(x2) {{x:int}}\n> {{x}}\n< a\n", &["3:3 error: `x` is not bound here / bind it before: `set x = …`, `--set x=…`, or capture it with `{{x:type}}`"]),
        ("<re a(?P<id>b)\n> {{id}}\n", &[]),
        ("<re a(?P<id>b)\n> {{idd}}\n", &["3:3 error: `idd` is not bound here / did you mean `id`?"]),
        ("> a\n<error refused\n", &["3:1 error: this error is one of opening a connection, and no `connect` stands right before it / put it right under its `connect`, without indentation"]),
        ("<error refused\n", &[]),
        ("room lobby < a\nuser {{who}} < b\n", &[
            "2:1 error: nothing in this talk tells which clients are in the room / name the client: `alice <`; or say who they are before: `alice join ROOM`",
            "3:1 error: nothing in this talk tells which clients are that user / name the client: `alice <`; or say who they are before: `alice identify NAME`",
        ]),
        ("join lobby\nroom lobby < a\n", &[]),
        ("repeat 3\n  > {{n}} {{k:int}}\n< {{k}}\n", &["4:3 error: `k` is not bound here / bind it before: `set k = …`, `--set k=…`, or capture it with `{{k:type}}`"]),
        ("unordered\n  < {{a:int}}\n  < {{b:int}}!\n> {{a}} {{b}}\n", &[]),
        ("repeat 2\n  alise > a\n< b\n", &["3:3 error: there is no client called `alise` / open it first: `connect alise ws://…`"]),
        ("set unused = 1\nset used = 2\n< {{used}}\n", &["2:1 warning: `unused` is set and never used / leave it out, or use it: `{{unused}}`"]),
        ("each u.csv\n> {{name}}\n< a\n", &[]),
        ("ignore < {{_}}tick{{m:int}}\n< {{m}}\n", &["3:3 error: `m` is not bound here / bind it before: `set m = …`, `--set m=…`, or capture it with `{{m:type}}`"]),
        ("on < {\"a\":{{_:int}}, ...}\n  > x\non < {\"a\":5,\"b\":6}\n  > y\non <ping\non <ping x\n< d\n", &[
            "4:1 warning: this rule is never reached: a rule above it takes all that this one would take / put it above that rule; the first rule that matches wins",
            "7:1 warning: this rule is never reached: a rule above it takes all that this one would take / put it above that rule; the first rule that matches wins",
        ]),
        ("on <re a+\non <re a+\n< a\n", &["3:1 warning: this rule is never reached: a rule above it takes all that this one would take / put it above that rule; the first rule that matches wins"]),
        // A test that could not fail.
        ("<(optional) a\n<(x0..3) b\n<stall 1s\nrepeat 3\n  <any\n", &["1:1 error: the test `chat` expects nothing, so it could never fail / add what must arrive (`< …`), or `silence 500ms` if nothing may"]),
        ("repeat 3\n  < a\n", &[]),
        ("> a\n", &["1:1 error: the test `chat` expects nothing, so it could never fail / add what must arrive (`< …`), or `silence 500ms` if nothing may"]),
        ("HTTP 101\n> a\n<any\n", &["1:1 error: the test `chat` expects nothing, so it could never fail / add what must arrive (`< …`), or `silence 500ms` if nothing may"]),
    ];
    all(Role::Test, CONNECT, table);
    finds(
        Role::Test,
        "> a\n< b\n",
        &[
            "1:1 error: there is nothing to test in this talk / a test begins with `connect ws://…`; to play the server, run `wiretalk serve`",
        ],
    );
    finds(
        Role::Test,
        "test one\n> a\nconnect ws://h\n< b\n",
        &["2:1 error: there is no connection yet / put `connect ws://…` before this line"],
    );
    finds(
        Role::Test,
        "connect alice ws://h\nconnect bob ws://h\n> a\nbob < b\n",
        &[
            "3:1 error: there are several clients, and this line does not say which it means / put a name before the arrow: `alice >`",
        ],
    );
}

#[test]
fn each_finding_of_a_mock() {
    #[rustfmt::skip]
    let table: &[(&str, &[&str])] = &[
        ("on > {{x:int}}\n  < {{y}}\n", &[
            "1:6 warning: `x` is captured and never used / write `{{_}}` or `{{_:type}}` if the value does not matter",
            "2:5 error: `y` is not bound here / bind it before: `set y = …`, `--set y=…`, or capture it with `{{y:type}}`",
        ]),
        ("on > {{x:int}}\n  < {{x}}\non > b\n  < {{x}}\n", &["4:5 error: `x` is not bound here / bind it before: `set x = …`, `--set x=…`, or capture it with `{{x:type}}`"]),
        ("every 1s\n  set x = 1\n  all < {{x}}\non > b\n  < {{x}}\n", &["5:5 error: `x` is not bound here / bind it before: `set x = …`, `--set x=…`, or capture it with `{{x:type}}`"]),
        ("every 1s\n  < a\n", &["2:3 error: the server's clock has no client to send this to / write `all <`, or `every … per client` for a clock of each client's own"]),
        ("every 1s\n  bob < a\n", &["2:3 error: the server's clock has no client to send this to / write `all <`, or `every … per client` for a clock of each client's own"]),
        ("every 1s\n  others < a\n", &["2:3 error: `others` needs a client that it is not, and the server's clock has none / write `all <`, or `every … per client` for a clock of each client's own"]),
        ("every 1s\n  all <echo\n", &["2:3 error: nothing was received that could be echoed / write `all <`, or `every … per client` for a clock of each client's own"]),
        ("every 1s\n  all < {{client.id}} {{message}}\n", &[
            "2:9 error: there is no `client` here that could be meant / put the line under `on >` or `every … per client`",
            "2:23 error: there is no `message` here: nothing was received / put the line under `on >`",
        ]),
        ("every 1s\n  set client.x = 1\n", &["2:3 error: there is no client here whose value could be set / put it under `on >` or `on connect` of a mock, or write `set NAME = …`", "2:3 warning: `client.x` is set and never used / leave it out, or use it: `{{client.x}}`"]),
        ("every 1s per client\n  <echo\n", &["2:3 error: nothing was received that could be echoed / write the message itself"]),
        ("set x = {{client.id}}\non > a\n  < {{x}}\n", &["1:9 error: there is no `client` here that could be meant / put the line under `on >` or `every … per client`"]),
        ("listen {{url}}\non > a\n", &["1:8 error: `url` is not bound here / bind it before: `set url = …`, `--set url=…`, or capture it with `{{url:type}}`"]),
        ("on > a\n  bob < b\n", &["2:3 error: a mock's rules and clocks know no client called `bob` / write the arrow alone for the client that it is about, or `all`, `others`, `room NAME` or `user NAME`"]),
        ("on > a\n  <any\n", &["2:3 error: `any` cannot be sent / write the message itself; `any` only stands where a message is expected"]),
        ("on > a\n  < {{_}}\n", &["2:5 error: this cannot be sent: `{{_}}` says nothing of what to send / give it a name and an example: `{{name=example}}`"]),
        ("on > a\n  <(within 1s) b\n    ? size > 1\n", &[
            "2:3 warning: `within` and `skip` say nothing of a line that is sent / leave them out",
            "3:5 warning: a check under a line that is sent checks nothing / put it under a line that is expected",
        ]),
        ("on > a\n  HTTP 200\n", &["2:3 error: `HTTP` is the answer to a handshake or a plain request, and here is none / put it under `on connect`, `on GET` or `connect`"]),
        ("on > {{_}}\non > b\non >hex 00\non >ping\n", &["2:1 warning: this rule is never reached: a rule above it takes every text message / put it above that rule; the first rule that matches wins"]),
        ("on >any\non > b\non >hex 00\non >any\non >ping\n", &[
            "2:1 warning: this rule is never reached: a rule above it takes every message / put it above that rule; the first rule that matches wins",
            "3:1 warning: this rule is never reached: a rule above it takes every message / put it above that rule; the first rule that matches wins",
            "4:1 warning: this rule is never reached: a rule above it takes every message / put it above that rule; the first rule that matches wins",
        ]),
        ("on > {{x:any}}\n  < {{x}}\ntest a\non > b\n", &["4:1 warning: this rule is never reached: a rule above it takes every text message / put it above that rule; the first rule that matches wins"]),
        ("on connect\n  > a\n", &["2:3 error: only `HTTP` and `set` can stand here / the connection is not open yet; put frames under `on open` or `on >`, or into the dialogue"]),
        ("on connect\n  wait 1s\n", &["2:3 error: only `HTTP` and `set` can stand here / the connection is not open yet; put frames under `on open` or `on >`, or into the dialogue"]),
        ("on connect\n  HTTP 101\n  HTTP 401\n", &["3:3 error: a request is answered once, and this is the second answer / put the other answer under a rule of its own"]),
        ("on connect\n  HTTP 401\n    | {{message}}\n    ? size > 1\n", &[
            "3:7 error: there is no `message` here: nothing was received / put the line under `on >`",
            "4:5 warning: a check under a line that is sent checks nothing / put it under a line that is expected",
        ]),
        ("on connect\non connect /x\n", &["2:1 warning: this rule is never reached: a rule above it takes every handshake / put it above that rule; the first rule that matches wins"]),
        ("on GET /\n  HTTP 101\n", &["2:3 error: a plain request asks for no upgrade, so 101 is no answer to it / write another status: `HTTP 200`"]),
        ("on GET /{{name:word}}\n  HTTP 200\n    | {{nane}}\n", &[
            "1:9 warning: `name` is captured and never used / write `{{_}}` or `{{_:type}}` if the value does not matter",
            "3:7 error: `nane` is not bound here / did you mean `name`?",
        ]),
        // Rooms, users and the fields of a client.
        ("on lost\n  < {{lost}} {{client.id}} {{client.rooms}} {{client.token.sub}}\n  <echo\n  all < {{message}}\non open\n  < {{lost}}\n", &[
            "3:3 error: nothing was received that could be echoed / write the message itself",
            "4:9 error: there is no `message` here: nothing was received / put the line under `on >`",
            "6:5 error: `lost` is not bound here / bind it before: `set lost = …`, `--set lost=…`, or capture it with `{{lost:type}}`",
        ]),
        ("on open\n  join lobby-{{client.id}}\n  < hi\n  <echo\non close\n  < bye\n  all < {{message}}\n  room {{client.room}} < x\n", &[
            "4:3 error: nothing was received that could be echoed / write the message itself",
            "6:3 error: the client that this line means has gone / write to those who are left: `all <`, `others <` or `room NAME <`",
            "7:9 error: there is no `message` here: nothing was received / put the line under `on >`",
            "8:8 error: `client.room` is not known here / did you mean `client.rooms`?",
        ]),
        ("on > a\n  room lobby < a\n  user bob < b\n", &[
            "2:3 warning: no client is in the room: nothing in this talk says `join ROOM` / put `join ROOM` under `on open` or `on >`",
            "3:3 warning: no client is that user: nothing in this talk says `identify NAME` / put `identify NAME` under `on open` or `on >`",
        ]),
        ("on > a\n  set client.name = x\n  < {{client.nam}} {{client.name}} {{client.header.x}} {{client.gone|default(1)}}\n", &["3:5 error: `client.nam` is not known here / did you mean `client.name`?"]),
        ("on > a\n  < {{client.gone}} {{server.client}} {{global.x}}\n", &[
            "2:5 error: `client.gone` is not known here / set it: `set client.gone = …`; or say what holds without it: `{{ client.gone|default(\"\") }}`",
            "2:21 error: `server.client` is not known here / did you mean `server.clients`?",
            "2:39 error: `global.x` is not known here / set it: `set global.x = …`; or say what holds without it: `{{ global.x|default(\"\") }}`",
        ]),
        ("on > a\n  set global.x = 1\n  < {{global.x}}\n", &[]),
        ("every 1s\n  join a\n  all join b\n  room a < {{ members(\"a\")|length }}\n", &["2:3 error: there is no client here that could be meant / put the line under `on open` or `on >`, or write `all` before it"]),
        ("on connect\n  identify {{client.query.user}}\n", &["2:3 error: only `HTTP` and `set` can stand here / the connection is not open yet; put it under `on open`"]),
        ("on open\n  identify {{client.query.user}}\n  keep prices {{message}}\n", &["3:15 error: there is no `message` here: nothing was received / put the line under `on >`"]),
        ("on > a\n  <re x\n  <fail 1002\n  <frame(rsv=4) x\n  <raw 00\n", &[
            "2:3 error: `re` cannot be sent / write the message itself; `re` only stands where a message is expected",
            "3:3 error: `fail` cannot be sent / it tells what became of the other side; `drop` ends a connection, `frame` and `raw` break the rules",
        ]),
        // A dialogue that is served.
        ("connect ws://h\n> {{x:int}}\n< {{y}}\n", &[
            "2:3 warning: `x` is captured and never used / write `{{_}}` or `{{_:type}}` if the value does not matter",
            "3:3 error: `y` is not bound here / bind it before: `set y = …`, `--set y=…`, or capture it with `{{y:type}}`",
        ]),
        ("> a\n< {{x:/b/}}\n> {{x}}\n", &["2:3 error: this cannot be sent: `x` is not bound, and has no example / give it one: `{{x:/b/=example}}`"]),
        ("connect ws://h\n> a\n<any\n", &["3:1 error: `any` cannot be sent / write the message itself; `any` only stands where a message is expected"]),
    ];
    all(Role::Mock, "", table);
}

#[test]
fn what_is_given_from_outside_is_bound() {
    let talk = "connect {{url}}\n> {{token}}\nset token = x\n< {{token}}\n";
    assert_eq!(findings(Role::Test, talk, &["url", "token"]), [""; 0]);
    assert_eq!(findings(Role::Test, talk, &["token"]).len(), 1);
}

#[test]
fn one_test_does_not_see_what_another_binds() {
    finds(
        Role::Test,
        "connect ws://h\ntest a\n< {{id:int}}\n> {{id}}\ntest b\n> {{id}}\n< x\n",
        &[
            "6:3 error: `id` is not bound here / bind it before: `set id = …`, `--set id=…`, or capture it with `{{id:type}}`",
        ],
    );
}

#[test]
fn what_is_right_is_not_complained_about() {
    let first_look = r#"connect ws://127.0.0.1:8765/ws

> Hello, WebSocket!
< Message text was: Hello, WebSocket!

> {"op":"subscribe","topic":"btc"}
< {"op":"subscribed","id":"{{id:uuid}}", ...}
  ? latency < 50ms
< {"topic":"btc","price":{{price:number}},"sub":"{{id}}"}
  ? {{price}} > 0

>close 1000
<close 1000
"#;
    let four_ways = r#"listen ws://127.0.0.1:4000

on > {{_}}ignore{{_}}
  # a request without a response
on > {{_}}double{{_}}
  all < {{message}} #1
  all < {{message}} #2
on > {{_}}
  all <echo
every 5s
  all < hello world {{n}}
"#;
    let named = r#"test a message reaches the other member
connect alice ws://127.0.0.1:4000/chat?user=alice
connect bob   ws://127.0.0.1:4000/chat?user=bob
alice > {"type":"message","text":"hi"}
bob   < {"type":"message","from":"alice","text":"hi"}
others < joined
alice silence 200ms
"#;
    let both = r#"set url = ws://127.0.0.1:4000/
set token = {{ uuid() }}
on connect
  Authorization: Bearer {{bearer:word}}
  set client.token = {{bearer}}
  HTTP 101
    X-Token: {{bearer}}
on > whoami
  ? client.token exists
  set global.seen = {{ global.seen|default(0) + 1 }}
  < {{client.id}} {{client.token}} {{bearer}} {{server.clients}} {{token}}
every 1s per client
  < {{n}} {{client.id}} {{ [1, 2]|length }} {{ range(3)|list }}
on < {{_}}x
  > {{message}}
connect {{url}}
  Authorization: Bearer {{who=me}}
HTTP 101
  X-Token: {{who}}
> whoami
<(within 1s) {"n":{{count:int}},"who":"{{who}}", ...}
  ? $.n == {{count}}
  last = $.n
>echo
<echo
> {{last}}
<close
finally
  > bye
"#;
    finds(Role::Test, first_look, &[]);
    finds(Role::Mock, first_look, &[]);
    finds(Role::Mock, four_ways, &[]);
    finds(Role::Test, named, &[]);
    finds(Role::Mock, named, &[]);
    finds(Role::Test, both, &[]);
    finds(Role::Mock, both, &[]);
}

#[test]
fn of_a_talk_with_broken_lines_only_what_is_wrong_for_certain_is_told() {
    let text = "conect ws://127.0.0.1:1
connect ws://127.0.0.1:1
> {\"id\":\"{{id:uid}}\"}
<(witin 1s) ok
<clse 1000
< {{nme}} {{id}}
bob < hi
";
    let parsed = crate::parse("broken.talk", text);
    assert_eq!(parsed.diagnostics.len(), 4, "{:?}", parsed.diagnostics);
    let found = crate::check(&parsed.talk, crate::Role::Test, &[]);
    let said: Vec<&str> = found.iter().map(|finding| finding.what.as_str()).collect();
    // Nobody can bind `nme`; the line with the wrong type was meant to bind `id`, and the first line to open something.
    assert_eq!(said, ["`nme` is not bound here"]);
}

#[test]
fn the_part_that_is_served_is_looked_over() {
    let talk =
        "test one\nconnect ws://h\n> a\n< b\ntest two\nconnect ws://h\n> a\n< {{_:/[a-z]+x/}}\n";
    let parsed = crate::parse("chat.talk", talk);
    let places = |part: Option<usize>| {
        let found = check_served(&parsed.talk, part, &[]);
        let lines = found.iter().filter(|d| d.is_error());
        lines
            .map(|d| parsed.talk.source().position(d.span.start).0)
            .collect::<Vec<_>>()
    };
    let plan = Plan::new(&parsed.talk);
    assert_eq!(places(plan.test_named("two")), [8]);
    assert!(places(plan.test_named("one")).is_empty());
    assert!(places(None).is_empty());
}

#[test]
fn an_answer_that_was_not_indented_is_found() {
    let found = "3:1 warning: this line is not of the rule above it, but of the dialogue / indent it by two spaces if the rule is to send it; else put a blank line between";
    let listen = "listen ws://127.0.0.1:1\n";
    finds(Role::Mock, &format!("{listen}on > hello\n< hi\n"), &[found]);
    for fine in [
        "on > hello\n  < hi\n",
        "on > hello\n\n< hi\n",
        "on > ignored\non > hello\n  < hi\n",
    ] {
        finds(Role::Mock, &format!("{listen}{fine}"), &[]);
    }
}

#[test]
fn a_column_that_a_hole_declares_again_is_used() {
    let mut talk = crate::parse(
        "chat.talk",
        "each o.csv\nconnect ws://a\n> {{amount:int}}\n< ok\n",
    )
    .talk;
    let linked = talk.link(&mut |_| Ok(b"item,amount\ntea,2\n".to_vec()));
    assert_eq!(linked, []);
    assert_eq!(check(&talk, Role::Test, &[]), []);
}
