//! A program that runs: its lines, its end, and signals to it.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, ExitStatus};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::process::{Pid, kill_process, kill_process_group};

pub use rustix::process::Signal;

/// How long a program may take for anything that a test waits for. Long, because it only matters when a test fails,
/// and a browser that starts on a busy machine takes its time.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// A running program. Dropping it kills it, with whatever it started in its process group.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    stdin: Option<ChildStdin>,
    transcript: Arc<Transcript>,
    readers: Vec<JoinHandle<()>>,
    exit: Option<ExitStatus>,
    /// Lines before this one have been expected already, for each stream.
    seen: [usize; 2],
}

/// How much memory a program has, in bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Memory {
    /// Now.
    pub resident: usize,
    /// At most, since it started.
    pub peak: usize,
}

/// Where a line was written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

impl Process {
    /// Waits for a line on standard output that contains `part`, behind the last one that was expected. Returns what
    /// follows `part` in it.
    pub fn expect(&mut self, part: &str) -> String {
        self.expect_on(Stream::Out, part)
    }

    /// [`expect`](Self::expect), on the stream that is named.
    pub fn expect_on(&mut self, stream: Stream, part: &str) -> String {
        self.says_on(stream, part)
            .unwrap_or_else(|| self.fail(&format!("ended its {stream:?} without saying {part:?}")))
    }

    /// [`expect_on`](Self::expect_on); `None` if that stream ends without such a line.
    pub fn says_on(&mut self, stream: Stream, part: &str) -> Option<String> {
        let index = stream as usize;
        let found = self.transcript.wait(|state| {
            let found = state
                .lines(stream)
                .enumerate()
                .skip(self.seen[index])
                .find_map(|(at, line)| {
                    let start = line.find(part)? + part.len();
                    Some((at, line[start..].to_owned()))
                });
            match found {
                Some(found) => Some(Some(found)),
                None if state.ended[index] => Some(None),
                None => None,
            }
        });
        match found {
            Some(Some((at, rest))) => {
                self.seen[index] = at + 1;
                Some(rest)
            }
            Some(None) => None,
            None => self.fail(&format!(
                "did not say {part:?} on {stream:?} within {DEADLINE:?}"
            )),
        }
    }

    /// Whether it runs still.
    pub fn is_running(&mut self) -> bool {
        if self.exit.is_none() {
            self.exit = self
                .child
                .try_wait()
                .expect("our own child can be waited for");
        }
        self.exit.is_none()
    }

    /// Waits for `count` lines on standard output that contain `part`, counted from the start, whatever was expected
    /// before.
    pub fn expect_count(&self, part: &str, count: usize) {
        let enough = |state: &State| {
            let found = state
                .lines(Stream::Out)
                .filter(|line| line.contains(part))
                .count();
            if found >= count {
                Some(true)
            } else {
                state.ended[0].then_some(false)
            }
        };
        if self.transcript.wait(enough) != Some(true) {
            self.fail(&format!("did not say {part:?} {count} times"));
        }
    }

    /// Writes a line to its standard input.
    pub fn say(&mut self, line: &str) {
        let stdin = self
            .stdin
            .as_mut()
            .expect("the test has not closed the input");
        let written = stdin
            .write_all(format!("{line}\n").as_bytes())
            .and_then(|()| stdin.flush());
        if let Err(error) = written {
            self.fail(&format!("does not take {line:?}: {error}"));
        }
    }

    /// Ends its standard input.
    pub fn end_input(&mut self) {
        self.stdin = None;
    }

    /// Sends it a signal: `Signal::STOP` freezes it, `Signal::CONT` thaws it, `Signal::KILL` ends it without a word.
    pub fn signal(&mut self, signal: Signal) {
        if let Err(error) = kill_process(self.process_id(), signal) {
            self.fail(&format!("cannot be sent {signal:?}: {error}"));
        }
    }

    /// Waits until it has ended and all its output is read.
    pub fn wait(&mut self) -> ExitStatus {
        let deadline = Instant::now() + DEADLINE;
        // Output ends when the process does, and can be waited for with a deadline; `Child::wait` cannot.
        if self
            .transcript
            .wait(|state| (state.ended == [true, true]).then_some(()))
            .is_none()
        {
            self.fail(&format!("did not end within {DEADLINE:?}"));
        }
        self.readers
            .drain(..)
            .for_each(|reader| reader.join().expect("a reader does not panic"));
        while self.exit.is_none() && Instant::now() < deadline {
            self.exit = self
                .child
                .try_wait()
                .expect("our own child can be waited for");
            thread::yield_now();
        }
        self.exit
            .unwrap_or_else(|| self.fail("closed its output, but did not end"))
    }

    /// [`wait`](Self::wait), for the exit code.
    pub fn exit_code(&mut self) -> i32 {
        let status = self.wait();
        status
            .code()
            .unwrap_or_else(|| self.fail(&format!("was ended by a signal: {status}")))
    }

    /// All that it has written to one stream so far, its lines joined by line feeds.
    #[must_use]
    pub fn output(&self, stream: Stream) -> String {
        let state = self.transcript.lock();
        let lines: Vec<_> = state.lines(stream).collect();
        lines.join("\n")
    }

    /// The memory that it has now, as Linux tells it.
    #[must_use]
    pub fn memory(&self) -> Memory {
        let path = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(&path)
            .unwrap_or_else(|error| self.fail(&format!("has no {path}: {error}")));
        let bytes = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
            kilobytes.map_or_else(
                || self.fail(&format!("has no {name} in {path}")),
                |kb: usize| kb * 1024,
            )
        };
        Memory {
            resident: bytes("VmRSS:"),
            peak: bytes("VmHWM:"),
        }
    }

    pub(crate) fn start(name: String, mut command: Command) -> Self {
        command.process_group(0);
        let mut child = command
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {name}: {error}"));
        let transcript = Arc::new(Transcript::default());
        let stdout = child.stdout.take().expect("stdout is piped");
        let stderr = child.stderr.take().expect("stderr is piped");
        let readers = vec![
            Transcript::read(&transcript, Stream::Out, stdout),
            Transcript::read(&transcript, Stream::Err, stderr),
        ];
        Self {
            name,
            stdin: child.stdin.take(),
            child,
            transcript,
            readers,
            exit: None,
            seen: [0, 0],
        }
    }

    fn process_id(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    pub(crate) fn fail(&self, what: &str) -> ! {
        panic!(
            "{} {what}. All it said:\n{}",
            self.name,
            self.transcript.lock().shown()
        )
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The group may be gone already, which is as well.
        let _ = kill_process_group(self.process_id(), Signal::KILL);
        let _ = self.child.wait();
    }
}

/// All that a program has said, in the order in which it came.
#[derive(Debug, Default)]
struct Transcript {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    said: Vec<(Stream, String)>,
    /// Output, error.
    ended: [bool; 2],
}

impl Transcript {
    fn read(
        transcript: &Arc<Self>,
        stream: Stream,
        source: impl Read + Send + 'static,
    ) -> JoinHandle<()> {
        let transcript = Arc::clone(transcript);
        thread::spawn(move || {
            let mut source = BufReader::new(source);
            let mut line = Vec::new();
            while matches!(source.read_until(b'\n', &mut line), Ok(1..)) {
                let text = String::from_utf8_lossy(&line)
                    .trim_end_matches(['\r', '\n'])
                    .to_owned();
                transcript.change(|state| state.said.push((stream, text)));
                line.clear();
            }
            transcript.change(|state| state.ended[stream as usize] = true);
        })
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.lock());
        self.changed.notify_all();
    }

    /// Waits until `look` finds something; gives up at the deadline.
    fn wait<T>(&self, look: impl Fn(&State) -> Option<T>) -> Option<T> {
        let deadline = Instant::now() + DEADLINE;
        let mut state = self.lock();
        loop {
            if let Some(found) = look(&state) {
                return Some(found);
            }
            let left = deadline.checked_duration_since(Instant::now())?;
            state = self
                .changed
                .wait_timeout(state, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn lines(&self, stream: Stream) -> impl Iterator<Item = &str> {
        self.said
            .iter()
            .filter(move |(from, _)| *from == stream)
            .map(|(_, line)| &**line)
    }

    fn shown(&self) -> String {
        let mut shown = String::new();
        for (stream, line) in &self.said {
            let mark = if *stream == Stream::Out { ' ' } else { '!' };
            writeln!(shown, "  {mark} {line}").expect("writing to a string does not fail");
        }
        shown
    }
}
