//! What holds for any traffic.

use proptest::prelude::*;
use wiretalk_proto::{Config, Limits, MessageKind, Role};

use crate::pair::{Endpoint, Heard};

/// Something that an endpoint says.
#[derive(Clone, Debug)]
pub(crate) enum Said {
    Text(String),
    Binary(Vec<u8>),
    Ping(String),
    /// A message cut at these places, with a ping behind each fragment that has `true`.
    Fragments(MessageKind, Vec<(Vec<u8>, bool)>),
}

fn payload() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        8 => prop::collection::vec(any::<u8>(), 0..200),
        1 => (any::<u8>(), 60_000..70_000usize).prop_map(|(byte, length)| vec![byte; length]),
    ]
}

fn fragments() -> impl Strategy<Value = Said> {
    let cuts = prop::collection::vec((any::<prop::sample::Index>(), any::<bool>()), 0..6);
    let content = prop_oneof![
        "\\PC{0,100}".prop_map(|text| (MessageKind::Text, text.into_bytes())),
        payload().prop_map(|payload| (MessageKind::Binary, payload)),
    ];
    (content, cuts).prop_map(|((kind, payload), cuts)| {
        let mut cuts: Vec<_> = cuts
            .iter()
            .map(|(cut, ping)| (cut.index(payload.len() + 1), *ping))
            .collect();
        cuts.sort_unstable();
        cuts.push((payload.len(), false));
        let mut from = 0;
        let fragment = |(cut, ping): (usize, bool)| {
            let fragment = payload[from..cut].to_vec();
            from = cut;
            (fragment, ping)
        };
        Said::Fragments(kind, cuts.into_iter().map(fragment).collect())
    })
}

pub(crate) fn said() -> impl Strategy<Value = Said> {
    prop_oneof![
        "\\PC{0,200}".prop_map(Said::Text),
        payload().prop_map(Said::Binary),
        "[a-z]{0,125}".prop_map(Said::Ping),
        fragments(),
    ]
}

pub(crate) fn any_role() -> impl Strategy<Value = Role> {
    prop_oneof![Just(Role::Client), Just(Role::Server)]
}

pub(crate) fn other(role: Role) -> Role {
    match role {
        Role::Client => Role::Server,
        Role::Server => Role::Client,
    }
}

/// Says it, and gives what the peer must hear.
pub(crate) fn say(speaker: &mut Endpoint, said: &Said) -> Vec<Heard> {
    match said {
        Said::Text(text) => {
            speaker.text(text).unwrap();
            vec![Heard::Text(text.clone())]
        }
        Said::Binary(payload) => {
            speaker.binary(payload).unwrap();
            vec![Heard::Binary(payload.clone())]
        }
        Said::Ping(payload) => {
            speaker.ping(payload).unwrap();
            vec![Heard::Ping(payload.clone().into_bytes())]
        }
        Said::Fragments(kind, fragments) => {
            let mut heard = Vec::new();
            for (i, (fragment, ping)) in fragments.iter().enumerate() {
                speaker
                    .fragment(*kind, fragment, i + 1 == fragments.len())
                    .unwrap();
                if *ping {
                    speaker.ping("between").unwrap();
                    heard.push(Heard::Ping(b"between".to_vec()));
                }
            }
            let whole: Vec<u8> = fragments
                .iter()
                .flat_map(|(fragment, _)| fragment)
                .copied()
                .collect();
            heard.push(match kind {
                MessageKind::Text => Heard::Text(String::from_utf8(whole).unwrap()),
                MessageKind::Binary => Heard::Binary(whole),
            });
            heard
        }
    }
}

/// Reads `wire` in pieces of the given sizes, again and again.
pub(crate) fn read_in_pieces(endpoint: &mut Endpoint, wire: &[u8], sizes: &[usize]) {
    let mut rest = wire;
    for size in sizes.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (piece, after) = rest.split_at(rest.len().min(*size));
        endpoint.read(piece);
        rest = after;
    }
}

pub(crate) fn sizes() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(prop_oneof![1..20usize, 1..5000usize], 1..6)
}

/// Bytes that begin as frames do, so that more than the first header is tried.
fn nearly_frames() -> impl Strategy<Value = (Role, Vec<u8>)> {
    let first = prop_oneof![
        10 => prop::sample::select(vec![0x81u8, 0x82, 0x01, 0x02, 0x00, 0x80, 0x89, 0x8A, 0x88]),
        1 => any::<u8>(),
    ];
    let content = prop_oneof![
        "\\PC{0,30}".prop_map(String::into_bytes),
        prop::collection::vec(any::<u8>(), 0..130),
        Just(vec![0x03, 0xE8, b'b', b'y', b'e']),
    ];
    let damage = (any::<prop::sample::Index>(), any::<u8>());
    let frames = prop::collection::vec((first, content), 0..8);
    (any_role(), frames, prop::option::weighted(0.3, damage)).prop_map(|(role, frames, damage)| {
        let mut wire = Vec::new();
        for (first, content) in frames {
            wire.extend(crate::pair::frame_to(role, first, &content));
        }
        if let Some((index, byte)) = damage
            && !wire.is_empty()
        {
            let at = index.index(wire.len());
            wire[at] = byte;
        }
        (role, wire)
    })
}

proptest! {
    #[test]
    fn whatever_is_said_is_heard_however_it_is_cut(
        role in any_role(),
        all in prop::collection::vec(said(), 0..8),
        sizes in sizes(),
    ) {
        let mut speaker = Endpoint::new(role, Config::default());
        let mut listener = Endpoint::new(other(role), Config::default());
        let expected: Vec<Heard> = all.iter().flat_map(|said| say(&mut speaker, said)).collect();
        read_in_pieces(&mut listener, &speaker.outbox, &sizes);
        prop_assert_eq!(listener.heard(), expected.clone());

        // The pongs find their way back too.
        speaker.read(&listener.outbox);
        let pings = expected.into_iter().filter_map(|heard| match heard {
            Heard::Ping(payload) => Some(Heard::Pong(payload)),
            _ => None,
        });
        prop_assert_eq!(speaker.heard(), pings.collect::<Vec<_>>());
    }

    #[test]
    fn events_and_errors_are_the_same_however_the_input_is_cut(
        (role, wire) in prop_oneof![
            nearly_frames(),
            (any_role(), prop::collection::vec(any::<u8>(), 0..100)),
        ],
        sizes in sizes(),
    ) {
        let limits = Limits { message_size: 200, frame_size: 150, fragments: 4 };
        let config = Config { limits, ..Config::default() };
        let (mut whole, mut pieces) = (Endpoint::new(role, config), Endpoint::new(role, config));
        whole.read(&wire);
        read_in_pieces(&mut pieces, &wire, &sizes);
        let (whole_heard, mut pieces_heard) = (whole.heard(), pieces.heard());
        // A connection that failed says so again whenever more comes.
        while let [.., Heard::Broken(first), Heard::Broken(again)] = &pieces_heard[..] {
            prop_assert_eq!(first, again);
            pieces_heard.pop();
        }
        prop_assert_eq!(whole_heard, pieces_heard);
        prop_assert_eq!(whole.connection.handle_end(), pieces.connection.handle_end());
    }
}
