use super::{Agreed, AnswerError, DeflateConfig};
use crate::handshake::Extension;

fn parse(value: &str) -> Vec<Extension> {
    Extension::parse_list(value.as_bytes()).unwrap()
}

/// What is agreed as a line: whose context is not taken over, and the two windows.
fn shown(agreed: Agreed) -> String {
    let flag = |is_set, name| if is_set { name } else { "-" };
    format!(
        "{} {} {} {}",
        flag(agreed.server_no_context_takeover(), "s"),
        flag(agreed.client_no_context_takeover(), "c"),
        agreed.server_max_window_bits(),
        agreed.client_max_window_bits()
    )
}

fn takeover() -> DeflateConfig {
    DeflateConfig::with_context_takeover()
}

fn windows(server: u8, client: u8) -> DeflateConfig {
    DeflateConfig {
        server_max_window_bits: server,
        client_max_window_bits: client,
        ..takeover()
    }
}

const DEFLATE: &str = "permessage-deflate";

/// What a server answers to the parameters of one offer, and what is agreed then; `None` if it declines.
fn accepts(config: DeflateConfig, offer: &str) -> Option<(String, String)> {
    let offers = parse(&format!("{DEFLATE}{offer}"));
    let (agreed, answer) = config.accept(&offers)?;
    let parameters = answer.strip_prefix(DEFLATE).unwrap().to_owned();
    Some((parameters, shown(agreed)))
}

#[test]
fn offers_that_a_server_accepts() {
    let cases = [
        // By default nothing is taken over, whatever is asked for: 7.1.1.1 and 7.1.1.2 allow both unasked.
        (
            DeflateConfig::default(),
            "",
            "; server_no_context_takeover; client_no_context_takeover",
            "s c 15 15",
        ),
        (
            DeflateConfig::default(),
            "; client_max_window_bits",
            "; server_no_context_takeover; client_no_context_takeover",
            "s c 15 15",
        ),
        (takeover(), "", "", "- - 15 15"),
        // 7.1.1.1: accepted by repeating it.
        (
            takeover(),
            "; server_no_context_takeover",
            "; server_no_context_takeover",
            "s - 15 15",
        ),
        // 7.1.1.2: a hint, of which use is made.
        (
            takeover(),
            "; client_no_context_takeover",
            "; client_no_context_takeover",
            "- c 15 15",
        ),
        // 7.1.2.1: the same or less.
        (
            takeover(),
            "; server_max_window_bits=10",
            "; server_max_window_bits=10",
            "- - 10 15",
        ),
        (
            takeover(),
            "; server_max_window_bits=15",
            "; server_max_window_bits=15",
            "- - 15 15",
        ),
        (
            windows(9, 15),
            "; server_max_window_bits=12",
            "; server_max_window_bits=9",
            "- - 9 15",
        ),
        (
            windows(12, 15),
            "; server_max_window_bits=\"9\"",
            "; server_max_window_bits=9",
            "- - 9 15",
        ),
        (
            windows(11, 15),
            "",
            "; server_max_window_bits=11",
            "- - 11 15",
        ),
        // 7.1.2.2: not answered unless we have a limit.
        (takeover(), "; client_max_window_bits", "", "- - 15 15"),
        (takeover(), "; client_max_window_bits=8", "", "- - 15 15"),
        (
            windows(15, 10),
            "; client_max_window_bits",
            "; client_max_window_bits=10",
            "- - 15 10",
        ),
        (
            windows(15, 10),
            "; client_max_window_bits=15",
            "; client_max_window_bits=10",
            "- - 15 10",
        ),
        (
            windows(15, 10),
            "; client_max_window_bits=9",
            "; client_max_window_bits=9",
            "- - 15 9",
        ),
        (
            windows(15, 10),
            "; client_max_window_bits=8",
            "; client_max_window_bits=8",
            "- - 15 8",
        ),
        // A setting that is out of range counts as the nearest that is not.
        (
            windows(0, 255),
            "",
            "; server_max_window_bits=9",
            "- - 9 15",
        ),
    ];
    for (config, offer, answer, agreed) in cases {
        let expected = (answer.to_owned(), agreed.to_owned());
        assert_eq!(accepts(config, offer), Some(expected), "{offer}");
    }
}

#[test]
fn offers_that_a_server_declines() {
    let cases = [
        (takeover(), "; unknown"),
        (takeover(), "; unknown=1"),
        (takeover(), "; Server_no_context_takeover"),
        // 7.1.1: no value.
        (takeover(), "; server_no_context_takeover=1"),
        (takeover(), "; client_no_context_takeover=true"),
        // 7.1.2.1: a value, 8 to 15, as a decimal without leading zeros.
        (takeover(), "; server_max_window_bits"),
        (takeover(), "; server_max_window_bits=7"),
        (takeover(), "; server_max_window_bits=16"),
        (takeover(), "; server_max_window_bits=0"),
        (takeover(), "; server_max_window_bits=09"),
        (takeover(), "; server_max_window_bits=010"),
        (takeover(), "; server_max_window_bits=+9"),
        (takeover(), "; server_max_window_bits=x"),
        (takeover(), "; server_max_window_bits=0x9"),
        (takeover(), "; server_max_window_bits=10.0"),
        (takeover(), "; server_max_window_bits=18446744073709551625"),
        // There is no compressor with so small a window.
        (takeover(), "; server_max_window_bits=8"),
        // 7.1.2.2: no value, or 8 to 15.
        (takeover(), "; client_max_window_bits=7"),
        (takeover(), "; client_max_window_bits=16"),
        (takeover(), "; client_max_window_bits=08"),
        (takeover(), "; client_max_window_bits=-8"),
        // A client that does not offer it cannot be asked for it.
        (windows(15, 10), ""),
        (windows(15, 10), "; server_max_window_bits=10"),
        // 7.1: each once.
        (
            takeover(),
            "; server_no_context_takeover; server_no_context_takeover",
        ),
        (
            takeover(),
            "; client_no_context_takeover; client_no_context_takeover",
        ),
        (
            takeover(),
            "; server_max_window_bits=10; server_max_window_bits=10",
        ),
        (
            takeover(),
            "; client_max_window_bits; client_max_window_bits=10",
        ),
    ];
    for (config, offer) in cases {
        assert_eq!(accepts(config, offer), None, "{offer}");
    }
}

/// Section 5.1: alternatives stand in the order of preference.
#[test]
fn a_server_takes_the_first_alternative_that_it_can_accept() {
    let cases = [
        (
            "permessage-deflate, permessage-deflate; server_max_window_bits=10",
            Some(""),
        ),
        (
            "permessage-deflate; server_max_window_bits=8, permessage-deflate; client_max_window_bits",
            Some(""),
        ),
        (
            "x, permessage-deflate; y, permessage-bzip2, permessage-deflate; server_max_window_bits=9, permessage-deflate",
            Some("; server_max_window_bits=9"),
        ),
        ("permessage-bzip2", None),
        ("Permessage-Deflate", None),
        ("x-webkit-deflate-frame", None),
        ("permessage-deflate; a, permessage-deflate; b=1", None),
    ];
    for (offers, expected) in cases {
        let accepted = takeover().accept(&parse(offers));
        let answer = accepted.map(|(_, answer)| answer);
        let expected = expected.map(|parameters| format!("{DEFLATE}{parameters}"));
        assert_eq!(answer, expected, "{offers}");
    }
    assert_eq!(takeover().accept(&[]), None);
}

#[test]
fn what_a_client_offers() {
    let cases = [
        (
            DeflateConfig::default(),
            "; server_no_context_takeover; client_no_context_takeover; client_max_window_bits",
        ),
        (takeover(), "; client_max_window_bits"),
        (
            windows(9, 12),
            "; server_max_window_bits=9; client_max_window_bits=12",
        ),
        // A setting that is out of range counts as the nearest that is not.
        (
            windows(8, 16),
            "; server_max_window_bits=9; client_max_window_bits",
        ),
    ];
    for (config, expected) in cases {
        assert_eq!(config.offer(), format!("{DEFLATE}{expected}"));
    }
}

fn judged(config: DeflateConfig, answer: &str) -> Result<String, AnswerError> {
    let [answer] = &parse(&format!("{DEFLATE}{answer}"))[..] else {
        panic!("{answer} is not one extension")
    };
    config.judge(answer).map(shown)
}

#[test]
fn answers_that_a_client_takes() {
    let cases = [
        (takeover(), "", "- - 15 15"),
        // 7.1.1.1 and 7.1.1.2: both may come unasked.
        (takeover(), "; server_no_context_takeover", "s - 15 15"),
        (takeover(), "; client_no_context_takeover", "- c 15 15"),
        // 7.1.1.2: what we said that we do, we do, answered or not.
        (
            DeflateConfig::default(),
            "; server_no_context_takeover",
            "s c 15 15",
        ),
        (
            DeflateConfig::default(),
            "; client_no_context_takeover; server_no_context_takeover",
            "s c 15 15",
        ),
        // 7.1.2.1: it may come unasked too, and the least window can be read.
        (takeover(), "; server_max_window_bits=10", "- - 10 15"),
        (takeover(), "; server_max_window_bits=8", "- - 8 15"),
        (takeover(), "; server_max_window_bits=\"15\"", "- - 15 15"),
        (windows(12, 15), "; server_max_window_bits=12", "- - 12 15"),
        (windows(12, 15), "; server_max_window_bits=9", "- - 9 15"),
        // 7.1.2.2.
        (takeover(), "; client_max_window_bits=9", "- - 15 9"),
        (takeover(), "; client_max_window_bits=8", "- - 15 8"),
        (windows(15, 12), "; client_max_window_bits=12", "- - 15 12"),
        (windows(15, 12), "; client_max_window_bits=10", "- - 15 10"),
        // We keep to what we said, though the server does not ask for it.
        (windows(15, 12), "", "- - 15 12"),
    ];
    for (config, answer, agreed) in cases {
        assert_eq!(judged(config, answer), Ok(agreed.to_owned()), "{answer}");
    }
}

#[test]
fn answers_that_fail_the_handshake() {
    let invalid = |name, value: Option<&str>| AnswerError::InvalidValue {
        name,
        value: value.map(str::to_owned),
    };
    let larger = |name, offered, answered| AnswerError::LargerThanOffered {
        name,
        offered,
        answered,
    };
    let cases = [
        (
            takeover(),
            "; x",
            AnswerError::Unknown("x".to_owned()),
            "RFC 7692 7.1",
        ),
        (
            takeover(),
            "; server_no_context_takeover; server_no_context_takeover",
            AnswerError::Repeated("server_no_context_takeover"),
            "RFC 7692 7.1",
        ),
        (
            takeover(),
            "; client_no_context_takeover; client_no_context_takeover",
            AnswerError::Repeated("client_no_context_takeover"),
            "RFC 7692 7.1",
        ),
        (
            takeover(),
            "; server_max_window_bits=9; server_max_window_bits=9",
            AnswerError::Repeated("server_max_window_bits"),
            "RFC 7692 7.1",
        ),
        (
            takeover(),
            "; client_max_window_bits=9; client_max_window_bits=10",
            AnswerError::Repeated("client_max_window_bits"),
            "RFC 7692 7.1",
        ),
        (
            takeover(),
            "; server_no_context_takeover=1",
            invalid("server_no_context_takeover", Some("1")),
            "RFC 7692 7.1.1.1",
        ),
        (
            takeover(),
            "; client_no_context_takeover=1",
            invalid("client_no_context_takeover", Some("1")),
            "RFC 7692 7.1.1.2",
        ),
        (
            takeover(),
            "; server_max_window_bits",
            invalid("server_max_window_bits", None),
            "RFC 7692 7.1.2.1",
        ),
        (
            takeover(),
            "; server_max_window_bits=16",
            invalid("server_max_window_bits", Some("16")),
            "RFC 7692 7.1.2.1",
        ),
        (
            takeover(),
            "; server_max_window_bits=7",
            invalid("server_max_window_bits", Some("7")),
            "RFC 7692 7.1.2.1",
        ),
        // Without a value it is only for an offer.
        (
            takeover(),
            "; client_max_window_bits",
            invalid("client_max_window_bits", None),
            "RFC 7692 7.1.2.2",
        ),
        (
            takeover(),
            "; client_max_window_bits=015",
            invalid("client_max_window_bits", Some("015")),
            "RFC 7692 7.1.2.2",
        ),
        (
            windows(10, 15),
            "; server_max_window_bits=11",
            larger("server_max_window_bits", 10, 11),
            "RFC 7692 7.1.2.1",
        ),
        (
            windows(15, 10),
            "; client_max_window_bits=11",
            larger("client_max_window_bits", 10, 11),
            "RFC 7692 7.1.2.2",
        ),
        // What was demanded.
        (
            windows(10, 15),
            "",
            AnswerError::Missing("server_max_window_bits"),
            "RFC 7692 7.1.2.1",
        ),
        (
            DeflateConfig::default(),
            "",
            AnswerError::Missing("server_no_context_takeover"),
            "RFC 7692 7.1.1.1",
        ),
    ];
    for (config, answer, expected, section) in cases {
        let error = judged(config, answer).unwrap_err();
        assert_eq!((&error, error.section()), (&expected, section), "{answer}");
    }
}

#[test]
fn what_is_wrong_is_said_in_a_sentence() {
    let says = |answer| judged(windows(10, 15), answer).unwrap_err().to_string();
    assert_eq!(
        says("; client_max_window_bits=x"),
        "the server answers permessage-deflate with `client_max_window_bits=x`, which is not a value of it"
    );
    assert_eq!(
        says("; client_max_window_bits"),
        "the server answers permessage-deflate with `client_max_window_bits`, which is not a value of it"
    );
}

/// Whatever this side offers, this side accepts, and both come to the same.
#[test]
fn both_sides_agree() {
    for server_bits in 9..=15 {
        for client_bits in 9..=15 {
            for flags in 0..16u8 {
                let flag = |bit: u8| flags & 1 << bit != 0;
                let client = DeflateConfig {
                    server_no_context_takeover: flag(0),
                    client_no_context_takeover: flag(1),
                    ..windows(server_bits, client_bits)
                };
                let server = DeflateConfig {
                    server_no_context_takeover: flag(2),
                    client_no_context_takeover: flag(3),
                    ..windows(client_bits, server_bits)
                };
                let (agreed, answer) = server.accept(&parse(&client.offer())).unwrap();
                let judged = client.judge(&parse(&answer)[0]).unwrap();
                assert_eq!(
                    agreed.server_no_context_takeover(),
                    judged.server_no_context_takeover()
                );
                assert_eq!(
                    agreed.client_no_context_takeover(),
                    judged.client_no_context_takeover()
                );
                assert_eq!(
                    agreed.server_max_window_bits(),
                    judged.server_max_window_bits()
                );
                assert!(judged.client_max_window_bits() <= agreed.client_max_window_bits());
            }
        }
    }
}
