use super::{Agreed, DeflateConfig};
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
        // 7.1.1.2: a hint, which may be ignored.
        (takeover(), "; client_no_context_takeover", "", "- - 15 15"),
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
