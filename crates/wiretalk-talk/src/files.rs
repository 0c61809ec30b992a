//! The files that a talk names: read by the caller, kept with the talk.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::diagnostic::Diagnostic;
use crate::pattern::{bind_name, is_name};
use crate::query::{ReadySchema, Schema};
use crate::scope::Bindings;
use crate::source::Span;
use crate::syntax::{Content, FileName, FilePart, Statement, StatementKind, Talk, decode};
use crate::value::{Json, Value};

/// What stands in the files that a talk names, each under the path as the talk writes it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Files {
    /// Of payloads: `>file PATH`.
    pub(crate) bytes: BTreeMap<String, Arc<[u8]>>,
    /// Of `each FILE`: each row's columns.
    pub(crate) rows: BTreeMap<String, Arc<[Bindings]>>,
}

/// Where a talk names a file, and what for.
enum Use<'a> {
    Payload(&'a FilePart),
    Rows(&'a FileName),
    Schema(&'a Schema),
}

impl<'a> Use<'a> {
    fn name(&self) -> &'a FileName {
        match self {
            Self::Payload(part) => &part.name,
            Self::Rows(name) => name,
            Self::Schema(schema) => &schema.file,
        }
    }
}

impl Talk {
    /// The files that the talk names, as it writes them, in the order of the text and each once: payloads (`>file PATH`),
    /// rows (`each FILE`) and schemas (`? schema FILE`). They are relative to the talk.
    #[must_use]
    pub fn file_names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        let mut seen = std::collections::BTreeSet::new();
        each_use(&self.statements, &mut |file| {
            let path = file.name().path.as_str();
            if seen.insert(path) {
                names.push(path);
            }
        });
        names
    }

    /// Reads the files that the talk names, each once, and keeps what stands in them with the talk: it cannot be played
    /// without. `read` gets a path as the talk writes it, and gives the bytes, or why there are none, as a sentence.
    ///
    /// What is wrong with them is told where they are named: a file that cannot be read, a part that a file does not
    /// have, rows (CSV with a first line of names, or JSON lines) that cannot be read, a schema that is none.
    pub fn link(
        &mut self,
        read: &mut dyn FnMut(&str) -> Result<Vec<u8>, String>,
    ) -> Vec<Diagnostic> {
        let mut linker = Linker {
            read,
            bytes: BTreeMap::new(),
            rows: BTreeMap::new(),
            schemas: BTreeMap::new(),
            files: Files::default(),
            diagnostics: Vec::new(),
        };
        each_use(&self.statements, &mut |file| linker.link(&file));
        let Linker {
            files, diagnostics, ..
        } = linker;
        self.files = Arc::new(files);
        diagnostics
    }
}

/// Reads files, each once, and keeps what came of it.
struct Linker<'r> {
    read: &'r mut dyn FnMut(&str) -> Result<Vec<u8>, String>,
    bytes: BTreeMap<String, Result<Arc<[u8]>, String>>,
    rows: BTreeMap<String, Result<(), String>>,
    schemas: BTreeMap<String, Result<ReadySchema, String>>,
    files: Files,
    diagnostics: Vec<Diagnostic>,
}

impl Linker<'_> {
    fn link(&mut self, file: &Use<'_>) {
        let name = file.name();
        let path = name.path.as_str();
        let bytes = match self.bytes(path) {
            Ok(bytes) => bytes,
            Err(why) => {
                return self.error(
                    name.span,
                    format!("the file `{path}` cannot be read: {why}"),
                    "the path is relative to the talk",
                );
            }
        };
        match file {
            Use::Payload(part) => self.payload(part, bytes),
            Use::Rows(_) => {
                let known = self.rows.get(path).cloned();
                let done = known.unwrap_or_else(|| {
                    let rows = read_rows(path, &bytes);
                    rows.map(|rows| {
                        self.files.rows.insert(path.to_owned(), rows.into());
                    })
                });
                self.rows.insert(path.to_owned(), done.clone());
                if let Err(why) = done {
                    self.error(
                        name.span,
                        format!("the rows of `{path}` cannot be read: {why}"),
                        "a CSV file begins with a line of names; a file of JSON lines has one object on each line",
                    );
                }
            }
            Use::Schema(schema) => {
                let ready = self
                    .schemas
                    .entry(path.to_owned())
                    .or_insert_with(|| ReadySchema::read(&bytes));
                match ready {
                    Ok(ready) => schema.set(ready),
                    Err(why) => {
                        let what = format!("`{path}` is no schema: {why}");
                        let mend = "write a JSON Schema: `{\"type\":\"object\"}`; what it refers to stands in the same file";
                        self.error(name.span, what, mend);
                    }
                }
            }
        }
    }

    fn bytes(&mut self, path: &str) -> Result<Arc<[u8]>, String> {
        if let Some(known) = self.bytes.get(path) {
            return known.clone();
        }
        let read = (self.read)(path).map(Arc::from);
        self.bytes.insert(path.to_owned(), read.clone());
        read
    }

    fn payload(&mut self, part: &FilePart, bytes: Arc<[u8]>) {
        if let Some(range) = &part.bytes {
            let length = bytes.len() as u64;
            let open = range.end == u64::MAX;
            if range.start >= length || (!open && range.end > length) {
                let what = format!(
                    "the file `{}` has {length} bytes, and not all of this part",
                    part.name.path
                );
                let mend = match length {
                    0 => "leave the part out".to_owned(),
                    _ => format!("its last byte is {}: `(bytes 0..{0})`", length - 1),
                };
                return self.error(part.name.span, what, mend);
            }
        }
        self.files.bytes.insert(part.name.path.clone(), bytes);
    }

    fn error(&mut self, span: Span, what: String, mend: impl Into<String>) {
        self.diagnostics.push(Diagnostic::error(span, what, mend));
    }
}

/// Calls `each` for every place where statements name a file.
fn each_use<'a>(statements: &'a [Statement], each: &mut impl FnMut(Use<'a>)) {
    for statement in statements {
        if let StatementKind::Each(name) = &statement.kind {
            each(Use::Rows(name));
        }
        if let Some(Content::File(part)) = statement.kind.content() {
            each(Use::Payload(part));
        }
        for check in statement.kind.checks() {
            if let Some(schema) = check.schema() {
                each(Use::Schema(schema));
            }
        }
        each_use(statement.kind.body(), each);
    }
}

/// The rows of a file: CSV, or JSON lines if its name says so.
fn read_rows(path: &str, bytes: &[u8]) -> Result<Vec<Bindings>, String> {
    let text = decode(bytes).map_err(|error| error.to_string())?;
    let lower = path.to_lowercase();
    let rows = if lower.ends_with(".jsonl") || lower.ends_with(".ndjson") {
        json_lines(text)?
    } else {
        csv_rows(text)?
    };
    match rows.is_empty() {
        true => Err("there are none".into()),
        false => Ok(rows),
    }
}

fn json_lines(text: &str) -> Result<Vec<Bindings>, String> {
    let mut rows = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if line.trim().is_empty() {
            continue;
        }
        let number = index + 1;
        let object = match serde_json::from_str::<Json>(line) {
            Ok(Json::Object(object)) => object,
            Ok(_) => return Err(format!("line {number} is not a JSON object")),
            Err(error) => return Err(format!("line {number} is not JSON: {error}")),
        };
        let mut row = Bindings::new();
        for (name, value) in object {
            column(&name).map_err(|why| format!("line {number}: {why}"))?;
            row.insert(name, Value::from_json(value));
        }
        rows.push(row);
    }
    Ok(rows)
}

fn csv_rows(text: &str) -> Result<Vec<Bindings>, String> {
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::Headers)
        .from_reader(text.as_bytes());
    let names = reader.headers().map_err(|error| csv_fault(&error))?.clone();
    let mut seen = std::collections::BTreeSet::new();
    for name in &names {
        column(name)?;
        if !seen.insert(name) {
            return Err(format!("two columns are called `{name}`"));
        }
    }
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| csv_fault(&error))?;
        let cells = names.iter().zip(record.iter());
        rows.push(
            cells
                .map(|(name, cell)| (name.to_owned(), Value::read(cell)))
                .collect(),
        );
    }
    Ok(rows)
}

/// The name of a column must be one that can be bound.
fn column(name: &str) -> Result<(), String> {
    if !is_name(name) {
        return Err(format!(
            "the column `{name}` has no name that could be bound: letters, digits and underscores"
        ));
    }
    bind_name(name).map_err(|(what, _)| format!("the column {what}"))
}

fn csv_fault(error: &csv::Error) -> String {
    match error.kind() {
        csv::ErrorKind::UnequalLengths {
            pos,
            expected_len,
            len,
        } => {
            let line = pos.as_ref().map_or(0, csv::Position::line);
            format!("line {line} has {len} columns, and the first has {expected_len}")
        }
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests;
