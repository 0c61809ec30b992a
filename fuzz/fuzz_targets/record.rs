//! Whatever lies in a log: a record is read or refused; what is read is written as the same bytes; and a hub that follows it
//! goes on.

#![no_main]

use libfuzzer_sys::fuzz_target;
use wiretalk_hub::log::Log;
use wiretalk_hub::record::Record;
use wiretalk_hub::{HistoryLimits, Hub, HubOptions, Memory};

fuzz_target!(|input: &[u8]| {
    let options = HubOptions {
        node: 1,
        history: HistoryLimits::default(),
        ..HubOptions::default()
    };
    let mut log = Log::new(&options);
    let hub: Hub = Hub::with_options(options, Memory);
    let _ = log.connected(None, "epoch", 0, usize::MAX, 0);
    // The first byte says how long the records are that the rest is cut into.
    let Some((length, rest)) = input.split_first() else {
        return;
    };
    for (at, bytes) in rest.chunks(usize::from(*length).max(1)).enumerate() {
        if let Ok((stamp, record)) = Record::decode(bytes) {
            assert_eq!(record.encode(stamp), bytes);
        }
        let outcome = log.read(at as u64 + 1, bytes, at as u64);
        let _ = hub.follow(&outcome);
    }
    assert_eq!(hub.stats().members, 0);
});
