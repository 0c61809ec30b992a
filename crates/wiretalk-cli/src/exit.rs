//! Exit codes: each tells one thing, so that a script can.

use std::process::ExitCode;

/// An exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Exit(u8);

impl Exit {
    /// All went well.
    pub(crate) const SUCCESS: Self = Self(0);
    /// A test failed, or a check found something.
    pub(crate) const FAILED: Self = Self(1);
    /// The arguments, or the talk, cannot be used.
    pub(crate) const USAGE: Self = Self(2);
    /// No connection: the host is unknown, nobody listens, no answer in time; or the port to listen on is taken.
    pub(crate) const NO_CONNECTION: Self = Self(3);
    /// TLS was not agreed on, or the certificate is not trusted.
    pub(crate) const TLS: Self = Self(4);
    /// The server refused the handshake.
    pub(crate) const HANDSHAKE: Self = Self(5);
    /// The connection ended without a close frame, or was closed with another code than 1000, 1001 or none.
    pub(crate) const ABNORMAL: Self = Self(6);
    /// The peer broke the protocol.
    pub(crate) const PROTOCOL: Self = Self(7);
    /// No test is there that was asked for.
    pub(crate) const NO_TESTS: Self = Self(8);
    /// Interrupted by Ctrl-C.
    pub(crate) const INTERRUPTED: Self = Self(130);

    /// Shown at the end of a command's help.
    pub(crate) const HELP: &'static str = "\
Exit codes:
  0  success
  1  a test failed, or a check found something
  2  the arguments or the talk cannot be used
  3  no connection: unknown host, refused, no answer, a proxy in the way; or the port is taken
  4  TLS was not agreed on, or the certificate is not trusted
  5  the server refused the handshake
  6  the connection ended without a close frame, or with a close code of an error
  7  the peer broke the WebSocket protocol
  8  no test is there that was asked for
  130  interrupted";
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.0)
    }
}
