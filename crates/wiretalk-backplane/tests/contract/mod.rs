//! What every broker must do, whatever it is made of: one suite, run against each, with the real server.

#![allow(unreachable_pub, dead_code)]

mod server;

use std::time::{Duration, Instant};

use tokio::time::timeout;
use wiretalk_backplane::{Begin, Broker, Read, Reader, Writer};

pub use server::Server;

/// How long anything may take that a test waits for.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// Runs the suite. `open` gives a log by its name, at a server that runs.
pub async fn keeps_the_contract<B: Broker>(open: impl Fn(&str) -> B) {
    an_empty_log_is_up_to_date(open("empty")).await;
    all_bytes_come_back(open("bytes")).await;
    long_records_come_back(open("long")).await;
    batches_keep_their_order(open("batches")).await;
    reading_begins_behind_an_offset(open("offset")).await;
    everybody_reads_one_order(|| open("order")).await;
    a_reading_that_is_dropped_loses_nothing(open("dropped")).await;
    logs_are_apart(open("apart:/a"), open("apart:/b")).await;
}

async fn an_empty_log_is_up_to_date(mut broker: impl Broker) {
    let (begin, mut writer, mut reader) = connect(&mut broker, None).await;
    let records = numbered(0..1, 10);
    writer.append(&records).await.expect("it is appended");
    assert_eq!(bytes(&take(&mut reader, 1).await), records);
    // Whatever the end is, it was before that record.
    let (again, ..) = connect(&mut broker, None).await;
    assert_eq!(again.epoch, begin.epoch);
    assert!(again.last > begin.last, "{again:?} {begin:?}");
}

async fn all_bytes_come_back(mut broker: impl Broker) {
    let (_, mut writer, mut reader) = connect(&mut broker, None).await;
    let every: Vec<u8> = (0..=255).collect();
    let mut records: Vec<Vec<u8>> = every.iter().map(|byte| vec![*byte]).collect();
    records.push(every.clone());
    records.push(every.into_iter().rev().collect());
    records.push(vec![0; 100]);
    records.push(b"\r\n".to_vec());
    writer.append(&records).await.expect("they are appended");
    let read = take(&mut reader, records.len()).await;
    assert_eq!(bytes(&read), records);
    assert!(read[0].offset >= 1);
    assert!(read.is_sorted_by(|a, b| a.offset < b.offset), "they grow");
}

async fn long_records_come_back(mut broker: impl Broker) {
    let (_, mut writer, mut reader) = connect(&mut broker, None).await;
    let sizes = [1, 1 << 20, 2, (1 << 20) + 1, 3 << 20, 3];
    let record = |size: usize| -> Vec<u8> { (0..size).map(|n| (n * 7 + size) as u8).collect() };
    let records: Vec<Vec<u8>> = sizes.into_iter().map(record).collect();
    writer.append(&records).await.expect("they are appended");
    let read = take(&mut reader, records.len()).await;
    assert!(bytes(&read) == records, "they are the same");
    // Also for a reader that begins between the long ones.
    let (_, _, mut later) = connect(&mut broker, Some(read[2].offset)).await;
    let rest = take(&mut later, 3).await;
    assert!(rest == read[3..], "the rest is the same");
}

async fn batches_keep_their_order(mut broker: impl Broker) {
    let (_, mut writer, mut reader) = connect(&mut broker, None).await;
    let records = numbered(0..5_000, 100);
    for batch in [&records[..1], &records[1..10], &records[10..]] {
        writer.append(batch).await.expect("they are appended");
    }
    assert!(bytes(&take(&mut reader, records.len()).await) == records);
}

async fn reading_begins_behind_an_offset(mut broker: impl Broker) {
    let (first, mut writer, mut reader) = connect(&mut broker, None).await;
    let records = numbered(0..100, 20);
    writer.append(&records).await.expect("they are appended");
    let read = take(&mut reader, 100).await;
    for at in [0, 50, 98] {
        let (begin, _, mut reader) = connect(&mut broker, Some(read[at].offset)).await;
        assert_eq!(begin.epoch, first.epoch);
        assert!(begin.last >= read[99].offset);
        assert_eq!(take(&mut reader, 99 - at).await, read[at + 1..]);
    }
    // At the end there is nothing, until something comes.
    let (_, mut writer, mut reader) = connect(&mut broker, Some(read[99].offset)).await;
    let more = numbered(100..101, 20);
    writer.append(&more).await.expect("it is appended");
    assert_eq!(bytes(&take(&mut reader, 1).await), more);
    // A reader that knows nothing begins with the oldest record, and is up to date at the end that it was told.
    let (begin, _, mut reader) = connect(&mut broker, None).await;
    let mut all = Vec::new();
    while all
        .last()
        .is_none_or(|read: &Read| read.offset < begin.last)
    {
        all.extend(next(&mut reader).await);
    }
    all.retain(|read| !read.bytes.is_empty());
    assert_eq!(bytes(&all), [records, more].concat());
}

async fn everybody_reads_one_order<B: Broker>(open: impl Fn() -> B) {
    let mut readers = Vec::new();
    let mut writers = Vec::new();
    for _ in 0..3 {
        let (_, writer, reader) = connect(&mut open(), None).await;
        writers.push(writer);
        readers.push(reader);
    }
    let tasks: Vec<_> = writers
        .into_iter()
        .enumerate()
        .map(|(who, mut writer)| {
            tokio::spawn(async move {
                for n in 0..50 {
                    let records: Vec<Vec<u8>> = (0..4)
                        .map(|at| format!("{who} {}", n * 4 + at).into())
                        .collect();
                    writer.append(&records).await.expect("they are appended");
                }
                // The connection stays until all is read: dropping it is no part of this.
                writer
            })
        })
        .collect();
    let mut orders = Vec::new();
    for reader in &mut readers {
        orders.push(take(reader, 600).await);
    }
    assert_eq!(orders[0], orders[1]);
    assert_eq!(orders[0], orders[2]);
    for who in 0..3 {
        let prefix = format!("{who} ");
        let own = orders[0].iter().filter_map(|read| {
            let text = std::str::from_utf8(&read.bytes).expect("it is a text");
            text.strip_prefix(&prefix)?.parse::<usize>().ok()
        });
        assert!(own.eq(0..200), "each writer's records are in its order");
    }
    for task in tasks {
        task.await.expect("it does not panic");
    }
}

async fn a_reading_that_is_dropped_loses_nothing(mut broker: impl Broker) {
    let (_, mut writer, mut reader) = connect(&mut broker, None).await;
    let records = [
        numbered(0..300, 1_000),
        vec![vec![7; (1 << 20) + 5]],
        numbered(300..600, 10),
    ]
    .concat();
    let expected = records.clone();
    let task = tokio::spawn(async move {
        for records in records.chunks(20) {
            writer.append(records).await.expect("they are appended");
        }
        writer
    });
    let mut read = Vec::new();
    let deadline = Instant::now() + PATIENCE;
    while read.len() < expected.len() {
        assert!(Instant::now() < deadline, "{} were read", read.len());
        // Dropped at whichever await it is after a moment, often the first.
        if let Ok(found) = timeout(Duration::from_micros(300), reader.read()).await {
            read.extend(found.expect("it reads"));
            read.retain(|read| !read.bytes.is_empty());
        }
    }
    assert!(bytes(&read) == expected);
    task.await.expect("it does not panic");
}

async fn logs_are_apart(mut one: impl Broker, mut other: impl Broker) {
    let (a, mut to_one, mut from_one) = connect(&mut one, None).await;
    let (b, mut to_other, mut from_other) = connect(&mut other, None).await;
    assert_ne!(a.epoch, "");
    assert_ne!(b.epoch, "");
    let (for_one, for_other) = (numbered(0..2, 10), numbered(5..7, 10));
    to_one.append(&for_one).await.expect("they are appended");
    to_other
        .append(&for_other)
        .await
        .expect("they are appended");
    assert_eq!(bytes(&take(&mut from_one, 2).await), for_one);
    assert_eq!(bytes(&take(&mut from_other, 2).await), for_other);
}

/// A broker that is killed while records are appended: both halves say so; and when it runs again, each record that was
/// appended for certain is there, once more than once at the most, in its order, in the same epoch and with its offset.
pub async fn outlives_a_kill<B: Broker>(server: &mut Server, open: impl Fn(&str) -> B) {
    let mut broker = open("killed");
    let (begin, mut writer, mut reader) = connect(&mut broker, None).await;
    let first = numbered(0..1_000, 100);
    writer.append(&first).await.expect("they are appended");
    let before = take(&mut reader, 1_000).await;
    server.sync();
    let appending = tokio::spawn(async move {
        let mut certain = 0;
        for n in 1_000.. {
            if writer.append(&numbered(n..n + 1, 100)).await.is_err() {
                break;
            }
            certain = n;
        }
        certain
    });
    let mut during = at_least(&mut reader, 200).await;
    server.kill();
    let certain = timeout(PATIENCE, appending)
        .await
        .expect("the writer says that the broker is gone")
        .expect("it does not panic");
    let read_on = async {
        while let Ok(found) = reader.read().await {
            during.extend(found);
        }
    };
    timeout(PATIENCE, read_on)
        .await
        .expect("the reader says that the broker is gone");
    during.retain(|read| !read.bytes.is_empty());
    let away = timeout(PATIENCE, broker.connect(None)).await;
    let error = away
        .expect("it gives up")
        .map(drop)
        .expect_err("nobody listens");
    let port = server
        .url()
        .rsplit(':')
        .next()
        .unwrap_or_default()
        .to_owned();
    assert!(error.to_string().contains(&port), "{error}");

    server.restart();
    let (again, mut writer, mut reader) = connect_when_ready(&mut broker, None).await;
    assert_eq!(again.epoch, begin.epoch);
    writer
        .append(&[b"end".to_vec()])
        .await
        .expect("it is appended");
    let mut all = Vec::new();
    while all.last().is_none_or(|read: &Read| read.bytes != b"end") {
        all.extend(at_least(&mut reader, 1).await);
    }
    all.pop();
    let known = [before, during].concat();
    assert!(
        all[..known.len().min(all.len())] == known[..],
        "what was read is where it was"
    );
    let kept = bytes(&all);
    assert!(kept.len() > certain, "{} of {certain} are kept", kept.len());
    assert!(
        kept == numbered(0..kept.len(), 100),
        "each once, in its order"
    );
}

/// Records that say which they are.
pub fn numbered(which: std::ops::Range<usize>, length: usize) -> Vec<Vec<u8>> {
    let record = |n: usize| {
        let mut bytes = format!("{n} ").into_bytes();
        bytes.resize(length.max(bytes.len()), b'.');
        bytes
    };
    which.map(record).collect()
}

pub async fn connect<B: Broker>(
    broker: &mut B,
    after: Option<u64>,
) -> (Begin, B::Writer, B::Reader) {
    timeout(PATIENCE, broker.connect(after))
        .await
        .expect("it connects in time")
        .expect("it connects")
}

/// Connects to a broker that listens, but may not be done with its own start.
async fn connect_when_ready<B: Broker>(
    broker: &mut B,
    after: Option<u64>,
) -> (Begin, B::Writer, B::Reader) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match broker.connect(after).await {
            Ok(connected) => return connected,
            Err(error) => assert!(Instant::now() < deadline, "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn next(reader: &mut impl Reader) -> Vec<Read> {
    timeout(PATIENCE, reader.read())
        .await
        .expect("something comes in time")
        .expect("it reads")
}

/// Reads so many records, marks left out, and no more.
pub async fn take(reader: &mut impl Reader, count: usize) -> Vec<Read> {
    let read = at_least(reader, count).await;
    assert_eq!(read.len(), count, "no more come than there are");
    read
}

/// Reads so many records, marks left out, and what comes with them.
async fn at_least(reader: &mut impl Reader, count: usize) -> Vec<Read> {
    let mut read = Vec::new();
    while read.len() < count {
        read.extend(next(reader).await);
        read.retain(|read| !read.bytes.is_empty());
    }
    read
}

pub fn bytes(read: &[Read]) -> Vec<Vec<u8>> {
    read.iter().map(|read| read.bytes.clone()).collect()
}
