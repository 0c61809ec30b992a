//! Findings about talks, with the lines they are about.

use miette::{GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, Severity};
use wiretalk_engine::load::Loaded;
use wiretalk_talk::{Diagnostic, Source};

use crate::terminal::{self, QUIET};

/// Findings of one talk that are shown; of more, the number is told.
const MOST_SHOWN: usize = 100;

#[derive(Debug)]
struct Finding<'a> {
    diagnostic: &'a Diagnostic,
    source: &'a NamedSource<String>,
}

impl std::fmt::Display for Finding<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.diagnostic.what)
    }
}

impl std::error::Error for Finding<'_> {}

impl miette::Diagnostic for Finding<'_> {
    fn severity(&self) -> Option<Severity> {
        Some(if self.diagnostic.is_error() {
            Severity::Error
        } else {
            Severity::Warning
        })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn std::fmt::Display + 'a>> {
        Some(Box::new(&self.diagnostic.mend))
    }

    fn source_code(&self) -> Option<&dyn miette::SourceCode> {
        Some(self.source)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let span = self.diagnostic.span;
        let label = LabeledSpan::at(span.start..span.end.max(span.start), "here");
        Some(Box::new(std::iter::once(label)))
    }
}

/// Writes every finding about a talk to standard error. How many errors and warnings there are.
pub(crate) fn show(loaded: &Loaded) -> (usize, usize) {
    show_all(loaded.source(), &loaded.diagnostics)
}

/// Writes findings to standard error. How many errors and warnings there are.
pub(crate) fn show_all(source: &Source, diagnostics: &[Diagnostic]) -> (usize, usize) {
    let handler = GraphicalReportHandler::new_themed(GraphicalTheme::unicode())
        .with_width(120)
        .without_cause_chain();
    let errors = diagnostics.iter().filter(|found| found.is_error()).count();
    if diagnostics.is_empty() {
        return (0, 0);
    }
    let text = NamedSource::new(source.name(), source.text().to_owned());
    // If not all are shown, the errors are.
    let (grave, light): (Vec<_>, Vec<_>) = diagnostics.iter().partition(|found| found.is_error());
    let shown: Vec<&Diagnostic> = if diagnostics.len() > MOST_SHOWN {
        grave.into_iter().chain(light).take(MOST_SHOWN).collect()
    } else {
        diagnostics.iter().collect()
    };
    for diagnostic in &shown {
        let finding = Finding {
            diagnostic,
            source: &text,
        };
        let mut text = String::new();
        if handler.render_report(&mut text, &finding).is_err() {
            // What cannot be drawn is said in one line.
            let (line, column) = source.position(diagnostic.span.start);
            text = format!("{}:{line}:{column}: {diagnostic:?}", source.name());
        }
        terminal::err(&format!("{}\n", text.trim_end_matches('\n')));
    }
    if shown.len() < diagnostics.len() {
        let more = diagnostics.len() - shown.len();
        terminal::err(&format!("{QUIET}and {more} more{QUIET:#}\n"));
    }
    (errors, diagnostics.len() - errors)
}
