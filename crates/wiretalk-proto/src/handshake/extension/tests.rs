use super::Extension;

/// Extensions as a line: `name; parameter=value, name`.
fn shown(list: &[Extension]) -> String {
    let parameter = |(name, value): &(String, Option<String>)| match value {
        Some(value) => format!("; {name}={value}"),
        None => format!("; {name}"),
    };
    let extension = |extension: &Extension| {
        extension.name.clone()
            + &extension
                .parameters
                .iter()
                .map(parameter)
                .collect::<String>()
    };
    list.iter().map(extension).collect::<Vec<_>>().join(", ")
}

#[test]
fn lists_of_section_9_1() {
    let cases = [
        ("foo", "foo"),
        ("foo, bar; baz=2", "foo, bar; baz=2"),
        ("foo; baz,bar", "foo; baz, bar"),
        (
            " deflate-stream ,\tmux ; max-channels=4;flow-control ",
            "deflate-stream, mux; max-channels=4; flow-control",
        ),
        (
            "permessage-deflate; client_max_window_bits=\"15\"",
            "permessage-deflate; client_max_window_bits=15",
        ),
        (r#"x; a="b\c""#, "x; a=bc"),
        (", ,foo,,", "foo"),
    ];
    for (value, expected) in cases {
        let list = Extension::parse_list(value.as_bytes());
        assert_eq!(
            list.as_deref().map(shown).as_deref(),
            Some(expected),
            "{value}"
        );
    }
}

#[test]
fn what_does_not_follow_the_grammar_of_section_9_1() {
    let cases = [
        "",
        ",",
        ";",
        "foo;",
        "foo;=1",
        "foo; a=",
        "foo; a=\"b",
        "foo; a=\"b c\"",
        "foo; a=\"\"",
        "foo bar",
        "foo; a b",
        "f\u{f6}o",
        "foo; a=\"b\\",
        "foo=1",
        "foo; a=\"b\"c",
    ];
    for value in cases {
        assert_eq!(Extension::parse_list(value.as_bytes()), None, "{value}");
    }
}
