//! `connect [NAME] [x1000] URL`

use super::directive::{KEYWORDS, Rest};
use super::lines::Line;
use super::words::first_word;
use super::{Connect, Parser};
use crate::pattern::{Pattern, Segment, is_name};
use crate::source::Span;

/// The most connections that one line opens.
const MOST_CONNECTIONS: usize = 1_000_000;

impl Parser {
    pub(super) fn connect(&mut self, line: &Line<'_>, rest: &Rest<'_>) -> Option<Connect> {
        self.needed(line, rest, "an address: `connect ws://127.0.0.1:4000/path`")?;
        let headers = self.headers(&line.children);
        let (first, behind) = first_word(rest.text);
        let mut name = None;
        let mut url = Rest {
            text: rest.text,
            start: rest.start,
        };
        if is_name(first) && !behind.is_empty() && count_of(first).is_none() {
            self.client_name(Span::new(rest.start, rest.start + first.len()), first)?;
            name = Some(first.to_owned());
            url = rest.behind(first.len());
        }
        let (word, more) = first_word(url.text);
        let mut count = 1;
        if let Some(times) = count_of(word)
            && !more.is_empty()
        {
            if !(1..=MOST_CONNECTIONS).contains(&times) {
                self.error(
                    Span::new(url.start, url.start + word.len()),
                    format!("`{word}` is no number of connections"),
                    format!(
                        "write a number from 1 to {MOST_CONNECTIONS}: `connect bots x1000 ws://…`"
                    ),
                );
                return None;
            }
            count = times;
            let behind = url.behind(word.len());
            url = Rest {
                text: &url.text[url.text.len() - behind.text.len()..],
                start: behind.start,
            };
        }
        let span = url.span();
        let url = Pattern::parse(&url.payload(), &mut self.diagnostics);
        self.address(&url, span)?;
        Some(Connect {
            name,
            count,
            url,
            headers,
        })
    }

    /// Refuses what can be no address, as far as it stands there to the letter.
    fn address(&mut self, url: &Pattern, span: Span) -> Option<()> {
        let literals = url.segments.iter().filter_map(|segment| match segment {
            Segment::Literal(literal) => Some(literal.as_str()),
            Segment::Hole(_) => None,
        });
        let blank = literals.clone().any(|text| text.contains([' ', '\t']));
        let scheme = match url.segments.first() {
            Some(Segment::Literal(first)) => first.split_once("://").map(|(scheme, _)| scheme),
            _ => None,
        };
        let known = ["ws", "wss", "http", "https"];
        let strange = scheme.filter(|scheme| !known.contains(&scheme.to_lowercase().as_str()));
        let wrong_host = match &url.segments[..] {
            [Segment::Literal(all)] => host_fault(all),
            _ => None,
        };
        let mend = if blank {
            "an address has no blanks: `connect [NAME] ws://host:port/path`".to_owned()
        } else if strange.is_some() {
            "it begins with `ws://` or `wss://`".to_owned()
        } else if let Some(mend) = wrong_host {
            mend.to_owned()
        } else if url.holes.is_empty() && is_name(&url.raw) && url.raw != "localhost" {
            let name = &url.raw;
            format!(
                "if it is a client's name, the address stands behind it: `connect {name} ws://host:port/path`; for a host of that name write `ws://{name}`"
            )
        } else {
            return Some(());
        };
        self.error(span, format!("`{}` is not an address", url.raw), mend);
        None
    }

    fn client_name(&mut self, span: Span, name: &str) -> Option<()> {
        if KEYWORDS.contains(&name) {
            self.error(
                span,
                format!("a client cannot be called `{name}`: the word has a meaning of its own"),
                "choose another name",
            );
            return None;
        }
        Some(())
    }
}

/// What is wrong with the host, port or fragment of an address without holes.
fn host_fault(url: &str) -> Option<&'static str> {
    let (_, rest) = url.split_once("://")?;
    if rest.contains('#') {
        return Some(
            "a WebSocket address has no fragment (RFC 6455 section 3): leave out `#` and what follows",
        );
    }
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let host_port = authority.rsplit('@').next().unwrap_or_default();
    let (host, port) = match host_port.strip_prefix('[') {
        Some(inner) => {
            let Some((host, behind)) = inner.split_once(']') else {
                return Some("an IPv6 address stands in brackets: `ws://[::1]:4000/path`");
            };
            (host, behind.strip_prefix(':'))
        }
        None => match host_port.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (host_port, None),
        },
    };
    if host.is_empty() {
        return Some("the host is missing: `ws://127.0.0.1:4000/path`");
    }
    let number = port.is_none_or(|port| port.parse::<u16>().is_ok());
    (!number).then_some("a port is a number up to 65535: `ws://127.0.0.1:4000/path`")
}

/// The number in `x1000`.
fn count_of(word: &str) -> Option<usize> {
    let digits = word.strip_prefix('x')?;
    let number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    number.then(|| digits.parse().unwrap_or(usize::MAX))
}
