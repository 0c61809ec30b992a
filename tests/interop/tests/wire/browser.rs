//! Chromium, which always offers compression and puts long messages into fragments, as a client.

use wiretalk_interop::{Process, Program, Server};

use crate::{Certificate, KINDS, LINKS, Link, MIB, SIZES};

/// Opens a connection that sends what comes back; the page's `echo` sends a message, and says whether the same came.
const PAGE: &str = "{
    const BLOCK = 61001;
    const text = 'Zo\u{eb} \u{4f60}\u{597d} \u{1f388} '.repeat(BLOCK).slice(0, BLOCK - 1);
    const bytes = Uint8Array.from({ length: BLOCK }, (_, at) => (at % 7 ? at * at : 0));
    window.connect = url => new Promise((resolve, reject) => {
        const socket = window.wire = new WebSocket(url);
        socket.binaryType = 'arraybuffer';
        socket.onopen = () => resolve(socket.extensions);
        socket.onerror = () => reject(new Error('no connection'));
    });
    const payload = (kind, size) => {
        const data = new Uint8Array(size);
        const block = kind === 'text' ? new TextEncoder().encode(text) : bytes;
        for (let at = 0; at < size; at += block.length) data.set(block.subarray(0, size - at), at);
        if (kind === 'binary') return data;
        const whole = new TextDecoder().decode(data, { stream: true });
        const missing = size - new TextEncoder().encode(whole).length;
        return whole + '.'.repeat(missing);
    };
    const hash = async data => {
        const bytes = typeof data === 'string' ? new TextEncoder().encode(data) : data;
        const digest = await crypto.subtle.digest('SHA-256', bytes);
        const hex = [...new Uint8Array(digest)].map(byte => byte.toString(16).padStart(2, '0'));
        return `${typeof data} of ${bytes.byteLength}: ${hex.join('')}`;
    };
    window.echo = async (kind, size) => {
        const sent = payload(kind, size);
        const came = new Promise((resolve, reject) => {
            wire.onmessage = event => resolve(event.data);
            wire.onclose = event => reject(new Error(`closed with ${event.code}`));
        });
        wire.send(sent);
        const [expected, found] = [await hash(sent), await hash(await came)];
        return expected === found ? 'same' : `${expected} was sent, ${found} came`;
    };
    window.leave = () => new Promise(resolve => {
        wire.onclose = event => resolve(event.code);
        wire.close(1000);
    });
}";

fn evaluate(browser: &mut Process, expression: &str) -> String {
    browser.say(expression);
    browser.expect("value: ")
}

#[test]
fn a_page_gets_back_every_size_over_every_link() {
    let certificate = Certificate::new();
    let serve = |link: Link| {
        let compress = if link.compressed {
            &[][..]
        } else {
            &["--no-compress"]
        };
        Server::echo(&[compress, &certificate.served(link)].concat())
    };
    // A page that came over TLS may talk to all of them: the loopback address is safe enough for a browser.
    let home = serve(Link::new(true, true));
    let mut browser = Program::peer("browser.py")
        .args([&home.http(), "--ignore-certificate-errors"])
        .start();
    browser.expect("loaded ");
    evaluate(&mut browser, &PAGE.replace('\n', " "));
    for link in LINKS {
        let server = serve(link);
        let agreed = evaluate(&mut browser, &format!("connect('{}')", server.url()));
        assert_eq!(
            agreed.contains("permessage-deflate"),
            link.compressed,
            "{link:?}: {agreed}"
        );
        let mut sizes = SIZES.to_vec();
        if link.compressed != link.tls {
            sizes.push(16 * MIB);
        }
        for size in sizes {
            for kind in KINDS {
                let echoed = evaluate(&mut browser, &format!("echo('{kind}', {size})"));
                assert_eq!(echoed, r#""same""#, "{kind} {size} {link:?}");
            }
        }
        assert_eq!(evaluate(&mut browser, "leave()"), "1000");
    }
    let server = serve(Link::new(true, true));
    evaluate(&mut browser, &format!("connect('{}')", server.url()));
    let echoed = evaluate(&mut browser, &format!("echo('text', {})", 64 * MIB));
    assert_eq!(echoed, r#""same""#, "64 MiB");
}
