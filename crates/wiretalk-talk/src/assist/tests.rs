//! Each case is a talk with `‸` where the cursor is.

use super::*;

/// The talk without its cursor, and where that is.
fn cursor(text: &str) -> (Source, usize) {
    let offset = text.find('‸').expect("a cursor");
    (Source::new("a.talk", &text.replace('‸', "")), offset)
}

#[test]
fn what_could_stand_there_is_offered() {
    for (text, some, none) in [
        (
            "‸",
            &["connect", "on", "all", "room"][..],
            &["hex", "uuid"][..],
        ),
        ("connect alice ws://a\nal‸", &["alice", "all"], &[]),
        ("on > a\n  ‸", &["join", "all", "wait"], &[]),
        (">‸", &["hex", "ping", "frame"], &["connect"]),
        ("alice >h‸ a", &["hex"], &[]),
        ("on >‸", &["re", "any"], &[]),
        ("<(‸", &["within", "skip", "optional"], &["hex"]),
        ("<hex(x2, wi‸) 00", &["within"], &[]),
        (
            "set token = a\n> {{‸",
            &["token", "message", "uuid"],
            &["connect"],
        ),
        ("< {{id:uuid}}\n> {{ i‸ }}", &["id"], &[]),
        ("< {{id:‸", &["uuid", "int"], &["message"]),
        ("< {{ id|u‸", &["upper"], &["uuid"]),
        ("< a\n  first = $.a\n> {{‸", &["first"], &[]),
        ("< a\n  ? ‸", &["size", "latency", "text"], &["contains"]),
        (
            "< a\n  ? $.a ‸",
            &["startsWith", "count", "not"],
            &["latency"],
        ),
        ("option ‸", &["timeout", "refuse"], &["connect"]),
        ("on ‸", &["connect", "GET", "open", "close"], &["test"]),
        ("> hello ‸", &[], &["connect", "hex", "message"]),
        ("# on ‸", &[], &["connect"]),
        (">text {{{{ {{‸", &[], &["connect"]),
    ] {
        let (source, offset) = cursor(text);
        let (span, found) = complete(&source, offset);
        assert!(span.end == offset, "{text}");
        for wanted in some {
            assert!(
                found.iter().any(|one| one.text == *wanted),
                "{text} does not offer {wanted}"
            );
        }
        for unwanted in none {
            assert!(
                found.iter().all(|one| one.text != *unwanted),
                "{text} offers {unwanted}"
            );
        }
    }
}

#[test]
fn a_word_is_explained() {
    for (text, word) in [
        ("conn‸ect ws://a", Some((Role::Directive, "connect"))),
        ("<cl‸ose 1000", Some((Role::Kind, "close"))),
        ("<(x‸3) a", Some((Role::FrameOption, "x"))),
        ("< {{a:uu‸id}}", Some((Role::Type, "uuid"))),
        ("< {{ uu‸id() }}", Some((Role::Name, "uuid"))),
        (
            "  ? $.a star‸tsWith \"b\"",
            Some((Role::Predicate, "startsWith")),
        ),
        ("option ti‸meout 5s", Some((Role::TalkOption, "timeout"))),
        ("alice sil‸ence 5s", Some((Role::Directive, "silence"))),
        ("room‸ lobby < a", Some((Role::Who, "room"))),
        ("> conn‸ect", None),
        ("# connect‸", None),
    ] {
        let (source, offset) = cursor(text);
        let found = hover(&source, offset).map(|(_, word)| (word.role, word.text));
        assert_eq!(found, word, "{text}");
    }
}

#[test]
fn a_name_and_a_message_lead_to_where_they_come_from() {
    for (text, lines) in [
        ("set url = ws://a\nconnect {{u‸rl}}", &["url"][..]),
        ("< {{id:uuid}}\n< {{ i‸d }}", &["id"]),
        ("< a\n  id = $.id\n> {{i‸d}}", &["id"]),
        ("connect alice ws://a\nali‸ce > hi", &["alice"]),
        (
            "on > bye\n  < bye\non > hi {{_}}\n  < hello\n> hi ‸bob",
            &["on > hi {{_}}"],
        ),
        (
            "on > {\"op\":\"a\", ...}\n  < a\non > {\"op\":\"b\", ...}\n  < b\n> {\"n\":1,‸\"op\":\"b\"}",
            &["on > {\"op\":\"b\", ...}"],
        ),
        ("on > a\n> ‸b", &[]),
    ] {
        let (source, offset) = cursor(text);
        let found = definitions(&source, offset);
        let found: Vec<&str> = found.into_iter().map(|span| source.slice(span)).collect();
        assert_eq!(found, lines, "{text}");
    }
}

#[test]
fn the_outline_has_tests_rules_clocks_and_clients() {
    let text =
        "connect alice ws://a\ntest one\n> on > not a rule\non > a\n  < b\nevery 5s\n  all < c\n";
    let source = Source::new("a.talk", text);
    let found: Vec<_> = outline(&source)
        .into_iter()
        .map(|symbol| (symbol.kind, symbol.name))
        .collect();
    let wanted = [
        (SymbolKind::Client, "alice"),
        (SymbolKind::Test, "one"),
        (SymbolKind::Rule, "on > a"),
        (SymbolKind::Clock, "every 5s"),
    ];
    assert_eq!(found, wanted.map(|(kind, name)| (kind, name.to_owned())));
}

#[test]
fn every_word_of_the_language_is_explained() {
    let who = ["all", "others", "room", "user"];
    for word in crate::syntax::directive::KEYWORDS {
        let role = if who.contains(&word) {
            Role::Who
        } else {
            Role::Directive
        };
        assert!(
            word == "load" || words::find(role, word).is_some(),
            "{word}"
        );
    }
    for kind in crate::syntax::frame::KINDS {
        assert!(words::find(Role::Kind, kind).is_some(), "{kind}");
    }
    for ty in crate::types::NAMES {
        assert!(words::find(Role::Type, ty).is_some(), "{ty}");
    }
    let filters = crate::query::filter::NAMES;
    for name in crate::query::predicate::names().chain(filters) {
        assert!(words::find(Role::Predicate, name).is_some(), "{name}");
    }
    for word in WORDS {
        assert!(
            !word.form.is_empty() && word.meaning.ends_with('.'),
            "{}",
            word.text
        );
    }
}

#[test]
fn every_filter_that_is_offered_is_one() {
    for filter in words::FILTERS {
        let talk = format!("set a = {{{{ \"x\"|{filter} }}}}\n");
        let found = crate::check(&crate::parse("a.talk", &talk).talk, crate::Role::Test, &[]);
        assert!(
            found.iter().all(|one| !one.what.contains("filter")),
            "{filter}: {found:?}"
        );
    }
}

proptest::proptest! {
    #[test]
    fn no_text_and_no_place_is_too_odd(text in "[a-z <>{}:|?$#()=\n\"é😀]{0,60}", at in 0usize..200) {
        let source = Source::new("a.talk", &text);
        let mut offset = at.min(text.len());
        while !text.is_char_boundary(offset) {
            offset -= 1;
        }
        let _ = complete(&source, offset);
        let _ = hover(&source, offset);
        let _ = definitions(&source, offset);
        let _ = outline(&source);
    }
}
