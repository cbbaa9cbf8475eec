//! Guessing is slow: so many wrong keys and passwords per address and minute, so many wrong passwords per
//! user name and minute, then 429.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use sha2::{Digest as _, Sha256};

const WINDOW: Duration = Duration::from_mins(1);
/// Addresses and names remembered at once; an attacker with more of them costs no more memory than this.
const SOURCES_MAX: usize = 65_536;
/// The part of an IPv6 address that a provider gives to one customer, who then has all the rest.
const IPV6_NETWORK: u128 = u128::MAX << 64;

/// Counts wrong keys and passwords.
#[derive(Debug)]
pub(crate) struct WrongKeys {
    per_minute_max: AtomicU32,
    addresses: Mutex<Windows<IpAddr>>,
    /// By a hash, so that a name takes the same memory however long it is.
    names: Mutex<Windows<[u8; 32]>>,
}

impl WrongKeys {
    pub(crate) fn new(per_minute_max: u32) -> Self {
        Self {
            per_minute_max: AtomicU32::new(per_minute_max),
            addresses: Mutex::new(Windows::new(SOURCES_MAX)),
            names: Mutex::new(Windows::new(SOURCES_MAX)),
        }
    }

    /// Another limit, from now on.
    pub(crate) fn set_per_minute_max(&self, per_minute_max: u32) {
        self.per_minute_max.store(per_minute_max, Ordering::Relaxed);
    }

    fn per_minute_max(&self) -> u32 {
        self.per_minute_max.load(Ordering::Relaxed)
    }

    /// Seconds the address must wait before another key of it is looked at; `None` if it need not.
    /// `now` is monotonic.
    pub(crate) fn must_wait(&self, address: IpAddr, now: Duration) -> Option<u64> {
        self.addresses.lock().must_wait(&network(address), self.per_minute_max(), now)
    }

    /// Remembers a wrong key, and says how many there were if it is the one after which the address must
    /// wait. Loopback is exempt: behind a proxy it is everybody's address.
    pub(crate) fn count(&self, address: IpAddr, now: Duration) -> Option<u32> {
        let network = network(address);
        if network.is_loopback() {
            return None;
        }
        let count = self.addresses.lock().count(network, now);
        (count == self.per_minute_max()).then_some(count)
    }

    /// As [`WrongKeys::must_wait`] for the passwords of a name, wherever they come from.
    pub(crate) fn name_must_wait(&self, name: &str, now: Duration) -> Option<u64> {
        self.names.lock().must_wait(&hash(name), self.per_minute_max(), now)
    }

    /// As [`WrongKeys::count`] for a wrong password of a name, whether anybody has it or not.
    pub(crate) fn count_name(&self, name: &str, now: Duration) -> Option<u32> {
        let count = self.names.lock().count(hash(name), now);
        (count == self.per_minute_max()).then_some(count)
    }
}

fn hash(name: &str) -> [u8; 32] {
    Sha256::digest(name.as_bytes()).into()
}

/// Who is counted together with an address.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) if !address.is_loopback() => Ipv6Addr::from_bits(address.to_bits() & IPV6_NETWORK).into(),
        other => other,
    }
}

/// Counts of the minutes that are not over yet.
#[derive(Debug)]
struct Windows<K> {
    held_max: usize,
    held: HashMap<K, Window>,
    /// Those that are held, the oldest first.
    order: VecDeque<K>,
}

#[derive(Clone, Copy, Debug)]
struct Window {
    start: Duration,
    count: u32,
}

impl<K: Clone + Eq + Hash> Windows<K> {
    fn new(held_max: usize) -> Self {
        Self { held_max, held: HashMap::new(), order: VecDeque::new() }
    }

    fn must_wait(&self, key: &K, count_max: u32, now: Duration) -> Option<u64> {
        let window = self.held.get(key)?;
        let waits = !window.is_over(now) && window.count >= count_max;
        waits.then(|| (window.start + WINDOW).saturating_sub(now).as_secs() + 1)
    }

    /// Counts one more and says how many there are in this minute.
    fn count(&mut self, key: K, now: Duration) -> u32 {
        while self.order.front().and_then(|oldest| self.held.get(oldest)).is_some_and(|window| window.is_over(now)) {
            self.drop_oldest();
        }
        if !self.held.contains_key(&key) {
            if self.held.len() >= self.held_max {
                self.drop_oldest();
            }
            self.order.push_back(key.clone());
        }
        let window = self.held.entry(key).or_insert(Window { start: now, count: 0 });
        window.count = window.count.saturating_add(1);
        window.count
    }

    fn drop_oldest(&mut self) {
        if let Some(oldest) = self.order.pop_front() {
            self.held.remove(&oldest);
        }
    }
}

impl Window {
    fn is_over(&self, now: Duration) -> bool {
        now.saturating_sub(self.start) >= WINDOW
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: fn(u64) -> Duration = Duration::from_secs;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn the_limit_holds_for_a_minute_and_not_for_loopback() {
        let wrong = WrongKeys::new(2);
        let far = address("192.0.2.1");
        let near = ["127.0.0.1", "::1", "::ffff:127.0.0.1"].map(address);
        for second in 0..2 {
            assert_eq!(wrong.must_wait(far, AT(second)), None);
            assert_eq!(wrong.count(far, AT(second)), (second == 1).then_some(2), "once, when the limit is reached");
            for near in near {
                assert_eq!(wrong.count(near, AT(second)), None);
                wrong.count(near, AT(second));
            }
        }
        assert_eq!(wrong.must_wait(far, AT(10)), Some(51));
        assert_eq!(near.map(|near| wrong.must_wait(near, AT(10))), [None; 3]);
        assert_eq!(wrong.count(far, AT(11)), None);
        assert_eq!(wrong.must_wait(far, AT(60)), None);
        wrong.count(far, AT(61));
        assert_eq!(wrong.must_wait(far, AT(61)), None, "a new minute begins with none");
    }

    #[test]
    fn names_are_counted_by_themselves() {
        let wrong = WrongKeys::new(2);
        assert_eq!([wrong.count_name("ada", AT(0)), wrong.count_name("ada", AT(1))], [None, Some(2)]);
        assert_eq!((wrong.name_must_wait("ada", AT(10)), wrong.name_must_wait("bob", AT(10))), (Some(51), None));
        assert_eq!(wrong.name_must_wait("ada", AT(60)), None);
    }

    #[test]
    fn a_network_of_ipv6_counts_as_one_address_and_ipv4_within_ipv6_does_not() {
        let wrong = WrongKeys::new(2);
        wrong.count(address("2001:db8:0:1::1"), AT(0));
        wrong.count(address("2001:db8:0:1:ffff::2"), AT(0));
        assert!(wrong.must_wait(address("2001:db8:0:1::3"), AT(1)).is_some());
        assert_eq!(wrong.must_wait(address("2001:db8:0:2::1"), AT(1)), None);
        wrong.count(address("::ffff:192.0.2.1"), AT(0));
        wrong.count(address("192.0.2.1"), AT(0));
        assert!(wrong.must_wait(address("::ffff:192.0.2.1"), AT(1)).is_some());
        assert_eq!(wrong.must_wait(address("::ffff:192.0.2.2"), AT(1)), None);
    }

    #[test]
    fn of_too_many_the_oldest_is_forgotten_and_nobody_else() {
        let mut windows = Windows::new(3);
        for (second, key) in ["a", "b", "c", "b", "a", "d"].into_iter().enumerate() {
            windows.count(key, AT(second.try_into().unwrap()));
        }
        let waits = |windows: &Windows<&str>, now| {
            ["a", "b", "c", "d"].map(|key| windows.must_wait(&key, 1, AT(now)).is_some())
        };
        assert_eq!(waits(&windows, 6), [false, true, true, true]);
        assert_eq!((windows.count("b", AT(6)), windows.held.len(), windows.order.len()), (3, 3, 3));
        // The minutes of b and c are over, that of d is not.
        assert_eq!(windows.count("c", AT(63)), 1);
        assert_eq!((waits(&windows, 63), windows.order.clone()), ([false, false, true, true], ["d", "c"].into()));
    }
}
