//! `wiretalk connect`

mod input;
mod kept;
mod output;
mod steps;

use std::time::Duration;

use clap::Args;
use tokio::time::{Instant, sleep_until};
use wiretalk_engine::record::{show, without_query_values};
use wiretalk_net::{
    CloseCode, Config, Connector, Error, ErrorKind, Event, Receiver, Request, Response, Sender,
};

use super::reach::{self, Reach};
use crate::exit::Exit;
use crate::signals::Interrupts;
use crate::terminal;
use input::{Input, Item};
use output::Output;

#[derive(Debug, Args)]
#[command(after_help = format!("\
Examples:
  wiretalk connect ws://127.0.0.1:4000
  wiretalk connect wss://example.org/ws -H 'Authorization: Bearer …' -s chat
  echo hello | wiretalk connect localhost:4000        send, print what comes, close
  wiretalk connect localhost:4000 -x hello -n 1       send, print one message, close
  wiretalk connect localhost:4000 --compress          compress, and say what was agreed on

A line is a message. At the end of the input the connection stays open until no message has come
for the time of --wait; then it is closed with 1000. On a terminal Ctrl-D closes.
Off a terminal messages go to standard output, each with a LF behind it, and all else to
standard error.

{}", Exit::HELP))]
pub(crate) struct Connect {
    /// The address; without a scheme it is ws://
    #[arg(value_name = "URL")]
    url: String,
    /// Send a header with the handshake
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE", value_parser = header)]
    headers: Vec<(String, String)>,
    /// Offer a subprotocol; several are separated by commas
    #[arg(
        short = 's',
        long = "subprotocol",
        value_name = "NAME",
        value_delimiter = ','
    )]
    subprotocols: Vec<String>,
    /// Send an Origin header
    #[arg(short = 'o', long, value_name = "ORIGIN")]
    origin: Option<String>,
    /// Offer permessage-deflate, and compress if the server agrees
    #[arg(long)]
    compress: bool,
    /// Send this message instead of reading the input
    #[arg(short = 'x', long = "execute", value_name = "MESSAGE")]
    execute: Vec<String>,
    /// At the end of the input, wait until no message has come for so many seconds
    #[arg(short = 'w', long, value_name = "SECONDS", default_value = "1", value_parser = super::serve::seconds)]
    wait: Duration,
    /// Close after so many messages have come
    #[arg(short = 'n', long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    max_messages: Option<u64>,
    /// Send lines as binary messages
    #[arg(short = 'b', long)]
    binary: bool,
    /// How long the connection may take, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = super::serve::seconds)]
    connect_timeout: Duration,
    /// Say nothing of pings, of the connection and of its end
    #[arg(short, long)]
    quiet: bool,
    /// Show how the connection came about, step by step
    #[arg(short, long, conflicts_with = "quiet")]
    verbose: bool,
    #[command(flatten)]
    reach: Reach,
}

/// `Name: value`, as curl takes it.
fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once(':').ok_or("write `Name: value`")?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

impl Connect {
    pub(crate) async fn run(self) -> Exit {
        let connector = match self.connector() {
            Ok(connector) => connector,
            Err(why) => {
                terminal::error(&why);
                return Exit::USAGE;
            }
        };
        let request = Request {
            url: self.url.clone(),
            headers: self.headers.clone(),
            subprotocols: self.subprotocols.clone(),
            origin: self.origin.clone(),
            deflate: super::offers(self.compress),
        };
        let mut interrupts = Interrupts::listen();
        let connected = tokio::select! {
            connected = connector.connect(&request) => connected,
            () = interrupts.next() => return Exit::INTERRUPTED,
        };
        let (socket, handshake) = match connected {
            Ok(connected) => connected,
            Err(error) => return refused(&error),
        };
        let input = if self.execute.is_empty() {
            Input::standard(self.binary)
        } else {
            Input::given(self.execute.clone())
        };
        let output = Output::new(&input, self.quiet);
        reach::warn_of(handshake.tls.as_ref());
        if self.verbose {
            for line in steps::lines(&handshake, socket.peer_addr()) {
                output.note(&line);
            }
        }
        output.note(&self.connected(&handshake.response));
        let (sender, receiver) = socket.split();
        self.converse(sender, receiver, input, &output, &mut interrupts)
            .await
    }

    /// Where to, and what was agreed on.
    fn connected(&self, response: &Response) -> String {
        let subprotocol = response.subprotocol.as_ref().map(|name| {
            let name = show(name.as_bytes(), false, 200);
            format!("subprotocol {name}")
        });
        let compression = match response.headers.get("sec-websocket-extensions") {
            Some(agreed) => Some(show(agreed, false, 200)),
            None => self.compress.then(|| "not compressed".to_owned()),
        };
        let agreed: Vec<String> = subprotocol.into_iter().chain(compression).collect();
        // A query may hold a token, and this line is in many a log.
        let url = without_query_values(&self.url);
        match &agreed[..] {
            [] => format!("connected to {url}"),
            agreed => format!("connected to {url} ({})", agreed.join(", ")),
        }
    }

    fn connector(&self) -> Result<Connector, String> {
        let config = Config {
            handshake_timeout: self.connect_timeout,
            ..Config::default()
        };
        Ok(self.reach.connector()?.config(config))
    }

    /// Sends what the input gives and shows what comes, until one side closes.
    async fn converse(
        &self,
        sender: Sender,
        mut receiver: Receiver,
        mut input: Input,
        output: &Output,
        interrupts: &mut Interrupts,
    ) -> Exit {
        let interactive = input.is_interactive();
        let binary = self.binary;
        let writing = async {
            while let Some(item) = input.next().await {
                let line = match item {
                    Item::Line(line) => line,
                    Item::Interrupted => return Ok(Written::Interrupted),
                    Item::Failed(why) => return Err(why),
                };
                output.sent(&line);
                let sent = if binary {
                    sender.send(line).await
                } else {
                    let text = String::from_utf8(line)
                        .map_err(|_| "a text message must be UTF-8".to_owned())?;
                    sender.send(text).await
                };
                // How the connection ended is told by the reading half.
                if sent.is_err() {
                    break;
                }
            }
            Ok::<Written, String>(Written::All)
        };
        let mut writing = std::pin::pin!(writing);
        let mut still_writing = true;
        let mut quiet_until: Option<Instant> = None;
        let mut came = 0_u64;
        let mut close = None;
        let mut asked_to_stop = None;
        loop {
            tokio::select! {
                biased;
                () = interrupts.next() => {
                    if asked_to_stop.is_some() {
                        return Exit::INTERRUPTED;
                    }
                    asked_to_stop = Some(Exit::INTERRUPTED);
                    let _ = sender.close(CloseCode::NORMAL, "").await;
                }
                event = receiver.next_event() => match event {
                    Ok(Some(Event::Close(frame))) => {
                        close = Some(frame.map_or((1005, String::new()), |frame| {
                            (frame.code.as_u16(), frame.reason)
                        }));
                    }
                    Ok(Some(event)) => {
                        let message = matches!(event, Event::Text(_) | Event::Binary(_));
                        if message && self.max_messages.is_some_and(|most| came >= most) {
                            // On its way when we closed, and one more than was asked for.
                            continue;
                        }
                        if !output.received(&event) {
                            // Nobody reads any more (`| head`): that ends it, and is no mistake.
                            let _ = sender.close(CloseCode::NORMAL, "").await;
                            return Exit::SUCCESS;
                        }
                        if message {
                            came += 1;
                            if quiet_until.is_some() {
                                quiet_until = Some(Instant::now() + self.wait);
                            }
                            if self.max_messages.is_some_and(|most| came >= most)
                                && asked_to_stop.is_none()
                            {
                                asked_to_stop = Some(Exit::SUCCESS);
                                let _ = sender.close(CloseCode::NORMAL, "").await;
                            }
                        }
                    }
                    Ok(None) => {
                        return asked_to_stop.unwrap_or_else(|| closed(close, output));
                    }
                    Err(error) => {
                        return asked_to_stop.unwrap_or_else(|| ended(&error, close, output));
                    }
                },
                written = &mut writing, if still_writing => {
                    still_writing = false;
                    match written {
                        Err(why) => {
                            output.end_editing();
                            terminal::error(&why);
                            asked_to_stop = Some(Exit::USAGE);
                            let _ = sender.close(CloseCode::NORMAL, "").await;
                        }
                        Ok(Written::Interrupted) => {
                            output.end_editing();
                            asked_to_stop = Some(Exit::INTERRUPTED);
                            let _ = sender.close(CloseCode::NORMAL, "").await;
                        }
                        Ok(Written::All) if interactive || self.wait.is_zero() => {
                            let _ = sender.close(CloseCode::NORMAL, "").await;
                        }
                        Ok(Written::All) => quiet_until = Some(Instant::now() + self.wait),
                    }
                }
                () = sleep_until(quiet_until.unwrap_or_else(Instant::now)), if quiet_until.is_some() => {
                    quiet_until = None;
                    let _ = sender.close(CloseCode::NORMAL, "").await;
                }
            }
        }
    }
}

/// How the input ended.
enum Written {
    /// All of it is sent, or nothing can be sent any more.
    All,
    /// By Ctrl-C.
    Interrupted,
}

/// The end after a close handshake.
fn closed(close: Option<(u16, String)>, output: &Output) -> Exit {
    output.end_editing();
    let (code, reason) = close.unwrap_or((1006, String::new()));
    let name = CloseCode::new(code).name();
    let name = name.map(|name| format!(" ({name})")).unwrap_or_default();
    let reason = match reason.as_str() {
        "" => String::new(),
        reason => format!(": {}", show(reason.as_bytes(), false, 200)),
    };
    let said = format!("closed with {code}{name}{reason}");
    if matches!(code, 1000 | 1001 | 1005) {
        output.note(&said);
        Exit::SUCCESS
    } else {
        terminal::error(&said);
        Exit::ABNORMAL
    }
}

/// The end without one.
fn ended(error: &Error, close: Option<(u16, String)>, output: &Output) -> Exit {
    if close.is_some() {
        return closed(close, output);
    }
    output.end_editing();
    tell(error);
    match error.kind() {
        ErrorKind::Protocol => Exit::PROTOCOL,
        _ => Exit::ABNORMAL,
    }
}

/// Says an error, in which the peer may be quoted.
fn tell(error: &Error) {
    terminal::error(&show(error.to_string().as_bytes(), false, 2000));
}

/// A connection that did not come about.
fn refused(error: &Error) -> Exit {
    tell(error);
    if let Some(refusal) = error.refusal() {
        for (name, value) in refusal.response.headers.iter() {
            let value = show(value, false, 200);
            terminal::err(&format!("  {name}: {value}"));
        }
        if !refusal.body.is_empty() {
            let body = String::from_utf8_lossy(&refusal.body);
            terminal::err("");
            for line in body.lines().take(40) {
                let line = show(line.as_bytes(), false, 400);
                terminal::err(&format!("  {line}"));
            }
        }
    }
    match error.kind() {
        ErrorKind::InvalidInput => Exit::USAGE,
        ErrorKind::Tls => Exit::TLS,
        ErrorKind::Handshake | ErrorKind::Http2 => Exit::HANDSHAKE,
        ErrorKind::Protocol => Exit::PROTOCOL,
        _ => Exit::NO_CONNECTION,
    }
}
