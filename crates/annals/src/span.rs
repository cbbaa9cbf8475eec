//! Lengths of time as people write them.

pub(crate) use annals_server::settings::parse_span;
