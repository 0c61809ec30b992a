//! The terminal's settings, kept while somebody types.

use std::io::Write;

/// How the terminal was before the editor set it up. Dropping it makes the terminal so again: the editor waits for a
/// key in a thread of its own, and cannot be told to leave when the server is the one who ends the conversation.
pub(super) struct KeptTerminal {
    #[cfg(unix)]
    settings: Option<rustix::termios::Termios>,
}

impl KeptTerminal {
    /// The settings of now.
    pub(super) fn now() -> Self {
        Self {
            #[cfg(unix)]
            settings: rustix::termios::tcgetattr(std::io::stdin()).ok(),
        }
    }
}

impl Drop for KeptTerminal {
    fn drop(&mut self) {
        #[cfg(unix)]
        if let Some(settings) = &self.settings {
            let now = rustix::termios::OptionalActions::Now;
            // A terminal that is gone needs no settings.
            let _ = rustix::termios::tcsetattr(std::io::stdin(), now, settings);
        }
        // No bracketed paste any more, and no prompt that waits for nothing.
        let mut stdout = std::io::stdout().lock();
        let _ = stdout
            .write_all(b"\x1b[?2004l\r\x1b[K")
            .and_then(|()| stdout.flush());
    }
}
