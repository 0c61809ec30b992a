//! Tests end in any order; a report that is read by people has them in the order of their files and lines.

use crate::runner::{Summary, TestResult};

/// Where a test stands among the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    line: usize,
    row: Option<usize>,
    repetition: usize,
}

/// The tests of one file.
#[derive(Debug)]
pub(super) struct Group<T> {
    /// The file, as it was given.
    pub(super) file: String,
    /// How its tests ended; the time is what they took together.
    pub(super) summary: Summary,
    tests: Vec<(Place, T)>,
}

impl<T> Group<T> {
    /// Its tests, in the order of the file.
    pub(super) fn tests(&self) -> impl Iterator<Item = &T> {
        self.tests.iter().map(|(_, test)| test)
    }
}

/// What is kept of each test, file by file.
#[derive(Debug)]
pub(super) struct Files<T>(std::collections::BTreeMap<String, Group<T>>);

impl<T> Default for Files<T> {
    fn default() -> Self {
        Self(std::collections::BTreeMap::new())
    }
}

impl<T> Files<T> {
    /// Adds what is kept of a test.
    pub(super) fn push(&mut self, result: &TestResult, kept: T) {
        let place = Place {
            line: result.line,
            row: result.row,
            repetition: result.repetition,
        };
        let group = match self.0.get_mut(&result.file) {
            Some(group) => group,
            None => self.0.entry(result.file.clone()).or_insert_with(|| Group {
                file: result.file.clone(),
                summary: Summary::default(),
                tests: Vec::new(),
            }),
        };
        group.summary.count(result);
        group.summary.duration += result.duration;
        group.tests.push((place, kept));
    }

    /// The files by name, with their tests sorted.
    pub(super) fn into_sorted(self) -> impl ExactSizeIterator<Item = Group<T>> {
        self.0.into_values().map(|mut group| {
            group.tests.sort_by_key(|(place, _)| *place);
            group
        })
    }
}
