//! A talk as a server inside a test.

mod builder;
mod given;

use std::{
    fmt,
    net::SocketAddr,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    sync::oneshot,
    task::JoinHandle,
    time::{Instant, timeout_at},
};
use wiretalk_engine::serve::{
    Event, Observer,
    journal::{Entry, EntryKind, Filter, Frame, Journal, Nearest},
};

use self::builder::From;
pub use self::builder::MockBuilder;
pub(crate) use self::given::{Given, shown_path, unusable};
use crate::{Blame, Error, ErrorKind, Message, Text, client::Pattern};

/// Serves a talk on a free loopback port, for as long as the [`Mock`] lives: the same talk, and the same mock, as
/// `wiretalk serve` serves.
///
/// A relative path is one from the folder of the package whose tests run (`CARGO_MANIFEST_DIR`), whatever the current
/// folder is.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = std::env::temp_dir().join(format!("wiretalk-doc-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder)?;
/// # let path = folder.join("chat.talk");
/// # std::fs::write(&path, "on > hello\n  < welcome, {{name}}\n")?;
/// let mock = wiretalk::mock(&path).variable("name", "ann").await?;
///
/// // What is tested would do this.
/// let (mut socket, _) = wiretalk::connect(mock.url()).await?;
/// socket.send("hello").await?;
/// assert_eq!(socket.recv().await.expect("an answer")?.as_text(), Some("welcome, ann"));
///
/// assert_eq!(mock.received(), ["hello".into()]);
/// assert!(mock.unmatched().is_empty());
/// # std::fs::remove_dir_all(&folder)?;
/// # Ok(())
/// # }
/// ```
pub fn mock(talk: impl AsRef<Path>) -> MockBuilder {
    MockBuilder::new(From::File(talk.as_ref().to_owned()))
}

/// Serves a talk from its text, as [`mock()`] does. The files that it names are looked for in the package's folder.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mock = wiretalk::mock::text("on > {{_}}\n  < you said {{message}}\n").await?;
/// let (mut socket, _) = wiretalk::connect(mock.url()).await?;
/// socket.send("hi").await?;
/// assert_eq!(socket.recv().await.expect("an answer")?.as_text(), Some("you said hi"));
/// drop(socket);
/// mock.stop().await;
/// # Ok(())
/// # }
/// ```
pub fn text(talk: impl Into<String>) -> MockBuilder {
    MockBuilder::new(From::Text(talk.into()))
}

/// A talk that is being served. Dropping it ends the server at once.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mock = wiretalk::mock::text("on > hello\n  < welcome\n").await?;
/// let (mut socket, _) = wiretalk::connect(mock.url()).await?;
/// socket.send("hello").await?;
/// assert_eq!(socket.recv().await.transpose()?, Some("welcome".into()));
/// assert_eq!((mock.connected(), mock.received()), (1, vec!["hello".into()]));
/// # Ok(())
/// # }
/// ```
pub struct Mock {
    url: String,
    address: SocketAddr,
    journal: Arc<Journal>,
    problems: Arc<Problems>,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

/// A message that no line of the talk took.
///
/// ```
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let mock = wiretalk::mock::text("on > hello\n  < welcome\n").await?;
/// # let (mut socket, _) = wiretalk::connect(mock.url()).await?;
/// socket.send("hallo").await?;
/// mock.wait_for("hallo", Duration::from_secs(5)).await?;
/// let unmatched = &mock.unmatched()[0];
/// assert_eq!((unmatched.client, unmatched.line), (1, Some(1)));
/// println!("{unmatched}");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unmatched {
    /// The number of the client that sent it, from 1.
    pub client: u64,
    /// The message; `None` if it was a control frame, or came so long before that only its being unmatched is known.
    pub message: Option<Message>,
    /// The line of the talk that came nearest, from 1.
    pub line: Option<usize>,
    /// Why that line did not match.
    pub why: String,
}

impl fmt::Display for Unmatched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}: no line of the talk takes ", self.client)?;
        match &self.message {
            Some(message) => write_message(f, message)?,
            None => f.write_str("what came")?,
        }
        match self.line {
            Some(line) => write!(f, "; nearest is line {line}: {}", self.why),
            None => Ok(()),
        }
    }
}

impl Mock {
    /// Where clients connect, with the path that the talk's `listen` names.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let mock = wiretalk::mock::text("listen ws://127.0.0.1:4000/chat\non > hello\n  < welcome\n").await?;
    /// assert!(mock.url().starts_with("ws://127.0.0.1:") && mock.url().ends_with("/chat"));
    /// let (socket, _) = wiretalk::connect(mock.url()).await?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Where it listens.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let mock = wiretalk::mock::text("on > hello\n  < welcome\n").await?;
    /// assert!(mock.address().ip().is_loopback());
    /// assert_eq!(mock.url(), format!("ws://{}", mock.address()));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The text and binary messages that came so far, from all clients, in their order. The newest 64 MiB are kept, and
    /// of one message 16 MiB.
    ///
    /// ```
    /// use std::time::Duration;
    /// use wiretalk::Message;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let mock = wiretalk::mock::text("on > {{_}}\n  < ok\n").await?;
    /// # let (mut socket, _) = wiretalk::connect(mock.url()).await?;
    /// socket.send("hello").await?;
    /// socket.send(vec![1, 2, 3]).await?;
    /// mock.wait_for(Message::from(vec![1, 2, 3]), Duration::from_secs(5)).await?;
    /// assert_eq!(mock.received(), ["hello".into(), vec![1, 2, 3].into()]);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn received(&self) -> Vec<Message> {
        let received = |entry: &Arc<Entry>| match &entry.kind {
            EntryKind::Received { frame, .. } => message(frame),
            _ => None,
        };
        self.entries().iter().filter_map(received).collect()
    }

    /// The text and binary messages that were sent so far, in their order; one that went to several clients stands here
    /// once.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let mock = wiretalk::mock::text("on > hello\n  < welcome\n  < what now?\n").await?;
    /// # let (mut socket, _) = wiretalk::connect(mock.url()).await?;
    /// socket.send("hello").await?;
    /// # socket.recv().await.transpose()?;
    /// assert_eq!(socket.recv().await.transpose()?, Some("what now?".into()));
    /// assert_eq!(mock.sent(), ["welcome".into(), "what now?".into()]);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn sent(&self) -> Vec<Message> {
        let sent = |entry: &Arc<Entry>| match &entry.kind {
            EntryKind::Sent { frame, .. } => message(frame),
            _ => None,
        };
        self.entries().iter().filter_map(sent).collect()
    }

    /// The messages that no line of the talk took. A test that wants none asserts that this is empty.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let mock = wiretalk::mock::text("on > hello\n  < welcome\n").await?;
    /// # let (mut socket, _) = wiretalk::connect(mock.url()).await?;
    /// socket.send("hallo").await?;
    /// socket.send("hello").await?;
    /// assert_eq!(socket.recv().await.transpose()?, Some("welcome".into()));
    /// assert_eq!(mock.unmatched()[0].message, Some("hallo".into()));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn unmatched(&self) -> Vec<Unmatched> {
        let unmatched = |entry: &Arc<Entry>| {
            let (frame, nearest) = match &entry.kind {
                EntryKind::Received {
                    frame,
                    unmatched: Some(nearest),
                    ..
                } => (Some(frame), nearest),
                EntryKind::Unmatched(nearest) => (None, nearest),
                _ => return None,
            };
            let Nearest { line, why } = nearest.clone();
            Some(Unmatched {
                client: entry.client.map_or(0, |client| client.0),
                message: frame.and_then(message),
                line,
                why,
            })
        };
        self.entries().iter().filter_map(unmatched).collect()
    }

    /// The lines of the talk that could not be played, each with its place and the reason.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let mock = wiretalk::mock::text("on > {{_}}\n  < {{ message|int }}\n").await?;
    /// # let (mut socket, _) = wiretalk::connect(mock.url()).await?;
    /// socket.send("no number").await?;
    /// socket.send("12").await?;
    /// assert_eq!(socket.recv().await.transpose()?, Some("12".into()));
    /// assert!(mock.problems()[0].starts_with("a talk:2:"), "line 2 of the talk's text");
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        self.problems.lock().clone()
    }

    /// How many clients have connected so far.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let mock = wiretalk::mock::text("on > hello\n  < welcome\n").await?;
    /// let (one, _) = wiretalk::connect(mock.url()).await?;
    /// let (other, _) = wiretalk::connect(mock.url()).await?;
    /// assert_eq!(mock.connected(), 2);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn connected(&self) -> usize {
        self.count(|kind| matches!(kind, EntryKind::Open { .. }))
    }

    /// How many clients have left so far.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let mock = wiretalk::mock::text("on > hello\n  < welcome\n").await?;
    /// # let (socket, _) = wiretalk::connect(mock.url()).await?;
    /// drop(socket);
    /// while mock.gone() < 1 {
    ///     tokio::task::yield_now().await;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn gone(&self) -> usize {
        self.count(|kind| matches!(kind, EntryKind::Gone { .. }))
    }

    /// Waits until a message has come that a [`Pattern`] accepts, or finds it among those that came before. Cancel-safe.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::time::Duration;
    ///
    /// let mock = wiretalk::mock::text("on > {{_}}\n").await?;
    /// let (mut socket, _) = wiretalk::connect(mock.url()).await?;
    /// socket.send(r#"{"op": "subscribe", "id": 7}"#).await?;
    /// # #[cfg(feature = "json")]
    /// mock.wait_for(serde_json::json!({"op": "subscribe"}), Duration::from_secs(5)).await?;
    /// # drop(socket);
    /// # mock.stop().await;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `Timeout` if none comes in time; the sentence tells what came instead.
    pub async fn wait_for(
        &self,
        pattern: impl Pattern,
        deadline: Duration,
    ) -> Result<Message, Error> {
        let until = Instant::now().checked_add(deadline);
        let mut changes = self.journal.watch();
        loop {
            changes.mark_unchanged();
            let received = self.received();
            if let Some(message) = received.iter().find(|message| pattern.accepts(message)) {
                return Ok(message.clone());
            }
            let changed = match until {
                Some(until) => timeout_at(until, changes.changed()).await,
                None => Ok(changes.changed().await),
            };
            // The sender lives as long as the journal.
            if !matches!(changed, Ok(Ok(()))) {
                let sentence = format!(
                    "{} did not come within {deadline:?}; {}",
                    Described(&pattern),
                    Came(&received)
                );
                return Err(Error::new(ErrorKind::Timeout, Blame::Peer, sentence));
            }
        }
    }

    /// Tells every client that the server goes away (1001), waits up to two seconds for them, and ends. If the future is
    /// dropped, the server ends at once.
    ///
    /// ```
    /// use wiretalk::CloseCode;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let mock = wiretalk::mock::text("on > hello\n  < welcome\n").await?;
    /// # let (mut socket, _) = wiretalk::connect(mock.url()).await?;
    /// tokio::spawn(mock.stop());
    /// assert!(socket.recv().await.is_none());
    /// assert_eq!(socket.close_frame().map(|frame| frame.code), Some(CloseCode::GOING_AWAY));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn stop(mut self) {
        drop(self.stop.take());
        // That it panicked would be a mistake of the library's, and was told by the panic.
        let _ = (&mut self.task).await;
    }

    fn entries(&self) -> Vec<Arc<Entry>> {
        let all = Filter::default();
        self.journal.read(&all, usize::MAX, usize::MAX).entries
    }

    fn count(&self, is_one: impl Fn(&EntryKind) -> bool) -> usize {
        let entries = self.entries();
        entries.iter().filter(|entry| is_one(&entry.kind)).count()
    }
}

impl Drop for Mock {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl fmt::Debug for Mock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mock")
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

/// Keeps what goes wrong.
#[derive(Debug, Default)]
struct Problems(Mutex<Vec<String>>);

impl Problems {
    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Problems that are kept: a talk that goes wrong with every message says the same each time.
const MOST_PROBLEMS: usize = 100;

impl Observer for Problems {
    fn event(&self, event: &Event<'_>) {
        if let Event::Problem {
            source, span, what, ..
        } = event
        {
            let mut problems = self.lock();
            if problems.len() < MOST_PROBLEMS {
                let (line, column) = source.position(span.start);
                problems.push(format!("{}:{line}:{column}: {what}", source.name()));
            }
        }
    }
}

/// What a pattern looks for.
struct Described<'a, P>(&'a P);

impl<P: Pattern> fmt::Display for Described<'_, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.describe(f)
    }
}

/// The last messages that came.
struct Came<'a>(&'a [Message]);

impl fmt::Display for Came<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MOST: usize = 5;
        let (count, from) = (self.0.len(), self.0.len().saturating_sub(MOST));
        match count {
            0 => return f.write_str("nothing came"),
            1 => f.write_str("one message came: ")?,
            _ if from > 0 => write!(f, "{count} messages came, the last of them: ")?,
            _ => write!(f, "{count} messages came: ")?,
        }
        for (at, message) in self.0[from..].iter().enumerate() {
            if at > 0 {
                f.write_str(", ")?;
            }
            write_message(f, message)?;
        }
        Ok(())
    }
}

fn write_message(f: &mut fmt::Formatter<'_>, message: &Message) -> fmt::Result {
    const MOST_SHOWN: usize = 300;
    let binary = message.as_text().is_none();
    let shown = wiretalk_engine::record::show(message.as_bytes(), binary, MOST_SHOWN);
    write!(f, "`{shown}`")
}

/// The message that a frame carried.
fn message(frame: &Frame) -> Option<Message> {
    match frame.kind {
        "text" => {
            // One that was cut may end within a character.
            let text = Text::try_from(frame.payload.clone());
            let lossy = || String::from_utf8_lossy(&frame.payload).into_owned().into();
            Some(Message::Text(text.unwrap_or_else(|_| lossy())))
        }
        "binary" => Some(Message::Binary(frame.payload.clone())),
        _ => None,
    }
}
