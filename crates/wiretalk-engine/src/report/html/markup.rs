//! HTML, written element by element. What is not ours goes in by [`Markup::text`] and by the values of attributes, and
//! both escape it: there is no way to write it raw.
//!
//! What comes out is well-formed XML too (all is closed, all is quoted), so that a test can take it apart.

use super::super::text::{in_one_line, visible};

/// A piece of a page.
#[derive(Debug, Default)]
pub(super) struct Markup(String);

impl Markup {
    /// `<name attribute="value">`
    pub(super) fn open(&mut self, name: &str, attributes: &[(&str, &str)]) -> &mut Self {
        self.tag(name, attributes, ">")
    }

    /// `<name attribute="value"/>`, for an element without content.
    pub(super) fn empty(&mut self, name: &str, attributes: &[(&str, &str)]) -> &mut Self {
        self.tag(name, attributes, "/>")
    }

    /// `</name>`
    pub(super) fn close(&mut self, name: &str) -> &mut Self {
        self.0.push_str("</");
        self.0.push_str(name);
        self.0.push('>');
        self
    }

    /// Any text. Nothing in it is markup, and nothing in it hides.
    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        escape(&mut self.0, &visible(text));
        self
    }

    /// An element that holds nothing but text.
    pub(super) fn element(
        &mut self,
        name: &str,
        attributes: &[(&str, &str)],
        text: &str,
    ) -> &mut Self {
        self.open(name, attributes).text(text).close(name)
    }

    /// A piece that is written already.
    pub(super) fn piece(&mut self, piece: &str) -> &mut Self {
        self.0.push_str(piece);
        self
    }

    /// A line feed, for whoever looks at the source.
    pub(super) fn line(&mut self) -> &mut Self {
        self.0.push('\n');
        self
    }

    /// What was written.
    pub(super) fn finish(self) -> String {
        self.0
    }

    fn tag(&mut self, name: &str, attributes: &[(&str, &str)], end: &str) -> &mut Self {
        self.0.push('<');
        self.0.push_str(name);
        for (name, value) in attributes {
            self.0.push(' ');
            self.0.push_str(name);
            self.0.push_str("=\"");
            escape(&mut self.0, &in_one_line(value));
            self.0.push('"');
        }
        self.0.push_str(end);
        self
    }
}

fn escape(into: &mut String, text: &str) {
    let mut rest = text;
    while let Some(at) = rest.find(['&', '<', '>', '"', '\'']) {
        let (before, found) = rest.split_at(at);
        into.push_str(before);
        into.push_str(match found.as_bytes()[0] {
            b'&' => "&amp;",
            b'<' => "&lt;",
            b'>' => "&gt;",
            b'"' => "&quot;",
            _ => "&#39;",
        });
        rest = &found[1..];
    }
    into.push_str(rest);
}
