//! How a connection came about, step by step.

use std::net::SocketAddr;
use std::time::Duration;

use wiretalk_engine::record::show;
use wiretalk_net::{Handshake, Timings, TlsInfo};

/// A line for each step, in their order.
pub(super) fn lines(handshake: &Handshake, peer: Option<SocketAddr>) -> Vec<String> {
    let mut lines = Vec::new();
    for hop in &handshake.redirects {
        let status = hop.response.status;
        let to = show(hop.location.as_bytes(), false, 400);
        lines.push(format!(
            "{} answered {status} in {}: on to {to}",
            hop.url,
            time(hop.timings.total)
        ));
    }
    let Timings {
        dns,
        tcp,
        unix,
        proxy,
        tls,
        upgrade,
        total,
        ..
    } = handshake.timings;
    let mut step = |what: &str, took: Option<Duration>| {
        if let Some(took) = took {
            lines.push(format!("{what} in {}", time(took)));
        }
    };
    step("name resolved", dns);
    step(
        &match peer {
            Some(peer) => format!("TCP connected to {peer}"),
            None => "TCP connected".to_owned(),
        },
        tcp,
    );
    step("Unix socket connected", unix);
    step("tunnel made by the proxy", proxy);
    if let Some(info) = &handshake.tls {
        step(&secured(info), tls);
    }
    let status = handshake.response.status;
    let version = handshake.http_version;
    step(&format!("upgraded by {version:?} {status}"), Some(upgrade));
    step("all of it", Some(total));
    lines
}

/// What TLS came to.
fn secured(info: &TlsInfo) -> String {
    let TlsInfo {
        version,
        cipher_suite,
        server_name,
        ..
    } = info;
    let alpn = info.alpn.as_ref().map(|name| {
        let name = show(name.as_bytes(), false, 100);
        format!(", ALPN {name}")
    });
    let trust = match (info.verified, info.pinned) {
        (true, true) => format!("certificate for {server_name} verified, key pinned"),
        (true, false) => format!("certificate for {server_name} verified"),
        (false, true) => "certificate not verified, key pinned".to_owned(),
        (false, false) => "certificate not verified".to_owned(),
    };
    let pin = info.pin().map(|pin| format!(", {pin}"));
    let ours = info
        .client_certificate_wanted
        .then_some(", client certificate asked for");
    format!(
        "{version} with {cipher_suite}{}: {trust}{}{}",
        alpn.unwrap_or_default(),
        pin.unwrap_or_default(),
        ours.unwrap_or_default()
    )
}

/// Milliseconds, with as many digits as one wants to see.
fn time(took: Duration) -> String {
    let milliseconds = took.as_secs_f64() * 1000.0;
    if milliseconds < 10.0 {
        format!("{milliseconds:.2} ms")
    } else {
        format!("{milliseconds:.0} ms")
    }
}
