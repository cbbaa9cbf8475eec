//! Guessing keys is slow: so many wrong ones per address and minute, then 429.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use parking_lot::Mutex;

const WINDOW: Duration = Duration::from_mins(1);
/// Addresses remembered at once; an attacker with more of them costs no more memory than this.
const ADDRESSES_MAX: usize = 65_536;

/// Counts wrong keys per address.
#[derive(Debug)]
pub(crate) struct WrongKeys {
    per_minute_max: u32,
    seen: Mutex<HashMap<IpAddr, Window>>,
}

#[derive(Clone, Copy, Debug)]
struct Window {
    start: Duration,
    count: u32,
}

impl WrongKeys {
    pub(crate) fn new(per_minute_max: u32) -> Self {
        Self { per_minute_max, seen: Mutex::new(HashMap::new()) }
    }

    /// Seconds the address must wait before another key of it is looked at; `None` if it need not.
    /// `now` is monotonic.
    pub(crate) fn must_wait(&self, address: IpAddr, now: Duration) -> Option<u64> {
        let seen = self.seen.lock();
        let window = seen.get(&address)?;
        let over = now.saturating_sub(window.start) >= WINDOW || window.count < self.per_minute_max;
        (!over).then(|| (window.start + WINDOW).saturating_sub(now).as_secs() + 1)
    }

    /// Remembers a wrong key, and says how many there were if it is the one after which the address must
    /// wait. Loopback is exempt: behind a proxy it is everybody's address.
    pub(crate) fn count(&self, address: IpAddr, now: Duration) -> Option<u32> {
        if address.is_loopback() {
            return None;
        }
        let mut seen = self.seen.lock();
        if seen.len() >= ADDRESSES_MAX && !seen.contains_key(&address) {
            seen.retain(|_, window| now.saturating_sub(window.start) < WINDOW);
            if seen.len() >= ADDRESSES_MAX {
                seen.clear();
            }
        }
        let window = seen.entry(address).or_insert(Window { start: now, count: 0 });
        if now.saturating_sub(window.start) >= WINDOW {
            *window = Window { start: now, count: 0 };
        }
        window.count = window.count.saturating_add(1);
        (window.count == self.per_minute_max).then_some(window.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_holds_for_a_minute_and_not_for_loopback() {
        let wrong = WrongKeys::new(2);
        let (far, near) = ("192.0.2.1".parse().unwrap(), "127.0.0.1".parse().unwrap());
        let at = Duration::from_secs;
        for second in 0..2 {
            assert_eq!(wrong.must_wait(far, at(second)), None);
            assert_eq!(wrong.count(far, at(second)), (second == 1).then_some(2), "once, when the limit is reached");
            assert_eq!(wrong.count(near, at(second)), None);
            wrong.count(near, at(second));
        }
        assert_eq!(wrong.must_wait(far, at(10)), Some(51));
        assert_eq!(wrong.must_wait(near, at(10)), None);
        assert_eq!(wrong.count(far, at(11)), None);
        assert_eq!(wrong.must_wait(far, at(60)), None);
    }
}
