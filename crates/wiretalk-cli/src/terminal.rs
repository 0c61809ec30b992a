//! What is written, where, and in which colour. Colours are taken out by `anstream` where nobody wants them.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};

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

/// Writes a line to standard output. False if nobody reads it any more.
pub(crate) fn out(line: &str) -> bool {
    let mut stdout = anstream::stdout().lock();
    writeln!(stdout, "{line}")
        .and_then(|()| stdout.flush())
        .is_ok()
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
    let mut stderr = anstream::stderr().lock();
    // There is nowhere left to tell that this failed.
    let _ = writeln!(stderr, "{line}");
}

/// Writes what went wrong to standard error. Further lines stand under the first.
pub(crate) fn error(what: &str) {
    let what = what.replace('\n', "\n       ");
    err(&format!("{BAD}error{BAD:#}: {what}"));
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
