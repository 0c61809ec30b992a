//! How a mock is set up and started.

use std::{
    future::{Future, IntoFuture},
    path::PathBuf,
    pin::Pin,
    sync::Arc,
};

use tokio::sync::oneshot;
use wiretalk_engine::{
    load::{self, Loaded},
    serve::{
        self, Observer, Options, Performance, Place, Shared,
        journal::{DEFAULT_BYTES, Journal},
    },
};
use wiretalk_talk::{Role, player::Setup};

use super::{Given, Mock, Problems, shown_path, unusable};
use crate::{Blame, Error, ErrorKind};

/// A mock that is about to be served: awaiting it starts it.
///
/// If the future is dropped, nothing is served.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mock = wiretalk::mock::text("on > hello\n  < welcome, {{name}}\n")
///     .variable("name", "ann")
///     .await?;
/// let (mut socket, _) = wiretalk::connect(mock.url()).await?;
/// socket.send("hello").await?;
/// assert_eq!(socket.recv().await.transpose()?, Some("welcome, ann".into()));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "nothing is served until it is awaited"]
pub struct MockBuilder {
    from: From,
    given: Given,
    test: Option<String>,
}

#[derive(Clone, Debug)]
pub(super) enum From {
    File(PathBuf),
    Text(String),
}

impl MockBuilder {
    pub(super) fn new(from: From) -> Self {
        Self {
            from,
            given: Given::default(),
            test: None,
        }
    }

    /// Sets a variable of the talk; it wins over the talk's own `set` line. A value that is JSON is one, so `7` is a number.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let mock = wiretalk::mock::text("on > how many?\n  < {{ count + 1 }}\n")
    ///     .variable("count", 7)
    ///     .await?;
    /// # let (mut socket, _) = wiretalk::connect(mock.url()).await?;
    /// socket.send("how many?").await?;
    /// assert_eq!(socket.recv().await.transpose()?, Some("8".into()));
    /// # Ok(())
    /// # }
    /// ```
    #[expect(clippy::needless_pass_by_value, reason = "a number is given as it is")]
    pub fn variable(mut self, name: &str, value: impl ToString) -> Self {
        self.given.variable(name, &value.to_string());
        self
    }

    /// Serves the dialogue of the test with this title, in a talk that has several tests.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let talk = "listen ws://127.0.0.1:4000/\ntest a greeting\n< welcome\ntest a farewell\n< goodbye\n";
    /// let mock = wiretalk::mock::text(talk).test("a farewell").await?;
    /// # let (mut socket, _) = wiretalk::connect(mock.url()).await?;
    /// assert_eq!(socket.recv().await.transpose()?, Some("goodbye".into()));
    /// # Ok(())
    /// # }
    /// ```
    pub fn test(mut self, title: impl Into<String>) -> Self {
        self.test = Some(title.into());
        self
    }

    async fn start(self) -> Result<Mock, Error> {
        let Self { from, given, test } = self;
        let loaded = match from {
            From::File(path) => {
                let path = shown_path(std::env::var_os("CARGO_MANIFEST_DIR"), &path);
                load::load(&path).map_err(|error| invalid(error.to_string()))?
            }
            From::Text(text) => Loaded::new("a talk", &text),
        };
        let variables = given.variables()?;
        let names: Vec<_> = variables.keys().cloned().collect();
        let loaded = loaded.check(Role::Mock, &names);
        if let Some(why) = unusable(&loaded) {
            return Err(invalid(why));
        }
        let plan = loaded.plan();
        let setup = Setup {
            variables,
            ..Setup::new(Arc::new(wiretalk_engine::SystemWorld))
        };
        // Of where the talk listens by itself, only the path counts here.
        let listens = plan.address(setup.clone()).map_err(invalid)?;
        let path = listens.as_deref().map_or("", path_of).to_owned();
        let journal = Journal::new(DEFAULT_BYTES);
        let problems = Arc::new(Problems::default());
        let observer: Arc<dyn Observer> = Arc::clone(&problems) as _;
        let shared = Shared::new(Options::default(), observer).with_journal(Arc::clone(&journal));
        let place = match path.as_str() {
            "" => Place::Anywhere,
            path => Place::Named(path.to_owned()),
        };
        let performance = Performance {
            plan,
            test,
            setup,
            place,
        };
        let mock =
            serve::Mock::new(&shared, performance).map_err(|error| invalid(error.to_string()))?;
        let server = serve::Server::bind("127.0.0.1:0", None).await?;
        let address = server.local_addr()?;
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(mock.serve(server, async {
            // Whoever drops the other end wants it stopped as well.
            let _ = stopped.await;
        }));
        Ok(Mock {
            url: format!("ws://{address}{path}"),
            address,
            journal,
            problems,
            stop: Some(stop),
            task,
        })
    }
}

impl IntoFuture for MockBuilder {
    type Output = Result<Mock, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.start())
    }
}

/// The path of a URL, if it names one.
fn path_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.find('/').map_or("", |at| &rest[at..])
}

fn invalid(why: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidInput, Blame::Us, why)
}
