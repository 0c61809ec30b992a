//! A program that has run to its end: its exit code and its output, byte for byte.

use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

/// How long a program may take from its start to its end: only a test that fails waits so long.
const DEADLINE: Duration = Duration::from_secs(120);

/// How a program ended, and what it wrote.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finished {
    /// The exit code; none if a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: Vec<u8>,
}

impl Finished {
    /// Standard output as text.
    #[must_use]
    pub fn out(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// Standard error as text.
    #[must_use]
    pub fn err(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }

    /// Fails the test unless it ended with this code, and without a panic. Gives it back.
    pub fn with_code(self, code: i32) -> Self {
        assert!(
            self.code == Some(code),
            "exit code {:?} instead of {code}\nstdout:\n{}\nstderr:\n{}",
            self.code,
            self.out(),
            self.err()
        );
        for text in [self.out(), self.err()] {
            assert!(!text.contains("panicked"), "a panic:\n{text}");
        }
        self
    }

    /// Fails the test unless each of these stands on standard error. Gives it back.
    pub fn saying(self, parts: &[&str]) -> Self {
        let text = self.err();
        for part in parts {
            assert!(
                text.contains(part),
                "{part:?} is missing on stderr:\n{text}"
            );
        }
        self
    }

    pub(crate) fn run(name: &str, mut command: Command, input: Vec<u8>) -> Self {
        command.process_group(0);
        let mut child = command
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {name}: {error}"));
        let group = Pid::from_child(&child);
        let mut stdin = child.stdin.take().expect("stdin is piped");
        // Not joined: it may hang on a program that has ended, whose children have the pipe still.
        thread::spawn(move || {
            // A program need not read all that it is given.
            let _ = stdin.write_all(&input);
        });
        let stdout = read(child.stdout.take().expect("stdout is piped"));
        let stderr = read(child.stderr.take().expect("stderr is piped"));
        let end = Instant::now() + DEADLINE;
        let until_end = || end.saturating_duration_since(Instant::now());
        let all = stdout
            .recv_timeout(until_end())
            .and_then(|stdout| Ok((stdout, stderr.recv_timeout(until_end())?)));
        let Ok((stdout, stderr)) = all else {
            // The group may have ended this very moment.
            let _ = kill_process_group(group, Signal::KILL);
            let _ = child.wait();
            panic!(
                "{name} did not end within {DEADLINE:?}; it said:\n{}\n{}",
                said(&stdout),
                said(&stderr)
            );
        };
        let status = child.wait().expect("our own child can be waited for");
        Self {
            code: status.code(),
            stdout,
            stderr,
        }
    }
}

fn read(mut from: impl Read + Send + 'static) -> Receiver<Vec<u8>> {
    let (send, receive) = channel();
    thread::spawn(move || {
        let mut all = Vec::new();
        // What was read before an error is worth as much.
        let _ = from.read_to_end(&mut all);
        // Nobody waits for it when the test has failed.
        let _ = send.send(all);
    });
    receive
}

/// What a program that was killed has written.
fn said(output: &Receiver<Vec<u8>>) -> String {
    let bytes = output.recv_timeout(Duration::from_secs(1));
    String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned()
}
