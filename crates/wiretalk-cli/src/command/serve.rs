//! `wiretalk serve`

mod address;
pub(crate) mod config;
pub(super) mod log;
mod nodes;
mod operation;
mod reload;
mod security;
mod talks;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::{ArgGroup, Args};
use wiretalk_engine::serve::{Echo, Options};
use wiretalk_net::DeflateConfig;

use super::Given;
use crate::exit::Exit;
use crate::signals::Ends;
use crate::terminal;
use log::Log;
use security::tls::Ready;

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("what").required(true), after_help = format!("\
Examples:
  wiretalk serve --echo                        send back what comes, on port 4000
  wiretalk serve chat.talk -v                  answer as the talk says, and show every message
  wiretalk serve chat.talk --listen 127.0.0.1:0
  wiretalk serve chat.talk prices.talk         two talks, each at a path of its own
  wiretalk serve chat.talk --journal seen.jsonl
  wiretalk serve chat.talk --control           take orders from a test: send, close, verify
  wiretalk serve chat.talk --admin --drain 10  numbers for Prometheus; 10 s for clients to go elsewhere
  wiretalk serve chat.talk --backplane redis://127.0.0.1:6379
                                               one of several servers that share rooms and users
  wiretalk serve chat.talk --cert cert.pem --key key.pem
  wiretalk serve chat.talk --tls-dev           TLS with a certificate of its own making
  wiretalk serve chat.talk --origin https://chat.example --jwt-secret CHAT_SECRET --rate 10/s:50
  wiretalk serve chat.talk --config chat.toml  options from a file
  wiretalk serve chat.talk --otlp=http://127.0.0.1:4318
                                               a trace of each connection, for OpenTelemetry
  wiretalk serve --echo --no-compress          never agree to permessage-deflate
  wiretalk serve --echo --message-timeout 5    close clients that take longer to send a message

{}", Exit::HELP))]
pub(crate) struct Serve {
    /// The talks; several share a port, each at the path of its `listen`, else at its file's name
    #[arg(value_name = "FILE", group = "what")]
    files: Vec<PathBuf>,
    /// Send back every message
    #[arg(long, group = "what")]
    echo: bool,
    /// Where to listen; by default where the talk says, else 127.0.0.1:4000. Port 0 takes a free one. Given several times,
    /// all of it is served at each address
    #[arg(short, long, value_name = "ADDRESS")]
    listen: Vec<String>,
    /// The test whose dialogue is served
    #[arg(long, value_name = "TITLE", conflicts_with = "echo")]
    test: Option<String>,
    #[command(flatten)]
    given: Given,
    /// Make the values that talks make up for themselves, such as UUIDs, the same as in another run with this seed
    #[arg(long, value_name = "N", conflicts_with = "echo")]
    seed: Option<u64>,
    /// Close a client that sends what no line of the talk takes, as `option strict` does
    #[arg(long, conflicts_with = "echo")]
    strict: bool,
    /// Play the bodies of rules for at most so many clients at once, each client's one after the other, as
    /// `option workers` does
    #[arg(long, value_name = "N", conflicts_with = "echo", value_parser = some)]
    workers: Option<usize>,
    /// Write every connection and message to a file, as lines of JSON, behind what it has already
    #[arg(long, value_name = "FILE", conflicts_with = "echo")]
    journal: Option<PathBuf>,
    /// Take orders from programs on this machine over HTTP: list clients, send, close, read the journal, verify. By
    /// default on a free port; the log tells where, and the token
    #[arg(
        long,
        value_name = "ADDRESS",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "127.0.0.1:0",
        conflicts_with = "echo"
    )]
    control: Option<String>,
    /// The token of `--control`; by default a random one, or that of WIRETALK_CONTROL_TOKEN, which no list of processes
    /// shows
    #[arg(long, value_name = "TOKEN", requires = "control")]
    control_token: Option<String>,
    /// Play the talks as they are now: by default, one that is saved is played anew, and its clients stay
    #[arg(long, conflicts_with = "echo")]
    no_watch: bool,
    /// Show no line for each client that comes and goes; what goes wrong is shown
    #[arg(short, long, conflicts_with = "verbose")]
    quiet: bool,
    /// Show every message
    #[arg(short, long)]
    verbose: bool,
    /// How the log is written: for people, or as lines of JSON
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    log_format: log::Format,
    /// How often clients are pinged, in seconds; 0 for never
    #[arg(long, value_name = "SECONDS", default_value = "20", value_parser = seconds)]
    ping_interval: Duration,
    /// How long a client may take to answer a ping before it is dropped, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "20", value_parser = seconds)]
    ping_timeout: Duration,
    /// The largest message that is taken, in bytes; of a compressed one, once it is inflated
    #[arg(long, value_name = "BYTES", default_value_t = 64 * 1024 * 1024, value_parser = bytes)]
    max_message: usize,
    /// Close a client for which more waits than so many bytes, because it reads more slowly than others speak to it
    #[arg(long, value_name = "BYTES", default_value_t = 16 * 1024 * 1024, value_parser = bytes)]
    max_backlog: usize,
    /// How long a message may take from its first byte to its last, in seconds; 0 for as long as it likes
    #[arg(long, value_name = "SECONDS", default_value = "120", value_parser = seconds)]
    message_timeout: Duration,
    /// Do not compress: by default permessage-deflate is agreed to with clients that offer it
    #[arg(long)]
    no_compress: bool,
    #[command(flatten)]
    nodes: nodes::Nodes,
    #[command(flatten)]
    operation: operation::Operating,
    #[command(flatten)]
    security: security::Security,
}

/// The most seconds that an option takes: a year, so that no sum of times overflows.
const MOST_SECONDS: f64 = 365.0 * 24.0 * 3600.0;

/// Seconds, with a fraction.
pub(super) fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text
        .parse()
        .map_err(|_| "write a number of seconds, such as 20 or 0.5")?;
    if seconds > MOST_SECONDS {
        return Err(format!(
            "that is over a year: at most {MOST_SECONDS} seconds"
        ));
    }
    Duration::try_from_secs_f64(seconds)
        .map_err(|_| "write a number of seconds, such as 20 or 0.5".to_owned())
}

/// A number of workers, clients, or the like.
fn some(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err("write a whole number, 1 or more".to_owned()),
    }
}

fn bytes(text: &str) -> Result<usize, String> {
    let number = text.parse();
    number.map_err(|_| "write a number of bytes, such as 65536".to_owned())
}

impl Serve {
    pub(crate) async fn run(self) -> Exit {
        // From before it says that it listens: whoever reads that may stop it at once.
        let ends = Ends::listen();
        let tls = match self.security.tls.ready() {
            Ok(tls) => tls,
            Err(why) => return usage(&why),
        };
        let admission = match self.security.admission() {
            Ok(admission) => admission,
            Err(why) => return usage(&why),
        };
        let log = self.log();
        let operation = match self.operation.shared(admission, &log) {
            Ok(operation) => operation,
            Err(why) => return usage(&why),
        };
        let options = Options {
            ping_interval: self.ping_interval,
            ping_timeout: self.ping_timeout,
            message_size: self.max_message,
            queue_size: self.max_backlog,
            message_timeout: self.message_timeout,
            deflate: (!self.no_compress).then(DeflateConfig::default),
            operation,
        };
        if self.files.is_empty() {
            return self.serve_echo(tls, &options, log, ends).await;
        }
        let outside = match self.given.read() {
            Ok(outside) => outside,
            Err(why) => return usage(&why),
        };
        self.serve_talks(&outside, tls, options, log, ends).await
    }

    async fn serve_echo(
        &self,
        tls: Option<Ready>,
        options: &Options,
        log: Arc<Log>,
        ends: Ends,
    ) -> Exit {
        let addresses = match address::all_given(&self.listen, tls.is_some()) {
            Ok(addresses) => addresses,
            Err(why) => return usage(&why),
        };
        let scheme = address::Scheme::of(tls.as_ref());
        let mut listening = match self.operation.listening() {
            Ok(listening) => listening,
            Err(why) => return usage(&why),
        };
        let server = match listening.listen(&addresses, tls.as_ref()).await {
            Ok(server) => server,
            Err(exit) => return exit,
        };
        if let Err(why) = listening.all_taken() {
            return usage(&why);
        }
        let admin = match self.operation.open_admin().await {
            Ok(admin) => admin,
            Err(exit) => return exit,
        };
        for url in scheme.urls(&server, "") {
            scheme.announce(&log, &url, "echo");
        }
        self.security.warn(&server, &log);
        let echo = Echo::new(options, Arc::clone(&log) as _, self.verbose);
        let serving = |told: operation::Told| echo.serve(server, told.stop());
        let serving = self
            .operation
            .run(ends, admin, &options.operation, &log, serving);
        with_certificate(tls.as_ref(), &log, serving).await;
        // Tasks that are about to end may hold it still.
        log.finish();
        Exit::SUCCESS
    }

    fn log(&self) -> Arc<Log> {
        Log::start(self.verbose, self.quiet, self.log_format)
    }
}

/// Serves, and meanwhile says how to believe the certificate, and reads it anew when it changes.
async fn with_certificate<T>(
    tls: Option<&Ready>,
    log: &Log,
    serving: impl Future<Output = T>,
) -> T {
    let Some(tls) = tls else {
        return serving.await;
    };
    tls.announce(log);
    let mut serving = std::pin::pin!(serving);
    tokio::select! {
        biased;
        served = &mut serving => served,
        () = tls.watch(log) => serving.await,
    }
}

fn usage(why: &str) -> Exit {
    terminal::error(why);
    Exit::USAGE
}
