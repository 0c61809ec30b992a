use super::*;
use crate::testing::StillWorld;

fn ty(spec: &str) -> Arc<dyn HoleType> {
    lookup(spec).unwrap_or_else(|(what, mend)| panic!("{what}: {mend}"))
}

#[test]
fn types_accept_what_they_say_and_nothing_else() {
    #[rustfmt::skip]
    let table: &[(&str, &[&str], &[&str])] = &[
        ("any", &["", "x y"], &[]),
        ("string", &["", "x y"], &[]),
        ("word", &["abc_1", "héllo"], &["", "a b", "a-b"]),
        ("int", &["0", "-12", "99999999999999999999"], &["", "1.0", "1e3", "01", "x"]),
        ("int(1..10)", &["1", "10"], &["0", "11", "5.5"]),
        ("number", &["0", "1.5", "-2e10"], &["", "1.", "NaN"]),
        ("number(..1)", &["1", "-5", "0.999"], &["1.0000000000000000001"]),
        ("bool", &["true", "false"], &["True", "1", ""]),
        ("uuid", &["123e4567-e89b-12d3-a456-426614174000"], &["123e4567e89b12d3a456426614174000", ""]),
        ("datetime", &["2024-02-29T12:00:00Z", "2024-02-29 12:00:00.5+02:00", "2024-02-29T12:00"],
            &["2024-13-01T00:00:00Z", "2024-01-32T00:00:00Z", "2024-01-01", "2024-01-01T24:00:00Z"]),
        ("json", &["{}", "[1]", "1", "\"x\"", "null"], &["", "{", "x"]),
        ("base64", &["aGk=", "aGk", "_-8"], &["a", "a=b=", "aGk=="]),
        ("hex", &["00ff", "AB"], &["", "abc", "zz"]),
        ("/a+b?/", &["a", "aab"], &["b", "aabx", "xa"]),
    ];
    for (spec, good, bad) in table {
        let ty = ty(spec);
        for text in *good {
            assert!(ty.accepts_text(text), "{spec} takes {text:?}");
        }
        for text in *bad {
            assert!(!ty.accepts_text(text), "{spec} refuses {text:?}");
        }
    }
}

#[test]
fn what_is_made_up_is_of_the_type() {
    let world = StillWorld::default();
    for spec in [
        "any",
        "string",
        "word",
        "int",
        "int(5..7)",
        "number",
        "number(0.1..0.2)",
        "bool",
        "uuid",
        "datetime",
        "base64",
        "hex",
        "int(-3..-3)",
    ] {
        let ty = ty(spec);
        for _ in 0..100 {
            let value = ty
                .fresh(&world)
                .unwrap_or_else(|| panic!("{spec} is made up"));
            assert!(ty.accepts_json(&value.to_json()), "{spec}: {value}");
            assert!(ty.accepts_text(&value.to_string()), "{spec}: {value}");
        }
    }
    assert!(ty("json").fresh(&world).is_none());
    assert!(ty("/x/").fresh(&world).is_none());
}

#[test]
fn a_wrong_type_says_what_and_how_to_mend_it() {
    for (spec, what, mend) in [
        ("uid", "there is no type `uid`", "did you mean `uuid`?"),
        (
            "/a",
            "the regular expression `/a` has no end",
            "close it with a second `/`",
        ),
        (
            "/(/",
            "`/(/` is not a regular expression: unclosed group",
            "",
        ),
        (
            "int(5..1)",
            "the range `5..1` is empty",
            "put the smaller end first",
        ),
        ("uuid(1)", "the type `uuid` takes no arguments", ""),
        (
            "int(1",
            "the arguments of `int(1` have no end",
            "close them with `)`",
        ),
    ] {
        let (got, got_mend) = lookup(spec).expect_err(spec);
        assert_eq!(got, what);
        assert!(got_mend.contains(mend), "{got_mend}");
    }
}
