//! `--update`: what came is written into the talks.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use wiretalk_engine::load::{self, Loaded};
use wiretalk_engine::redact::Redactor;
use wiretalk_engine::runner::TestResult;
use wiretalk_talk::player::{Change, Plan};
use wiretalk_talk::{Edit, Update};

use super::super::fmt::replace;
use crate::terminal::{self, BAD, GOOD, WARNING};

/// What came in place of what lines expect, talk by talk.
#[derive(Default)]
pub(super) struct Changed(Vec<(Arc<Plan>, Vec<Change>)>);

/// The lines of one file that are written anew, in the file's own numbers and with its margins.
struct Rewriting {
    path: PathBuf,
    edits: Vec<Edit>,
}

impl Changed {
    pub(super) fn add(&mut self, result: &TestResult) {
        if result.changes.is_empty() {
            return;
        }
        let changes = result.changes.iter().cloned();
        match self
            .0
            .iter_mut()
            .find(|(plan, _)| Arc::ptr_eq(plan, &result.plan))
        {
            Some((_, known)) => known.extend(changes),
            None => self.0.push((Arc::clone(&result.plan), changes.collect())),
        }
    }

    /// Writes the talks, and says what was changed. False if a talk could not be written, or a line of it.
    pub(super) fn write(
        &self,
        talks: &[(Loaded, Arc<Plan>)],
        secrets: &Redactor,
        say: impl Fn(&str),
    ) -> bool {
        let mut whole = true;
        let mut files: Vec<Rewriting> = Vec::new();
        for (loaded, plan) in talks {
            let Some((_, changes)) = self.0.iter().find(|(own, _)| Arc::ptr_eq(own, plan)) else {
                continue;
            };
            let Update { edits, notes } = wiretalk_talk::update(&loaded.talk, changes);
            let file = loaded.path.display();
            for (line, why) in notes {
                say(&format!("{WARNING}note{WARNING:#} {file}:{line}: {why}"));
            }
            for edit in &edits {
                say(&format!("{GOOD}UPDATE{GOOD:#} {file}:{}", edit.line));
                for line in edit.line..edit.line + edit.count {
                    let line = secrets.text(loaded.source().line(line)).into_owned();
                    say(&format!("  {BAD}- {line}{BAD:#}"));
                }
                for line in &edit.lines {
                    say(&format!("  {GOOD}+ {}{GOOD:#}", secrets.text(line)));
                }
            }
            let edits = edits.into_iter().map(|edit| with_margin(loaded, edit));
            match files.iter_mut().find(|own| own.path == loaded.path) {
                Some(own) => own.edits.extend(edits),
                None => files.push(Rewriting {
                    path: loaded.path.clone(),
                    edits: edits.collect(),
                }),
            }
        }
        for file in files.iter().filter(|file| !file.edits.is_empty()) {
            if let Err(why) = file.write(talks) {
                terminal::error(&format!(
                    "`{}` is left as it is: {why}",
                    file.path.display()
                ));
                whole = false;
            }
        }
        whole
    }
}

/// An edit as it is in a document: each line behind the margin that the first has.
fn with_margin(loaded: &Loaded, mut edit: Edit) -> Edit {
    if let Some(block) = &loaded.block
        && let Some(margin) = edit
            .line
            .checked_sub(block.first)
            .and_then(|index| block.margins.get(index))
    {
        for line in &mut edit.lines {
            line.insert_str(0, margin);
        }
    }
    edit
}

impl Rewriting {
    fn write(&self, talks: &[(Loaded, Arc<Plan>)]) -> Result<(), String> {
        let before = std::fs::read_to_string(&self.path).map_err(|error| error.to_string())?;
        let own = || talks.iter().filter(|(talk, _)| talk.path == self.path);
        // While the tests ran, somebody may have gone on writing.
        let now = load::load_all(&self.path).map_err(|error| error.to_string())?;
        let same = |talk: &Loaded| {
            let mut now = now.iter();
            now.any(|now| now.source().text() == talk.source().text())
        };
        if !own().all(|(talk, _)| same(talk)) {
            return Err("it has changed while the tests ran".into());
        }
        let after = edited(&before, &self.edits);
        for talk in parsed(&self.path, &after) {
            if talk.has_errors() {
                return Err("with what came it would be no talk that can be read".into());
            }
        }
        replace(&self.path, &after).map_err(|error| error.to_string())
    }
}

/// The talks in a text that is not in its file yet.
fn parsed(path: &Path, text: &str) -> Vec<Loaded> {
    load::parse_all(path, text)
}

/// A text with lines replaced. Each new line ends as the one in whose place it stands.
fn edited(text: &str, edits: &[Edit]) -> String {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let mut edits: Vec<&Edit> = edits.iter().collect();
    edits.sort_by_key(|edit| edit.line);
    let mut written = String::with_capacity(text.len());
    let mut next = 0;
    for edit in edits {
        let from = (edit.line - 1).min(lines.len());
        let to = (from + edit.count).min(lines.len());
        written.push_str(&lines[next.min(from)..from].concat());
        let ending = match lines.get(from) {
            Some(line) if line.ends_with("\r\n") => "\r\n",
            _ => "\n",
        };
        for line in &edit.lines {
            written.push_str(line);
            written.push_str(ending);
        }
        next = to;
    }
    written.push_str(&lines[next..].concat());
    // The last line may have had no ending.
    if !text.ends_with('\n') && next == lines.len() && written.ends_with('\n') {
        written.truncate(written.trim_end_matches(['\r', '\n']).len());
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_replaced_with_the_endings_that_were_there() {
        let edit = |line, count, lines: &[&str]| Edit {
            line,
            count,
            lines: lines.iter().map(|line| (*line).to_owned()).collect(),
        };
        for (text, edits, after) in [
            ("a\nb\nc\n", vec![edit(2, 1, &["x", "y"])], "a\nx\ny\nc\n"),
            (
                "a\r\nb\r\n",
                vec![edit(2, 1, &["x"]), edit(1, 1, &["y"])],
                "y\r\nx\r\n",
            ),
            ("a\nb", vec![edit(2, 1, &["x"])], "a\nx"),
            ("a\nb\nc", vec![edit(1, 2, &["x"])], "x\nc"),
            ("\u{feff}a\nb\n", vec![edit(2, 1, &["x"])], "\u{feff}a\nx\n"),
        ] {
            assert_eq!(edited(text, &edits), after, "{text:?}");
        }
    }
}
