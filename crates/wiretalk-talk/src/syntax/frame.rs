//! Lines with an arrow: `[WHO] ARROW[KIND][(OPTIONS)] [PAYLOAD]`.

use base64::Engine as _;

use super::lines::Line;
use super::options::Options;
use super::who::behind_who;
use super::{Arrow, Content, Data, Frame, FrameOptions, Parser, payload};
use crate::diagnostic::closest;
use crate::pattern::{Pattern, Payload};
use crate::source::Span;

/// Every kind there is.
pub(crate) const KINDS: [&str; 18] = [
    "text", "esc", "bin", "hex", "base64", "file", "echo", "ping", "pong", "close", "re", "any",
    "error", "fail", "frame", "raw", "drop", "stall",
];

/// A control frame carries 125 bytes at the most (RFC 6455 section 5.5).
const MOST_CONTROL: usize = 125;

/// Whether a line has an arrow in first place or behind a who.
pub(crate) fn is_frame(text: &str) -> bool {
    arrow_offset(text).is_some()
}

/// The offset of the arrow, if the line is a frame.
pub(crate) fn arrow_offset(text: &str) -> Option<usize> {
    let arrow = |at: usize| text[at..].starts_with(['>', '<']).then_some(at);
    arrow(0).or_else(|| arrow(behind_who(text)?))
}

/// The parts of a frame's line behind its who.
pub(crate) struct Head<'a> {
    pub(crate) arrow: Arrow,
    pub(crate) kind: &'a str,
    kind_at: usize,
    pub(crate) options: Option<&'a str>,
    pub(super) options_at: usize,
    /// Where in the line its payload begins.
    pub(crate) payload_at: usize,
    /// What is wrong behind the kind, if anything: it should be a space or the end.
    stray: Option<char>,
}

/// Takes apart what begins with an arrow at `at`.
pub(crate) fn head(text: &str, at: usize) -> Head<'_> {
    let arrow = if text[at..].starts_with('>') {
        Arrow::ToServer
    } else {
        Arrow::ToClient
    };
    let kind_at = at + 1;
    let kind_end = text[kind_at..]
        .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .map_or(text.len(), |end| kind_at + end);
    let mut end = kind_end;
    let mut options = None;
    let mut options_at = end;
    if text[end..].starts_with('(')
        && let Some(close) = text[end..].find(')')
    {
        options_at = end + 1;
        options = Some(&text[options_at..end + close]);
        end += close + 1;
    }
    let rest = &text[end..];
    let stray = rest.chars().next().filter(|c| *c != ' ');
    let payload_at = end + usize::from(rest.starts_with(' '));
    Head {
        arrow,
        kind: &text[kind_at..kind_end],
        kind_at,
        options,
        options_at,
        payload_at,
        stray,
    }
}

impl Parser {
    pub(super) fn frame(&mut self, line: &Line<'_>) -> Option<Frame> {
        let at = arrow_offset(line.text)?;
        let who = self.who(&line.text[..at], line.start);
        let frame = self.frame_behind(line, at);
        let checks = self.checks(&line.children);
        let (arrow, options, content) = frame?;
        Some(Frame {
            who: who?,
            arrow,
            options,
            content,
            checks,
        })
    }

    /// The arrow, options and content of what begins with an arrow at `at`.
    pub(super) fn frame_behind(
        &mut self,
        line: &Line<'_>,
        at: usize,
    ) -> Option<(Arrow, FrameOptions, Content)> {
        let head = head(line.text, at);
        if let Some(stray) = head.stray {
            let place = line.start + head.payload_at;
            self.error(
                Span::new(place, place + stray.len_utf8()),
                format!("`{stray}` stands right behind the arrow or its kind"),
                "put one space before the payload",
            );
            return None;
        }
        let options = self.options(line, &head);
        let content = self.content(line, &head, &options);
        Some((head.arrow, options.frame, content?))
    }

    fn content(&mut self, line: &Line<'_>, head: &Head<'_>, options: &Options) -> Option<Content> {
        let payload = payload(line, head.payload_at);
        Some(match head.kind {
            "" => Content::Text(Pattern::parse(&payload, &mut self.diagnostics)),
            "text" => Content::Text(Pattern::literal(payload.text.clone(), &payload)),
            "esc" => {
                let bytes = self.unescape(&payload)?;
                match String::from_utf8(bytes) {
                    Ok(text) => Content::Text(Pattern::literal(text, &payload)),
                    Err(_) => {
                        self.error(
                            payload.whole(),
                            "a text message must be UTF-8, and these escapes make bytes that are not",
                            "use the kind `bin` for a binary message",
                        );
                        return None;
                    }
                }
            }
            "bin" => Content::Binary(self.unescape(&payload)?),
            "hex" => Content::Binary(self.hex(&payload)?),
            "base64" => {
                let compact: String = payload.text.split_whitespace().collect();
                match base64::engine::general_purpose::STANDARD.decode(compact) {
                    Ok(bytes) => Content::Binary(bytes),
                    Err(error) => {
                        self.error(
                            payload.whole(),
                            format!("this is not base64: {error}"),
                            "use the alphabet of RFC 4648 section 4, with padding",
                        );
                        return None;
                    }
                }
            }
            "echo" => {
                self.no_payload(&payload, "echo")?;
                Content::Echo
            }
            "any" => {
                self.no_payload(&payload, "any")?;
                Content::Any
            }
            "ping" => Content::Ping(self.control(&payload, options.hex)?),
            "pong" => Content::Pong(self.control(&payload, options.hex)?),
            "close" => self.close(&payload)?,
            "re" => self.regex(&payload)?,
            "file" => self.file(&payload, options)?,
            "error" => self.error_kind(&payload)?,
            "fail" => self.fail(&payload)?,
            "frame" => self.raw_frame(&payload, options)?,
            "raw" => self.raw(&payload)?,
            "drop" => {
                self.no_payload(&payload, "drop")?;
                Content::Drop
            }
            "stall" => self.stall(&payload)?,
            kind => {
                self.unknown_kind(line, head, kind);
                return None;
            }
        })
    }

    fn unknown_kind(&mut self, line: &Line<'_>, head: &Head<'_>, kind: &str) {
        let start = line.start + head.kind_at;
        let span = Span::new(start, start + kind.len());
        let arrow = &line.text[head.kind_at - 1..head.kind_at];
        let mend = match closest(kind, KINDS) {
            Some(near) => format!("did you mean `{arrow}{near}`?"),
            None => format!("for a text message put a space behind the arrow: `{arrow} {kind}`"),
        };
        self.error(span, format!("there is no kind `{kind}`"), mend);
    }

    fn no_payload(&mut self, payload: &Payload, kind: &str) -> Option<()> {
        if payload.text.trim().is_empty() {
            return Some(());
        }
        self.error(
            payload.whole(),
            format!("`{kind}` takes no payload"),
            "remove what stands behind it",
        );
        None
    }

    /// The payload of a ping or pong: `Some(None)` for none.
    fn control(&mut self, payload: &Payload, hex: bool) -> Option<Option<Data>> {
        if payload.text.is_empty() {
            return Some(None);
        }
        let (data, length) = if hex {
            let bytes = self.hex(payload)?;
            let length = bytes.len();
            (Data::Bytes(bytes), length)
        } else {
            let pattern = Pattern::parse(payload, &mut self.diagnostics);
            let length = if pattern.holes.is_empty() {
                payload.text.len()
            } else {
                0
            };
            (Data::Text(pattern), length)
        };
        if length > MOST_CONTROL {
            self.error(
                payload.whole(),
                format!(
                    "a control frame carries {MOST_CONTROL} bytes at the most, and this is {length}"
                ),
                "shorten it (RFC 6455 section 5.5)",
            );
            return None;
        }
        Some(Some(data))
    }

    fn close(&mut self, payload: &Payload) -> Option<Content> {
        let text = payload.text.trim_start();
        let code_at = payload.text.len() - text.len();
        let (code, reason) = text.split_once([' ', '\t', '\n']).unwrap_or((text, ""));
        let reason = reason.trim_start();
        if code.is_empty() {
            return Some(Content::Close {
                code: None,
                reason: None,
            });
        }
        let code_span = payload.span(code_at, code_at + code.len());
        let code = self.close_code(code, code_span)?;
        if code == 1005 && !reason.is_empty() {
            self.error(
                code_span,
                "1005 means a close frame without a code, and that has no reason",
                "leave the reason out, or give another code",
            );
            return None;
        }
        let reason = (!reason.is_empty()).then(|| {
            let at = payload.text.len() - reason.len();
            let start = payload.span(at, at).start;
            Pattern::parse(&Payload::line(reason, start), &mut self.diagnostics)
        });
        Some(Content::Close {
            code: Some(code),
            reason,
        })
    }

    /// Pairs of hexadecimal digits, blanks between them.
    pub(super) fn hex(&mut self, payload: &Payload) -> Option<Vec<u8>> {
        let mut digits = Vec::new();
        for (at, c) in payload.text.char_indices() {
            match c.to_digit(16) {
                Some(digit) => digits.push(digit as u8),
                None if c.is_whitespace() => {}
                None => {
                    self.error(
                        payload.span(at, at + c.len_utf8()),
                        format!("`{c}` is not a hexadecimal digit"),
                        "write two digits for each byte: `10 0e ff`",
                    );
                    return None;
                }
            }
        }
        if !digits.len().is_multiple_of(2) {
            self.error(
                payload.whole(),
                "there is an odd number of hexadecimal digits",
                "write two digits for each byte: `0a`, not `a`",
            );
            return None;
        }
        Some(
            digits
                .chunks(2)
                .map(|pair| pair[0] << 4 | pair[1])
                .collect(),
        )
    }

    /// Resolves `\n \r \t \\ \xNN \u{…}`.
    fn unescape(&mut self, payload: &Payload) -> Option<Vec<u8>> {
        let text = payload.text.as_str();
        let mut bytes = Vec::with_capacity(text.len());
        let mut at = 0;
        while let Some(found) = text[at..].find('\\') {
            let start = at + found;
            bytes.extend_from_slice(&text.as_bytes()[at..start]);
            let rest = &text[start + 1..];
            let length = match rest.bytes().next() {
                Some(b'n') => escaped(&mut bytes, b"\n"),
                Some(b'r') => escaped(&mut bytes, b"\r"),
                Some(b't') => escaped(&mut bytes, b"\t"),
                Some(b'\\') => escaped(&mut bytes, b"\\"),
                Some(b'x') => rest
                    .get(1..3)
                    .filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))
                    .and_then(|digits| u8::from_str_radix(digits, 16).ok())
                    .map(|byte| {
                        bytes.push(byte);
                        3
                    }),
                Some(b'u') => unicode(rest).map(|(c, length)| {
                    bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                    length
                }),
                _ => None,
            };
            let Some(length) = length else {
                let end = start + 1 + rest.chars().next().map_or(0, char::len_utf8);
                self.error(
                    payload.span(start, end),
                    format!("`{}` is not an escape", &text[start..end]),
                    r"the escapes are \n \r \t \\ \xNN and \u{NNNN}",
                );
                return None;
            };
            at = start + 1 + length;
        }
        bytes.extend_from_slice(&text.as_bytes()[at..]);
        Some(bytes)
    }
}

fn escaped(bytes: &mut Vec<u8>, with: &[u8]) -> Option<usize> {
    bytes.extend_from_slice(with);
    Some(1)
}

/// The character of `u{…}` and how many bytes it took.
fn unicode(rest: &str) -> Option<(char, usize)> {
    let digits = rest.strip_prefix("u{")?;
    let end = digits.find('}')?;
    let code = u32::from_str_radix(&digits[..end], 16).ok()?;
    Some((char::from_u32(code)?, end + 3))
}
