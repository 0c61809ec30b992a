//! Small things that lines are made of.

use std::time::Duration;

/// The longest time that a talk can name: a year.
const LONGEST: f64 = 366.0 * 24.0 * 3600.0;

/// A time: a number and `us`, `ms`, `s`, `m` or `h` behind it.
pub(crate) fn duration(text: &str) -> Option<Duration> {
    let unit_at = text.find(|c: char| c.is_ascii_alphabetic())?;
    let (number, unit) = text.split_at(unit_at);
    let seconds = match unit {
        "us" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return None,
    };
    let plain = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let total = plain.then(|| number.parse::<f64>().ok())?? * seconds;
    (total <= LONGEST).then(|| Duration::from_secs_f64(total))
}

/// How to write a time, for a mend.
pub(crate) const DURATION_MEND: &str = "write a number and a unit: `500ms`, `5s`, `1.5s`, `2m`";

/// `yes` or `no` in one of its spellings; nothing at all is yes.
pub(crate) fn yes_no(text: &str) -> Option<bool> {
    match text {
        "" | "yes" | "true" | "on" => Some(true),
        "no" | "false" | "off" => Some(false),
        _ => None,
    }
}

/// The first word of a text, and the rest without the blanks between.
pub(crate) fn first_word(text: &str) -> (&str, &str) {
    match text.split_once([' ', '\t']) {
        Some((word, rest)) => (word, rest.trim_start()),
        None => (text, ""),
    }
}

/// The name of a header line `Name: value`, if the text is one (RFC 9110 section 5.1).
pub(crate) fn header_name(text: &str) -> Option<&str> {
    let (name, _) = text.split_once(':')?;
    let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    (!name.is_empty() && name.chars().all(token)).then_some(name)
}
