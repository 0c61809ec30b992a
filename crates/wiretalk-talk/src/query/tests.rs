use super::*;
use crate::testing::Scene;
use crate::value::document::Parsed;

/// The check of a line under a message.
fn check(line: &str) -> Check {
    let talk = format!("< x\n  {line}\n");
    let parsed = crate::parse("t", &talk);
    assert_eq!(parsed.diagnostics, [], "{line}");
    match &parsed.talk.statements[0].kind {
        crate::syntax::StatementKind::Frame(frame) => frame.checks[0].clone(),
        other => panic!("{other:?}"),
    }
}

fn apply_to(line: &str, text: &str) -> Result<Captures, String> {
    let headers = [
        ("Content-Type".to_owned(), "text/plain".to_owned()),
        ("X-Count".to_owned(), "18".to_owned()),
    ];
    let parsed = Parsed::default();
    let subject = Subject {
        document: Some(Document::new(text, &parsed)),
        size: text.len(),
        latency: Some(Duration::from_micros(1500)),
        headers: &headers,
    };
    let scene = Scene::with("id=7 who=bob word=\"7\" list=[1,2]").message(text);
    let mut captures = Captures::new();
    match apply(&[check(line)], &subject, &scene.context(), &mut captures) {
        Ok(()) => Ok(captures),
        Err(Mismatch::Check { came, .. }) => Err(came),
        Err(other) => panic!("{other:?}"),
    }
}

const MESSAGE: &str = r#"{"n":5,"price":1.10,"s":"abc","t":"5","e":"","null":null,"yes":true,"id":"123e4567-e89b-12d3-a456-426614174000","items":[{"id":7},{"id":8}],"none":[],"big":12345678901234567890.1}"#;

#[test]
fn predicates_hold_of_what_they_say() {
    for line in [
        "? $.n == 5",
        "? $.n == 5.0",
        "? $.n != 6",
        "? $.n != \"5\"",
        "? $.t == \"5\"",
        "? $.t != 5",
        "? $.price == 1.1",
        "? $.big == 12345678901234567890.10",
        "? $.big < 12345678901234567890.2",
        "? $.n >= 5",
        "? $.n < 5.000001",
        "? $.s < abd",
        "? $.s == abc",
        "? $.s == \"abc\"",
        "? $.null == null",
        "? $.yes == true",
        "? $.none == []",
        "? $.items == [{\"id\":7.0},{\"id\":8}]",
        "? $.items[*].id >= 7",
        "? $.items[0].id == {{id}}",
        "? $.items[0].id == {{word}}",
        "? $.n == {{ id - 2 }}",
        "? $.items[?@.id > 7].id == 8",
        "? $['s'] startsWith ab",
        "? $.s endsWith \"c\"",
        "? $.s contains b",
        "? $.items[*].id not contains 9",
        "? $.s matches /^a.c$/",
        "? $.s matches \"^a\"",
        "? $.s not matches ^b",
        "? $.s exists",
        "? $.gone not exists",
        "? $.gone not not not exists",
        "? $.e isEmpty",
        "? $.none isEmpty",
        "? $.s not isEmpty",
        "? $.s isString",
        "? $.n isNumber",
        "? $.n isInteger",
        "? $.price not isInteger",
        "? $.yes isBoolean",
        "? $.id isUuid",
        "? $.s not isUuid",
        "? text contains price",
        "? size > 100",
        "? latency < 2ms",
        "? latency >= 1.5ms",
        "? latency not > 1s",
        "? header content-type == text/plain",
        "? header \"X-Count\" == 18",
        "? header Gone not exists",
        "? {{who}} == bob",
        "? {{ id + 1 }} == 8",
        "? {{ list|length }} == 2",
        "? {{ \"}}\" }} == \"}}\"",
        "? {{list}} contains 2",
        "? {{message.n}} == 5",
        "? {{message.gone}} not exists",
    ] {
        assert!(apply_to(line, MESSAGE).is_ok(), "{line}");
    }
}

#[test]
fn predicates_fail_with_what_they_were_applied_to() {
    for (line, came) in [
        ("? $.n == 6", "5"),
        ("? $.n == \"5\"", "5"),
        ("? $.t == 5", "\"5\""),
        ("? $.s > 5", "\"abc\""),
        ("? $.null > 5", "null"),
        ("? $.gone == 5", "nothing is there"),
        ("? $.gone != 5", "nothing is there"),
        ("? $.n not exists", "5"),
        ("? $.items[*].id > 7", "7, 8"),
        ("? $.n isString", "5"),
        ("? latency > 1s", "1.5ms"),
        ("? header X-Count == 17", "\"18\""),
        ("? $.n == {{nobody}}", "`nobody` is not bound here"),
        ("? {{message.gone}} == 5", "nothing is there"),
    ] {
        assert_eq!(apply_to(line, MESSAGE), Err(came.to_owned()), "{line}");
    }
    assert_eq!(
        apply_to("? $.n == 5", "text"),
        Err("the message is not JSON".to_owned())
    );
}

#[test]
fn captures_keep_their_value() {
    let captured = |line| apply_to(line, MESSAGE).map(|c| c[0].1.to_json().to_string());
    assert_eq!(
        captured("x = $.big"),
        Ok("12345678901234567890.1".to_owned())
    );
    assert_eq!(
        captured("x = $.items"),
        Ok(r#"[{"id":7},{"id":8}]"#.to_owned())
    );
    assert_eq!(captured("x = $.items[*].id"), Ok("7".to_owned()));
    assert_eq!(captured("x = size"), Ok(MESSAGE.len().to_string()));
    assert_eq!(captured("x = header X-Count"), Ok("\"18\"".to_owned()));
    assert_eq!(captured("x = {{ who|upper }}"), Ok("\"BOB\"".to_owned()));
    assert_eq!(captured("x = $.gone"), Err("nothing is there".to_owned()));
}

#[test]
fn filters_work_on_what_the_query_gave() {
    let message = r#"{"items":[{"id":7},{"id":8},{"id":9}],"one":[[1,2]],"text":"a=1, b=22","n":"42.9","inner":"{\"x\":[1,2]}","o":{"a":1},"none":[]}"#;
    for line in [
        "? $.items count == 3",
        "? $.items[*] count == 3",
        "? $.items[*].id count == 3",
        "? $.one[*] count == 1",
        "? $.one[0] count == 2",
        "? $..id count == 3",
        "? $.items[?@.id > 7] count == 2",
        "? $.gone[*] count == 0",
        "? $.none count == 0",
        "? $.o count == 1",
        "? $.text count == 9",
        "? $.items[*].id first == 7",
        "? $.items first == {\"id\":7}",
        "? $.items[*].id last == 9",
        "? $.items[*].id nth 1 == 8",
        "? $.items nth 9 not exists",
        "? $.gone first not exists",
        "? $.gone count not exists",
        "? $.text split \", \" count == 2",
        "? $.text split \", \" nth 1 == \"b=22\"",
        "? $.text replace \"a=\" \"\" startsWith \"1\"",
        "? $.text replaceRegex /[0-9]+/ N == \"a=N, b=N\"",
        "? $.text regex /b=([0-9]+)/ toInt == 22",
        "? $.text regex \"b=..\" == \"b=22\"",
        "? $.text regex /c=/ not exists",
        "? $.n toInt == 42",
        "? $.n toFloat > 42.8",
        "? $.items[0].id toString == \"7\"",
        "? $.inner jsonpath $.x[1] == 2",
        "? $.inner jsonpath \"$.x\" count == 2",
        "? text count > 10",
        "? text regex /items/ exists",
        "? $.items[*].id isInteger",
        "? $.n toFloat isFloat",
        "? $.o isObject",
        "? $.one isList",
        "? $.o not isList",
    ] {
        assert!(
            apply_to(line, message).is_ok(),
            "{line}: {:?}",
            apply_to(line, message)
        );
    }
    for (line, came) in [
        ("? $.items count > 3", "3"),
        ("? $.o first == 1", "{\"a\":1} is not an array"),
        ("? $.items[0].id split \",\" exists", "7 is not a text"),
        (
            "? $.items[0].id count == 1",
            "7 is nothing that could be counted",
        ),
        ("? $.text toInt == 1", "\"a=1, b=22\" is not a number"),
        ("? $.items nth 9 == 1", "nothing is there"),
        (
            "? $.text jsonpath $.x exists",
            "the text is not JSON: expected value at line 1 column 1",
        ),
    ] {
        assert_eq!(apply_to(line, message), Err(came.to_owned()), "{line}");
    }
    let captured = |line| apply_to(line, message).map(|c| c[0].1.to_json().to_string());
    assert_eq!(captured("x = $.items first"), Ok("{\"id\":7}".to_owned()));
    assert_eq!(captured("x = $.items[*].id count"), Ok("3".to_owned()));
}

#[cfg(feature = "schema")]
#[test]
fn a_schema_holds_or_says_where_it_does_not() {
    let schema =
        r#"{"type":"object","required":["id"],"properties":{"id":{"type":"integer","minimum":1}}}"#;
    let with = |line: &str| {
        let check = check(line);
        let own = check.schema().expect("a schema");
        own.set(&ReadySchema::read(schema.as_bytes()).expect("it is one"));
        check
    };
    let told = |line: &str, text: &str| {
        let parsed = Parsed::default();
        let subject = Subject {
            document: Some(Document::new(text, &parsed)),
            ..Subject::default()
        };
        let scene = Scene::with("");
        match apply(
            &[with(line)],
            &subject,
            &scene.context(),
            &mut Captures::new(),
        ) {
            Ok(()) => "ok".to_owned(),
            Err(Mismatch::Check { came, .. }) => came,
            Err(other) => panic!("{other:?}"),
        }
    };
    assert_eq!(told("? schema a.json", r#"{"id":1}"#), "ok");
    assert_eq!(
        told(
            "? $.items[*] schema a.json",
            r#"{"items":[{"id":1},{"id":2}]}"#
        ),
        "ok"
    );
    assert_eq!(told("? $.x not schema a.json", r#"{"x":1}"#), "ok");
    assert_eq!(
        told("? schema a.json", r#"{"id":0}"#),
        "at /id: 0 is less than the minimum of 1"
    );
    assert_eq!(
        told("? $.items[*] schema a.json", r#"{"items":[{"id":1},{}]}"#),
        "\"id\" is a required property"
    );
    assert_eq!(told("? schema a.json", "x"), "the message is not JSON");
    assert!(ReadySchema::read(b"{").is_err());
    assert!(ReadySchema::read(br#"{"type":5}"#).is_err());
}
