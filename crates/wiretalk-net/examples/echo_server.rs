//! A server that sends back what it receives, on one thread.
//!
//! `cargo run --release -p wiretalk-net --example echo_server -- 127.0.0.1:4000`

use wiretalk_net::{
    Error,
    server::{AcceptOptions, Listener, Reply, Request, ServeOptions, serve_connection},
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let address = std::env::args().nth(1);
    let listener = Listener::bind(address.as_deref().unwrap_or("127.0.0.1:4000"), None).await?;
    loop {
        let incoming = listener.accept().await?;
        tokio::spawn(serve_connection(
            incoming,
            ServeOptions::default(),
            async |request| echo(request),
        ));
    }
}

fn echo(mut request: Request) -> Reply {
    let upgrade = match request.upgrade() {
        Ok(upgrade) => upgrade,
        Err(refusal) => return Reply::from(refusal),
    };
    let (reply, socket) = match upgrade.accept(AcceptOptions::default()) {
        Ok(accepted) => accepted,
        Err(error) => return Reply::text(500, error.to_string()),
    };
    tokio::spawn(async {
        let mut socket = socket.await?;
        while let Some(mut exchange) = socket.next_exchange().await? {
            exchange.replies.send_back(exchange.message)?;
        }
        Ok::<(), Error>(())
    });
    reply
}
