//! A talk that is open in an editor.

use lsp_types::{
    DiagnosticSeverity, InitializeParams, Position, PositionEncodingKind, Range,
    TextDocumentContentChangeEvent, Uri,
};
use wiretalk_engine::load::Loaded;
use wiretalk_talk::{Diagnostic, Source, Span};

/// Findings of one document that are told to the editor.
const MOST_FOUND: usize = 500;

/// In what the columns of positions are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    /// Bytes, if the editor can do that.
    Utf8,
    /// Units of UTF-16, which every editor can do.
    Utf16,
}

impl Encoding {
    pub(super) fn agreed(params: &InitializeParams) -> Self {
        let general = params.capabilities.general.as_ref();
        let offered = general.and_then(|general| general.position_encodings.as_ref());
        match offered {
            Some(offered) if offered.contains(&PositionEncodingKind::UTF8) => Self::Utf8,
            _ => Self::Utf16,
        }
    }
}

pub(super) struct Document {
    uri: Uri,
    source: Source,
    encoding: Encoding,
}

impl Document {
    pub(super) fn new(uri: &Uri, text: &str, encoding: Encoding) -> Self {
        Self {
            source: Source::new(&path_of(uri), text),
            uri: uri.clone(),
            encoding,
        }
    }

    pub(super) fn uri(&self) -> &Uri {
        &self.uri
    }

    pub(super) fn source(&self) -> &Source {
        &self.source
    }

    /// Takes over what was written.
    pub(super) fn change(&mut self, change: TextDocumentContentChangeEvent) {
        let text = match change.range {
            None => change.text,
            Some(range) => {
                let (start, end) = (self.offset(range.start), self.offset(range.end));
                let mut text = self.source.text().to_owned();
                text.replace_range(start..end.max(start), &change.text);
                text
            }
        };
        self.source = Source::new(self.source.name(), &text);
    }

    /// Everything that is wrong with the talk, in each role that it has lines for.
    pub(super) fn findings(&self) -> Vec<lsp_types::Diagnostic> {
        let loaded = Loaded::new(self.source.name(), self.source.text());
        let loaded = loaded.check_all(&[]);
        let found = loaded.diagnostics.iter().take(MOST_FOUND);
        found.map(|finding| self.finding(finding)).collect()
    }

    fn finding(&self, found: &Diagnostic) -> lsp_types::Diagnostic {
        lsp_types::Diagnostic {
            range: self.range(found.span),
            severity: Some(if found.is_error() {
                DiagnosticSeverity::ERROR
            } else {
                DiagnosticSeverity::WARNING
            }),
            source: Some("wiretalk".to_owned()),
            message: format!("{}\n{}", found.what, found.mend),
            ..lsp_types::Diagnostic::default()
        }
    }

    pub(super) fn range(&self, span: Span) -> Range {
        Range::new(self.position(span.start), self.position(span.end))
    }

    /// All of the text.
    pub(super) fn whole(&self) -> Range {
        self.range(Span::new(0, self.source.text().len()))
    }

    fn position(&self, offset: usize) -> Position {
        let (line, _) = self.source.position(offset);
        let start = self.source.text()[..offset]
            .rfind('\n')
            .map_or(0, |at| at + 1);
        let before = &self.source.text()[start..offset];
        let column = match self.encoding {
            Encoding::Utf8 => before.len(),
            Encoding::Utf16 => before.encode_utf16().count(),
        };
        Position::new(number(line - 1), number(column))
    }

    /// The offset of a position; one behind the end of its line, or of the text, is taken back to it.
    pub(super) fn offset(&self, position: Position) -> usize {
        let text = self.source.text();
        let mut start = 0;
        for _ in 0..position.line {
            match text[start..].find('\n') {
                Some(end) => start += end + 1,
                None => return text.len(),
            }
        }
        let line = text[start..].split('\n').next().unwrap_or_default();
        let wanted = position.character as usize;
        let mut column = 0;
        for (at, c) in line.char_indices() {
            if column >= wanted {
                return start + at;
            }
            column += match self.encoding {
                Encoding::Utf8 => c.len_utf8(),
                Encoding::Utf16 => c.len_utf16(),
            };
        }
        start + line.len()
    }
}

fn number(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

/// The path of a document on the disk, or its address if it has none: what the talk is called in messages.
fn path_of(uri: &Uri) -> String {
    let path = url::Url::parse(uri.as_str()).ok();
    let path = path.and_then(|url| url.to_file_path().ok());
    path.map_or_else(|| uri.to_string(), |path| path.display().to_string())
}

#[cfg(test)]
mod tests;
