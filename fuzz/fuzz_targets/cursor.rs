//! Resume tokens: any text is refused, a genuine one gives its position back and fits its own query only.
#![no_main]

use annals_engine::{Field, Filter, OrderKey, TenantScope};
use annals_query::{CursorKey, CursorPosition, Order, Query};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let key = CursorKey::new([7; 32]);
    let orders = [Order::CreatedAtAsc, Order::CreatedAtDesc, Order::EventTypeAsc, Order::EventTypeDesc];
    let query = |order| Query::new(&TenantScope::Unlimited).order(order);
    if let Ok(text) = std::str::from_utf8(bytes) {
        for order in orders {
            assert!(key.decode(text, &query(order)).is_err(), "a forged cursor was accepted");
        }
    }
    let Some((head, rest)) = bytes.split_first_chunk::<16>() else { return };
    let bits = u128::from_le_bytes(*head);
    let place = OrderKey { created_at_us: bits as i64, sequence: (bits >> 64) as u64 };
    let event_type = String::from_utf8_lossy(rest).chars().take(50).collect::<String>();
    for order in orders {
        let by_type = matches!(order, Order::EventTypeAsc | Order::EventTypeDesc);
        let position = CursorPosition { key: place, event_type: by_type.then(|| event_type.clone()) };
        let query = query(order);
        let text = key.encode(&position, &query);
        assert_eq!(key.decode(&text, &query).expect("just made"), position);
        let other = query.filter(Filter::term(Field::UserId, "another"));
        assert!(key.decode(&text, &other).is_err(), "a cursor fits another query");
    }
});
