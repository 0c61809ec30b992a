//! What is wrong with a talk, where, and how to mend it.

use crate::source::Span;

/// How many findings are kept of one talk; the others are counted.
pub(crate) const MOST_FINDINGS: usize = 1000;

/// How grave a diagnostic is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The talk can run, but likely not as meant.
    Warning,
    /// The talk cannot run.
    Error,
}

/// One finding about a talk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How grave it is.
    pub severity: Severity,
    /// Where it is.
    pub span: Span,
    /// What is wrong, as a sentence without a full stop.
    pub what: String,
    /// How to mend it.
    pub mend: String,
}

impl Diagnostic {
    /// An error. What it quotes is cut if it is long.
    pub fn error(span: Span, what: impl Into<String>, mend: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            span,
            what: shortened(what.into()),
            mend: shortened(mend.into()),
        }
    }

    /// A warning.
    pub fn warning(span: Span, what: impl Into<String>, mend: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(span, what, mend)
        }
    }

    /// That there is more of the kind than is told, if there is; it stands at the end of a text of that length.
    pub(crate) fn and_more(count: usize, end: usize) -> Option<Self> {
        (count > 0).then(|| {
            Self::error(
                Span::new(end, end),
                format!("there are {count} more findings in this talk"),
                "mend those that are told first",
            )
        })
    }

    /// Whether the talk cannot run because of it.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

/// Bytes of a sentence that is kept whole.
const LONGEST: usize = 1200;

/// A sentence without its middle, if it quotes something long.
fn shortened(text: String) -> String {
    if text.len() <= LONGEST {
        return text;
    }
    let mut start = LONGEST / 2;
    while !text.is_char_boundary(start) {
        start -= 1;
    }
    let mut end = text.len() - LONGEST / 4;
    while !text.is_char_boundary(end) {
        end += 1;
    }
    format!("{} … {}", &text[..start], &text[end..])
}

/// What is found in one talk: the first of it, and how much more there is.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    pub(crate) list: Vec<Diagnostic>,
    more: usize,
}

impl Findings {
    pub(crate) fn push(&mut self, finding: Diagnostic) {
        if self.list.len() < MOST_FINDINGS {
            self.list.push(finding);
        } else {
            self.more += 1;
        }
    }

    /// Holds the list to its bound, after others have added to it.
    pub(crate) fn hold(&mut self) {
        if self.list.len() > MOST_FINDINGS {
            self.more += self.list.len() - MOST_FINDINGS;
            self.list.truncate(MOST_FINDINGS);
        }
    }

    /// Whether what is found from now on is only counted.
    pub(crate) fn is_full(&self) -> bool {
        self.list.len() >= MOST_FINDINGS
    }

    /// How many there are beyond those in the list.
    pub(crate) fn more(&self) -> usize {
        self.more
    }
}

/// The one of `known` that looks like `word`, if one does.
pub(crate) fn closest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Nobody mistypes a word of that length; and the comparison takes length times length.
    if word.len() > 64 {
        return None;
    }
    let length = word.chars().count();
    let limit = (length / 3).max(1);
    known
        .into_iter()
        .filter(|candidate| candidate.len() <= 64)
        .map(|candidate| (distance(word, candidate), candidate))
        // A word of which no letter is left looks like nothing.
        .filter(|(distance, _)| *distance <= limit && *distance < length)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Edits between two words: insertions, deletions, replacements and swaps of neighbours.
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.to_lowercase().chars().collect();
    let b: Vec<char> = b.to_lowercase().chars().collect();
    let mut rows = vec![(0..=b.len()).collect::<Vec<_>>()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = replaced.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}
