//! A client that reconnects: five attempts, two seconds apart, then it gives up. It counts anew after each success, and
//! stays away once it has closed the connection itself, which it does when it gets the message `enough`.
//!
//! Try it: `cargo run -p wiretalk --example reconnect -- ws://127.0.0.1:4000/`, with a server that comes and goes. A
//! second argument is another delay, in milliseconds.
#![allow(clippy::print_stdout)]

use std::time::Duration;

use wiretalk::CloseCode;
use wiretalk::client::{Backoff, Event, Reconnecting};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next();
    let delay = arguments.next().map_or(Ok(2000), |text| text.parse())?;
    let mut client = Reconnecting::builder(url.as_deref().unwrap_or("ws://127.0.0.1:4000/"))
        .backoff(Backoff::fixed(Duration::from_millis(delay)))
        .attempts(5)
        .build();
    while let Some(event) = client.next_event().await {
        match event {
            Event::Connecting { attempt } => println!("attempt {attempt}"),
            Event::Open(_) => client.send("hello").await?,
            Event::Message(message) if message.as_text() == Some("enough") => {
                client.close(CloseCode::NORMAL, "").await?;
            }
            Event::Message(message) => println!("received {message:?}"),
            Event::Ended(cause) => println!("{cause}"),
            Event::GaveUp(gave_up) => return Err(gave_up.to_string().into()),
            other => println!("{other:?}"),
        }
    }
    Ok(())
}
