//! Sealed segments are checked before a query touches them.

use std::time::Duration;

use annals_engine::{Durability, Engine, ErrorKind, Filter};

use crate::support::{NOW_US, Store, event, files, select, with_message};

/// Bytes that are left alone: header at the front, chunk table and footer at the end.
const FRONT: usize = 8 << 10;
const END: usize = 16 << 10;

fn wait_until_checked(engine: &Engine) {
    let is_over = (0..30_000).any(|_| {
        std::thread::sleep(Duration::from_millis(1));
        !engine.stats().checking
    });
    assert!(is_over, "the check comes to its end");
}

#[test]
fn damage_that_is_met_ahead_is_told_to_whoever_reads_it() {
    let mut store = Store::with(Durability::Buffered, |options| options.background = true);
    let messages: Vec<String> = (0..3000_u32)
        .map(|number| format!("{:032x}", u128::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)))
        .collect();
    for (part, some) in (0_u32..).zip(messages.chunks(500)) {
        let events: Vec<_> = (0_u32..)
            .zip(some)
            .map(|(at, message)| with_message(event(u128::from(part * 500 + at + 1), NOW_US + i64::from(at)), message))
            .collect();
        store.append(&events).unwrap();
    }
    store.engine.seal_now().unwrap();
    store.reopen();
    wait_until_checked(&store.engine);
    assert_eq!(select(&store.engine, &Filter::All).unwrap().len(), 3000);

    store.engine.close().unwrap();
    for path in files(store.path(), "segment") {
        let mut bytes = std::fs::read(&path).unwrap();
        let end = bytes.len().saturating_sub(END);
        assert!(end > FRONT, "there is something to damage");
        for at in (FRONT..end).step_by(4096) {
            bytes[at] ^= 1;
        }
        std::fs::write(&path, bytes).unwrap();
    }
    store.engine = Engine::open(store.options.clone()).unwrap();
    wait_until_checked(&store.engine);
    assert_eq!(store.engine.stats().maintenance_failure, None);
    let error = select(&store.engine, &Filter::All).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
}
