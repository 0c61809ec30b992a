use super::*;

#[test]
fn texts() {
    let text = Message::from("abc");
    let binary = Message::from(&b"abc"[..]);
    assert!("abc".accepts(&text) && !"ab".accepts(&text) && !"abc".accepts(&binary));
    assert!(String::from("abc").accepts(&text));
    assert!(containing("b").accepts(&text) && !containing("x").accepts(&text));
    assert!(!containing("b").accepts(&binary));
    assert!(binary.clone().accepts(&binary) && !binary.accepts(&text));
}

#[cfg(feature = "json")]
#[test]
fn json() {
    use serde_json::json;
    let found = r#"{"a": 1, "b": {"c": [1, {"d": null, "e": "x"}], "f": true}}"#;
    for (wanted, matches) in [
        (json!({}), true),
        (json!({"a": 1}), true),
        (json!({"a": 1.0}), false),
        (json!({"a": 2}), false),
        (json!({"x": null}), false),
        (json!({"b": {}}), true),
        (json!({"b": {"c": [1, {"e": "x"}]}}), true),
        (
            json!({"b": {"c": [1, {"d": null}], "f": true}, "a": 1}),
            true,
        ),
        (json!({"b": {"c": [1]}}), false),
        (json!({"b": {"c": []}}), false),
        (json!([]), false),
        (json!(1), false),
    ] {
        assert_eq!(wanted.accepts(&found.into()), matches, "{wanted}");
    }
    assert!(!json!({}).accepts(&"no JSON".into()));
    assert!(!json!({}).accepts(&Message::from(found.as_bytes())));
    assert!(json!("x").accepts(&r#""x""#.into()));
}

#[test]
fn what_is_looked_for() {
    assert_eq!(described(&"a\nb"), r#"the text "a\nb""#);
    assert_eq!(described(&containing("a")), r#"a text with "a" in it"#);
    assert_eq!(
        described(&Message::from(vec![1, 255])),
        "binary 01ff (2 bytes)"
    );
    assert_eq!(
        described(&|_: &Message| true),
        "a message as the closure wants it"
    );
}

#[test]
fn long_messages_are_cut() {
    assert_eq!(
        Shown(&"é".repeat(201).into()).to_string(),
        format!("{:?}… (402 bytes)", "é".repeat(200))
    );
    assert_eq!(
        Shown(&vec![0; 101].into()).to_string(),
        format!("binary {}… (101 bytes)", "00".repeat(100))
    );
}
