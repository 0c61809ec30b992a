//! Options of a frame: what stands in parentheses behind its kind, separated by commas.

use std::ops::Range;

use super::frame::Head;
use super::lines::Line;
use super::words::{DURATION_MEND, duration, yes_no};
use super::{Count, FrameOptions, Parser, RawHeader};
use crate::diagnostic::closest;
use crate::source::Span;

/// The most messages that one line can stand for.
const MOST_MESSAGES: usize = 1_000_000;

/// What the options of a frame come to.
#[derive(Default)]
pub(super) struct Options {
    pub(super) frame: FrameOptions,
    /// `hex`: the payload of a control frame or of `frame` is written in hex.
    pub(super) hex: bool,
    /// `bytes 0..65535`: that part of a file, its last byte included.
    pub(super) bytes: Option<Range<u64>>,
    /// The header fields of `frame`.
    pub(super) header: RawHeader,
}

/// What is wrong with an option, and how to mend it.
type Fault = (String, String);

/// The options of every kind; what takes a value is shown with one.
const COMMON: [&str; 9] = [
    "within 200ms",
    "after 1s",
    "skip",
    "optional",
    "x3",
    "fragment 256",
    "chop 7",
    "compress=no",
    "history=no",
];
/// The header fields of `frame`.
const FIELDS: [&str; 6] = [
    "fin=no",
    "opcode=1",
    "rsv=4",
    "mask=no",
    "key=01020304",
    "length=70000",
];

impl Parser {
    pub(super) fn options(&mut self, line: &Line<'_>, head: &Head<'_>) -> Options {
        let mut options = Options::default();
        let mut seen: Vec<&str> = Vec::new();
        let mut at = head.options_at;
        for part in head.options.into_iter().flat_map(|all| all.split(',')) {
            let start = line.start + at + (part.len() - part.trim_start().len());
            at += part.len() + 1;
            let part = part.trim();
            let span = Span::new(start, start + part.len().max(1));
            let (name, value) = name_and_value(part);
            let key = if is_count(name) { "x" } else { name };
            let done = if seen.contains(&key) {
                Err((
                    format!("the option `{part}` is given twice"),
                    "leave one of them out".into(),
                ))
            } else {
                set(&mut options, head.kind, name, value)
            };
            if let Err((what, mend)) = done {
                self.error(span, what, mend);
                // One that is wrong is told once, and so are those behind it; a line of a million is not gone through.
                if seen.len() > FIELDS.len() + COMMON.len() {
                    break;
                }
            }
            seen.push(key);
        }
        options
    }
}

/// `fragment 256`, `fin=no`, `skip`: the name and the value.
fn name_and_value(part: &str) -> (&str, &str) {
    match part.split_once(['=', ' ', '\t']) {
        Some((name, value)) => (name, value.trim()),
        None => (part, ""),
    }
}

/// Whether it is meant as a number of messages: `x3`, `x2..5`.
fn is_count(name: &str) -> bool {
    name.strip_prefix('x')
        .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

fn set(options: &mut Options, kind: &str, name: &str, value: &str) -> Result<(), Fault> {
    let frame = &mut options.frame;
    let field = &mut options.header;
    match name {
        "within" => frame.within = Some(time(name, value)?),
        "after" => frame.after = Some(time(name, value)?),
        "skip" => frame.skip = alone(name, value)?,
        "optional" => frame.optional = alone(name, value)?,
        _ if is_count(name) => {
            alone(name, value)?;
            frame.count = Some(count(name)?);
        }
        "fragment" => frame.fragment = Some(size(kind, name, value)?),
        "chop" => frame.chop = Some(size(kind, name, value)?),
        "compress" => {
            whole_message(kind, name)?;
            frame.compress = Some(yes_or_no(name, value)?);
        }
        "history" => {
            data_message(kind, name)?;
            frame.history = Some(yes_or_no(name, value)?);
        }
        "hex" if matches!(kind, "ping" | "pong" | "frame") => options.hex = alone(name, value)?,
        "hex" => {
            return Err((
                "there is no option `hex` for this kind".into(),
                "`hex` is an option of ping, pong and frame; for a binary message it is a kind: `<hex 0a ff`".into(),
            ));
        }
        "bytes" if kind == "file" => options.bytes = Some(range(value)?),
        "fin" if kind == "frame" => field.fin = Some(yes_or_no(name, value)?),
        "mask" if kind == "frame" => field.mask = Some(yes_or_no(name, value)?),
        "opcode" if kind == "frame" => {
            field.opcode = Some(number(name, value, 15, "RFC 6455 section 5.2")? as u8);
        }
        "rsv" if kind == "frame" => {
            let mend = "RSV1 counts 4, RSV2 counts 2, RSV3 counts 1";
            field.rsv = Some(number(name, value, 7, mend)? as u8);
        }
        "length" if kind == "frame" => {
            field.length = Some(number(name, value, u64::MAX, "in bytes, whatever follows")?);
        }
        "key" if kind == "frame" => field.key = Some(key(value)?),
        _ => return Err(unknown(kind, name)),
    }
    Ok(())
}

fn unknown(kind: &str, name: &str) -> Fault {
    let own: &[&str] = match kind {
        "frame" => &FIELDS,
        "file" => &["bytes 0..65535"],
        _ => &[],
    };
    let hex = matches!(kind, "ping" | "pong" | "frame").then_some("hex");
    let known = || own.iter().chain(COMMON.iter()).copied().chain(hex);
    let what = format!("there is no option `{name}`");
    let of_frame = FIELDS.iter().any(|field| name_and_value(field).0 == name);
    let mend = match closest(name, known().map(|option| name_and_value(option).0)) {
        _ if of_frame => {
            format!("`{name}` is a header field of the kind `frame`: `>frame(fin=no) x`")
        }
        _ if name == "bytes" => "`bytes` is an option of the kind `file`".into(),
        Some(near) => format!("did you mean `{near}`?"),
        None => {
            let known: Vec<String> = known().map(|option| format!("`{option}`")).collect();
            format!(
                "the options are {}; for a payload in parentheses put a space behind the arrow",
                known.join(", ")
            )
        }
    };
    (what, mend)
}

fn alone(name: &str, value: &str) -> Result<bool, Fault> {
    if value.is_empty() {
        return Ok(true);
    }
    Err((
        format!("the option `{name}` takes no value"),
        "remove what stands behind it".into(),
    ))
}

fn time(name: &str, value: &str) -> Result<std::time::Duration, Fault> {
    duration(value).ok_or_else(|| {
        let what = match value {
            "" => format!("`{name}` needs a time"),
            _ => format!("`{value}` is not a time"),
        };
        (what, DURATION_MEND.to_owned())
    })
}

fn yes_or_no(name: &str, value: &str) -> Result<bool, Fault> {
    yes_no(value).ok_or_else(|| {
        (
            format!("`{value}` is neither yes nor no"),
            format!("write `{name}=yes` or `{name}=no`"),
        )
    })
}

fn count(text: &str) -> Result<Count, Fault> {
    let mend = "write how many messages: `x3`, or from two to five of them: `x2..5`";
    let wrong = |what: String| Err((what, mend.to_owned()));
    let digits = &text[1..];
    let read = match digits.split_once("..") {
        Some((least, most)) => least.parse::<usize>().ok().zip(most.parse::<usize>().ok()),
        None => digits.parse::<usize>().ok().map(|times| (times, times)),
    };
    match read {
        None => wrong(format!("`{text}` is not a number of messages")),
        Some((least, most)) if least > most => wrong(format!("the range `{text}` is empty")),
        Some((_, 0)) => wrong("no message at all is no line".into()),
        Some((_, most)) if most > MOST_MESSAGES => wrong(format!(
            "`{text}` is more than {MOST_MESSAGES} messages, the most that one line stands for"
        )),
        Some((least, most)) => Ok(Count { least, most }),
    }
}

/// Whether a kind is one of text and binary messages.
fn is_message(kind: &str) -> bool {
    matches!(
        kind,
        "" | "text" | "esc" | "bin" | "hex" | "base64" | "file" | "echo" | "any" | "re"
    )
}

/// What rooms have heard are messages.
fn data_message(kind: &str, name: &str) -> Result<(), Fault> {
    if is_message(kind) {
        return Ok(());
    }
    Err((
        format!("`{name}` is an option of text and binary messages"),
        "leave it out: nothing else comes into the history of a room".into(),
    ))
}

/// Fragments and compression are of whole messages.
fn whole_message(kind: &str, name: &str) -> Result<(), Fault> {
    if is_message(kind) {
        return Ok(());
    }
    Err((
        format!("`{name}` is an option of text and binary messages"),
        "control frames are neither fragmented nor compressed (RFC 6455 section 5.4); the kind `frame` writes one that breaks the rules".into(),
    ))
}

fn size(kind: &str, name: &str, value: &str) -> Result<usize, Fault> {
    if name == "fragment" {
        whole_message(kind, name)?;
    }
    match value.parse::<usize>() {
        Ok(bytes) if bytes > 0 => Ok(bytes),
        _ => Err((
            match value {
                "" => format!("`{name}` needs a number of bytes"),
                _ => format!("`{value}` is not a number of bytes"),
            },
            format!("write `{name} 256`"),
        )),
    }
}

fn number(name: &str, value: &str, most: u64, mend: &str) -> Result<u64, Fault> {
    let read = match value.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => value.parse::<u64>(),
    };
    match read {
        Ok(number) if number <= most => Ok(number),
        _ => Err((
            format!("`{value}` is no value of `{name}`"),
            format!("write a number from 0 to {most} ({mend})"),
        )),
    }
}

fn key(value: &str) -> Result<[u8; 4], Fault> {
    let digits = value.len() == 8 && value.bytes().all(|byte| byte.is_ascii_hexdigit());
    match u32::from_str_radix(value, 16) {
        Ok(key) if digits => Ok(key.to_be_bytes()),
        _ => Err((
            format!("`{value}` is not a masking key"),
            "write four bytes as eight hexadecimal digits: `key=01020304`".into(),
        )),
    }
}

/// `0..65535`, the last byte included, as in an HTTP range; `100..` goes on to the end.
fn range(value: &str) -> Result<Range<u64>, Fault> {
    let read = value.split_once("..").and_then(|(first, last)| {
        let first = first.trim().parse::<u64>().ok()?;
        let end = match last.trim() {
            "" => u64::MAX,
            last => last.parse::<u64>().ok()?.checked_add(1)?,
        };
        (first < end).then_some(first..end)
    });
    read.ok_or_else(|| {
        (
            format!("`{value}` is not a range of bytes"),
            "write the first and the last byte, counted from 0: `bytes 0..65535`".into(),
        )
    })
}
