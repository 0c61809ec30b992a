//! Writes down what was said, as lines of a talk: for recordings.
//!
//! Each message is written so that reading it back gives the same bytes, whatever is in it, and so that an editor does
//! not spoil it. What can be is written plainly: `> hello`. A text with `{{` in it, or one that reads as something else
//! than itself, is written with the kind `text`; one with a trailing blank or a control character with `esc`; lines go on
//! behind bars; and bytes are written as `bin`, `hex` or `base64`, whichever reads best.
//!
//! ```
//! use wiretalk_talk::write::{Line, What, connect, line};
//!
//! let mut talk = String::new();
//! connect(&mut talk, None, "ws://127.0.0.1:4000/chat", &[]);
//! line(&mut talk, &Line::to_server(What::Text("hello")));
//! line(&mut talk, &Line::to_client(What::Text("trailing ")));
//! line(&mut talk, &Line::to_client(What::Close { code: Some(1000), reason: "" }));
//! assert_eq!(
//!     talk,
//!     "connect ws://127.0.0.1:4000/chat\n> hello\n<esc trailing\\x20\n<close 1000\n"
//! );
//! ```

use std::fmt::Write as _;
use std::time::Duration;

use base64::Engine as _;

use crate::pattern::{Pattern, Payload};

/// Something that was said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What<'a> {
    /// A text message.
    Text(&'a str),
    /// A binary message.
    Binary(&'a [u8]),
    /// A ping, with its payload.
    Ping(&'a [u8]),
    /// A pong, with its payload.
    Pong(&'a [u8]),
    /// A close frame.
    Close {
        /// The code, if it carried one. One that no close frame may carry (RFC 6455 section 7.4) is left out.
        code: Option<u16>,
        /// The reason, often empty.
        reason: &'a str,
    },
    /// The connection ended with no close frame.
    Drop,
}

/// A line to be written: who said what to whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// The name of the connection in the talk, if it has one.
    pub who: Option<&'a str>,
    /// Whether the client said it (`>`), and not the server (`<`).
    pub to_server: bool,
    /// How long after the frame before it came, to the millisecond: the option `after`.
    pub after: Option<Duration>,
    /// What was said.
    pub what: What<'a>,
}

impl<'a> Line<'a> {
    /// What the client said, on a connection without a name.
    #[must_use]
    pub fn to_server(what: What<'a>) -> Self {
        Self {
            who: None,
            to_server: true,
            after: None,
            what,
        }
    }

    /// What the server said, on a connection without a name.
    #[must_use]
    pub fn to_client(what: What<'a>) -> Self {
        Self {
            to_server: false,
            ..Self::to_server(what)
        }
    }
}

/// Bytes of a binary message up to which it is written as hex rather than as base64.
const MOST_HEX: usize = 48;
/// Characters of base64 on one line.
const BASE64_LINE: usize = 96;

/// Adds `connect [NAME] URL` with headers under it, each a name and a value.
pub fn connect(talk: &mut String, name: Option<&str>, url: &str, headers: &[(&str, &str)]) {
    talk.push_str("connect ");
    if let Some(name) = name {
        talk.push_str(name);
        talk.push(' ');
    }
    talk.push_str(&one_line(url));
    talk.push('\n');
    header_lines(talk, headers);
}

/// Adds `HTTP STATUS` with headers under it: the answer to a handshake.
pub fn http(talk: &mut String, status: u16, headers: &[(&str, &str)]) {
    // A `String` takes all that is written to it.
    let _ = writeln!(talk, "HTTP {status}");
    header_lines(talk, headers);
}

fn header_lines(talk: &mut String, headers: &[(&str, &str)]) {
    for (name, value) in headers {
        let _ = writeln!(
            talk,
            "  {}",
            format!("{name}: {}", one_line(value)).trim_end()
        );
    }
}

/// Adds a comment; each of its lines is one.
pub fn comment(talk: &mut String, text: &str) {
    for line in text.lines() {
        let _ = writeln!(talk, "{}", format!("# {line}").trim_end());
    }
}

/// Adds a line, and the bars that go on with it.
pub fn line(talk: &mut String, line: &Line<'_>) {
    let start = talk.len();
    if let Some(who) = line.who {
        talk.push_str(who);
        talk.push(' ');
    }
    talk.push(if line.to_server { '>' } else { '<' });
    let (kind, hex, payload) = match line.what {
        What::Text(text) => text_kind(text),
        What::Binary(bytes) => binary_kind(bytes),
        What::Ping(bytes) => control_kind("ping", bytes),
        What::Pong(bytes) => control_kind("pong", bytes),
        What::Close { code, reason } => ("close", false, Body::Line(close(code, reason))),
        What::Drop => ("drop", false, Body::Line(String::new())),
    };
    talk.push_str(kind);
    let after = line.after.map(|time| time.as_millis()).filter(|ms| *ms > 0);
    let after = after.map(|ms| format!("after {}.{:03}s", ms / 1000, ms % 1000));
    let hex = hex.then(|| "hex".to_owned());
    let options: Vec<String> = hex.into_iter().chain(after).collect();
    if !options.is_empty() {
        let _ = write!(talk, "({})", options.join(", "));
    }
    match payload {
        Body::Line(payload) if payload.is_empty() => talk.push('\n'),
        Body::Line(payload) => {
            talk.push(' ');
            talk.push_str(&payload);
            talk.push('\n');
        }
        Body::Bars(text) => {
            talk.push('\n');
            for bar in text.split('\n') {
                talk.push_str(if bar.is_empty() { "|" } else { "| " });
                talk.push_str(bar);
                talk.push('\n');
            }
        }
    }
    debug_assert!(talk[start..].ends_with('\n'), "a line ends");
}

/// What stands behind a kind: on its line, or behind bars.
enum Body {
    Line(String),
    Bars(String),
}

/// The kind, whether it has the option `hex`, and the payload of a text message.
fn text_kind(text: &str) -> (&'static str, bool, Body) {
    if text.split('\n').any(is_spoilt) || (text.contains('\n') && text.contains('\r')) {
        return ("esc", false, Body::Line(escaped(text)));
    }
    let kind = if is_itself(text) { "" } else { "text" };
    let body = if text.contains('\n') {
        Body::Bars(text.to_owned())
    } else {
        Body::Line(text.to_owned())
    };
    (kind, false, body)
}

/// Whether an editor, or a terminal, might change or hide something in a line.
fn is_spoilt(line: &str) -> bool {
    line.ends_with([' ', '\t', '\u{a0}', '\u{3000}'])
        || line.chars().any(|c| c != '\t' && is_hidden(c))
}

/// A character that is not to be seen, or that ends a line for some programs.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// Whether a text reads as itself: without holes, and as JSON only if it is equal to itself.
fn is_itself(text: &str) -> bool {
    if text.contains("{{") {
        return false;
    }
    let mut errors = Vec::new();
    let pattern = Pattern::parse(&Payload::line(text, 0), &mut errors);
    errors.is_empty() && pattern.sent.is_none() && pattern.takes_itself()
}

fn escaped(text: &str) -> String {
    let mut written = String::with_capacity(text.len() + 16);
    let blank = text.trim_end_matches(is_blank).len();
    for (at, c) in text.char_indices() {
        match c {
            '\\' => written.push_str("\\\\"),
            '\n' => written.push_str("\\n"),
            '\r' => written.push_str("\\r"),
            '\t' => written.push_str("\\t"),
            c if c.is_ascii() && (c.is_control() || (at >= blank && is_blank(c))) => {
                let _ = write!(written, "\\x{:02x}", c as u32);
            }
            c if is_hidden(c) || (at >= blank && is_blank(c)) => {
                let _ = write!(written, "\\u{{{:x}}}", c as u32);
            }
            c => written.push(c),
        }
    }
    written
}

fn is_blank(c: char) -> bool {
    c.is_whitespace()
}

fn binary_kind(bytes: &[u8]) -> (&'static str, bool, Body) {
    let plain = |byte: &u8| matches!(byte, b' '..=b'~') && *byte != b'\\';
    let readable = bytes.iter().filter(|byte| plain(byte)).count();
    if !bytes.is_empty() && readable * 4 >= bytes.len() * 3 {
        let mut written = String::with_capacity(bytes.len() + bytes.len() / 2);
        for (at, byte) in bytes.iter().enumerate() {
            match byte {
                b'\\' => written.push_str("\\\\"),
                b' ' if at + 1 == bytes.len() => written.push_str("\\x20"),
                byte if plain(byte) => written.push(char::from(*byte)),
                byte => {
                    let _ = write!(written, "\\x{byte:02x}");
                }
            }
        }
        return ("bin", false, Body::Line(written));
    }
    if bytes.len() <= MOST_HEX {
        return ("hex", false, Body::Line(hex(bytes)));
    }
    let encoded = base64::engine::general_purpose::STANDARD.encode(bytes);
    if encoded.len() <= BASE64_LINE {
        return ("base64", false, Body::Line(encoded));
    }
    let mut folded = String::with_capacity(encoded.len() + encoded.len() / BASE64_LINE + 1);
    let mut rest = encoded.as_str();
    while !rest.is_empty() {
        let (line, more) = rest.split_at(rest.len().min(BASE64_LINE));
        folded.push_str(line);
        if !more.is_empty() {
            folded.push('\n');
        }
        rest = more;
    }
    ("base64", false, Body::Bars(folded))
}

/// Bytes as pairs of digits with blanks between.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let mut written = String::with_capacity(bytes.len() * 3);
    for byte in bytes {
        let blank = if written.is_empty() { "" } else { " " };
        let _ = write!(written, "{blank}{byte:02x}");
    }
    written
}

fn control_kind(kind: &'static str, bytes: &[u8]) -> (&'static str, bool, Body) {
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.contains('\n') && !is_spoilt(text) && is_itself(text) => {
            (kind, false, Body::Line(text.to_owned()))
        }
        _ => (kind, true, Body::Line(hex(bytes))),
    }
}

/// `CODE REASON`
fn close(code: Option<u16>, reason: &str) -> String {
    let code = match code {
        None => 1005,
        Some(code) if matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) => code,
        Some(_) => return String::new(),
    };
    if reason.is_empty() || code == 1005 {
        return code.to_string();
    }
    let blank = reason.starts_with(char::is_whitespace);
    if blank || reason.contains('\n') || is_spoilt(reason) || !is_itself(reason) {
        return format!("{code} {{{{ {} }}}}", quoted(reason));
    }
    format!("{code} {reason}")
}

/// A text that stands on one line and has no holes.
fn one_line(text: &str) -> String {
    let text: String = text.chars().filter(|c| !c.is_control()).collect();
    text.trim().replace("{{", "{{{{")
}

/// A text in quotes, as an expression has it.
fn quoted(text: &str) -> String {
    let mut written = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => written.push_str("\\\""),
            '\\' => written.push_str("\\\\"),
            c if is_hidden(c) && (c as u32) < 0x1_0000 => {
                let _ = write!(written, "\\u{:04x}", c as u32);
            }
            c => written.push(c),
        }
    }
    written.push('"');
    written
}

#[cfg(test)]
mod tests;
