//! How fast things may come: the generic cell rate algorithm (ITU-T I.371), which needs one number for each bucket.

use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};

/// So many a second on average, and so many at once. Written as `COUNT/s`, `COUNT/m` or `COUNT/h`, with `:BURST` behind it
/// if not as many as `COUNT` may come at once.
///
/// ```
/// use wiretalk_server::guard::Rate;
///
/// let rate: Rate = "10/s:50".parse().unwrap();
/// assert_eq!((rate.per_second(), rate.burst()), (10.0, 50.0));
/// assert_eq!("600/m".parse::<Rate>().unwrap().per_second(), 10.0);
/// assert_eq!("5/s".parse::<Rate>().unwrap().burst(), 5.0);
/// assert_eq!("60/m".parse::<Rate>().unwrap().burst(), 60.0);
/// assert!("fast".parse::<Rate>().is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    per_second: f64,
    burst: f64,
}

impl Rate {
    /// A rate; without a burst, as much at once as comes in a second, and one at least. `None` for what is no rate: zero,
    /// negative, or without end.
    ///
    /// ```
    /// use wiretalk_server::guard::Rate;
    ///
    /// assert_eq!(Rate::new(0.5, None).unwrap().burst(), 1.0);
    /// assert_eq!(Rate::new(0.0, None), None);
    /// ```
    #[must_use]
    pub fn new(per_second: f64, burst: Option<f64>) -> Option<Self> {
        let burst = burst.unwrap_or(per_second.max(1.0));
        let is_rate =
            per_second.is_finite() && per_second > 1e-6 && burst.is_finite() && burst >= 1.0;
        is_rate.then_some(Self { per_second, burst })
    }

    pub(super) const fn of(per_second: f64, burst: f64) -> Self {
        Self { per_second, burst }
    }

    /// How many a second, on average.
    ///
    /// ```
    /// # use wiretalk_server::guard::Rate;
    /// assert_eq!(Rate::new(2.0, None).unwrap().per_second(), 2.0);
    /// ```
    #[must_use]
    pub fn per_second(&self) -> f64 {
        self.per_second
    }

    /// How many at once.
    ///
    /// ```
    /// # use wiretalk_server::guard::Rate;
    /// assert_eq!(Rate::new(2.0, Some(9.0)).unwrap().burst(), 9.0);
    /// ```
    #[must_use]
    pub fn burst(&self) -> f64 {
        self.burst
    }

    /// The nanoseconds after which so many may come again.
    fn worth(&self, count: f64) -> u64 {
        // A float beyond the range becomes the end of the range.
        (count * 1e9 / self.per_second) as u64
    }

    /// Takes so many out of the bucket, if it has them.
    pub(super) fn take(&self, bucket: &Bucket, count: usize, now: u64) -> bool {
        let (cost, room) = (self.worth(count as f64), self.worth(self.burst));
        let taken = bucket
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |full| {
                let full = full.max(now).saturating_add(cost);
                (full - now <= room).then_some(full)
            });
        taken.is_ok()
    }
}

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parse = || {
            let (rate, burst) = match text.split_once(':') {
                Some((rate, burst)) => (rate, Some(burst.parse().ok()?)),
                None => (text, None),
            };
            let (count, seconds) = match rate.split_once('/') {
                Some((count, "s")) => (count, 1.0),
                Some((count, "m")) => (count, 60.0),
                Some((count, "h")) => (count, 3600.0),
                Some(_) => return None,
                None => (rate, 1.0),
            };
            let count: f64 = count.parse().ok()?;
            Self::new(count / seconds, burst.or(Some(count.max(1.0))))
        };
        parse().ok_or_else(|| {
            "write a rate such as `10/s`, `600/m` or `10/s:50` (50 at once)".to_owned()
        })
    }
}

/// When all that was taken will have come back, in nanoseconds; 0 is a full bucket.
#[derive(Debug, Default)]
pub(super) struct Bucket(AtomicU64);

impl Bucket {
    /// Whether nothing is missing from it any more.
    pub(super) fn is_full(&self, now: u64) -> bool {
        self.0.load(Ordering::Relaxed) <= now
    }
}
