//! A stable hash of what a cursor is bound to: scope, filter and order.
//!
//! The same on every machine and in every run. The order in which alternatives or conditions are listed
//! does not count, so that a client may repeat its filters in any order.

use annals_engine::{Field, Filter, TenantScope, TextField};
use sha2::{Digest, Sha256};

use crate::query::{Order, Query, Reach};

// Every tag below is used in one place only, so that no two kinds of thing hash alike.

type Hash = [u8; 32];

/// The hash of a query's scope, filter and order; nothing else of it counts.
pub(crate) fn fingerprint(query: &Query) -> Hash {
    let order = match query.order {
        Order::CreatedAtAsc => 1,
        Order::CreatedAtDesc => 2,
        Order::EventTypeAsc => 3,
        Order::EventTypeDesc => 4,
    };
    let mut hasher = Sha256::new();
    hasher.update([order]);
    let scope = scope_hash(&query.scope);
    hasher.update(match query.reach {
        Reach::Own => scope,
        Reach::OwnAndUnowned => node(6, &[scope]),
    });
    hasher.update(filter_hash(&query.filter));
    hasher.finalize().into()
}

fn scope_hash(scope: &TenantScope) -> Hash {
    match scope {
        TenantScope::Unlimited => leaf(1, 0, &[]),
        TenantScope::Limited { realms, orgs } => {
            node(2, &[values_hash(3, Field::RealmIds, realms), values_hash(4, Field::OrgId, orgs)])
        }
    }
}

fn filter_hash(filter: &Filter) -> Hash {
    match filter {
        Filter::All => leaf(16, 0, &[]),
        Filter::Term(field, value) => leaf(17, field.number(), value.as_bytes()),
        Filter::AnyOf(field, values) => values_hash(18, *field, values),
        Filter::Prefix(field, prefix) => leaf(19, field.number(), prefix.as_bytes()),
        Filter::Within(field, values) => values_hash(20, *field, values),
        Filter::CreatedBetween { from_us, to_us } => pair(21, from_us.to_le_bytes(), to_us.to_le_bytes()),
        Filter::SequenceBetween { from, to } => pair(22, from.to_le_bytes(), to.to_le_bytes()),
        Filter::Acknowledged(state) => leaf(23, u8::from(*state), &[]),
        Filter::Contains(field, needle) => leaf(24, text_number(*field), needle.as_bytes()),
        Filter::TextEquals(field, value) => leaf(25, text_number(*field), value.as_bytes()),
        Filter::And(parts) => unordered(26, parts),
        Filter::Or(parts) => unordered(27, parts),
        Filter::Not(part) => node(28, &[filter_hash(part)]),
    }
}

fn text_number(field: TextField) -> u8 {
    match field {
        TextField::Message => 1,
        TextField::Content => 2,
        TextField::MessageOrContent => 3,
    }
}

/// One value behind two fixed-width bytes: nothing follows it, so it needs no length.
fn leaf(tag: u8, number: u8, value: &[u8]) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update([tag, number]);
    hasher.update(value);
    hasher.finalize().into()
}

fn pair(tag: u8, first: [u8; 8], second: [u8; 8]) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update([tag]);
    hasher.update(first);
    hasher.update(second);
    hasher.finalize().into()
}

/// Hashes of fixed width behind a tag.
fn node(tag: u8, parts: &[Hash]) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update([tag]);
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize().into()
}

fn unordered(tag: u8, parts: &[Filter]) -> Hash {
    let mut hashes: Vec<Hash> = parts.iter().map(filter_hash).collect();
    hashes.sort_unstable();
    node(tag, &hashes)
}

fn values_hash(tag: u8, field: Field, values: &[String]) -> Hash {
    let mut hashes: Vec<Hash> = values.iter().map(|value| leaf(5, field.number(), value.as_bytes())).collect();
    hashes.sort_unstable();
    hashes.dedup();
    hashes.push(leaf(6, field.number(), &[]));
    node(tag, &hashes)
}
