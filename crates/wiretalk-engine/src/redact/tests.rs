use super::*;

#[test]
fn each_form_of_a_secret_is_hidden() {
    let secret = "p/ä s\"1?\n";
    let redactor = Redactor::new([secret]);
    let json = serde_json::json!({ "password": secret }).to_string();
    for text in [
        secret.to_owned(),
        format!("before {secret} behind"),
        json.clone(),
        json.replace('/', "\\/"),
        r#"{"password":"p/\u00e4 s\"1?\n"}"#.to_owned(),
        "?token=p%2F%C3%A4%20s%221%3F%0A".to_owned(),
        "?token=p%2f%c3%a4%20s%221%3f%0a".to_owned(),
        "token=p%2F%C3%A4+s%221%3F%0A".to_owned(),
        "/p/%C3%A4%20s%221?%0A".to_owned(),
        format!("Basic {}", STANDARD_NO_PAD.encode(secret)),
        "702fc3a4207322313f0a".to_owned(),
        "702FC3A4207322313F0A".to_owned(),
        "70 2f c3 a4 20 73 22 31 3f 0a".to_owned(),
    ] {
        let shown = redactor.text(&text);
        assert!(shown.contains(HIDDEN), "{text}: {shown}");
        assert!(!shown.contains("s\"1"), "{text}: {shown}");
        assert_eq!(
            redactor.bytes(Bytes::from(text.clone())),
            shown.as_bytes(),
            "{text}"
        );
    }
}

#[test]
fn a_password_in_the_midst_of_base64_is_hidden() {
    let redactor = Redactor::new(["correct horse"]);
    for user in ["", "a", "al", "ali", "alice"] {
        for behind in ["", "!", "!!", "!!!"] {
            let whole = format!("{user}:correct horse{behind}");
            for encoded in [
                base64::engine::general_purpose::STANDARD.encode(&whole),
                base64::engine::general_purpose::URL_SAFE.encode(&whole),
            ] {
                let shown = redactor.text(&encoded);
                assert!(shown.contains(HIDDEN), "{whole}: {encoded}: {shown}");
                assert!(!shown.contains("cnJlY3Q"), "{whole}: {shown}");
            }
        }
    }
}

#[test]
fn what_overlaps_is_hidden_together() {
    let redactor = Redactor::new(["abc", "cde", "abcx"]);
    for (text, shown) in [
        ("abcde", "***"),
        ("abcabc", "******"),
        ("-abcx-abc-", "-***-***-"),
        ("ab cd", "ab cd"),
    ] {
        assert_eq!(redactor.text(text), shown, "{text}");
    }
}

#[test]
fn a_talk_keeps_its_lines() {
    let redactor = Redactor::new(["one\ntwo longer"]);
    let source = Source::new("a.talk", "> one\ntwo longer\n> two longer\n> x\n");
    let shown = redactor.source(&source);
    assert_eq!(shown.text(), "> ***\n\n> ***\n> x\n");
    assert_eq!(shown.line(4), source.line(4));
}

#[test]
fn without_secrets_nothing_changes() {
    for redactor in [
        Redactor::default(),
        Redactor::new([""; 2]),
        Redactor::new(Vec::<String>::new()),
    ] {
        assert!(redactor.is_empty());
        assert!(matches!(redactor.text("***"), Cow::Borrowed("***")));
    }
}

#[test]
fn what_a_talk_sets_is_known() {
    let talk = Source::new(
        "a.talk",
        "set token = \"hunter 2\"\n  set client.token = t0ken\nset url = ws://x\n> set token = no\n",
    );
    let values = set_in(&talk, &["token".to_owned()]);
    assert_eq!(values, ["\"hunter 2\"", "hunter 2", "t0ken", "t0ken"]);
}
