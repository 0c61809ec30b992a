//! Counters with labels: close codes, and the reasons of refusals.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// As many close codes have a counter of their own: a peer chooses its code, and is not to choose how long the page is.
const MOST_CODES: usize = 64;

/// How many connections ended with each close code.
#[derive(Debug, Default)]
pub(super) struct Codes {
    counts: Mutex<BTreeMap<u16, u64>>,
}

impl Codes {
    pub(super) fn add(&self, code: u16) {
        let mut counts = lock(&self.counts);
        let known = counts.len() < MOST_CODES || counts.contains_key(&code) || is_of_the_rfc(code);
        *counts.entry(if known { code } else { 0 }).or_default() += 1;
    }

    /// Each code with its count.
    pub(super) fn counts(&self) -> Vec<(String, u64)> {
        let shown = |code: u16| match code {
            0 => "other".to_owned(),
            code => code.to_string(),
        };
        let counts = lock(&self.counts);
        counts
            .iter()
            .map(|(code, count)| (shown(*code), *count))
            .collect()
    }
}

/// How many handshakes were refused, or clients expelled, for each reason.
#[derive(Debug, Default)]
pub(super) struct Reasons {
    counts: Mutex<BTreeMap<&'static str, u64>>,
}

impl Reasons {
    pub(super) fn add(&self, reason: &'static str) {
        *lock(&self.counts).entry(reason).or_default() += 1;
    }

    /// Each reason with its count.
    pub(super) fn counts(&self) -> Vec<(&'static str, u64)> {
        let counts = lock(&self.counts);
        counts
            .iter()
            .map(|(reason, count)| (*reason, *count))
            .collect()
    }
}

/// RFC 6455 section 7.4.1, and what was registered since.
fn is_of_the_rfc(code: u16) -> bool {
    (1000..=1015).contains(&code)
}

fn lock<T>(counts: &Mutex<T>) -> MutexGuard<'_, T> {
    counts.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::{Codes, MOST_CODES};

    #[test]
    fn peers_do_not_choose_how_many_counters_there_are() {
        let codes = Codes::default();
        for code in 3000..5000 {
            codes.add(code);
        }
        codes.add(1006);
        codes.add(3000);
        let counts = codes.counts();
        assert_eq!(counts.len(), MOST_CODES + 2);
        let count = |code: &str| {
            let found = counts.iter().find(|(name, _)| name == code);
            found.map(|(_, count)| *count)
        };
        assert_eq!(count("3000"), Some(2));
        assert_eq!(count("1006"), Some(1));
        assert_eq!(count("other"), Some(2000 - MOST_CODES as u64));
    }
}
