//! What a proxy says of a client before the client's own first byte, on real sockets.
#![cfg(feature = "guard")]

use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use wiretalk_net::server::Listener;
use wiretalk_server::guard::read_proxy_header;

/// Where the stream comes from, or why not; and that what stands behind the header is still there.
async fn said(parts: &[&[u8]]) -> Result<String, String> {
    let listener = Listener::bind("127.0.0.1:0", None).await.unwrap();
    let mut client = TcpStream::connect(listener.local_addr().unwrap())
        .await
        .unwrap();
    let own = client.local_addr().unwrap();
    client.set_nodelay(true).unwrap();
    let incoming = listener.accept().await.unwrap();
    let reading = tokio::spawn(read_proxy_header(incoming, Duration::from_secs(5)));
    for part in parts.iter().chain(&[b"GET".as_slice()]) {
        // A server that has seen enough is gone already.
        let _ = client.write_all(part).await;
        tokio::task::yield_now().await;
    }
    let _ = client.shutdown().await;
    let incoming = reading.await.unwrap().map_err(|error| error.to_string())?;
    let mut behind = [0; 3];
    let mut incoming = incoming;
    incoming.take(&mut behind).await.unwrap();
    assert_eq!(&behind, b"GET");
    Ok(match incoming.peer_addr() {
        peer if peer == own => "itself".to_owned(),
        peer => peer.to_string(),
    })
}

const V2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

fn v2(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
    [V2, &[0x20 | command, family], &length, rest].concat()
}

#[tokio::test]
async fn version_1() {
    let line = b"PROXY TCP4 192.0.2.1 198.51.100.1 4711 443\r\n";
    assert_eq!(said(&[line]).await.unwrap(), "192.0.2.1:4711");
    assert_eq!(
        said(&[&line[..3], &line[3..20], &line[20..]])
            .await
            .unwrap(),
        "192.0.2.1:4711"
    );
    let line = b"PROXY TCP6 2001:db8::1 2001:db8::2 4711 443\r\n";
    assert_eq!(said(&[line]).await.unwrap(), "[2001:db8::1]:4711");
    assert_eq!(said(&[b"PROXY UNKNOWN\r\n"]).await.unwrap(), "itself");
}

#[tokio::test]
async fn version_2() {
    let v4 = [192, 0, 2, 1, 198, 51, 100, 1, 0x12, 0x67, 1, 187];
    let header = v2(1, 0x11, &v4);
    assert_eq!(said(&[&header]).await.unwrap(), "192.0.2.1:4711");
    assert_eq!(
        said(&[&header[..14], &header[14..]]).await.unwrap(),
        "192.0.2.1:4711"
    );
    // With a name behind it, as AWS sends one.
    let extras = [&v4[..], &[0x02, 0, 4], b"host"].concat();
    assert_eq!(
        said(&[&v2(1, 0x11, &extras)]).await.unwrap(),
        "192.0.2.1:4711"
    );
    assert_eq!(said(&[&v2(0, 0, &[])]).await.unwrap(), "itself", "LOCAL");
}

#[tokio::test]
async fn anything_else_is_refused() {
    let long = [b"PROXY TCP4 ".as_slice(), &[b'1'; 200]].concat();
    let wrong: [&[u8]; 6] = [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"PROXY TCP4 192.0.2.1\r\n",
        b"PROXY TCP4 192.0.2.999 198.51.100.1 1 2\r\n",
        &long,
        &v2(1, 0x11, &[1, 2, 3]),
        &v2(1, 0x11, &[0; 5000]),
    ];
    for header in wrong {
        let why = said(&[header]).await.unwrap_err();
        assert!(why.contains("PROXY header"), "{why}");
    }
}
