use proptest::prelude::*;

use super::{Payload, Publication, Record, RecordError, Scope, Stamp, put_person};
use crate::ConnectionId;
use crate::record::People;

const STAMP: Stamp = Stamp {
    node: 0x0123_4567_89ab_cdef,
    seq: 7,
    published: 3,
};

/// Every kind of record, with people written to `people`.
fn records(people: &[u8]) -> Vec<Record<'_>> {
    let connection = ConnectionId(9);
    let mut records = vec![
        Record::Keep {
            room: "r",
            value: Payload::Binary(&[0, 255]),
        },
        Record::Forget { room: "" },
        Record::Join {
            connection,
            room: "ä room",
        },
        Record::Leave {
            connection,
            room: "r",
        },
        Record::Identify {
            connection,
            user: Some("ann"),
        },
        Record::Identify {
            connection,
            user: None,
        },
        Record::Gone { connection },
        Record::Present {
            first: true,
            people: People::written(people),
        },
        Record::Hello,
        Record::Heartbeat,
        Record::Bye,
    ];
    for to in [Scope::All, Scope::Room("lobby"), Scope::User("ann")] {
        for message in [
            Payload::Text("hi"),
            Payload::Text(""),
            Payload::Binary(&[1, 2]),
        ] {
            for (but, history, keep) in [
                (None, true, false),
                (Some(connection), false, true),
                (None, false, false),
            ] {
                records.push(Record::Publish(Publication {
                    to,
                    but,
                    message,
                    history,
                    keep,
                    time: 1_700_000_000_000,
                }));
            }
        }
    }
    records
}

fn people() -> Vec<u8> {
    let mut people = Vec::new();
    put_person(
        &mut people,
        ConnectionId(1),
        Some("ann"),
        ["a", "b"].into_iter(),
    );
    put_person(&mut people, ConnectionId(2), None, [].into_iter());
    people
}

#[test]
fn what_is_written_is_read() {
    let people = people();
    for record in records(&people) {
        let bytes = record.encode(STAMP);
        assert!(
            bytes.len() <= record.size(),
            "{record:?} takes more than it says"
        );
        assert_eq!(Record::decode(&bytes), Ok((STAMP, record)));
    }
}

#[test]
fn people_are_read_with_their_rooms() {
    let people = people();
    let read: Vec<_> = People::written(&people)
        .iter()
        .map(|person| {
            (
                person.connection.0,
                person.user,
                person.rooms.collect::<Vec<_>>(),
            )
        })
        .collect();
    assert_eq!(read, [(1, Some("ann"), vec!["a", "b"]), (2, None, vec![])]);
}

#[test]
fn a_record_that_is_cut_off_or_goes_on_is_none() {
    let people = people();
    for record in records(&people) {
        let bytes = record.encode(STAMP);
        for end in 0..bytes.len() {
            let cut = Record::decode(&bytes[..end]);
            // People are a list without a count: cut between two of them, it is a shorter one.
            let between = matches!(record, Record::Present { .. })
                && matches!(cut, Ok((_, Record::Present { .. })));
            assert!(cut.is_err() || between, "{record:?} cut at {end}: {cut:?}");
        }
        let longer = [&bytes[..], &[0]].concat();
        assert!(Record::decode(&longer).is_err(), "{record:?}");
    }
}

#[test]
fn each_mistake_has_its_name() {
    let forget = Record::Forget { room: "room" }.encode(STAMP);
    let change = |at: usize, byte: u8| {
        let mut bytes = forget.clone();
        bytes[at] = byte;
        bytes
    };
    for (bytes, error) in [
        (vec![], RecordError::Short),
        (change(0, 2), RecordError::Version(2)),
        (change(1, 0), RecordError::Unknown(0)),
        (change(1, 200), RecordError::Unknown(200)),
        (change(26, 255), RecordError::Short),
        (change(29, 3), RecordError::Long),
        (change(30, 255), RecordError::NotUtf8),
        (b"SET key value".to_vec(), RecordError::Version(b'S')),
    ] {
        assert_eq!(Record::decode(&bytes).map(|_| ()), Err(error), "{bytes:?}");
    }
}

proptest! {
    #[test]
    fn foreign_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), kind in 0u8..13) {
        let _ = Record::decode(&bytes);
        // And with a head that is right.
        let mut headed = Record::Heartbeat.encode(STAMP);
        headed[1] = kind;
        headed.extend_from_slice(&bytes);
        if let Ok((_, Record::Present { people, .. })) = Record::decode(&headed) {
            for person in people.iter() {
                prop_assert!(person.rooms.count() <= bytes.len());
            }
        }
    }

    #[test]
    fn a_changed_byte_never_panics(at in any::<prop::sample::Index>(), byte in any::<u8>(), which in any::<prop::sample::Index>()) {
        let people = people();
        let records = records(&people);
        let mut bytes = which.get(&records).encode(STAMP);
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok((stamp, record)) = Record::decode(&bytes) {
            prop_assert_eq!(record.encode(stamp), bytes);
        }
    }
}
