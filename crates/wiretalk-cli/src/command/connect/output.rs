//! What is shown of a connection.

use std::io::IsTerminal;
use std::sync::{Mutex, PoisonError, mpsc};
use std::time::Duration;

use anstyle::Style;
use wiretalk_engine::record::show;
use wiretalk_net::Event;

use super::input::{Input, Printer};
use super::kept::KeptTerminal;
use crate::terminal::{self, QUIET, RECEIVED, SENT};

/// Characters of a message that a terminal is given.
const MOST_SHOWN: usize = 100_000;
/// How long the editor may take to print what waits.
const PRINTED_WITHIN: Duration = Duration::from_millis(500);

/// Shows messages: with time, direction and size on a terminal, bare off it.
pub(super) struct Output {
    terminal: bool,
    quiet: bool,
    interactive: bool,
    printer: Mutex<Option<Printer>>,
    // Put back in order when this is dropped, if not before.
    kept: Mutex<Option<KeptTerminal>>,
}

impl Output {
    pub(super) fn new(input: &Input, quiet: bool) -> Self {
        Self {
            terminal: std::io::stdout().is_terminal(),
            quiet,
            interactive: input.is_interactive(),
            printer: Mutex::new(input.take_printer()),
            kept: Mutex::new(input.take_kept()),
        }
    }

    /// Something about the connection itself.
    pub(super) fn note(&self, what: &str) {
        if self.quiet {
            return;
        }
        if self.interactive {
            self.print(&format!("{QUIET}{}  {what}{QUIET:#}", terminal::clock()));
        } else {
            terminal::err(&format!("{QUIET}{what}{QUIET:#}"));
        }
    }

    /// What was sent. Who typed it sees it already; a pipe's lines are shown on a terminal.
    pub(super) fn sent(&self, line: &[u8]) {
        if self.terminal && !self.interactive {
            self.print(&row(SENT, '>', &show(line, false, MOST_SHOWN), line.len()));
        }
    }

    /// What came. False if nobody reads it any more.
    pub(super) fn received(&self, event: &Event) -> bool {
        match event {
            Event::Text(text) if self.terminal => {
                let shown = show(text.as_str().as_bytes(), false, MOST_SHOWN);
                self.print(&row(RECEIVED, '<', &shown, text.as_str().len()))
            }
            Event::Binary(bytes) if self.terminal => self.print(&row(
                RECEIVED,
                '<',
                &show(bytes, true, MOST_SHOWN),
                bytes.len(),
            )),
            Event::Text(text) => terminal::out_bytes(text.as_str().as_bytes()),
            Event::Binary(bytes) => terminal::out_bytes(bytes),
            // Pings are answered by themselves; who looks wants the messages.
            Event::Ping(_) | Event::Pong(_) | Event::Close(_) => true,
        }
    }

    /// Ends the editing of lines: what waits is printed, and the terminal is as it was before.
    pub(super) fn end_editing(&self) {
        let mut printer = self.printer.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(mut printer) = printer.take() {
            // The printer hands one text after another to the editor's thread, and holds the second until the first
            // is taken: behind two more, each a step up and down again, all is printed.
            let (done, printed) = mpsc::channel::<()>();
            std::thread::spawn(move || {
                for _ in 0..2 {
                    if printer.print("\x1b[A\n".to_owned()).is_err() {
                        break;
                    }
                }
                drop(done);
            });
            let _ = printed.recv_timeout(PRINTED_WITHIN);
        }
        drop(
            self.kept
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take(),
        );
    }

    fn print(&self, line: &str) -> bool {
        let mut printer = self.printer.lock().unwrap_or_else(PoisonError::into_inner);
        match printer.as_mut() {
            Some(printer) => {
                let plain = anstream::stdout().current_choice() == anstream::ColorChoice::Never;
                let line = if plain {
                    anstream::adapter::strip_str(line).to_string()
                } else {
                    line.to_owned()
                };
                printer.print(line + "\n").is_ok()
            }
            None => terminal::out(line),
        }
    }
}

fn row(style: Style, arrow: char, shown: &str, size: usize) -> String {
    format!(
        "{QUIET}{}{QUIET:#}  {style}{arrow}{style:#} {shown}  {QUIET}{size} B{QUIET:#}",
        terminal::clock()
    )
}
