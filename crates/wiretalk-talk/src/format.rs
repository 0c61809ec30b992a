//! `wiretalk fmt`: one way to lay a talk out. It moves white space between things, and never touches a payload.

use crate::diagnostic::Diagnostic;
use crate::syntax::lines::{Physical, physical, takes_bars};
use crate::syntax::{self, frame, without_mark};

/// The talk laid out anew: two spaces for each level, one blank line between blocks, LF at each line's end.
///
/// The first argument is what the talk is called, as in [`parse`](crate::parse).
/// Formatting twice gives the same as once, and the talk means what it meant.
///
/// # Errors
/// Everything that is wrong with the talk: what cannot be read is not laid out.
pub fn format(_name: &str, text: &str) -> Result<String, Vec<Diagnostic>> {
    let diagnostics = syntax::look_through(text);
    if diagnostics.iter().any(Diagnostic::is_error) {
        return Err(diagnostics);
    }
    let mut layout = Layout::default();
    for line in physical(without_mark(text)) {
        layout.line(line);
    }
    Ok(layout.text)
}

#[derive(Default)]
struct Layout<'a> {
    text: String,
    /// The lines that are open, outermost first.
    open: Vec<Open<'a>>,
    blank: bool,
}

/// A line that others may hang under.
struct Open<'a> {
    indent: usize,
    text: &'a str,
    /// Whether bars may go on with it.
    takes_bars: bool,
}

impl<'a> Layout<'a> {
    fn line(&mut self, line: Physical<'a>) {
        match line {
            Physical::Blank => self.blank = !self.text.is_empty(),
            Physical::Comment { text, indent } => {
                let depth = self.open.iter().filter(|open| open.indent < indent).count();
                self.write(depth, text);
            }
            Physical::Bar { bar, indent } => {
                let depth = self.bar_depth(indent);
                if bar.text.is_empty() {
                    self.write(depth, "|");
                } else {
                    self.write(depth, &format!("| {}", bar.text));
                }
            }
            Physical::Statement { text, indent, .. } => {
                while self.open.last().is_some_and(|open| open.indent >= indent) {
                    self.open.pop();
                }
                let depth = self.open.len();
                self.open.push(Open {
                    indent,
                    text,
                    takes_bars: takes_bars(text),
                });
                self.write(depth, &statement(text));
            }
        }
    }

    /// Bars stand right under their arrow, or indented under a line that has something else before them.
    fn bar_depth(&self, indent: usize) -> usize {
        match self.open.last() {
            // A frame, which has nothing before it: a line with an arrow behind a word is a rule, or `HTTP`.
            Some(open) if open.takes_bars && !has_keyword(open.text) => self.open.len() - 1,
            Some(open) if open.takes_bars => self.open.len(),
            _ => {
                let owner = self
                    .open
                    .iter()
                    .rposition(|open| open.takes_bars && open.indent < indent);
                owner.map_or(0, |owner| owner + 1)
            }
        }
    }

    fn write(&mut self, depth: usize, text: &str) {
        if std::mem::take(&mut self.blank) {
            self.text.push('\n');
        }
        for _ in 0..depth {
            self.text.push_str("  ");
        }
        self.text.push_str(text);
        self.text.push('\n');
    }
}

/// Whether a line that takes bars is a rule, `ignore` or `HTTP`.
fn has_keyword(text: &str) -> bool {
    matches!(syntax::first_word(text).0, "on" | "ignore" | "HTTP")
}

/// A line with single blanks between its parts.
fn statement(text: &str) -> String {
    if let Some(at) = frame::arrow_offset(text) {
        return who_text(&text[..at]) + &frame_text(text, at);
    }
    let (word, rest) = syntax::first_word(text);
    if word == "on" && rest.starts_with(['>', '<']) {
        return format!("on {}", frame_text(text, text.len() - rest.len()));
    }
    if word == "ignore" && frame::is_frame(rest) {
        return format!("ignore {}", statement(rest));
    }
    if let Some((at, _)) = syntax::somebodys_directive(text) {
        return who_text(&text[..at]) + &statement(&text[at..]);
    }
    let rest = rest.trim_end();
    if let Some(check) = text.strip_prefix('?') {
        return format!("? {}", check.trim());
    }
    if let Some(name) = syntax::header_name(text) {
        let value = text[name.len() + 1..].trim();
        return format!("{name}: {value}").trim_end().to_owned();
    }
    let assigned = if word == "set" { rest } else { text };
    if let Some((name, value)) = assigned.split_once('=')
        && (word == "set" || crate::pattern::is_name(name.trim()))
    {
        let set = if word == "set" { "set " } else { "" };
        let laid_out = format!("{set}{} = {}", name.trim(), value.trim());
        return laid_out.trim_end().to_owned();
    }
    directive(word, rest)
}

/// A who, and the blank behind it; what stands in its holes stays as it is.
fn who_text(who: &str) -> String {
    match syntax::first_word(who.trim_end()) {
        ("", _) => String::new(),
        (word, "") => format!("{word} "),
        (word, name) => format!("{word} {name} "),
    }
}

/// A directive with single blanks between its words; an address, a title, a name with holes, or a value is left as it is.
fn directive(word: &str, rest: &str) -> String {
    let (first, behind) = syntax::first_word(rest);
    let counted = |word: &str| {
        let digits = word.strip_prefix('x').unwrap_or_default();
        !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
    };
    match word {
        "option" | "every" | "tag" | "retry" => {
            let words: Vec<&str> = rest.split_whitespace().collect();
            format!("{word} {}", words.join(" ")).trim_end().to_owned()
        }
        "connect" if !behind.is_empty() => {
            let (second, url) = syntax::first_word(behind);
            if counted(second) && !url.is_empty() {
                format!("connect {first} {second} {url}")
            } else if crate::pattern::is_name(first) {
                format!("connect {first} {behind}")
            } else {
                format!("connect {rest}")
            }
        }
        "on" if !behind.is_empty() => format!("on {first} {behind}"),
        "keep" => match syntax::word_length(rest) {
            Some(length) => format!("keep {} {}", &rest[..length], rest[length..].trim_start()),
            None => format!("keep {rest}"),
        },
        _ if rest.is_empty() => word.to_owned(),
        _ => format!("{word} {rest}"),
    }
}

/// An arrow with all that touches it, and the payload as it is.
fn frame_text(text: &str, at: usize) -> String {
    let head = frame::head(text, at);
    let mut line = String::from(head.arrow.sign());
    line.push_str(head.kind);
    if let Some(options) = head.options {
        let options: Vec<String> = options
            .split(',')
            .map(|option| option.split_whitespace().collect::<Vec<_>>().join(" "))
            .collect();
        line.push_str(&format!("({})", options.join(", ")));
    }
    let payload = &text[head.payload_at..];
    if !payload.is_empty() {
        line.push(' ');
        line.push_str(payload);
    }
    line
}

#[cfg(test)]
mod tests;
