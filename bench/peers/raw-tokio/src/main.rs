//! What tokio costs by itself: bytes that come are sent back, with no protocol. One buffer serves all connections.

use std::{cell::Cell, io, process::ExitCode};

use peer_common::{Failure, Options, serve};
use tokio::{io::AsyncWriteExt, net::TcpStream};

const BUFFER_SIZE: usize = 128 * 1024;

thread_local! {
    static BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

fn main() -> ExitCode {
    peer_common::run(async |options: Options| {
        options.only(&[])?;
        serve(&options, echo).await
    })
}

async fn echo(mut stream: TcpStream) -> Result<(), Failure> {
    loop {
        stream.readable().await?;
        let mut buffer = BUFFER.take();
        buffer.resize(BUFFER_SIZE, 0);
        let read = match stream.try_read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                BUFFER.set(buffer);
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        stream.write_all(&buffer[..read]).await?;
        BUFFER.set(buffer);
    }
}
