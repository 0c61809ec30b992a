//! permessage-deflate: RFC 7692 sections 6 and 7.2.

mod handshake;
mod memory;
mod prepared;
mod properties;
mod receiving;
mod sending;

use wiretalk_proto::{Config, DeflateConfig};

use crate::pair::Pair;

/// Both sides agree to do just this.
pub(crate) fn agreed(deflate: DeflateConfig) -> Config {
    Config {
        deflate: Some(deflate.agreed()),
        ..Config::default()
    }
}

/// No window is kept from message to message.
fn alone() -> Config {
    agreed(DeflateConfig::default())
}

/// Both keep their windows.
fn taken_over() -> Config {
    agreed(DeflateConfig::with_context_takeover())
}

fn pair(config: Config) -> Pair {
    Pair::with(config, config)
}

/// Text that compresses well, and differs with the seed.
fn json(seed: usize, length: usize) -> String {
    let mut text = String::new();
    for i in seed.. {
        if text.len() >= length {
            break;
        }
        let price = i.wrapping_mul(7919) % 1000;
        text += &format!(r#"{{"id":{i},"name":"thing {}","price":{price}}},"#, i % 7);
    }
    text.truncate(length);
    text
}

/// Bytes that do not compress.
fn noise(seed: u32, length: usize) -> Vec<u8> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(747_796_405).wrapping_add(2_891_336_453);
        (state >> 24) as u8
    };
    (0..length).map(|_| next()).collect()
}
