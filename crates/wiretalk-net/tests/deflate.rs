//! permessage-deflate (RFC 7692) between our own two ends over TCP.

mod common;

use common::pair_with;
use wiretalk_net::{Compression, DeflateConfig, Event, Message, MessageKind, Prepared, WebSocket};

/// A payload that compresses well, and is different everywhere.
fn payload(length: usize) -> String {
    let mut text = String::with_capacity(length + 16);
    for count in 0.. {
        if text.len() >= length {
            break;
        }
        text.push_str(&format!("{{\"count\":{count}}},"));
    }
    text.truncate(length);
    text
}

/// Sends back all that comes, by the path that lends.
async fn echo(mut socket: WebSocket) {
    while let Ok(Some(mut exchange)) = socket.next_exchange().await {
        exchange
            .replies
            .send_back(exchange.message)
            .expect("the connection is open");
    }
}

#[tokio::test]
async fn messages_of_all_sizes_come_back() {
    for offer in [
        DeflateConfig::default(),
        DeflateConfig::with_context_takeover(),
        DeflateConfig {
            server_max_window_bits: 9,
            client_max_window_bits: 9,
            ..DeflateConfig::with_context_takeover()
        },
    ] {
        let (mut client, server) = pair_with(vec![offer], Some(offer)).await;
        assert!(client.deflate().is_some() && client.deflate() == server.deflate());
        let server = tokio::spawn(echo(server));
        for size in [0, 1, 125, 126, 1_000, 65_536, 1 << 20] {
            let text = payload(size);
            for compression in [Compression::Auto, Compression::Always, Compression::Never] {
                // Both wait for ever if a long message is only sent and not received.
                client.send_with(text.as_str(), compression).await.unwrap();
                let came = client.recv().await.unwrap().unwrap();
                assert!(
                    came == Message::from(text.as_str()),
                    "{size} {compression:?}"
                );
            }
        }
        client.close(None, "").await.unwrap();
        while client.next_event().await.unwrap().is_some() {}
        server.await.unwrap();
    }
}

#[tokio::test]
async fn a_message_is_compressed_once_for_many() {
    let offer = DeflateConfig::default();
    let message = Prepared::text(&payload(10_000));
    for _ in 0..3 {
        let (mut client, mut server) = pair_with(vec![offer], Some(offer)).await;
        server.send_prepared(&message).await.unwrap();
        let came = client.recv().await.unwrap().unwrap();
        assert_eq!(came.as_bytes(), &message.payload());
    }
    // And plain for who has not agreed to more.
    let (mut client, mut server) = pair_with(Vec::new(), Some(offer)).await;
    assert!(server.deflate().is_none());
    server.send_prepared(&message).await.unwrap();
    let came = client.recv().await.unwrap().unwrap();
    assert_eq!(came.as_bytes(), &message.payload());
}

#[tokio::test]
async fn fragments_and_pings_between_them() {
    let offer = DeflateConfig::with_context_takeover();
    let (mut client, mut server) = pair_with(vec![offer], Some(offer)).await;
    let text = payload(100_000);
    let (head, tail) = text.split_at(40_001);
    let sending = async {
        let kind = MessageKind::Text;
        server
            .send_fragment(kind, head.as_bytes(), false)
            .await
            .unwrap();
        server.ping(b"between").await.unwrap();
        server
            .send_fragment(kind, tail.as_bytes(), true)
            .await
            .unwrap();
    };
    let receiving = async {
        let first = client.next_event().await.unwrap().unwrap();
        assert_eq!(first, Event::Ping("between".into()));
        let second = client.next_event().await.unwrap().unwrap();
        assert!(matches!(second, Event::Text(came) if came == text.as_str()));
    };
    tokio::join!(sending, receiving);
}

#[tokio::test]
async fn a_bomb_is_refused_while_it_inflates() {
    let offer = DeflateConfig::default();
    let (mut client, mut server) = pair_with(vec![offer], Some(offer)).await;
    // The default limit is 64 MiB; this is some kilobytes on the wire.
    let bomb = vec![0_u8; (64 << 20) + 1];
    let sending = async {
        let _ = client.send(bomb).await;
        client.next_event().await
    };
    let (came, refused) = tokio::join!(sending, async {
        let error = server.next_event().await.unwrap_err();
        while let Ok(Some(_)) = server.next_event().await {}
        error
    });
    assert_eq!(refused.close_code().unwrap().as_u16(), 1009);
    match came {
        Ok(Some(Event::Close(Some(frame)))) => assert_eq!(frame.code.as_u16(), 1009),
        other => panic!("{other:?}"),
    }
}
