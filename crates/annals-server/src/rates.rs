//! What one key may ask and append in a second: a token bucket for each, off unless set.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use axum::http::StatusCode;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use crate::config::Limits;
use crate::error::{Answer, Failure};

/// Keys remembered at once. Of more than these, which only names behind a trusted proxy can be, the oldest is
/// forgotten and starts with a full bucket again.
const KEYS_MAX: usize = 65_536;

/// What a key may ask and append in a second where it is not what the settings say; 0 is as much as it likes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OwnRates {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) requests_per_second: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) events_per_second: Option<u32>,
}

impl OwnRates {
    /// The names that [`OwnRates::parse`] reads, and the most that each takes: what the settings do.
    pub(crate) const NAMES: [(&str, u64); 2] =
        [("requests_per_second", 1_000_000), ("events_per_second", 1_000_000_000)];

    /// Reads them from the body of a request.
    ///
    /// # Errors
    /// 400 naming what is no whole number of its range.
    pub(crate) fn parse(body: &Map<String, Value>) -> Answer<Self> {
        let [requests, events] = Self::NAMES.map(|(name, max)| match body.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => {
                let rate = value.as_u64().filter(|rate| *rate <= max).and_then(|rate| u32::try_from(rate).ok());
                let refused = || Failure::invalid(name, format!("must be a whole number of 0 to {max}"));
                rate.map(Some).ok_or_else(refused)
            }
        });
        Ok(Self { requests_per_second: requests?, events_per_second: events? })
    }

    /// Those there are, as the members of an answer.
    pub(crate) fn members(self) -> impl Iterator<Item = (String, Value)> {
        let [(requests, _), (events, _)] = Self::NAMES;
        let members = [(requests, self.requests_per_second), (events, self.events_per_second)];
        members.into_iter().filter_map(|(name, rate)| Some((name.to_owned(), json!(rate?))))
    }
}

/// What keys have left.
#[derive(Debug)]
pub(crate) struct Rates {
    requests: Mutex<Buckets>,
    events: Mutex<Buckets>,
}

impl Default for Rates {
    fn default() -> Self {
        Self { requests: Mutex::new(Buckets::new(KEYS_MAX)), events: Mutex::new(Buckets::new(KEYS_MAX)) }
    }
}

impl Rates {
    /// Counts a request of a key. `now` is monotonic.
    ///
    /// # Errors
    /// 429 if it has had its requests for now.
    pub(crate) fn request(&self, key_id: &str, own: OwnRates, limits: &Limits, now: Duration) -> Answer<()> {
        let per_second = own.requests_per_second.unwrap_or(limits.key_requests_per_second);
        let rate = Rate::new(per_second, limits.key_burst);
        take(&self.requests, key_id, 1, rate, now).map_err(|wait| over("requests", per_second, wait))
    }

    /// Counts events that a key is about to append, all of them or none.
    ///
    /// # Errors
    /// 429 if it has had its events for now.
    pub(crate) fn events(
        &self,
        key_id: &str,
        own: OwnRates,
        count: usize,
        limits: &Limits,
        now: Duration,
    ) -> Answer<()> {
        let per_second = own.events_per_second.unwrap_or(limits.key_events_per_second);
        let rate = Rate::new(per_second, limits.key_burst);
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        take(&self.events, key_id, count, rate, now).map_err(|wait| over("events", per_second, wait))
    }
}

fn over(what: &str, rate: u32, wait: Duration) -> Failure {
    let message = format!("the key is over its rate of {rate} {what} a second");
    let wait_s = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    let failure = Failure::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited", message);
    Failure { retry_after_s: Some(wait_s.max(1)), ..failure }
}

/// The administrator's key of the settings has no id and no rate: whoever operates the server must get in.
fn take(buckets: &Mutex<Buckets>, key_id: &str, count: u32, rate: Option<Rate>, now: Duration) -> Result<(), Duration> {
    match rate {
        Some(rate) if !key_id.is_empty() => {
            // By a hash, so that a name takes the same memory however long it is.
            buckets.lock().take(Sha256::digest(key_id.as_bytes()).into(), count, rate, now)
        }
        _ => Ok(()),
    }
}

#[derive(Clone, Copy, Debug)]
struct Rate {
    per_second: f64,
    /// What a full bucket holds.
    full: f64,
}

impl Rate {
    /// `None` for 0: no bound.
    fn new(per_second: u32, burst: Duration) -> Option<Self> {
        let per_second = f64::from(per_second);
        (per_second > 0.0).then(|| Self { per_second, full: (per_second * burst.as_secs_f64()).max(1.0) })
    }
}

#[derive(Debug)]
struct Buckets {
    held_max: usize,
    held: HashMap<[u8; 32], Bucket>,
    /// Those that are held, the oldest first.
    order: VecDeque<[u8; 32]>,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    /// Below zero after a batch larger than a full bucket.
    tokens: f64,
    at: Duration,
}

impl Buckets {
    fn new(held_max: usize) -> Self {
        Self { held_max, held: HashMap::new(), order: VecDeque::new() }
    }

    /// Takes `count` tokens, or says how long to wait for them. More than a full bucket holds are let through by a
    /// full one, which then owes the rest: otherwise a large batch could never pass.
    fn take(&mut self, key: [u8; 32], count: u32, rate: Rate, now: Duration) -> Result<(), Duration> {
        if !self.held.contains_key(&key) {
            if self.held.len() >= self.held_max
                && let Some(oldest) = self.order.pop_front()
            {
                self.held.remove(&oldest);
            }
            self.order.push_back(key);
        }
        let bucket = self.held.entry(key).or_insert(Bucket { tokens: rate.full, at: now });
        let passed = now.saturating_sub(bucket.at).as_secs_f64();
        bucket.tokens = (bucket.tokens + passed * rate.per_second).min(rate.full);
        bucket.at = bucket.at.max(now);
        let needed = f64::from(count).min(rate.full);
        if bucket.tokens + ROUNDING >= needed {
            bucket.tokens -= f64::from(count);
            return Ok(());
        }
        let wait_s = (needed - bucket.tokens) / rate.per_second;
        Err(Duration::try_from_secs_f64(wait_s).unwrap_or(Duration::MAX))
    }
}

/// Tokens of many small parts of a second add up to this much too few.
const ROUNDING: f64 = 1e-6;

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(requests: u32, events: u32, burst_s: u64) -> Limits {
        Limits {
            key_requests_per_second: requests,
            key_events_per_second: events,
            key_burst: Duration::from_secs(burst_s),
            ..Limits::default()
        }
    }

    const NO_OWN: OwnRates = OwnRates { requests_per_second: None, events_per_second: None };

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn so_many_pass_and_one_more_waits() {
        let (rates, limits) = (Rates::default(), limits(2, 0, 3));
        for _ in 0..6 {
            rates.request("k", NO_OWN, &limits, ms(0)).unwrap();
        }
        let refused = rates.request("k", NO_OWN, &limits, ms(0)).unwrap_err();
        assert_eq!((refused.status.as_u16(), refused.code, refused.retry_after_s), (429, "rate_limited", Some(1)));
        assert!(rates.request("other", NO_OWN, &limits, ms(0)).is_ok(), "keys are counted by themselves");
        assert!(rates.request("k", NO_OWN, &limits, ms(499)).is_err());
        assert!(rates.request("k", NO_OWN, &limits, ms(500)).is_ok());
        assert!(rates.request("k", NO_OWN, &limits, ms(500)).is_err());
        // However long it is silent, a bucket holds no more than what it is full with.
        let passed = (0..20).filter(|_| rates.request("k", NO_OWN, &limits, ms(1_000_000)).is_ok()).count();
        assert_eq!(passed, 6);
    }

    #[test]
    fn events_are_counted_by_batches() {
        let (rates, limits) = (Rates::default(), limits(0, 10, 1));
        assert!(rates.events("k", NO_OWN, 10, &limits, ms(0)).is_ok());
        let refused = rates.events("k", NO_OWN, 1, &limits, ms(99)).unwrap_err();
        assert_eq!(refused.retry_after_s, Some(1));
        assert!(rates.events("k", NO_OWN, 1, &limits, ms(100)).is_ok());
        assert!(rates.events("k", NO_OWN, 5, &limits, ms(599)).is_err(), "a refused batch takes nothing");
        assert!(rates.events("k", NO_OWN, 5, &limits, ms(600)).is_ok());
    }

    #[test]
    fn a_batch_above_a_full_bucket_passes_and_is_paid_for_afterwards() {
        let (rates, limits) = (Rates::default(), limits(0, 10, 1));
        assert!(rates.events("k", NO_OWN, 35, &limits, ms(0)).is_ok());
        let refused = rates.events("k", NO_OWN, 1, &limits, ms(0)).unwrap_err();
        assert_eq!(refused.retry_after_s, Some(3), "25 are owed");
        assert!(rates.events("k", NO_OWN, 1, &limits, ms(2599)).is_err());
        assert!(rates.events("k", NO_OWN, 1, &limits, ms(2600)).is_ok());
    }

    #[test]
    fn a_rate_of_its_own_goes_before_that_of_the_settings() {
        let (rates, limits) = (Rates::default(), limits(1, 1, 1));
        let own = OwnRates { requests_per_second: Some(3), events_per_second: Some(0) };
        let passed = |key: &str, own| (0..9).filter(|_| rates.request(key, own, &limits, ms(0)).is_ok()).count();
        assert_eq!((passed("k", own), passed("other", NO_OWN)), (3, 1));
        let refused = rates.request("k", own, &limits, ms(0)).unwrap_err();
        assert!(refused.message.contains("3 requests a second"), "{}", refused.message);
        assert!((0..9).all(|_| rates.events("k", own, 1000, &limits, ms(0)).is_ok()), "0 is no bound");
        let off = Limits { key_requests_per_second: 0, ..limits };
        let passed = (0..9).filter(|_| rates.request("bounded", own, &off, ms(0)).is_ok()).count();
        assert_eq!(passed, 3, "a key alone can have one");
    }

    #[test]
    fn rates_of_keys_are_whole_numbers_of_the_settings_ranges() {
        let parse = |body: Value| OwnRates::parse(body.as_object().unwrap()).map_err(|failure| failure.message);
        let most = json!({"requests_per_second": 1_000_000, "events_per_second": 1_000_000_000});
        let rates = parse(most.clone()).unwrap();
        assert_eq!(Value::Object(rates.members().collect()), most);
        assert_eq!(parse(json!({"requests_per_second": null})), Ok(NO_OWN));
        for wrong in [json!(1_000_001), json!(-1), json!(1.5), json!("1")] {
            let refused = parse(json!({"requests_per_second": wrong})).unwrap_err();
            assert_eq!(refused, "requests_per_second must be a whole number of 0 to 1000000");
        }
        assert!(parse(json!({"events_per_second": 1_000_000_001_u64})).is_err());
    }

    #[test]
    fn without_a_rate_or_an_id_nothing_is_counted() {
        let (off, on) = (limits(0, 0, 1), limits(1, 1, 1));
        let rates = Rates::default();
        assert!(
            (0..100)
                .all(|_| rates.request("k", NO_OWN, &off, ms(0)).is_ok()
                    && rates.request("", NO_OWN, &on, ms(0)).is_ok())
        );
        assert!(
            (0..100).all(|_| rates.events("k", NO_OWN, 9, &off, ms(0)).is_ok()
                && rates.events("", NO_OWN, 9, &on, ms(0)).is_ok())
        );
        assert!(rates.requests.lock().held.is_empty());
    }

    #[test]
    fn of_too_many_keys_the_oldest_is_forgotten() {
        let mut buckets = Buckets::new(2);
        let rate = Rate::new(1, ms(1000)).unwrap();
        for key in [1, 2, 3] {
            assert!(buckets.take([key; 32], 1, rate, ms(0)).is_ok());
        }
        assert_eq!((buckets.held.len(), buckets.order.len()), (2, 2));
        assert!(buckets.take([3; 32], 1, rate, ms(0)).is_err());
        assert!(buckets.take([1; 32], 1, rate, ms(0)).is_ok(), "forgotten");
    }
}
