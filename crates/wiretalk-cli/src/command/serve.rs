//! `wiretalk serve`

mod log;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::{ArgGroup, Args};
use wiretalk_engine::serve::{Echo, Mock, Options, Server};
use wiretalk_engine::{SystemWorld, load};
use wiretalk_net::DeflateConfig;
use wiretalk_net::server::TlsConfig;
use wiretalk_talk::player::{Manner, Setup};
use wiretalk_talk::{Role, Value};

use crate::exit::Exit;
use crate::signals::stopped;
use crate::{descriptors, diagnostics, terminal};
use log::Log;

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("what").required(true), after_help = format!("\
Examples:
  wiretalk serve --echo                        send back what comes, on port 4000
  wiretalk serve chat.talk -v                  answer as the talk says, and show every message
  wiretalk serve chat.talk --listen 127.0.0.1:0
  wiretalk serve chat.talk --cert cert.pem --key key.pem
  wiretalk serve --echo --no-compress          never agree to permessage-deflate
  wiretalk serve --echo --message-timeout 5    close clients that take longer to send a message

{}", Exit::HELP))]
pub(crate) struct Serve {
    /// The talk
    #[arg(value_name = "FILE", group = "what")]
    file: Option<PathBuf>,
    /// Send back every message
    #[arg(long, group = "what")]
    echo: bool,
    /// Where to listen; by default where the talk says, else 127.0.0.1:4000. Port 0 takes a free one
    #[arg(short, long, value_name = "ADDRESS")]
    listen: Option<String>,
    /// The test whose dialogue is served
    #[arg(long, value_name = "TITLE", conflicts_with = "echo")]
    test: Option<String>,
    /// Set a variable; it wins over `set NAME = …` in the talk
    #[arg(long, value_name = "NAME=VALUE", value_parser = super::variable)]
    set: Vec<(String, Value)>,
    /// Show every message
    #[arg(short, long)]
    verbose: bool,
    /// How often clients are pinged, in seconds; 0 for never
    #[arg(long, value_name = "SECONDS", default_value = "20", value_parser = seconds)]
    ping_interval: Duration,
    /// How long a client may take to answer a ping before it is dropped, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "20", value_parser = seconds)]
    ping_timeout: Duration,
    /// The largest message that is taken, in bytes; of a compressed one, once it is inflated
    #[arg(long, value_name = "BYTES", default_value_t = 64 * 1024 * 1024)]
    max_message: usize,
    /// How long a message may take from its first byte to its last, in seconds; 0 for as long as it likes
    #[arg(long, value_name = "SECONDS", default_value = "120", value_parser = seconds)]
    message_timeout: Duration,
    /// Do not compress: by default permessage-deflate is agreed to with clients that offer it
    #[arg(long)]
    no_compress: bool,
    /// Serve TLS with this certificate chain (PEM)
    #[arg(long, value_name = "FILE", requires = "key")]
    cert: Option<PathBuf>,
    /// The certificate's private key (PEM)
    #[arg(long, value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,
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

/// Where servers listen if nothing else is said.
const DEFAULT_ADDRESS: &str = "127.0.0.1:4000";

impl Serve {
    pub(crate) async fn run(self) -> Exit {
        // From before it says that it listens: whoever reads that may stop it at once.
        let stopped = stopped();
        descriptors::take_all();
        let tls = match self.tls() {
            Ok(tls) => tls,
            Err(why) => return usage(&why),
        };
        let options = Options {
            ping_interval: self.ping_interval,
            ping_timeout: self.ping_timeout,
            message_size: self.max_message,
            message_timeout: self.message_timeout,
            deflate: (!self.no_compress).then(DeflateConfig::default),
            ..Options::default()
        };
        match &self.file {
            None => {
                let log = Log::start(None, self.verbose);
                let address = self.listen.as_deref().unwrap_or(DEFAULT_ADDRESS);
                let server = match listen(address, "", "echo", tls, &log).await {
                    Ok(server) => server,
                    Err(exit) => return exit,
                };
                Echo::new(&options, log, self.verbose)
                    .serve(server, stopped)
                    .await;
                Exit::SUCCESS
            }
            Some(file) => self.talk(file, tls, options, stopped).await,
        }
    }

    async fn talk(
        &self,
        file: &Path,
        tls: Option<TlsConfig>,
        options: Options,
        stopped: impl Future<Output = ()>,
    ) -> Exit {
        let variables = super::variables(&self.set);
        let given: Vec<String> = variables.keys().cloned().collect();
        let mut loaded = match load::load(file) {
            Ok(loaded) => loaded,
            Err(error) => return usage(&error.to_string()),
        };
        if let Some(title) = &self.test {
            let part = loaded.plan().test_named(title);
            let found = wiretalk_talk::check_served(&loaded.talk, part, &given);
            loaded.diagnostics.extend(found);
        }
        let loaded = loaded.check(Role::Mock, &given);
        diagnostics::show(&loaded);
        if loaded.has_errors() {
            return Exit::USAGE;
        }
        let plan = loaded.plan();
        let setup = Setup {
            world: Arc::new(SystemWorld),
            variables: variables.clone(),
            manner: Manner::default(),
        };
        let url = plan.address(setup);
        let address = match (&self.listen, &url) {
            (Some(address), _) => address.clone(),
            (None, Ok(None)) => DEFAULT_ADDRESS.to_owned(),
            (None, Ok(Some(url))) => match host_and_port(url, tls.is_some()) {
                Ok(address) => address,
                Err(why) => return usage(&why),
            },
            (None, Err(why)) => return usage(why),
        };
        let path = match &url {
            Ok(Some(url)) => path_of(url),
            _ => "",
        };
        let name = file.display().to_string();
        let log = Log::start(Some(loaded.source().clone()), self.verbose);
        let mock = Mock::new(
            &plan,
            self.test.as_deref(),
            variables,
            options,
            Arc::clone(&log) as _,
        );
        let mock = match mock {
            Ok(mock) => mock,
            Err(error) => return usage(&error.to_string()),
        };
        let server = match listen(&address, path, &name, tls, &log).await {
            Ok(server) => server,
            Err(exit) => return exit,
        };
        mock.serve(server, stopped).await;
        Exit::SUCCESS
    }

    fn tls(&self) -> Result<Option<TlsConfig>, String> {
        let (Some(cert), Some(key)) = (&self.cert, &self.key) else {
            return Ok(None);
        };
        let read = |path: &PathBuf| {
            std::fs::read(path)
                .map_err(|error| format!("cannot read `{}`: {error}", path.display()))
        };
        TlsConfig::from_pem(&read(cert)?, &read(key)?)
            .map(Some)
            .map_err(|error| error.to_string())
    }
}

fn usage(why: &str) -> Exit {
    terminal::error(why);
    Exit::USAGE
}

/// Listens, and says so.
async fn listen(
    address: &str,
    path: &str,
    what: &str,
    tls: Option<TlsConfig>,
    log: &Log,
) -> Result<Server, Exit> {
    // A bare port is taken on the loopback address, where nobody else can reach it.
    let address = match address.parse::<u16>() {
        Ok(port) => format!("127.0.0.1:{port}"),
        Err(_) => address.to_owned(),
    };
    let (ws, http) = if tls.is_some() {
        ("wss", "https")
    } else {
        ("ws", "http")
    };
    let bound = Server::bind(&address, tls).await;
    let server = match bound {
        Ok(server) => server,
        Err(error) => {
            terminal::error(&error.to_string());
            let reason = std::error::Error::source(&error)
                .and_then(|source| source.downcast_ref::<std::io::Error>())
                .map(std::io::Error::kind);
            return Err(match reason {
                // It is no address at all.
                Some(std::io::ErrorKind::InvalidInput) => {
                    terminal::err("an address is HOST:PORT, or a port alone: `127.0.0.1:4000`");
                    Exit::USAGE
                }
                Some(std::io::ErrorKind::AddrInUse) => {
                    terminal::err(
                        "another port is taken with `--listen 127.0.0.1:PORT`; port 0 is a free one",
                    );
                    Exit::NO_CONNECTION
                }
                _ => Exit::NO_CONNECTION,
            });
        }
    };
    let at = server.local_addr().map_or(address, |at| at.to_string());
    log.line(&format!("listening on {ws}://{at}{path} ({what})"));
    log.line(&format!(
        "  join it with: wiretalk connect {ws}://{at}{path}"
    ));
    log.line(&format!("  or in a browser: {http}://{at}{path}"));
    Ok(server)
}

/// The address to listen on in a URL such as `ws://127.0.0.1:4000/path`.
fn host_and_port(url: &str, tls: bool) -> Result<String, String> {
    let (scheme, rest) = url.split_once("://").unwrap_or(("ws", url));
    match scheme {
        "ws" if !tls => {}
        "wss" if tls => {}
        "ws" => {
            return Err(format!(
                "the talk listens on `{url}`, which is without TLS; write `wss:`"
            ));
        }
        "wss" => {
            return Err(format!(
                "the talk listens on `{url}`, which needs a certificate: give `--cert` and `--key`"
            ));
        }
        _ => {
            return Err(format!(
                "`{url}` is not an address: write `ws://127.0.0.1:4000/path`"
            ));
        }
    }
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let authority = &rest[..end];
    let has_port = authority
        .rsplit_once(':')
        .is_some_and(|(_, port)| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()));
    if authority.is_empty() {
        return Err(format!(
            "`{url}` has no host: write `ws://127.0.0.1:4000/path`"
        ));
    }
    Ok(match (has_port, tls) {
        (true, _) => authority.to_owned(),
        (false, false) => format!("{authority}:80"),
        (false, true) => format!("{authority}:443"),
    })
}

/// The path of a URL, if it names one.
fn path_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.find('/').map_or("", |at| &rest[at..])
}
