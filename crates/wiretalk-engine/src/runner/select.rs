//! Which of the tests are run.

use regex::Regex;

/// The tests that are asked for: by title, and by tag.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    titles: Vec<Title>,
    wanted: Vec<String>,
    unwanted: Vec<String>,
}

#[derive(Clone, Debug)]
struct Title {
    text: String,
    pattern: Option<Regex>,
}

impl Selection {
    /// Asks for tests whose title contains this text, or a match of it as a regular expression. Of several, one is
    /// enough.
    pub fn title(&mut self, text: &str) {
        self.titles.push(Title {
            text: text.to_owned(),
            // What is no regular expression is a text alone.
            pattern: Regex::new(text).ok(),
        });
    }

    /// Asks for tests with this tag, or with `!` before it for those without. Of several tags that are wanted, one is
    /// enough; none may be there that is not.
    pub fn tag(&mut self, word: &str) {
        match word.strip_prefix('!') {
            Some(word) => self.unwanted.push(word.to_owned()),
            None => self.wanted.push(word.to_owned()),
        }
    }

    /// Whether a test is asked for.
    #[must_use]
    pub fn takes(&self, title: &str, tags: &[String]) -> bool {
        let titled = |wanted: &Title| {
            title.contains(&wanted.text)
                || wanted
                    .pattern
                    .as_ref()
                    .is_some_and(|pattern| pattern.is_match(title))
        };
        (self.titles.is_empty() || self.titles.iter().any(titled))
            && (self.wanted.is_empty() || self.wanted.iter().any(|tag| tags.contains(tag)))
            && !self.unwanted.iter().any(|tag| tags.contains(tag))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_are_chosen_by_title_and_tag() {
        for (titles, tags, takes) in [
            (&[][..], &[][..], [true, true, true]),
            (&["logs in"], &[], [true, true, false]),
            (&["^logs.*\\)$"], &[], [false, true, false]),
            (&["in (as"], &[], [false, true, false]),
            (&["(", "chat"], &[], [false, true, true]),
            (&[], &["slow"], [true, false, false]),
            (&[], &["!slow"], [false, true, true]),
            (&[], &["slow", "chat"], [true, false, true]),
            (&[], &["auth", "!slow"], [false, true, false]),
            (&["logs"], &["auth"], [true, true, false]),
            (&["no such"], &[], [false, false, false]),
        ] {
            let mut selection = Selection::default();
            for title in titles {
                selection.title(title);
            }
            for tag in tags {
                selection.tag(tag);
            }
            let takes_each = [
                ("logs in", &["auth", "slow"][..]),
                ("logs in (as root)", &["auth"]),
                ("a chat", &["chat"]),
            ]
            .map(|(title, tags)| {
                let tags: Vec<String> = tags.iter().map(|tag| (*tag).to_owned()).collect();
                selection.takes(title, &tags)
            });
            assert_eq!(takes_each, takes, "{titles:?} {tags:?}");
        }
    }
}
