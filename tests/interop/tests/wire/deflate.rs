//! The parameters of permessage-deflate, both ways: what libraries of others ask for and agree to, and several messages
//! one after the other with what was agreed, so that a window that is kept, or not, is the same on both sides.

use wiretalk_interop::Server;
use wiretalk_net::server::{
    AcceptOptions, Listener, Reply, Request as Asked, ServeOptions, serve_connection,
};
use wiretalk_net::{Compression, DeflateConfig, Error, ErrorKind, Request, connect};

use crate::client::{close, echo};
use crate::payload::message;
use crate::{client_of, script};

/// Sizes of messages that resemble each other; the last is more than any window.
const SIZES: [usize; 9] = [300, 301, 5, 0, 300, 2_000, 300, 40_000, 100_000];

/// Context takeover wherever the other side lets us.
fn takeover() -> DeflateConfig {
    DeflateConfig::with_context_takeover()
}

/// Both windows, as the libraries' settings.
fn both(bits: u8) -> String {
    format!(r#"{{"server_max_window_bits":{bits},"client_max_window_bits":{bits}}}"#)
}

fn windows(server: u8, client: u8) -> DeflateConfig {
    DeflateConfig {
        server_max_window_bits: server,
        client_max_window_bits: client,
        ..takeover()
    }
}

/// A server of ours that sends back what comes, with other settings than those of `wiretalk serve`. It ends with the
/// test.
async fn our_server(deflate: DeflateConfig) -> String {
    let listener = Listener::bind("127.0.0.1:0", None).await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok(incoming) = listener.accept().await {
            let answer = move |request| std::future::ready(reply(request, deflate));
            tokio::spawn(serve_connection(incoming, ServeOptions::default(), answer));
        }
    });
    format!("ws://127.0.0.1:{port}")
}

fn reply(mut request: Asked, deflate: DeflateConfig) -> Reply {
    let upgrade = request.upgrade().expect("a handshake");
    let options = AcceptOptions {
        deflate: Some(DeflateConfig {
            // Whatever there is, so that short messages use the window as well.
            threshold: 0,
            ..deflate
        }),
        ..AcceptOptions::default()
    };
    let (reply, socket) = upgrade.accept(options).expect("nothing is out of order");
    tokio::spawn(async {
        let mut socket = socket.await?;
        while let Some(mut exchange) = socket.next_exchange().await? {
            exchange.replies.send_back(exchange.message)?;
        }
        Ok::<(), Error>(())
    });
    reply
}

/// What a library offers to a server of ours with these settings, and what must be agreed on.
struct Offered {
    library: &'static str,
    /// In JSON, by the names of RFC 7692.
    offer: String,
    ours: DeflateConfig,
    agreed: String,
}

fn offers() -> Vec<Offered> {
    const NO_TAKEOVER: &str = "; server_no_context_takeover; client_no_context_takeover";
    let mut cases = Vec::new();
    let mut case = |library, offer: &str, ours, agreed: &str| {
        cases.push(Offered {
            library,
            offer: offer.to_owned(),
            ours,
            agreed: agreed.to_owned(),
        });
    };
    for library in ["websockets", "ws"] {
        let default = DeflateConfig::default();
        case(library, "{}", default, NO_TAKEOVER);
        case(library, "{}", takeover(), "");
        let asked = r#"{"server_no_context_takeover":true}"#;
        case(library, asked, takeover(), "; server_no_context_takeover");
        let asked = r#"{"client_no_context_takeover":true}"#;
        case(library, asked, takeover(), "; client_no_context_takeover");
        // There is no compressor with so small a window: no compression at all.
        case(library, r#"{"server_max_window_bits":8}"#, takeover(), "-");
        for bits in 9..=15 {
            // What a client says of its own window needs no answer.
            let asked = both(bits);
            let agreed = format!("; server_max_window_bits={bits}");
            case(library, &asked, takeover(), &agreed);
            // Our own limit, below and above that of the client.
            let agreed = match bits {
                15 => String::new(),
                _ => format!("; server_max_window_bits={bits}; client_max_window_bits={bits}"),
            };
            case(library, "{}", windows(bits, bits), &agreed);
        }
        for (ours, agreed) in [
            (9, "; server_max_window_bits=9; client_max_window_bits=9"),
            (12, "; server_max_window_bits=10; client_max_window_bits=10"),
        ] {
            case(library, &both(10), windows(ours, ours), agreed);
        }
    }
    // Node's zlib turns 8 into 9, which our decompressor does not mind.
    case("ws", r#"{"client_max_window_bits":8}"#, takeover(), "");
    for bits in 9..=15 {
        let asked = format!(r#"{{"server_max_window_bits":{bits}}}"#);
        // 15 is what this library offers without saying so.
        let agreed = match bits {
            15 => String::new(),
            _ => format!("; server_max_window_bits={bits}"),
        };
        case("aiohttp", &asked, takeover(), &agreed);
    }
    cases
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn our_server_agrees_with_every_offer() {
    let steps: Vec<String> = SIZES.iter().map(|size| format!("text {size}")).collect();
    for case in offers() {
        let url = our_server(case.ours).await;
        let arguments = ["--deflate", &case.offer];
        let extensions = client_of(case.library, &url, &arguments, &steps);
        let agreed = match case.agreed.as_str() {
            "-" => String::new(),
            parameters => format!("permessage-deflate{parameters}"),
        };
        assert_eq!(
            extensions, agreed,
            "{} offers {} to {:?}",
            case.library, case.offer, case.ours
        );
    }
}

/// What our client offers to a library's server with such settings, and what must be agreed on.
struct Answered {
    library: &'static str,
    /// In JSON, by the names of RFC 7692.
    settings: String,
    ours: Vec<DeflateConfig>,
    agreed: Outcome,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Outcome {
    /// Whether the server and the client begin each message with an empty window, and the bits of both windows.
    Agreed(bool, bool, u8, u8),
    /// The handshake is refused with this status.
    Refused(u16),
}

fn answers() -> Vec<Answered> {
    use Outcome::{Agreed, Refused};
    let mut cases = Vec::new();
    let mut case = |library, settings: &str, ours: &[DeflateConfig], agreed| {
        cases.push(Answered {
            library,
            settings: settings.to_owned(),
            ours: ours.to_vec(),
            agreed,
        });
    };
    for library in ["websockets", "ws"] {
        let default = DeflateConfig::default();
        case(library, "{}", &[default], Agreed(true, true, 15, 15));
        case(library, "{}", &[takeover()], Agreed(false, false, 15, 15));
        let settings = r#"{"server_no_context_takeover":true}"#;
        case(
            library,
            settings,
            &[takeover()],
            Agreed(true, false, 15, 15),
        );
        let settings = r#"{"client_no_context_takeover":true}"#;
        case(
            library,
            settings,
            &[takeover()],
            Agreed(false, true, 15, 15),
        );
        // A client that is held to 8 sends without compression.
        let settings = r#"{"client_max_window_bits":8}"#;
        case(
            library,
            settings,
            &[takeover()],
            Agreed(false, false, 15, 8),
        );
        for bits in 9..=15 {
            let agreed = Agreed(false, false, bits, bits);
            case(library, &both(bits), &[takeover()], agreed);
            case(library, "{}", &[windows(bits, bits)], agreed);
        }
        let settings = both(9);
        case(
            library,
            &settings,
            &[windows(10, 10)],
            Agreed(false, false, 9, 9),
        );
    }
    let settings = r#"{"server_max_window_bits":8}"#;
    case("ws", settings, &[takeover()], Agreed(false, false, 8, 15));
    let settings = both(12);
    case(
        "websockets",
        &settings,
        &[windows(10, 10)],
        Agreed(false, false, 10, 10),
    );
    // This one takes no less than its settings; of two alternatives it takes the one that it can.
    case("ws", &settings, &[windows(10, 10)], Refused(400));
    let alternatives = [windows(10, 10), takeover()];
    case("ws", &settings, &alternatives, Agreed(false, false, 12, 12));
    for bits in 9..=15 {
        let agreed = Agreed(false, false, bits, 15);
        case("aiohttp", "{}", &[windows(bits, 15)], agreed);
    }
    case(
        "aiohttp",
        "{}",
        &[DeflateConfig::default()],
        Agreed(true, true, 15, 15),
    );
    cases
}

#[tokio::test]
async fn our_client_agrees_with_every_answer() {
    for case in answers() {
        let deflate = ["--deflate", &case.settings];
        let mut server = Server::peer(&script(case.library, "server"), &deflate);
        let request = Request {
            deflate: case.ours.clone(),
            ..Request::new(server.url())
        };
        let shown = || format!("{:?} to {} with {}", case.ours, case.library, case.settings);
        let connected = connect(request).await;
        let outcome = match &connected {
            Ok((socket, _)) => {
                let agreed = socket.deflate().unwrap_or_else(|| panic!("{}", shown()));
                Outcome::Agreed(
                    agreed.server_no_context_takeover(),
                    agreed.client_no_context_takeover(),
                    agreed.server_max_window_bits(),
                    agreed.client_max_window_bits(),
                )
            }
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Handshake, "{}: {error}", shown());
                let refusal = error.refusal().unwrap_or_else(|| panic!("{}", shown()));
                Outcome::Refused(refusal.response.status)
            }
        };
        assert_eq!(outcome, case.agreed, "{}", shown());
        if let Ok((mut socket, _)) = connected {
            for size in SIZES {
                for compression in [Compression::Always, Compression::Never] {
                    echo(&mut socket, message("text", size), compression).await;
                }
            }
            close(socket, &mut server).await;
        }
    }
}
