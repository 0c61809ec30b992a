use proptest::prelude::*;
use regex::Regex;

use super::*;
use crate::syntax::parse;
use crate::testing::talks;

/// What a talk means, without where it stands.
fn meaning(talk: &str) -> String {
    let parsed = parse("chat.talk", talk);
    let shown = format!("{:?}", parsed.talk.statements);
    let span = Regex::new(r"Span \{ start: \d+, end: \d+ \}").expect("a regex");
    // A check keeps its line as it stands, to be shown.
    let line = Regex::new(r#"Check \{ raw: "(?:[^"\\]|\\.)*""#).expect("a regex");
    let shown = span.replace_all(&shown, "");
    line.replace_all(&shown, "Check {").into_owned()
}

fn laid_out(talk: &str) -> String {
    format("chat.talk", talk).unwrap_or_else(|errors| panic!("{errors:?} in\n{talk}"))
}

#[test]
fn every_kind_of_line_is_laid_out() {
    let talk = "\u{feff}\r\n\r\n#  A comment  \r\n\r\n\r\n\
        listen    ws://127.0.0.1:4000/ws  \r\n\
        option   timeout   5s\r\n\
        set   url=ws://h/?a=b\r\n\
        set client.x   =   1\r\n\
        set empty =\r\n\
        connect   alice    {{url}}  \n\
        \tAuthorization:Bearer  x  \n\
        \t# A comment between headers.\n\
        \tX-Empty:\n\
        HTTP    101\n\
        \x20   Server :  no header\n"
        .replace(
            "\x20   Server :  no header\n",
            "     Server:x\n     ?   header   A == b\n     | body\n     |  more\n     |\n",
        );
    let talk = talk
        + "alice    >   two blanks  \n\
           >ping\n\
           <( within   200ms,skip )  x\n\
           >close  1000   bye \n\
           alice\t<any\n\
           ?   $.a  ==  1\n"
            .replace("?   $.a", "      ?   $.a")
            .as_str()
        + "      x=$.b\n\
           >\n\
           |{\n\
           |   \"a\": 1\n\
           \n\
           | }\n\
           <text {{ raw  \n\
           on    >    {{_}}  \n\
           \x20    ? size > 1\n\
           \x20    wait   1s\n\
           \x20    all   <echo\n\
           \x20    <\n\
           \x20    | b\n\
           on >\n\
           | several\n\
           | lines\n\
           on connect /chat\n\
           \x20\x20\x20X-A:   b\n\
           \x20\x20\x20HTTP 403\n\
           \x20\x20\x20\x20\x20\x20\x20| no\n\
           every   5s   per client\n\
           \t\tall silence   1s\n\
           # The end.\n\n\n";
    insta::assert_snapshot!(laid_out(&talk));
    assert_eq!(meaning(&talk), meaning(&laid_out(&talk)));
    assert_eq!(laid_out(&laid_out(&talk)), laid_out(&talk));
}

#[test]
fn what_cannot_be_read_is_not_laid_out() {
    let errors = format("chat.talk", "> a\nconect x\nwait\n").expect_err("two mistakes");
    assert_eq!(errors.len(), 2);
    // A warning does not stand in the way.
    assert_eq!(laid_out("every   1s"), "every 1s\n");
    assert_eq!(laid_out(""), "");
    assert_eq!(laid_out("\n \n"), "");
}

proptest! {
    #[test]
    fn formatting_twice_is_formatting_once_and_changes_no_meaning(talk in talks()) {
        if let Ok(once) = format("chat.talk", &talk) {
            prop_assert_eq!(meaning(&talk), meaning(&once), "{}", &once);
            prop_assert_eq!(format("chat.talk", &once), Ok(once.clone()));
            prop_assert!(!once.contains('\r') && !once.contains("\n\n\n"));
        }
        // What keeps no tree finds the same mistakes.
        prop_assert_eq!(syntax::look_through(&talk), parse("chat.talk", &talk).diagnostics);
    }

}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4))]

    #[test]
    fn most_generated_talks_can_be_read(talks in proptest::collection::vec(talks(), 64)) {
        let read = talks.iter().filter(|talk| format("chat.talk", talk).is_ok()).count();
        prop_assert!(read > 16, "{} of 64", read);
    }
}
