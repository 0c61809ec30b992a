//! The real world, for the expressions of a talk.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
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

/// A seed that nobody chose. It is short, to be typed.
#[must_use]
pub fn fresh_seed() -> u64 {
    SystemWorld.random() >> 32
}

/// The system's clock and time zone, its environment and that of a file, and randomness that can be had again: the same
/// seed gives the same values in the same order.
#[derive(Debug)]
pub struct SeededWorld {
    environment: Environment,
    state: AtomicU64,
    drawn: AtomicBool,
}

/// Environment variables of a file (`--env-file`). The system's own win over them.
pub type Environment = Arc<BTreeMap<String, String>>;

impl SeededWorld {
    /// A world of its own for `what`, so that what several of one seed draw does not depend on who comes first.
    #[must_use]
    pub fn new(seed: u64, what: impl Hash, environment: Environment) -> Self {
        // The keys of this hasher are the same in every run.
        let mut hasher = DefaultHasher::new();
        (seed, what).hash(&mut hasher);
        Self {
            environment,
            state: AtomicU64::new(hasher.finish()),
            drawn: AtomicBool::new(false),
        }
    }

    /// Whether somebody has asked for randomness.
    #[must_use]
    pub fn drawn(&self) -> bool {
        self.drawn.load(Ordering::Relaxed)
    }
}

impl World for SeededWorld {
    fn unix_time(&self) -> f64 {
        SystemWorld.unix_time()
    }

    fn local_time(&self, format: &str) -> Result<String, String> {
        SystemWorld.local_time(format)
    }

    fn variable(&self, name: &str) -> Option<String> {
        SystemWorld
            .variable(name)
            .or_else(|| self.environment.get(name).cloned())
    }

    /// SplitMix64 (Steele, Lea and Flood, 2014).
    fn random(&self) -> u64 {
        const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;
        self.drawn.store(true, Ordering::Relaxed);
        let before = self.state.fetch_add(GAMMA, Ordering::Relaxed);
        let mut z = before.wrapping_add(GAMMA);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draw(seed: u64, what: &str) -> Vec<u64> {
        let world = SeededWorld::new(seed, what, Environment::default());
        assert!(!world.drawn());
        let drawn = (0..4).map(|_| world.random()).collect();
        assert!(world.drawn());
        drawn
    }

    #[test]
    fn the_same_seed_gives_the_same_values() {
        assert_eq!(draw(7, "a"), draw(7, "a"));
        assert_ne!(draw(7, "a"), draw(7, "b"));
        assert_ne!(draw(7, "a"), draw(8, "a"));
    }

    #[test]
    fn the_system_wins_over_a_file() {
        let file = [("PATH", "of the file"), ("WIRETALK_NOWHERE", "here")];
        let file = file.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let world = SeededWorld::new(0, "", Arc::new(file.into()));
        assert_eq!(world.variable("PATH"), std::env::var("PATH").ok());
        assert_eq!(world.variable("WIRETALK_NOWHERE").as_deref(), Some("here"));
        assert_eq!(world.variable("WIRETALK_NOT_EVEN_THERE"), None);
    }
}
