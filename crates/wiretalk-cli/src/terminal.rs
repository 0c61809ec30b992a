//! What is written, where, and in which colour. Colours are taken out by `anstream` where nobody wants them.

use std::borrow::Cow;
use std::io::{self, Write};
use std::sync::{PoisonError, RwLock};

use anstyle::{AnsiColor, Style};
use wiretalk_engine::redact::Redactor;

/// What no line may show.
static SECRETS: RwLock<(Vec<String>, Redactor)> = RwLock::new((Vec::new(), Redactor::none()));

/// Received.
pub(crate) const RECEIVED: Style = AnsiColor::Green.on_default();
/// Sent.
pub(crate) const SENT: Style = AnsiColor::Cyan.on_default();
/// Times, sizes: what one rarely looks at.
pub(crate) const QUIET: Style = AnsiColor::BrightBlack.on_default();
/// What went well.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default().bold();
/// What went wrong.
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
/// What one should look at.
pub(crate) const WARNING: Style = AnsiColor::Yellow.on_default();

/// Keeps these values, too, out of every line that is written from now on.
pub(crate) fn hide(values: impl IntoIterator<Item = String>) {
    let mut secrets = SECRETS.write().unwrap_or_else(PoisonError::into_inner);
    let before = secrets.0.len();
    for value in values {
        if !secrets.0.contains(&value) {
            secrets.0.push(value);
        }
    }
    if secrets.0.len() > before {
        secrets.1 = Redactor::new(&secrets.0);
    }
}

fn without_secrets(line: &str) -> Cow<'_, str> {
    let secrets = SECRETS.read().unwrap_or_else(PoisonError::into_inner);
    secrets.1.text(line)
}

/// Writes a line to standard output. False if nobody reads it any more.
pub(crate) fn out(line: &str) -> bool {
    let line = without_secrets(line);
    let mut stdout = anstream::stdout().lock();
    writeln!(stdout, "{line}")
        .and_then(|()| stdout.flush())
        .is_ok()
}

/// Shows a line at the cursor of standard error, a terminal, that the next one replaces; `None` takes it away.
pub(crate) fn status(line: Option<&str>) {
    // Erase the line (ECMA-48 EL); what is too wide is not wrapped (DECAWM off), or it could not be erased.
    let mut stderr = anstream::stderr().lock();
    let shown = line.map_or(String::new(), |line| {
        format!("\x1b[?7l{}\x1b[?7h", without_secrets(line))
    });
    // There is nowhere left to tell that this failed.
    let _ = write!(stderr, "\r\x1b[2K{shown}").and_then(|()| stderr.flush());
}

/// How many columns the terminal of standard error has.
pub(crate) fn width() -> usize {
    #[cfg(unix)]
    if let Ok(size) = rustix::termios::tcgetwinsize(io::stderr())
        && size.ws_col > 0
    {
        return size.ws_col.into();
    }
    80
}

/// Writes bytes and LF to standard output, just as they are. False if nobody reads them any more.
pub(crate) fn out_bytes(bytes: &[u8]) -> bool {
    let mut stdout = io::stdout().lock();
    stdout
        .write_all(bytes)
        .and_then(|()| stdout.write_all(b"\n"))
        .and_then(|()| stdout.flush())
        .is_ok()
}

/// Writes a line to standard error.
pub(crate) fn err(line: &str) {
    let line = without_secrets(line);
    let mut stderr = anstream::stderr().lock();
    // There is nowhere left to tell that this failed.
    let _ = writeln!(stderr, "{line}");
}

/// Writes what went wrong to standard error. Further lines stand under the first.
pub(crate) fn error(what: &str) {
    let what = what.replace('\n', "\n       ");
    err(&format!("{BAD}error{BAD:#}: {what}"));
}

/// Says what somebody should know.
pub(crate) fn warning(what: &str) {
    err(&format!("{WARNING}warning:{WARNING:#} {what}"));
}

/// The time of day with milliseconds, as every line of a log begins.
pub(crate) fn clock() -> String {
    jiff::Zoned::now().strftime("%H:%M:%S%.3f").to_string()
}

/// A count with its unit.
pub(crate) fn count(number: usize, one: &str, many: &str) -> String {
    match number {
        1 => format!("1 {one}"),
        _ => format!("{number} {many}"),
    }
}
