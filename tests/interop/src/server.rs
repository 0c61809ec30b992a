//! A server, ours or of others, on a free port.

use std::path::Path;

use crate::{Process, Program};

/// A server that listens.
#[derive(Debug)]
pub struct Server {
    /// The program.
    pub process: Process,
    /// Its origin, such as `ws://127.0.0.1:4000`.
    pub origin: String,
    /// The path that it serves, if it named one.
    path: String,
}

impl Server {
    /// Starts a program that prints `listening on PORT` or `listening on URL`, and waits until it does.
    #[must_use]
    pub fn start(program: Program) -> Self {
        let mut process = program.start();
        let place = process.expect("listening on ");
        let place = place.split(' ').next().unwrap_or_default();
        let url = if place.contains("://") {
            place.to_owned()
        } else {
            format!("ws://127.0.0.1:{place}")
        };
        let authority = url.find("://").expect("it is a URL") + 3;
        let end = url[authority..]
            .find('/')
            .map_or(url.len(), |at| authority + at);
        Self {
            process,
            origin: url[..end].to_owned(),
            path: url[end..].to_owned(),
        }
    }

    /// Serves a talk with these further arguments.
    #[must_use]
    pub fn talk(file: impl AsRef<Path>, arguments: &[&str]) -> Self {
        let program = Program::wiretalk().arg("serve").arg(file.as_ref());
        Self::start(program.args(["--listen", "127.0.0.1:0"]).args(arguments))
    }

    /// `wiretalk serve --echo` with these further arguments.
    #[must_use]
    pub fn echo(arguments: &[&str]) -> Self {
        let program = Program::wiretalk().args(["serve", "--echo", "--listen", "127.0.0.1:0"]);
        Self::start(program.args(arguments))
    }

    /// A server of `tests/peers`.
    #[must_use]
    pub fn peer(script: &str, arguments: &[&str]) -> Self {
        Self::start(Program::peer(script).args(arguments))
    }

    /// Where clients connect.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{}{}", self.origin, self.path)
    }

    /// The same by plain HTTP.
    #[must_use]
    pub fn http(&self) -> String {
        self.url().replacen("ws", "http", 1)
    }

    /// The port.
    #[must_use]
    pub fn port(&self) -> &str {
        self.origin.rsplit(':').next().unwrap_or_default()
    }
}
