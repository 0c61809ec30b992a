//! The gate of one connection: what its client may cost, and how long it may stay.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::counts::Buckets;
use super::rate::{Bucket, Rate};
use super::{Guard, Limit};
use crate::gate::{Expelled, Gate, Pass, Payload};

/// Policy violation (RFC 6455 7.4.1).
const POLICY: u16 = 1008;
/// The endpoint goes away.
const GOING_AWAY: u16 = 1001;
/// Pings and pongs, where messages have a rate: they are none, but cost as much. No honest client needs that many.
const CONTROL: Rate = Rate::of(10.0, 100.0);
/// A close frame's reason at its longest.
const MOST_REASON: usize = 123;

/// Watches one client, and gives back what it took up when it is gone.
pub(super) struct Watch {
    pub(super) guard: Arc<Guard>,
    pub(super) own: Buckets,
    /// Pings and pongs.
    pub(super) control: Bucket,
    pub(super) address: Option<(IpAddr, Arc<Buckets>)>,
    pub(super) user: Option<(Arc<str>, Arc<Buckets>)>,
    /// When its token ends.
    pub(super) expires: Option<Instant>,
    /// When it came, or last sent a message.
    pub(super) heard: Instant,
}

impl Watch {
    fn within(&self, limit: &Limit, buckets: &Buckets, bytes: usize, now: u64) -> bool {
        let takes = |rate: Option<Rate>, bucket: &Bucket, count| {
            rate.is_none_or(|rate| rate.take(bucket, count, now))
        };
        takes(limit.messages, &buckets.messages, 1) && takes(limit.bytes, &buckets.bytes, bytes)
    }

    fn in_time(&self, now: Instant) -> Result<(), Expelled> {
        if self.expires.is_some_and(|expires| expires <= now) {
            return Err(expelled("token-expired", "the token has expired"));
        }
        Ok(())
    }

    fn silent_until(&self) -> Option<Instant> {
        // A limit that the clock cannot count to is none.
        self.heard.checked_add(self.guard.options.idle?)
    }
}

impl Gate for Watch {
    fn message(&mut self, payload: Payload<'_>, now: Instant) -> Result<Pass, Expelled> {
        // A client that never pauses may keep the clock from being looked at.
        self.in_time(now)?;
        self.heard = now;
        let options = &self.guard.options;
        let (time, bytes) = (self.guard.nanoseconds(now), payload.as_bytes().len());
        if !self.within(&options.connection, &self.own, bytes, time) {
            return Err(expelled("rate", "too many messages at once"));
        }
        if let Some((_, buckets)) = &self.user
            && !self.within(&options.user, buckets, bytes, time)
        {
            return Err(expelled(
                "user-rate",
                "too many messages of this user at once",
            ));
        }
        if let Some((_, buckets)) = &self.address
            && !self.within(&options.address, buckets, bytes, time)
        {
            return Err(expelled(
                "address-rate",
                "too many messages from this address at once",
            ));
        }
        #[cfg(feature = "schema")]
        if let Some(schema) = &options.schema
            && let Err(why) = schema.check(payload)
        {
            return Err(expelled("schema", why));
        }
        Ok(Pass::On)
    }

    fn control(&mut self, now: Instant) -> Result<(), Expelled> {
        let options = &self.guard.options;
        let limits = [&options.connection, &options.user, &options.address];
        let limited = limits.iter().any(|limit| !limit.is_none());
        let time = self.guard.nanoseconds(now);
        if limited && !CONTROL.take(&self.control, 1, time) {
            return Err(expelled("rate", "too many pings at once"));
        }
        Ok(())
    }

    fn unread(&mut self, now: Instant) {
        self.heard = now;
    }

    fn deadline(&self) -> Option<Instant> {
        match (self.expires, self.silent_until()) {
            (Some(expires), Some(silent)) => Some(expires.min(silent)),
            (one, other) => one.or(other),
        }
    }

    fn over(&mut self, now: Instant) -> Result<(), Expelled> {
        self.in_time(now)?;
        if self.silent_until().is_some_and(|silent| silent <= now) {
            return Err(Expelled {
                code: GOING_AWAY,
                kind: "idle",
                reason: Cow::Borrowed("the client was silent for too long"),
            });
        }
        Ok(())
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let now = self.guard.nanoseconds(Instant::now());
        if let Some((address, _)) = &self.address {
            self.guard.addresses.leave(address, now);
        }
        if let Some((user, _)) = &self.user {
            self.guard.users.leave(user, now);
        }
    }
}

/// The time of a monotonic clock at which a token ends.
pub(super) fn end_of(expires: f64, now: Instant, time: f64) -> Option<Instant> {
    // A token for longer than clocks can count does not end.
    let left = Duration::try_from_secs_f64((expires - time).max(0.0)).ok()?;
    now.checked_add(left)
}

fn expelled(kind: &'static str, reason: impl Into<Cow<'static, str>>) -> Expelled {
    let mut reason = reason.into();
    if reason.len() > MOST_REASON {
        let end = reason.floor_char_boundary_at(MOST_REASON);
        reason.to_mut().truncate(end);
    }
    Expelled {
        code: POLICY,
        kind,
        reason,
    }
}

/// `str::floor_char_boundary`, which is younger than the compilers that this is for.
trait Boundary {
    fn floor_char_boundary_at(&self, most: usize) -> usize;
}

impl Boundary for str {
    fn floor_char_boundary_at(&self, most: usize) -> usize {
        let at = |at: &usize| self.is_char_boundary(*at);
        (0..=most).rev().find(at).unwrap_or(0)
    }
}
