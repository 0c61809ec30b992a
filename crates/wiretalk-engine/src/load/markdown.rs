//! The talks in a Markdown document: its fenced blocks marked `talk`.
//!
//! Each block becomes a text of its own, with as many empty lines before it as the document has lines there: so every
//! line of a talk has the number that it has in the document.

use std::ops::Range;

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

/// A fenced block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Block {
    /// The heading above it, and which of several blocks below that it is; empty if there is none.
    pub(super) title: String,
    /// The text of the talk, behind empty lines.
    pub(super) text: String,
    /// What stands before each line of the block in the document: the indentation of a list, say. The first is that of
    /// the line [`Block::first`].
    pub(super) margins: Vec<String>,
    /// The number of its first line, from 1.
    pub(super) first: usize,
    /// Whether its tests are run.
    pub(super) runs: bool,
    /// A word behind the fence that was most likely meant to be `no-run` or `ignore`.
    pub(super) mistaken: Option<String>,
}

/// The first word behind a fence that makes its block a talk.
const TALK: &str = "talk";
/// The word behind it that keeps its tests from being run; it is looked over all the same.
const NO_RUN: &str = "no-run";
/// The word behind it for a block that is not even looked over.
const IGNORE: &str = "ignore";
/// What others write for one of both, in lower case and without signs.
const MISTAKEN: [&str; 9] = [
    "norun", "notrun", "dontrun", "noexec", "notest", "skip", "skipped", "ignored", "disabled",
];

/// The talks of a document.
pub(super) fn blocks(text: &str) -> Vec<Block> {
    let starts: Vec<usize> = std::iter::once(0)
        .chain(text.match_indices('\n').map(|(at, _)| at + 1))
        .collect();
    let line_of = |offset: usize| starts.partition_point(|start| *start <= offset) - 1;
    let line = |index: usize| {
        let end = starts.get(index + 1).copied().unwrap_or(text.len());
        &text[starts[index]..end]
    };
    let mut found: Vec<Found> = Vec::new();
    let mut heading = Heading::default();
    let mut open: Option<Found> = None;
    for (event, range) in Parser::new_ext(text, Options::ENABLE_TABLES).into_offset_iter() {
        match event {
            Event::Start(Tag::Heading { .. }) => {
                heading.number += 1;
                heading.text.clear();
                heading.open = true;
            }
            Event::End(TagEnd::Heading(_)) => heading.open = false,
            Event::Text(words) | Event::Code(words) if heading.open => {
                heading.text.push_str(&words);
            }
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(info))) => {
                open = runs(&info).map(|runs| Found {
                    heading: heading.number,
                    title: heading.text.trim().to_owned(),
                    first: line_of(range.start) + 1,
                    lines: Vec::new(),
                    runs,
                    mistaken: mistaken(&info),
                });
            }
            Event::Text(_) => {
                if let Some(block) = &mut open {
                    block.add(range, &starts);
                }
            }
            Event::End(TagEnd::CodeBlock) => found.extend(open.take()),
            _ => {}
        }
    }
    let of_heading = |number: usize| found.iter().filter(|block| block.heading == number).count();
    let mut count = (0, 0);
    found
        .iter()
        .map(|block| {
            count = match count {
                (heading, before) if heading == block.heading => (heading, before + 1),
                _ => (block.heading, 1),
            };
            let title = match of_heading(block.heading) {
                1 => block.title.clone(),
                _ => format!("{} ({})", block.title, count.1).trim().to_owned(),
            };
            let mut text = "\n".repeat(block.first);
            let mut margins = Vec::new();
            for (index, start) in block.lines.iter().enumerate() {
                let whole = line(block.first + index);
                let margin = start.map_or(0, |start| start - starts[block.first + index]);
                margins.push(whole[..margin].to_owned());
                if start.is_some() {
                    text.push_str(&whole[margin..]);
                } else {
                    text.push('\n');
                }
            }
            Block {
                title,
                text,
                margins,
                first: block.first + 1,
                runs: block.runs,
                mistaken: block.mistaken.clone(),
            }
        })
        .collect()
}

#[derive(Default)]
struct Heading {
    /// Counts them; 0 is before the first.
    number: usize,
    text: String,
    open: bool,
}

struct Found {
    heading: usize,
    title: String,
    /// The index of the line behind the fence.
    first: usize,
    /// Where each line's own text begins in the document; none for one that has nothing.
    lines: Vec<Option<usize>>,
    runs: bool,
    mistaken: Option<String>,
}

impl Found {
    /// Adds a piece of the block's text. The first of a line says where that begins.
    fn add(&mut self, range: Range<usize>, starts: &[usize]) {
        if range.is_empty() {
            return;
        }
        let line_of = |offset: usize| starts.partition_point(|start| *start <= offset) - 1;
        let (from, to) = (line_of(range.start), line_of(range.end - 1));
        for (line, start) in starts.iter().enumerate().take(to + 1).skip(from) {
            let Some(index) = line.checked_sub(self.first) else {
                continue;
            };
            if self.lines.len() <= index {
                self.lines.resize(index + 1, None);
            }
            self.lines[index].get_or_insert((*start).max(range.start));
        }
    }
}

/// Whether a block with these words behind its fence is run; none if it is no talk.
fn runs(info: &str) -> Option<bool> {
    let mut words = words(info);
    if words.next() != Some(TALK) {
        return None;
    }
    let words: Vec<&str> = words.collect();
    (!words.contains(&IGNORE)).then(|| !words.contains(&NO_RUN))
}

/// The word behind a fence that looks like `no-run` or `ignore`, and is neither.
fn mistaken(info: &str) -> Option<String> {
    let mut words = words(info).skip(1);
    let found = words.find(|word| {
        let letters = word.chars().filter(|c| c.is_alphanumeric());
        let bare: String = letters.flat_map(char::to_lowercase).collect();
        let known = [NO_RUN, IGNORE].contains(word);
        !known && (bare == IGNORE || MISTAKEN.contains(&bare.as_str()))
    });
    found.map(str::to_owned)
}

fn words(info: &str) -> impl Iterator<Item = &str> {
    info.split([' ', '\t', ',']).filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests;
