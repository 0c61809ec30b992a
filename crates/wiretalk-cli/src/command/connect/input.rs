//! What is to be sent: lines from a terminal, from a pipe, or given as arguments.

use std::io::{BufRead, IsTerminal};
use std::path::PathBuf;
use std::sync::Mutex;

use rustyline::error::ReadlineError;
use rustyline::{DefaultEditor, ExternalPrinter};
use tokio::sync::mpsc;

use super::kept::KeptTerminal;

/// Lines that may wait to be sent; a pipe waits when there are more.
const WAITING: usize = 64;
/// The longest line: 64 MiB, the longest message that servers are likely to take.
const LONGEST: usize = 64 * 1024 * 1024;

/// What comes from an input.
pub(super) enum Item {
    /// A line, without its end. Only if it is sent as text it must be UTF-8.
    Line(Vec<u8>),
    /// Ctrl-C at the prompt: the terminal is in raw mode then, so that no signal tells it.
    Interrupted,
    /// The input cannot be read, and why.
    Failed(String),
}

/// Prints above the line being edited.
pub(super) type Printer = Box<dyn ExternalPrinter + Send>;

/// A source of lines.
pub(super) struct Input {
    lines: mpsc::Receiver<Item>,
    interactive: bool,
    printer: Mutex<Option<Printer>>,
    kept: Mutex<Option<KeptTerminal>>,
}

impl Input {
    /// Standard input. Off a terminal its last line needs no LF, and a CR before an LF belongs to the line's end.
    pub(super) fn standard(binary: bool) -> Self {
        let (send, lines) = mpsc::channel(WAITING);
        let interactive = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
        let mut printer = None;
        let mut kept = None;
        if interactive {
            kept = Some(KeptTerminal::now());
            if let Ok(mut editor) = DefaultEditor::new() {
                printer = editor
                    .create_external_printer()
                    .ok()
                    .map(|printer| Box::new(printer) as Printer);
                std::thread::spawn(move || edit(editor, &send));
            }
        } else {
            std::thread::spawn(move || read(std::io::stdin().lock(), &send, binary));
        }
        Self {
            lines,
            interactive,
            printer: Mutex::new(printer),
            kept: Mutex::new(kept),
        }
    }

    /// These lines and no more.
    pub(super) fn given(given: Vec<String>) -> Self {
        let (send, lines) = mpsc::channel(given.len().max(1));
        for line in given {
            // There is a place for each.
            let _ = send.try_send(Item::Line(line.into_bytes()));
        }
        Self {
            lines,
            interactive: false,
            printer: Mutex::new(None),
            kept: Mutex::new(None),
        }
    }

    /// Whether somebody types.
    pub(super) fn is_interactive(&self) -> bool {
        self.interactive
    }

    /// What prints above the line being edited, if a line is.
    pub(super) fn take_printer(&self) -> Option<Printer> {
        self.printer
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .take()
    }

    /// The terminal as it was before somebody typed.
    pub(super) fn take_kept(&self) -> Option<KeptTerminal> {
        self.kept
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .take()
    }

    /// The next line; `None` at the end.
    pub(super) async fn next(&mut self) -> Option<Item> {
        self.lines.recv().await
    }
}

/// Reads lines from a pipe or a file.
fn read(mut from: impl BufRead, to: &mpsc::Sender<Item>, binary: bool) {
    let mut number = 0_u64;
    loop {
        number += 1;
        let mut line = Vec::new();
        let mut limited = std::io::Read::take(&mut from, LONGEST as u64 + 2);
        let line = match limited.read_until(b'\n', &mut line) {
            Ok(0) => return,
            Ok(_) => {
                if line.ends_with(b"\n") {
                    line.pop();
                    if line.ends_with(b"\r") {
                        line.pop();
                    }
                }
                if line.len() > LONGEST {
                    Item::Failed(format!(
                        "line {number} of the input is longer than {LONGEST} bytes; nothing of it was sent"
                    ))
                } else if !binary && std::str::from_utf8(&line).is_err() {
                    Item::Failed(format!(
                        "line {number} of the input is not UTF-8; a text message must be; nothing of it was sent"
                    ))
                } else {
                    Item::Line(line)
                }
            }
            Err(error) => Item::Failed(format!("cannot read the input: {error}")),
        };
        let failed = matches!(line, Item::Failed(_));
        if to.blocking_send(line).is_err() || failed {
            return;
        }
    }
}

/// Lets somebody type lines, with the history of earlier times.
fn edit(mut editor: DefaultEditor, to: &mpsc::Sender<Item>) {
    let history = history_file();
    if let Some(history) = &history {
        // There is none at the first time.
        let _ = editor.load_history(history);
        if let Some(folder) = history.parent() {
            let _ = std::fs::create_dir_all(folder);
        }
    }
    // Once nobody takes lines any more, the terminal is somebody else's.
    while !to.is_closed() {
        match editor.readline("> ") {
            Ok(line) => {
                let _ = editor.add_history_entry(&line);
                // At once, for the server may end the program while the next line is typed. A history that cannot be
                // kept is no reason to stop.
                if let Some(history) = &history {
                    let _ = editor.append_history(history);
                }
                if to.blocking_send(Item::Line(line.into_bytes())).is_err() {
                    break;
                }
            }
            Err(ReadlineError::Eof) => break,
            Err(ReadlineError::Interrupted) => {
                let _ = to.blocking_send(Item::Interrupted);
                break;
            }
            Err(error) => {
                let _ = to.blocking_send(Item::Failed(format!(
                    "cannot read from the terminal: {error}"
                )));
                break;
            }
        }
    }
}

/// `$XDG_STATE_HOME/wiretalk/history`, by default under `~/.local/state`.
fn history_file() -> Option<PathBuf> {
    let folder = |name: &str| {
        let folder = std::env::var_os(name).map(PathBuf::from);
        folder.filter(|folder| folder.is_absolute())
    };
    let state = folder("XDG_STATE_HOME").or_else(|| Some(folder("HOME")?.join(".local/state")))?;
    Some(state.join("wiretalk/history"))
}
