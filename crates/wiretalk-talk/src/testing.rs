//! A world that holds still, for tests.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::world::World;

#[derive(Default)]
pub(crate) struct StillWorld {
    pub(crate) variables: BTreeMap<String, String>,
    state: AtomicU64,
}

impl World for StillWorld {
    fn unix_time(&self) -> f64 {
        1_700_000_000.5
    }

    fn local_time(&self, format: &str) -> Result<String, String> {
        match format {
            "%Y-%m-%dT%H:%M:%S%:z" => Ok("2023-11-14T22:13:20+00:00".into()),
            "%H:%M:%S" => Ok("22:13:20".into()),
            other => Err(format!("`{other}` is not a time format")),
        }
    }

    fn variable(&self, name: &str) -> Option<String> {
        self.variables.get(name).cloned()
    }

    fn random(&self) -> u64 {
        // SplitMix64: well spread, and the same each time.
        let mut z = self
            .state
            .fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed)
            .wrapping_add(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}
