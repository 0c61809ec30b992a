//! What is to be sent: lines from a terminal, from a pipe, or given as arguments.

use std::io::{BufRead, IsTerminal};
use std::path::PathBuf;
use std::sync::Mutex;

use rustyline::error::ReadlineError;
use rustyline::{DefaultEditor, ExternalPrinter};
use tokio::sync::mpsc;

/// Lines that may wait to be sent; a pipe waits when there are more.
const WAITING: usize = 64;
/// The longest line: 64 MiB, the longest message that servers are likely to take.
const LONGEST: usize = 64 * 1024 * 1024;

/// A line, or why there is none.
type Line = Result<String, String>;

/// Prints above the line being edited.
pub(super) type Printer = Box<dyn ExternalPrinter + Send>;

/// A source of lines.
pub(super) struct Input {
    lines: mpsc::Receiver<Line>,
    interactive: bool,
    printer: Mutex<Option<Printer>>,
}

impl Input {
    /// Standard input. Off a terminal its last line needs no LF, and a CR before an LF belongs to the line's end.
    pub(super) fn standard(binary: bool) -> Self {
        let (send, lines) = mpsc::channel(WAITING);
        let interactive = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
        let mut printer = None;
        if interactive {
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
        }
    }

    /// These lines and no more.
    pub(super) fn given(given: Vec<String>) -> Self {
        let (send, lines) = mpsc::channel(given.len().max(1));
        for line in given {
            // There is a place for each.
            let _ = send.try_send(Ok(line));
        }
        Self {
            lines,
            interactive: false,
            printer: Mutex::new(None),
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

    /// The next line; `None` at the end.
    pub(super) async fn next(&mut self) -> Option<Line> {
        self.lines.recv().await
    }
}

/// Reads lines from a pipe or a file.
fn read(mut from: impl BufRead, to: &mpsc::Sender<Line>, binary: bool) {
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
                    Err(format!(
                        "line {number} of the input is longer than {LONGEST} bytes; nothing of it was sent"
                    ))
                } else {
                    String::from_utf8(line).map_err(|_| {
                        let hint = if binary {
                            ""
                        } else {
                            "; a text message must be"
                        };
                        format!(
                            "line {number} of the input is not UTF-8{hint}; nothing of it was sent"
                        )
                    })
                }
            }
            Err(error) => Err(format!("cannot read the input: {error}")),
        };
        let failed = line.is_err();
        if to.blocking_send(line).is_err() || failed {
            return;
        }
    }
}

/// Lets somebody type lines, with the history of earlier times.
fn edit(mut editor: DefaultEditor, to: &mpsc::Sender<Line>) {
    let history = history_file();
    if let Some(history) = &history {
        // There is none at the first time.
        let _ = editor.load_history(history);
    }
    loop {
        match editor.readline("> ") {
            Ok(line) => {
                let _ = editor.add_history_entry(&line);
                if to.blocking_send(Ok(line)).is_err() {
                    break;
                }
            }
            Err(ReadlineError::Eof | ReadlineError::Interrupted) => break,
            Err(error) => {
                let _ = to.blocking_send(Err(format!("cannot read from the terminal: {error}")));
                break;
            }
        }
    }
    if let Some(history) = history {
        if let Some(folder) = history.parent() {
            let _ = std::fs::create_dir_all(folder);
        }
        // A history that cannot be kept is no reason to stop.
        let _ = editor.save_history(&history);
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
