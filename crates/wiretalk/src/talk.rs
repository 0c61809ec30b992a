//! The tests of a talk as tests of a Rust program.

use std::{
    fmt::{self, Write},
    future::Future,
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use tokio::runtime;
use wiretalk_engine::{
    load::{self, Loaded},
    report,
    runner::{self, Options, Selection, TestResult},
};
use wiretalk_talk::{Role, Value};

use crate::{
    Connector,
    mock::{Given, Mock, shown_path, unusable},
};

/// Makes a `#[test]` that runs all tests of a talk against a server: `talk!(name, "path.talk", url)`.
///
/// A relative path is one from the folder of the package (`CARGO_MANIFEST_DIR`). The URL is what `{{url}}` stands for in
/// the talk. It is an expression that is evaluated in the test, within a tokio runtime, so that it may `.await`; what it
/// gives can be anything with a [`Url`](crate::talk::Url), such as a string, or a server that then lives until the test is
/// over. A closure behind it changes the [`Talk`](crate::talk::Talk): `|talk| talk.variable("room", "lobby")`. Attributes
/// of the test stand before the name.
///
/// A test that fails does so with the report that `wiretalk test` prints: the line of the talk, what it expects, what came,
/// and the messages around it.
///
/// ```
/// # mod example {
/// use wiretalk::server::{Client, Server};
///
/// async fn server() -> wiretalk::server::Running {
///     let server = Server::bind("127.0.0.1:0").await.expect("a port");
///     let running = server.spawn(async |mut client: Client| {
///         while let Some(message) = client.recv().await {
///             client.send(message).await?;
///         }
///         Ok::<_, wiretalk::Error>(())
///     });
///     running.expect("a runtime")
/// }
///
/// wiretalk::talk!(it_echoes, "tests/talks/echo.talk", server().await);
/// wiretalk::talk!(
///     /// One that expects a failure.
///     #[should_panic(expected = "echo.talk:")]
///     it_does_not_shout,
///     "tests/talks/echo.talk",
///     server().await,
///     |talk| talk.variable("answer", "HELLO")
/// );
/// # }
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! talk {
    ($(#[$attribute:meta])* $name:ident, $talk:expr, $url:expr $(,)?) => {
        $crate::talk!($(#[$attribute])* $name, $talk, $url, |talk| talk);
    };
    ($(#[$attribute:meta])* $name:ident, $talk:expr, $url:expr, $change:expr $(,)?) => {
        $(#[$attribute])*
        #[test]
        fn $name() {
            let talk = $crate::talk::Talk::in_package(env!("CARGO_MANIFEST_DIR"), $talk);
            let change: fn($crate::talk::Talk) -> $crate::talk::Talk = $change;
            $crate::talk::test(change(talk), async { $url });
        }
    };
}

/// Where a talk's tests connect: what `{{url}}` stands for.
///
/// ```
/// use wiretalk::talk::Url;
///
/// struct Chat {
///     port: u16,
/// }
///
/// impl Url for Chat {
///     fn url(&self) -> String {
///         format!("ws://127.0.0.1:{}/chat", self.port)
///     }
/// }
///
/// assert_eq!(Chat { port: 4000 }.url(), "ws://127.0.0.1:4000/chat");
/// ```
pub trait Url {
    /// The URL.
    ///
    /// ```
    /// use wiretalk::talk::Url;
    ///
    /// assert_eq!(Url::url("ws://127.0.0.1:4000/"), "ws://127.0.0.1:4000/");
    /// ```
    fn url(&self) -> String;
}

impl Url for str {
    fn url(&self) -> String {
        self.to_owned()
    }
}

impl Url for String {
    fn url(&self) -> String {
        self.clone()
    }
}

impl Url for Mock {
    fn url(&self) -> String {
        Self::url(self).to_owned()
    }
}

#[cfg(feature = "server")]
impl Url for crate::server::Running {
    fn url(&self) -> String {
        Self::url(self)
    }
}

impl<T: Url + ?Sized> Url for &T {
    fn url(&self) -> String {
        T::url(self)
    }
}

/// A talk whose tests are to be run; the macro [`talk!`](crate::talk!) makes a `#[test]` of one.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use wiretalk::talk::Talk;
///
/// let mock = wiretalk::mock::text("on > {{_}}\n  < {{message}}\n").await?;
/// let passed = Talk::new("tests/talks/echo.talk").run(&mock).await?;
/// assert_eq!(passed, 2);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "a talk does nothing until it is run"]
pub struct Talk {
    path: PathBuf,
    given: Given,
    secrets: Vec<String>,
    selection: Selection,
    options: Options,
}

/// That tests of a talk failed, or could not be run: the report.
///
/// ```
/// use wiretalk::talk::{Failed, Talk};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let mock = wiretalk::mock::text("on > {{_}}\n  < {{message}}\n").await?;
/// let failed: Failed = Talk::new("tests/talks/echo.talk")
///     .variable("answer", "something else")
///     .run(&mock)
///     .await
///     .unwrap_err();
/// assert!(failed.to_string().starts_with("FAIL a text comes back (tests/talks/echo.talk:5)"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Failed {
    report: String,
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.report)
    }
}

/// The report as it is, for `unwrap` and for a `main` that returns it.
impl fmt::Debug for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.report)
    }
}

impl std::error::Error for Failed {}

impl Talk {
    /// A talk of the package whose tests run, or a Markdown document with talks in it.
    ///
    /// ```
    /// use wiretalk::talk::Talk;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let mock = wiretalk::mock::text("on > {{_}}\n  < {{message}}\n").await?;
    /// let passed = Talk::new("tests/talks/echo.talk").run(&mock).await?;
    /// assert_eq!(passed, 2);
    /// # Ok(())
    /// # }
    /// ```
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self::at(shown_path(
            std::env::var_os("CARGO_MANIFEST_DIR"),
            &path.into(),
        ))
    }

    /// A talk of the package in this folder.
    #[doc(hidden)]
    pub fn in_package(package: &str, path: impl Into<PathBuf>) -> Self {
        Self::at(shown_path(Some(package.into()), &path.into()))
    }

    fn at(path: PathBuf) -> Self {
        Self {
            path,
            given: Given::default(),
            secrets: Vec::new(),
            selection: Selection::default(),
            options: Options {
                seed: wiretalk_engine::fresh_seed(),
                ..Options::default()
            },
        }
    }

    /// Sets a variable of the talk; it wins over the talk's own `set` line. A value that is JSON is one, so `7` is a number.
    ///
    /// ```
    /// use wiretalk::talk::Talk;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let mock = wiretalk::mock::text("on > hello\n  < welcome\non > {{_:json}}\n  < {{message}}\n").await?;
    /// let talk = Talk::new("tests/talks/echo.talk").variable("answer", "welcome");
    /// assert_eq!(talk.run(&mock).await?, 2);
    /// # Ok(())
    /// # }
    /// ```
    #[expect(clippy::needless_pass_by_value, reason = "a number is given as it is")]
    pub fn variable(mut self, name: &str, value: impl ToString) -> Self {
        self.given.variable(name, &value.to_string());
        self
    }

    /// Shows the values of this variable nowhere: `***` stands for them in the report.
    ///
    /// ```
    /// use wiretalk::talk::Talk;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let mock = wiretalk::mock::text("on > {{_}}\n  < {{message}}\n").await?;
    /// let talk = Talk::new("tests/talks/echo.talk").variable("answer", "swordfish").secret("answer");
    /// let failed = talk.run(&mock).await.unwrap_err().to_string();
    /// assert!(failed.contains("***") && !failed.contains("swordfish"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn secret(mut self, name: &str) -> Self {
        self.secrets.push(name.to_owned());
        self
    }

    /// Runs only the tests whose title has this text in it. Given several times, one of them is enough.
    ///
    /// ```
    /// use wiretalk::talk::Talk;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let mock = wiretalk::mock::text("on > {{_}}\n  < {{message}}\n").await?;
    /// let talk = Talk::new("tests/talks/echo.talk").filter("JSON");
    /// assert_eq!(talk.run(&mock).await?, 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn filter(mut self, title: &str) -> Self {
        self.selection.title(title);
        self
    }

    /// Runs only the tests with this tag. Given several times, a test must have all of them.
    ///
    /// ```
    /// use wiretalk::talk::Talk;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let mock = wiretalk::mock::text("on > {{_}}\n  < {{message}}\n").await?;
    /// # let path = std::env::temp_dir().join(format!("wiretalk-doc-tag-{}.talk", std::process::id()));
    /// # std::fs::write(&path, "test one\ntag smoke\nconnect {{url}}\n> a\n< a\ntest two\nconnect {{url}}\n> b\n< b\n")?;
    /// // One of the two tests in it has `tag smoke`.
    /// let talk = Talk::new(&path).tag("smoke");
    /// assert_eq!(talk.run(&mock).await?, 1);
    /// # std::fs::remove_file(&path)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn tag(mut self, tag: &str) -> Self {
        self.selection.tag(tag);
        self
    }

    /// Fails a test also for messages that no line takes.
    ///
    /// ```
    /// use wiretalk::talk::Talk;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let mock = wiretalk::mock::text("on > {{_}}\n  < {{message}}\n").await?;
    /// let talk = Talk::new("tests/talks/echo.talk").strict();
    /// assert_eq!(talk.run(&mock).await?, 2);
    /// # Ok(())
    /// # }
    /// ```
    pub fn strict(mut self) -> Self {
        self.options.manner.strict = true;
        self
    }

    /// How long each test may take.
    ///
    /// ```
    /// use std::time::Duration;
    /// use wiretalk::talk::Talk;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let mock = wiretalk::mock::text("on > {{_}}\n  < {{message}}\n").await?;
    /// let talk = Talk::new("tests/talks/echo.talk").max_time(Duration::from_secs(10));
    /// assert_eq!(talk.run(&mock).await?, 2);
    /// # Ok(())
    /// # }
    /// ```
    pub fn max_time(mut self, limit: Duration) -> Self {
        self.options.max_time = Some(limit);
        self
    }

    /// Where random values come from: the same seed makes the same ones. The report of a test that failed names its own.
    ///
    /// ```
    /// use wiretalk::talk::Talk;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let mock = wiretalk::mock::text("on > {{_}}\n  < {{message}}\n").await?;
    /// let talk = Talk::new("tests/talks/echo.talk").seed(42);
    /// assert_eq!(talk.run(&mock).await?, 2);
    /// # Ok(())
    /// # }
    /// ```
    pub fn seed(mut self, seed: u64) -> Self {
        self.options.seed = seed;
        self
    }

    /// How the server is reached: certificates to trust, a proxy, another address.
    ///
    /// ```
    /// use wiretalk::{AddressFamily, Connector, talk::Talk};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let mock = wiretalk::mock::text("on > {{_}}\n  < {{message}}\n").await?;
    /// let connector = Connector::new().address_family(AddressFamily::V4);
    /// let talk = Talk::new("tests/talks/echo.talk").connector(connector);
    /// assert_eq!(talk.run(&mock).await?, 2);
    /// # Ok(())
    /// # }
    /// ```
    pub fn connector(mut self, connector: Connector) -> Self {
        self.options.connector = connector;
        self
    }

    /// Runs the tests of the talk against a server, all at the same time; gives their number.
    ///
    /// If the future is dropped, the tests end where they are.
    ///
    /// ```
    /// use wiretalk::talk::Talk;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let mock = wiretalk::mock::text("on > {{_}}\n  < {{message}}\n").await?;
    /// let talk = Talk::new("tests/talks/echo.talk");
    /// assert_eq!(talk.clone().run(&mock).await?, 2);
    /// // Nobody listens on this port.
    /// assert!(talk.run("ws://127.0.0.1:1/").await.is_err());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The report of the tests that failed, or why there was nothing to run.
    pub async fn run(self, server: &(impl Url + ?Sized)) -> Result<usize, Failed> {
        let url = server.url();
        let Self {
            path,
            given,
            secrets,
            selection,
            mut options,
        } = self;
        options.variables = given
            .variables()
            .map_err(|error| failed(error.to_string()))?;
        options.variables.insert("url".to_owned(), Value::Text(url));
        let names: Vec<_> = options.variables.keys().cloned().collect();
        let talks = load::load_all(&path).map_err(|error| failed(error.to_string()))?;
        for secret in &secrets {
            let named = |talk: &Loaded| has_word(talk.source().text(), secret);
            if !names.contains(secret) && !talks.iter().any(named) {
                return Err(failed(format!(
                    "the secret `{secret}` would hide nothing: no variable of this name is given, and the talk names none"
                )));
            }
        }
        options.secrets = secrets;
        options.selection = selection;

        let mut plans = Vec::new();
        for talk in talks {
            let plan = talk.plan();
            if !talk.runs(&plan) {
                continue;
            }
            let talk = talk.check(Role::Test, &names);
            if let Some(why) = unusable(&talk) {
                return Err(failed(why));
            }
            if plan.tests().next().is_some() && !has_word(talk.source().text(), "url") {
                return Err(failed(format!(
                    "`{}` does not connect to the URL that it is given: write `connect {{{{url}}}}`",
                    path.display()
                )));
            }
            plans.push(plan);
        }
        let tests = plans.iter().flat_map(|plan: &Arc<_>| plan.tests());
        let selected = |title: &str, tags: &[String]| options.selection.takes(title, tags);
        if !tests
            .into_iter()
            .any(|test| selected(&test.title, &test.tags))
        {
            let path = path.display();
            return Err(failed(format!("there is no test to run in `{path}`")));
        }
        let mut report = String::new();
        let mut random_failed = false;
        let summary = runner::run(&plans, &options, |result| {
            if result.failed() {
                random_failed |= result.seed.is_some();
                tell(&mut report, &result);
            }
        });
        let summary = summary.await;
        if summary.failed == 0 {
            return Ok(summary.passed);
        }
        report.push_str(&report::summary(&summary));
        if random_failed {
            let seed = options.seed;
            let _ = write!(
                report,
                "\na test that failed made random values: `seed({seed})` makes the same again"
            );
        }
        Err(failed(report))
    }
}

/// Adds a test that failed to a report.
fn tell(report: &mut String, result: &TestResult) {
    // Writing to a string does not fail.
    let _ = writeln!(
        report,
        "FAIL {} ({}:{}) {:.3}s",
        result.title,
        result.file,
        result.line,
        result.duration.as_secs_f64()
    );
    report.push_str(&report::failure(result));
}

fn has_word(text: &str, word: &str) -> bool {
    text.split(|c: char| c != '_' && !c.is_alphanumeric())
        .any(|own| own == word)
}

fn failed(report: impl Into<String>) -> Failed {
    let report = report.into();
    Failed { report }
}

/// What [`talk!`](crate::talk!) makes a test of.
///
/// # Panics
/// With the report, if a test failed.
#[doc(hidden)]
#[track_caller]
pub fn test<T: Url>(talk: Talk, server: impl Future<Output = T>) {
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("the system lets a test have a runtime");
    let result = runtime.block_on(async {
        // It lives until the tests are over.
        let server = server.await;
        talk.run(&server).await
    });
    if let Err(failed) = result {
        panic!("\n{failed}");
    }
}
