use super::*;
use crate::Client;
use crate::diagnostic::Diagnostic;
use crate::testing::Scene;

/// The pattern of a payload, and what is wrong with it.
fn read(payload: &str) -> (Pattern, Vec<Diagnostic>) {
    let mut errors = Vec::new();
    let pattern = Pattern::parse(&Payload::line(payload, 0), &mut errors);
    (pattern, errors)
}

fn pattern(payload: &str) -> Pattern {
    let (pattern, errors) = read(payload);
    assert_eq!(errors, [], "{payload}");
    pattern
}

/// What a match captures, as `name=value` with blanks between, texts in quotes; or why it does not match.
fn matched(payload: &str, came: &str, scene: &Scene) -> Result<String, Mismatch> {
    let captures = pattern(payload).matches(came, &scene.context())?;
    let shown: Vec<String> = captures
        .iter()
        .map(|(name, value)| format!("{name}={}", value.to_json()))
        .collect();
    Ok(shown.join(" "))
}

fn matches(payload: &str, came: &str) -> Result<String, Mismatch> {
    matched(payload, came, &Scene::with(""))
}

/// What is sent, and the names that got a value by it.
fn filled(payload: &str, scene: &Scene) -> Result<String, String> {
    pattern(payload)
        .render(&scene.context())
        .map(|sent| sent.text)
}

fn sent(payload: &str) -> String {
    filled(payload, &Scene::with("")).unwrap_or_else(|why| panic!("{payload}: {why}"))
}

/// The differences as `path: expected / came`.
fn differences(payload: &str, came: &str) -> Vec<String> {
    match matches(payload, came) {
        Err(Mismatch::Json(differences)) => differences
            .iter()
            .map(|d| {
                let side = |side: &Option<String>| side.clone().unwrap_or_else(|| "-".into());
                format!("{}: {} / {}", d.path, side(&d.expected), side(&d.came))
            })
            .collect(),
        other => panic!("{payload} against {came}: {other:?}"),
    }
}

#[test]
fn text_matches_with_what_it_captures() {
    #[rustfmt::skip]
    let table = [
        ("", "", ""),
        ("hello", "hello", ""),
        ("{{_}}", "", ""),
        ("{{_}}ignore{{_}}", "please ignore this", ""),
        ("{{_}}ignore{{_}}", "ignore", ""),
        ("hi {{who=alice}}!", "hi bob!", r#"who="bob""#),
        // An untyped hole takes the shortest match, a typed one the longest.
        ("{{a=x}}-{{b=x}}", "1-2-3", r#"a="1" b="2-3""#),
        ("{{a:int}}{{b:word}}", "12ab", r#"a=12 b="ab""#),
        ("{{a:word}}{{b:word}}", "abc", r#"a="ab" b="c""#),
        ("{{a:int}}.{{b:int}}", "1.2", "a=1 b=2"),
        ("{{a:number}}{{b=x}}", "1.5.x", r#"a=1.5 b=".x""#),
        ("at {{t:datetime}}, ok", "at 2024-02-29T12:00:00Z, ok", r#"t="2024-02-29T12:00:00Z""#),
        ("id {{id:uuid}};", "id 123e4567-e89b-12d3-a456-426614174000;", r#"id="123e4567-e89b-12d3-a456-426614174000""#),
        ("{{b:bool}} {{j:json}}", "true [1, 2]", "b=true j=[1,2]"),
        ("{{h:hex}} {{b:base64}}", "00ff aGk=", r#"h="00ff" b="aGk=""#),
        ("{{r:/a+b?/}}c", "aabc", r#"r="aab""#),
        // A brace pair in a regex, in quotes and in brackets does not end a hole.
        (r"{{r:/x{2}}/}}", "xx}", r#"r="xx}""#),
        (r#"{{ "}}" }}"#, "}}", ""),
        (r#"{{ {"a": {"b": 1}}.a.b }}"#, "1", ""),
        ("{{{{x}}", "{{x}}", ""),
        ("{{{{{{_}}}}", "{{x}}", ""),
        ("}} { {x} }", "}} { {x} }", ""),
        // Captured, then equal.
        ("{{a=x}} {{a}}", "1 1", r#"a="1""#),
        ("{{a:word}}-{{a:word}}", "ab-ab", r#"a="ab""#),
        ("{{_}}a{{x:word}}{{_}}{{x}}", "aaab..b", r#"x="b""#),
        // The example says what is meant.
        ("{{a=5}}", "7", "a=7"),
        ("{{a=five}}", "7", r#"a="7""#),
        ("é{{_}}é{{c:word}}", "é日é本", r#"c="本""#),
        ("{{_}}日本", "日日本", ""),
    ];
    for (payload, came, captures) in table {
        assert_eq!(
            matches(payload, came).as_deref(),
            Ok(captures),
            "{payload} against {came}"
        );
    }
}

#[test]
fn text_that_differs_does_not_match() {
    for (payload, came) in [
        ("hello", "hello "),
        ("hello", "Hello"),
        ("", "x"),
        ("hi {{_}}!", "hi bob"),
        ("{{_}}ignore{{_}}", "ignor"),
        ("{{a=x}} {{a}}", "1 2"),
        ("{{a:int}}", "1.5"),
        ("{{a:int(1..5)}}", "6"),
        ("{{a:uuid}}", "not-a-uuid"),
        ("{{a:word}}-{{a:word}}", "ab-ac"),
        ("{{r:/a+/}}", "b"),
        ("{{_:json}}", "{"),
        ("{{_}}日", "本"),
    ] {
        let mismatch = matches(payload, came).expect_err(payload);
        assert!(
            matches!(mismatch, Mismatch::Text(_)),
            "{payload}: {mismatch:?}"
        );
    }
}

#[test]
fn bound_names_must_be_equal() {
    let scene = Scene::with("id=7 name=bob price=1.10 doc={\"a\":[1,{\"b\":2}]}");
    for (payload, came) in [
        ("id {{id}}", "id 7"),
        ("id {{id:int}}", "id 7"),
        ("{{id=1}}", "7"),
        (
            r#"{"id":{{id}},"name":"{{name}}","p":{{price}}}"#,
            r#"{"p":1.1,"name":"bob","id":7.0}"#,
        ),
        (
            r#"{"greeting":"hi {{name}}, {{id}}"}"#,
            r#"{"greeting":"hi bob, 7"}"#,
        ),
        (r#"{"doc":{{doc}}}"#, r#"{"doc":{"a":[1.0,{"b":2}]}}"#),
        // A hole that holds a whole document is compared as JSON.
        ("{{doc}}", r#" { "a" : [ 1, { "b" : 2 } ] } "#),
        ("{{id + 1}}", "8"),
        (r#"{"next":{{ id + 1 }}}"#, r#"{"next":8}"#),
    ] {
        assert_eq!(
            matched(payload, came, &scene).as_deref(),
            Ok(""),
            "{payload}"
        );
    }
    for (payload, came) in [
        ("id {{id}}", "id 8"),
        ("{{id:word}}", "8"),
        (r#"{"id":{{id}}}"#, r#"{"id":"7"}"#),
        (r#"{"name":{{name}}}"#, r#"{"name":null}"#),
        ("{{doc}}", r#"{"a":[1]}"#),
    ] {
        assert!(matched(payload, came, &scene).is_err(), "{payload}");
    }
}

#[test]
fn json_matches_by_value() {
    #[rustfmt::skip]
    let table = [
        // Order of keys and white space do not matter, numbers are compared exactly.
        (r#"{"a":1,"b":[1,2]}"#, " {\"b\" : [1.0,2e0],\n \"a\":1} ", ""),
        (r#"{"n":12345678901234567890.1}"#, r#"{"n":12345678901234567890.10}"#, ""),
        (r#"{"s":"é\n\""}"#, r#"{"s":"\u00e9\n\u0022"}"#, ""),
        ("[]", "[]", ""),
        ("{}", "{ }", ""),
        (r#"{"":1}"#, r#"{"":1}"#, ""),
        (r#"[null,true,false,"x",1]"#, r#"[null,true,false,"x",1]"#, ""),
        // `...` allows more, at every depth.
        ("{...}", "{}", ""),
        ("{...}", r#"{"a":1}"#, ""),
        ("[...]", "[1,2]", ""),
        ("[ ... ]", "[]", ""),
        (r#"{"a":1, ...}"#, r#"{"b":2,"a":1}"#, ""),
        ("[1, ...]", "[1,2,3]", ""),
        (r#"{"a":{"b":[1,{"c":2, ...}, ...], ...}, ...}"#, r#"{"z":0,"a":{"y":0,"b":[1,{"c":2,"x":0},3]}}"#, ""),
        (r#"{"a":"..."}"#, r#"{"a":"..."}"#, ""),
        // Holes as values, in strings, in keys.
        (r#"{"id":{{id:int}}}"#, r#"{"id":7}"#, "id=7"),
        (r#"{"id":{{id=7}}}"#, r#"{"id":"x"}"#, r#"id="x""#),
        (r#"{"id":"{{id:uuid}}"}"#, r#"{"id":"123e4567-e89b-12d3-a456-426614174000"}"#, r#"id="123e4567-e89b-12d3-a456-426614174000""#),
        (r#"{"s":"<{{a=x}}|{{b:int}}>"}"#, r#"{"s":"<\"q\"|5>"}"#, r#"a="\"q\"" b=5"#),
        (r#"{"x":{{x:json}}}"#, r#"{"x":{"y":[null]}}"#, r#"x={"y":[null]}"#),
        (r#"{"x":{{x:any}},"y":{{_}}}"#, r#"{"x":null,"y":[]}"#, "x=null"),
        (r#"{"k_{{k:int}}":1}"#, r#"{"k_42":1}"#, "k=42"),
        ("[{{a:number}},{{a:number}}]", "[1.0,1]", "a=1.0"),
        ("[{{a:int}},{{b:string}},{{c:bool}},{{d:word}}]", r#"[1,"x y",true,"w"]"#, r#"a=1 b="x y" c=true d="w""#),
        ("[{{ 1 + 1 }}]", "[2]", ""),
        // A prefix, and what looks like one.
        (r#"42["chat",{}]"#, r#"42[ "chat" , {} ]"#, ""),
        (r#"42/admin,["join",{"id":{{id:int}}, ...}]"#, r#"42/admin,["join",{"x":0,"id":5}]"#, "id=5"),
        (r#"[log] {"a":1}"#, r#"[log] {"a":1.0}"#, ""),
        ("[log] hello", "[log] hello", ""),
        ("  {\"a\":1}", "{\"a\":1}", ""),
    ];
    for (payload, came, captures) in table {
        assert_eq!(
            matches(payload, came).as_deref(),
            Ok(captures),
            "{payload} against {came}"
        );
    }
}

#[test]
fn differences_in_json_are_listed_by_path() {
    #[rustfmt::skip]
    let table: &[(&str, &str, &[&str])] = &[
        (r#"{"a":1,"b":2}"#, r#"{"a":2,"c":3}"#, &["$.a: 1 / 2", "$.b: 2 / -", "$.c: - / 3"]),
        (r#"{"a":[1,2,3]}"#, r#"{"a":[1,5]}"#, &["$.a[1]: 2 / 5", "$.a[2]: 3 / -"]),
        ("[1]", "[1,2,3]", &["$[1]: - / 2", "$[2]: - / 3"]),
        ("[1,2, ...]", "[1]", &["$[1]: 2 / -"]),
        ("[]", "{}", &["$: [] / {}"]),
        (r#"{"a":{"b":1, ...}}"#, r#"{"a":[]}"#, &[r#"$.a: {"b":1,...} / []"#]),
        (r#"{"a b":{"c-d":1}}"#, r#"{"a b":{"c-d":2}}"#, &[r#"$["a b"]["c-d"]: 1 / 2"#]),
        (r#"{"n":1}"#, r#"{"n":"1"}"#, &[r#"$.n: 1 / "1""#]),
        (r#"{"n":0.1}"#, r#"{"n":0.10000000000000000001}"#, &["$.n: 0.1 / 0.10000000000000000001"]),
        (r#"{"id":{{id:int(1..9)}}}"#, r#"{"id":10}"#, &["$.id: an integer from 1 to 9 / 10"]),
        (r#"{"id":"{{id:uuid}}"}"#, r#"{"id":5}"#, &[r#"$.id: "{{id:uuid}}" / 5"#]),
        (r#"[{{a:int}},{{a:int}}]"#, "[1,2]", &["$[1]: 1 / 2"]),
        (r#"{"s":"hi {{_:int}}"}"#, r#"{"s":"hi x"}"#, &[r#"$.s: "hi {{_:int}}" / "hi x""#]),
        (r#"{"s":{{_:string}}}"#, r#"{"s":null}"#, &["$.s: a string / null"]),
        (r#"{"b":{{_:bool}}}"#, r#"{"b":"true"}"#, &[r#"$.b: true or false / "true""#]),
    ];
    for (payload, came, expected) in table {
        assert_eq!(
            differences(payload, came),
            *expected,
            "{payload} against {came}"
        );
    }
    let many: Vec<String> = (0..100).map(|n| n.to_string()).collect();
    let came = format!("[{}]", many.join(","));
    assert_eq!(differences("[]", &came).len(), 20);
}

#[test]
fn what_is_no_json_says_so() {
    for (payload, came) in [
        (r#"{"a":1}"#, "hello"),
        (r#"{"a":1}"#, ""),
        (r#"{"a":1}"#, r#"{"a":1"#),
        (r#"42["a"]"#, "42[a]"),
    ] {
        let mismatch = matches(payload, came);
        assert!(
            matches!(mismatch, Err(Mismatch::NotJson(_))),
            "{payload}: {mismatch:?}"
        );
    }
    assert!(matches!(
        matches(r#"42["a"]"#, r#"43["a"]"#),
        Err(Mismatch::Text(_))
    ));
    let deep = "[".repeat(1000) + &"]".repeat(1000);
    assert!(matches!(matches("[...]", &deep), Err(Mismatch::NotJson(_))));
    let (_, errors) = read(&("{\"a\":".repeat(1000) + &"}".repeat(1000)));
    assert!(errors[0].what.contains("nested too deep"), "{errors:?}");
}

#[test]
fn templates_are_filled() {
    let scene = Scene::with(r#"id=7 who=bob q="x" token=12345678901234567890.10 doc={"a":1}"#)
        .message("héllo?");
    #[rustfmt::skip]
    let table = [
        ("hi {{who}} {{id}}", "hi bob 7"),
        ("{{{{who}}", "{{who}}"),
        ("{{greeting=hello}}, {{greeting}}", "hello, hello"),
        ("{{n1:int=5}}|{{s:string=\"a b\"}}|{{u=\" x \"}}", "5|a b| x "),
        ("{{who=alice}}", "bob"),
        // A hole in a JSON string is escaped for it; one outside is written as JSON.
        (r#"{"who":"{{who}}","raw":{{who}},"id":{{id}},"ids":"{{id}}"}"#, r#"{"who":"bob","raw":"bob","id":7,"ids":"7"}"#),
        (r#"{"s":"{{s="a\"b\\c\n"}}","t":{{s}}}"#, r#"{"s":"a\"b\\c\n","t":"a\"b\\c\n"}"#),
        (r#"{"doc":{{doc}},"text":"{{doc}}"}"#, r#"{"doc":{"a":1},"text":"{\"a\":1}"}"#),
        (r#"{"n":{{x=5}},"s":{{y="5"}},"t":{{z=abc}}}"#, r#"{"n":5,"s":"5","t":"abc"}"#),
        (r#"{"price":{{token}}}"#, r#"{"price":12345678901234567890.10}"#),
        // `...` sends nothing.
        ("{...}", "{}"),
        ("[...]", "[]"),
        (r#"{"a":1, ...}"#, r#"{"a":1}"#),
        (r#"{"a":[1 , ...],"b":{"c":{ ... }, ...} , ... }"#, r#"{"a":[1 ],"b":{"c":{ }}  }"#),
        (r#"{"a":{{id}}, ...}"#, r#"{"a":7}"#),
        (r#"{"a":"...","b":[{{id}}, ...]}"#, r#"{"a":"...","b":[7]}"#),
        (r#"42["chat",{...}]"#, r#"42["chat",{}]"#),
        // Expressions.
        ("{{ message|upper }}", "HÉLLO?"),
        (r#"{{ "ab" * 3 }}"#, "ababab"),
        (r#"{{ message|regex_replace("[?？]", "!") }}"#, "héllo!"),
        (r#"{{ "a-b"|regex_replace("(.)-(.)", "$2-$1") }}"#, "b-a"),
        ("{{ now() }}", "1700000000.5"),
        (r#"{{ now("%H:%M:%S") }}"#, "22:13:20"),
        ("{{ env.TOKEN }}", "s3cret"),
        ("{{ server.clients }}", "3"),
        ("{{ [1, 2]|length }}", "2"),
        ("{{ id if id > 5 else 0 }}", "7"),
        ("{{ true }}", "true"),
        (r#"{{ global.count|default(0) + 1 }}"#, "1"),
        (r#"{"len":{{ message|length }},"up":"{{ message|upper }}"}"#, r#"{"len":6,"up":"HÉLLO?"}"#),
        (r#"{% if x %}{# no #}"#, r#"{% if x %}{# no #}"#),
    ];
    for (payload, expected) in table {
        assert_eq!(
            filled(payload, &scene).as_deref(),
            Ok(expected),
            "{payload}"
        );
    }
}

#[test]
fn what_is_made_up_matches_the_same_payload() {
    for payload in [
        "{{a:any}} {{b:string}}",
        "{{a:word}}/{{b:int}}/{{c:number(0..1)}}/{{d:bool}}",
        "{{a:uuid}},{{b:hex}},{{c:base64}}",
        "{{a:int(..-5)}}",
        r#"{"a":{{a:int}},"b":"{{b:word}}","c":{{c:uuid}},"d":[{{_:bool}}, ...], ...}"#,
        r#"42["{{event=chat}}",{"at":"{{at:datetime}}"}]"#,
    ] {
        let text = sent(payload);
        assert!(matches(payload, &text).is_ok(), "{payload} made {text}");
    }
    let once = sent("{{a:uuid}} {{a}}");
    let (left, right) = once.split_once(' ').expect("two halves");
    assert_eq!(left, right, "what was made up is bound");
}

#[test]
fn what_has_no_value_cannot_be_sent() {
    let scene = Scene::with("").message(r#"{"a":1}"#);
    #[rustfmt::skip]
    let table = [
        ("{{_}}", "`{{_}}` has no value to send"),
        ("{{_:json}}", "`{{_:json}}` has no value to send"),
        ("{{x:/a/}}", "`{{x:/a/}}` has no value to send: `x` is not bound, and it has no example"),
        ("{{nobody}}", "`nobody` is not bound here"),
        ("{{ nobody|upper }}", "`nobody` is not bound here"),
        ("{{ nobody + 1 }}", "`nobody` is not bound here"),
        ("{{ nobody.name }}", "`nobody` is not bound here"),
        ("{{ env.NOBODY }}", "`env.NOBODY` is not there"),
        ("{{ message.b }}", "`message.b` is not there"),
        ("{{ message.b.c }}", "undefined value"),
        ("{{ client.id }}", "`client` is not bound here"),
        (r#"{{ now("%Q") }}"#, "`%Q` is not a time format"),
        (r#"{{ "x"|regex_replace("(", "") }}"#, "is not a regular expression"),
        (r#"{{ "ab" * 100000000000 }}"#, "repeated string is too large"),
    ];
    for (payload, expected) in table {
        let why = filled(payload, &scene).expect_err(payload);
        assert!(why.contains(expected), "{payload}: {why}");
    }
    let scene = Scene::with("").message("not json");
    let why = filled("{{ message.a }}", &scene).expect_err("no JSON");
    assert_eq!(
        why,
        "`message.a` reads the message as JSON, but it is not JSON"
    );
}

#[test]
fn the_message_and_the_client_can_be_looked_into() {
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let client = Client {
        id: 4,
        ip: Some(std::net::Ipv4Addr::LOCALHOST.into()),
        path: "/chat".into(),
        query: vec![pair("user", "alice"), pair("user", "bob")],
        headers: vec![pair("User-Agent", "x/1"), pair("Origin", "https://a")],
        token: Some(serde_json::json!({"sub":"alice","roles":["admin"]}).into()),
        values: [("color".to_owned(), Value::Text("red".into()))].into(),
    };
    let scene = Scene::with("")
        .message(r#"{"op":"add","args":[1,{"b":"x"}],"big":12345678901234567890}"#)
        .client(client);
    for (payload, expected) in [
        ("{{ message.op }}", "add"),
        (
            "{{ client.token.sub }} {{ client.token.roles|join }} {{ client.rooms|length }}",
            "alice admin 0",
        ),
        (r#"{{ message["op"] }}"#, "add"),
        ("{{ message.args[1].b|upper }}", "X"),
        (
            r#"{"args":{{ message.args }}}"#,
            r#"{"args":[1,{"b":"x"}]}"#,
        ),
        ("{{ message.big }}", "12345678901234567890"),
        (r#"{{ message.none|default("-") }}"#, "-"),
        (
            "{{client.id}} {{client.ip}} {{client.path}}",
            "4 127.0.0.1 /chat",
        ),
        ("{{client.query.user}} {{client.color}}", "alice red"),
        (
            r#"{{client.header.user_agent}} {{client.header["user-agent"]}}"#,
            "x/1 x/1",
        ),
        ("{{client.header.origin}}", "https://a"),
    ] {
        assert_eq!(
            filled(payload, &scene).as_deref(),
            Ok(expected),
            "{payload}"
        );
    }
}

#[test]
fn what_was_expected_is_shown_with_what_is_known() {
    let scene = Scene::with("id=7");
    for (payload, expected) in [
        ("id {{id}} {{x:int}} {{_}}", "id 7 {{x:int}} {{_}}"),
        (
            r#"{"id":{{id}},"x":{{x:int}}, ...}"#,
            r#"{"id":7,"x":{{x:int}}, ...}"#,
        ),
    ] {
        assert_eq!(pattern(payload).filled(&scene.context()), expected);
    }
}

#[test]
fn hostile_texts_take_a_bounded_amount_of_work() {
    let long = "a".repeat(200_000);
    // Two thousand places for each of many holes: backtracking over them all would never end.
    let many = "{{_}}a".repeat(100) + "b";
    assert!(matches(&many, &long).is_err());
    let many = "{{_}}a".repeat(100) + "{{_}}";
    assert_eq!(matches(&many, &long).as_deref(), Ok(""));
    let known = "{{_}}a".repeat(30) + "{{who}}";
    assert!(matched(&known, &long, &Scene::with("who=bob")).is_err());
    // Holes that look at each other's captures are given up, with a reason.
    let tangled: String = (0..8).map(|n| format!("{{{{v{n}=x}}}}a")).collect();
    let tangled = tangled + "{{v0}}{{v1}}{{v2}}b";
    let mismatch = matches(&tangled, &long[..5000]).expect_err("no match");
    assert!(
        matches!(&mismatch, Mismatch::Expression(why) if why.contains("takes too long")),
        "{mismatch:?}"
    );
    for hostile in [
        "{{a:word}}{{b:word}}{{c:word}}!",
        "{{_}} {{_:json}} {{_}}!",
        "{{a:/a*/}}{{b:/a*/}}{{c:/a*/}}!",
        "{{a:base64}}{{b:base64}}!",
    ] {
        assert!(matches(hostile, &long).is_err(), "{hostile}");
    }
}

#[test]
fn what_is_wrong_with_a_payload_is_told() {
    #[rustfmt::skip]
    let table = [
        ("a {{x", "this hole has no end", "close it with `}}`, or write `{{{{` for a literal `{{`", 2..5),
        ("{{ 'x }}", "this hole has no end", "close it with `}}`, or write `{{{{` for a literal `{{`", 0..8),
        ("{{}}", "this hole is empty", "write `{{_}}` for anything, or `{{{{` for a literal `{{`", 0..4),
        ("{{x:uid}}", "there is no type `uid`", "did you mean `uuid`?", 0..9),
        ("{{x:nothing}}", "there is no type `nothing`", "the types are any, string", 0..13),
        ("{{x:/a/b/}}", "", "", 0..0),
        ("{{x:/(/}}", "`/(/` is not a regular expression: unclosed group", "the syntax is that of the Rust crate `regex`", 0..9),
        ("{{x:/a)|(b/}}", "`/a)|(b/` is not a regular expression: unopened group", "the syntax is that of the Rust crate `regex`", 0..13),
        ("{{x:int=y}}", "the example `y` is not an integer", "give an example of the hole's own type", 0..11),
        ("{{x:int(5..1)}}", "the range `5..1` is empty", "put the smaller end first", 0..15),
        ("{{x:int(5)}}", "`5` is not a range", "write the least and the greatest value with two dots between: `1..100`", 0..12),
        ("{{_:int=5}}", "a hole without a name takes no example", "give it a name: `{{name:type=example}}`", 0..11),
        ("{{message=5}}", "`message` has a meaning of its own and cannot be bound", "choose another name", 0..13),
        ("{{true:bool}}", "`true` has a meaning of its own and cannot be bound", "choose another name", 0..13),
        ("{{a b}}", "`a b` is not an expression", "a hole is `name`, `name:type`, `name=example`, `_`, or a MiniJinja expression", 0..7),
        ("{{_}}{{x=1}}", "two holes without a type stand side by side, so nobody can say where one ends", "put text between them, or give them types: `{{a:int}}{{b:word}}`", 5..12),
        (r#"{"a":1,}"#, "this looks like JSON, but it is not", "it is compared as plain text; mend the JSON, or use the kind `text` if it is meant so", 0..8),
        (r#"{"a":tru}"#, "this looks like JSON, but it is not: `tru}` is no JSON value", "it is compared", 0..9),
        (r#"{"a":1, ..., "b":2}"#, "this looks like JSON, but it is not: `...` must be the last member", "it is compared", 0..19),
        (r#"["\x"]"#, "this looks like JSON, but it is not", "it is compared", 0..6),
        (r#"{"a":"b"#, "this looks like JSON, but it is not: a string has no end", "it is compared", 0..7),
    ];
    for (payload, what, mend, span) in table {
        let (_, errors) = read(payload);
        if what.is_empty() {
            assert_eq!(errors, [], "{payload}");
            continue;
        }
        let [error] = &errors[..] else {
            panic!("{payload}: {errors:?}");
        };
        assert!(error.what.starts_with(what), "{payload}: {}", error.what);
        assert!(error.mend.starts_with(mend), "{payload}: {}", error.mend);
        assert_eq!(error.span.start..error.span.end, span, "{payload}");
    }
    let (_, errors) = read(&"{{_}}a".repeat(257));
    assert_eq!(
        errors[0].what,
        "there are 257 holes in one text, and 256 are the most"
    );
}

#[test]
fn a_pattern_covers_what_takes_no_more() {
    let covers =
        |own: &str, other: &str| pattern(own).covers(&pattern(other), &|name| name == "bound");
    #[rustfmt::skip]
    let yes = [
        ("{{_}}", "anything"), ("{{_}}", "{\"a\":1}"), ("{{x}}", "{{x}}"), ("{{x:string}}", "a"),
        ("{{_}}ignore{{_}}", "please ignore this"), ("{{_}}ignore{{_}}", "{{a:int}} ignore {{b}}"),
        ("a {{_}}", "a b"), ("{{_}} b", "a b"), ("{{_}}b{{_}}d", "abcd d"), ("hi", "hi"),
        ("{...}", "{\"a\":1}"), ("{\"a\":{{_}}, ...}", "{\"b\":2,\"a\":{\"c\":3}}"),
        ("{\"a\":{{k:int}}}", "{\"a\":5}"), ("{\"a\":{{_:string}}}", "{\"a\":\"x{{y}}\"}"),
        ("[1, ...]", "[1.0, 2]"), ("[1, ...]", "[1, {{x}}, ...]"), ("{\"a\":\"x{{_}}\"}", "{\"a\":\"xyz\"}"),
        ("42[\"a\", ...]", "42[\"a\",{}]"), ("{\"a\":{{x:json}}}", "{\"a\":[1]}"),
    ];
    for (own, other) in yes {
        assert!(covers(own, other), "{own} covers {other}");
    }
    #[rustfmt::skip]
    let no = [
        ("a", "b"), ("a", "{{_}}"), ("{{x}}", "a"), ("{{bound:string}}", "a"), ("{{_:int}}", "a"), ("a {{_}}", "b a "),
        ("{{_}} b", "a b c"), ("{{_}}a{{_}}", "xyz"), ("ab{{_}}b", "ab"), ("{{_}}x{{_}}", "{\"x\":1}"),
        ("{\"a\":1}", "{\"a\":1, ...}"), ("{\"a\":1, ...}", "{\"b\":1}"), ("{\"a\":{{k:int}}}", "{\"a\":\"5\"}"),
        ("{\"a\":{{k:int}}}", "{\"a\":{{m:int}}}"), ("[1]", "[1, ...]"), ("[1, 2, ...]", "[1]"),
        ("{\"{{_}}\":1, ...}", "{\"a\":1}"), ("42[1]", "43[1]"), ("{\"a\":{{_}}}", "{\"a\":1,\"b\":2}"),
    ];
    for (own, other) in no {
        assert!(!covers(own, other), "{own} does not cover {other}");
    }
}

proptest::proptest! {
    /// What a pattern that is covered takes, the other takes too.
    #[test]
    fn covering_is_never_wrong(own in "(a|b|\\{\\{_\\}\\}c){1,4}", text in "[abc]{0,6}") {
        let scene = Scene::with("");
        let (own, other) = (pattern(&own), pattern(&text));
        let taken = own.matches(&text, &scene.context()).is_ok();
        if own.covers(&other, &|_| false) {
            proptest::prop_assert!(taken);
        }
    }
}
