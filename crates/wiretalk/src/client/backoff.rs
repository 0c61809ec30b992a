//! How long to wait before the next attempt.

use std::time::Duration;

/// How long to wait before dialing again.
///
/// Before the wait number `n`, counted from 0 and anew after each success, the *ceiling* is `first * factor^n`, but no
/// more than the maximum. With jitter the delay is any time between none and the ceiling, all equally likely: "full
/// jitter" in Marc Brooker's *Exponential Backoff And Jitter* (AWS Architecture Blog, 2015), which spreads the clients
/// of a server that was restarted best. Without, it is the ceiling.
///
/// ```
/// use std::time::Duration;
/// use wiretalk::client::Backoff;
///
/// let backoff = Backoff::exponential().first(Duration::from_secs(1)).max(Duration::from_secs(5));
/// let ceilings: Vec<u64> = (0..5).map(|n| backoff.ceiling(n).as_secs()).collect();
/// assert_eq!(ceilings, [1, 2, 4, 5, 5]);
/// assert!(backoff.delay(3) <= Duration::from_secs(5));
///
/// assert_eq!(Backoff::fixed(Duration::from_secs(2)).delay(7), Duration::from_secs(2));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Backoff {
    first: Duration,
    factor: f64,
    max: Duration,
    jitter: bool,
    settled_after: Duration,
}

impl Default for Backoff {
    /// [`Backoff::exponential`].
    fn default() -> Self {
        Self::exponential()
    }
}

impl Backoff {
    /// Ceilings of 0.5 s, 1 s, 2 s and so on up to 30 s, with full jitter. A connection that lasted for less than 5 s
    /// was no success: see [`settled_after`](Self::settled_after).
    ///
    /// ```
    /// use std::time::Duration;
    /// use wiretalk::client::Backoff;
    ///
    /// let backoff = Backoff::exponential();
    /// assert_eq!(backoff.ceiling(0), Duration::from_millis(500));
    /// assert_eq!(backoff.ceiling(1), Duration::from_secs(1));
    /// assert_eq!(backoff.ceiling(9), Duration::from_secs(30));
    /// ```
    #[must_use]
    pub fn exponential() -> Self {
        Self {
            first: Duration::from_millis(500),
            factor: 2.0,
            max: Duration::from_secs(30),
            jitter: true,
            settled_after: Duration::from_secs(5),
        }
    }

    /// The same delay each time, without jitter. Every connection that opens is a success.
    ///
    /// ```
    /// use std::time::Duration;
    /// use wiretalk::client::Backoff;
    ///
    /// let backoff = Backoff::fixed(Duration::from_secs(2));
    /// assert_eq!((backoff.delay(0), backoff.delay(9)), (Duration::from_secs(2), Duration::from_secs(2)));
    /// ```
    #[must_use]
    pub fn fixed(delay: Duration) -> Self {
        Self {
            first: delay,
            factor: 1.0,
            max: delay,
            jitter: false,
            settled_after: Duration::ZERO,
        }
    }

    /// The first ceiling.
    ///
    /// ```
    /// use std::time::Duration;
    /// use wiretalk::client::Backoff;
    ///
    /// let backoff = Backoff::exponential().first(Duration::from_secs(1));
    /// assert_eq!(backoff.ceiling(2), Duration::from_secs(4));
    /// ```
    #[must_use]
    pub fn first(mut self, first: Duration) -> Self {
        self.first = first;
        self
    }

    /// By what each ceiling is multiplied for the next. One below 1, or not a number, counts as 1.
    ///
    /// ```
    /// use std::time::Duration;
    /// use wiretalk::client::Backoff;
    ///
    /// let backoff = Backoff::exponential().first(Duration::from_secs(1)).factor(3.0);
    /// assert_eq!(backoff.ceiling(2), Duration::from_secs(9));
    /// ```
    #[must_use]
    pub fn factor(mut self, factor: f64) -> Self {
        self.factor = factor.max(1.0);
        self
    }

    /// The highest ceiling.
    ///
    /// ```
    /// use std::time::Duration;
    /// use wiretalk::client::Backoff;
    ///
    /// let backoff = Backoff::exponential().max(Duration::from_secs(5));
    /// assert_eq!(backoff.ceiling(100), Duration::from_secs(5));
    /// ```
    #[must_use]
    pub fn max(mut self, max: Duration) -> Self {
        self.max = max;
        self
    }

    /// Whether the delay is drawn by lot below its ceiling.
    ///
    /// ```
    /// use wiretalk::client::Backoff;
    ///
    /// let backoff = Backoff::exponential().jitter(false);
    /// assert_eq!(backoff.delay(3), backoff.ceiling(3));
    /// ```
    #[must_use]
    pub fn jitter(mut self, jitter: bool) -> Self {
        self.jitter = jitter;
        self
    }

    /// How long a connection must have been open to be a success, behind which attempts and ceilings count anew. With
    /// zero, a server that accepts clients only to drop them at once is dialed with the first ceiling for ever.
    ///
    /// ```
    /// use std::time::Duration;
    /// use wiretalk::client::Backoff;
    ///
    /// // A minute, since this server logs us in only to throw us out after a while.
    /// let backoff = Backoff::exponential().settled_after(Duration::from_secs(60));
    /// ```
    #[must_use]
    pub fn settled_after(mut self, settled_after: Duration) -> Self {
        self.settled_after = settled_after;
        self
    }

    /// The longest delay of wait number `n`, the first being 0.
    ///
    /// ```
    /// use std::time::Duration;
    /// use wiretalk::client::Backoff;
    ///
    /// let backoff = Backoff::exponential();
    /// let ceilings: Vec<u64> = (1..8).map(|n| backoff.ceiling(n).as_secs()).collect();
    /// assert_eq!(ceilings, [1, 2, 4, 8, 16, 30, 30]);
    /// ```
    #[must_use]
    pub fn ceiling(&self, n: u32) -> Duration {
        let factor = self.factor.powi(i32::try_from(n).unwrap_or(i32::MAX));
        let ceiling = Duration::try_from_secs_f64(self.first.as_secs_f64() * factor);
        // What no duration can hold is longer than any maximum.
        ceiling.unwrap_or(self.max).min(self.max)
    }

    /// A delay for wait number `n`, the first being 0.
    ///
    /// ```
    /// use wiretalk::client::Backoff;
    ///
    /// let backoff = Backoff::exponential();
    /// assert!(backoff.delay(3) <= backoff.ceiling(3));
    /// ```
    #[must_use]
    pub fn delay(&self, n: u32) -> Duration {
        let ceiling = self.ceiling(n);
        if self.jitter {
            ceiling.mul_f64(random_fraction())
        } else {
            ceiling
        }
    }

    /// Whether a connection that was open for so long was a success.
    pub(crate) fn settles(&self, open: Duration) -> bool {
        open >= self.settled_after
    }
}

/// Any number from 0 up to 1. Without a random source there is no jitter: a delay is no secret.
fn random_fraction() -> f64 {
    getrandom::u32().map_or(1.0, |random| f64::from(random) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests;
