//! The real world, for the expressions of a talk.

use std::time::{SystemTime, UNIX_EPOCH};

use jiff::Zoned;
use jiff::fmt::strtime;
use wiretalk_talk::World;

/// The system's clock, time zone, environment and randomness.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemWorld;

impl World for SystemWorld {
    fn unix_time(&self) -> f64 {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0.0, |since| since.as_secs_f64())
    }

    fn local_time(&self, format: &str) -> Result<String, String> {
        strtime::format(format, &Zoned::now())
            .map_err(|error| format!("`{format}` is not a time format: {error}"))
    }

    fn variable(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn random(&self) -> u64 {
        let (high, low) = uuid::Uuid::new_v4().as_u64_pair();
        // Six bits of a version 4 UUID are fixed, four of them in the first half; both halves together hide them.
        high ^ low.rotate_left(32)
    }
}
