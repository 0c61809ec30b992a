//! `wiretalk fmt`: one way to lay a talk out. It moves white space between things, and never touches a payload.

use crate::diagnostic::Diagnostic;
use crate::syntax::lines::{Physical, physical, takes_bars};
use crate::syntax::{self, Parsed, frame, parse, without_mark};

/// The talk laid out anew: two spaces for each level, one blank line between blocks, LF at each line's end.
///
/// Formatting twice gives the same as once, and the talk means what it meant.
///
/// # Errors
/// Everything that is wrong with the talk: what cannot be read is not laid out.
pub fn format(name: &str, text: &str) -> Result<String, Vec<Diagnostic>> {
    let Parsed { diagnostics, .. } = parse(name, text);
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
    /// Indentation and text of the lines that are open, outermost first.
    open: Vec<(usize, &'a str)>,
    blank: bool,
}

impl<'a> Layout<'a> {
    fn line(&mut self, line: Physical<'a>) {
        match line {
            Physical::Blank => self.blank = !self.text.is_empty(),
            Physical::Comment { text, indent } => {
                let depth = self.open.iter().filter(|(open, _)| *open < indent).count();
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
                while self.open.last().is_some_and(|(open, _)| *open >= indent) {
                    self.open.pop();
                }
                let depth = self.open.len();
                self.open.push((indent, text));
                self.write(depth, &statement(text));
            }
        }
    }

    /// Bars stand right under their arrow, or indented under a line that has something else before them.
    fn bar_depth(&self, indent: usize) -> usize {
        match self.open.last() {
            Some((_, text)) if frame::is_frame(text) => self.open.len() - 1,
            Some((_, text)) if takes_bars(text) => self.open.len(),
            _ => {
                let owner = self
                    .open
                    .iter()
                    .rposition(|(open, text)| takes_bars(text) && *open < indent);
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

/// A line with single blanks between its parts.
fn statement(text: &str) -> String {
    if let Some(at) = frame::arrow_offset(text) {
        let who: Vec<&str> = text[..at].split_whitespace().collect();
        let who = match &who[..] {
            [] => String::new(),
            words => words.join(" ") + " ",
        };
        return who + &frame_text(text, at);
    }
    let (word, rest) = syntax::first_word(text);
    if word == "on" && rest.starts_with(['>', '<']) {
        return format!("on {}", frame_text(text, text.len() - rest.len()));
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

/// A directive with single blanks between its words; an address or a title is left as it is.
fn directive(word: &str, rest: &str) -> String {
    let (first, behind) = syntax::first_word(rest);
    let two_words = match word {
        "connect" => crate::pattern::is_name(first),
        "on" => true,
        _ => false,
    };
    if matches!(word, "option" | "every") || (first == "silence" && word != "test") {
        let words: Vec<&str> = rest.split_whitespace().collect();
        format!("{word} {}", words.join(" ")).trim_end().to_owned()
    } else if two_words && !behind.is_empty() {
        format!("{word} {first} {behind}")
    } else if rest.is_empty() {
        word.to_owned()
    } else {
        format!("{word} {rest}")
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
