//! Text that others wrote, made fit to stand in a report.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::time::Duration;

/// Text in which nothing hides: what has no shape of its own, or turns the text around it about, is written as its
/// escape. Line feeds and tabs stay. All that is left is legal in XML 1.0 and printable in YAML.
pub(super) fn visible(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_hidden(c) {
            // Never fails: it is a string.
            let _ = write!(shown, "{}", c.escape_unicode());
        } else {
            shown.push(c);
        }
    }
    Cow::Owned(shown)
}

/// The same, in one line.
pub(super) fn in_one_line(text: &str) -> Cow<'_, str> {
    if !text.contains(['\n', '\t']) {
        return visible(text);
    }
    let text = text.replace('\n', "\\n").replace('\t', "\\t");
    Cow::Owned(visible(&text).into_owned())
}

fn is_hidden(c: char) -> bool {
    match c {
        '\n' | '\t' => false,
        // The control characters of C0 and C1.
        _ if c.is_control() => true,
        // Marks, embeddings, overrides and isolates of the bidirectional algorithm (UAX 9).
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
            true
        }
        // Other ends of a line, and the byte order mark.
        '\u{2028}' | '\u{2029}' | '\u{feff}' => true,
        // Characters of no script: outside XML (its section 2.2), or outside what YAML calls printable.
        '\u{fff9}'..='\u{fffb}' | '\u{fffe}' | '\u{ffff}' => true,
        _ => (c as u32) & 0xfffe == 0xfffe,
    }
}

/// The first `most` characters, and how many bytes are cut off behind them.
pub(super) fn cut(text: &str, most: usize) -> (&str, usize) {
    // Where it is short enough in bytes, nobody need count characters.
    if text.len() <= most {
        return (text, 0);
    }
    match text.char_indices().nth(most) {
        Some((at, _)) => (&text[..at], text.len() - at),
        None => (text, 0),
    }
}

/// Seconds with milliseconds: `0.042s`.
pub(super) fn seconds(time: Duration) -> String {
    format!("{:.3}s", time.as_secs_f64())
}

/// A size as people say it: `512 B`, `1.5 KiB`.
pub(super) fn size(bytes: usize) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut amount = bytes as f64 / 1024.0;
    let mut unit = 0;
    while amount >= 1023.95 && unit + 1 < UNITS.len() {
        amount /= 1024.0;
        unit += 1;
    }
    format!("{amount:.1} {}", UNITS[unit])
}

/// A number with its unit: `1 test`, `2 tests`.
pub(super) fn count(number: usize, one: &str, many: &str) -> String {
    match number {
        1 => format!("1 {one}"),
        _ => format!("{number} {many}"),
    }
}
