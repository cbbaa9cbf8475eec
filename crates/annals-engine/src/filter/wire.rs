//! The stored form of a filter, for deletes in the log. `docs/format.md`, "Filter".

use super::{FILTER_DEPTH_MAX, Filter, TextField};
use crate::codec::{Reader, len_u64, put_bytes, put_varint, take_bytes};
use crate::error::{Error, Result};
use crate::field::Field;

/// The most predicates of one stored filter, inclusive.
const NODES_MAX: usize = 100_000;

mod tag {
    pub(super) const ALL: u8 = 1;
    pub(super) const TERM: u8 = 2;
    pub(super) const ANY_OF: u8 = 3;
    pub(super) const PREFIX: u8 = 4;
    pub(super) const WITHIN: u8 = 5;
    pub(super) const CREATED: u8 = 6;
    pub(super) const SEQUENCE: u8 = 7;
    pub(super) const ACKNOWLEDGED: u8 = 8;
    pub(super) const CONTAINS: u8 = 9;
    pub(super) const TEXT_EQUALS: u8 = 10;
    pub(super) const AND: u8 = 11;
    pub(super) const OR: u8 = 12;
    pub(super) const NOT: u8 = 13;
}

/// Appends the stored form.
///
/// # Errors
/// `InvalidInput` if the filter is nested too deep or has too many predicates.
pub(crate) fn encode(filter: &Filter, out: &mut Vec<u8>) -> Result<()> {
    if filter.depth() > FILTER_DEPTH_MAX {
        return Err(Error::invalid_input(format!("a filter nests at most {FILTER_DEPTH_MAX} levels deep")));
    }
    let mut nodes = 0;
    put(filter, out, &mut nodes);
    if nodes > NODES_MAX {
        return Err(Error::invalid_input(format!("a filter holds at most {NODES_MAX} predicates, this one {nodes}")));
    }
    Ok(())
}

fn put(filter: &Filter, out: &mut Vec<u8>, nodes: &mut usize) {
    *nodes += 1;
    match filter {
        Filter::All => out.push(tag::ALL),
        Filter::Term(field, value) => put_keyword(tag::TERM, *field, value, out),
        Filter::Prefix(field, prefix) => put_keyword(tag::PREFIX, *field, prefix, out),
        Filter::AnyOf(field, values) => put_values(tag::ANY_OF, *field, values, out, nodes),
        Filter::Within(field, values) => put_values(tag::WITHIN, *field, values, out, nodes),
        Filter::CreatedBetween { from_us, to_us } => {
            out.push(tag::CREATED);
            out.extend_from_slice(&from_us.to_le_bytes());
            out.extend_from_slice(&to_us.to_le_bytes());
        }
        Filter::SequenceBetween { from, to } => {
            out.push(tag::SEQUENCE);
            out.extend_from_slice(&from.to_le_bytes());
            out.extend_from_slice(&to.to_le_bytes());
        }
        Filter::Acknowledged(state) => out.extend_from_slice(&[tag::ACKNOWLEDGED, u8::from(*state)]),
        Filter::Contains(field, needle) => put_text(tag::CONTAINS, *field, needle, out),
        Filter::TextEquals(field, value) => put_text(tag::TEXT_EQUALS, *field, value, out),
        Filter::And(parts) => put_parts(tag::AND, parts, out, nodes),
        Filter::Or(parts) => put_parts(tag::OR, parts, out, nodes),
        Filter::Not(part) => {
            out.push(tag::NOT);
            put(part, out, nodes);
        }
    }
}

fn put_keyword(tag: u8, field: Field, value: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(&[tag, field.number()]);
    put_bytes(out, value.as_bytes());
}

fn put_values(tag: u8, field: Field, values: &[String], out: &mut Vec<u8>, nodes: &mut usize) {
    *nodes += values.len();
    out.extend_from_slice(&[tag, field.number()]);
    put_varint(out, len_u64(values.len()));
    for value in values {
        put_bytes(out, value.as_bytes());
    }
}

fn put_text(tag: u8, field: TextField, text: &str, out: &mut Vec<u8>) {
    let number = match field {
        TextField::Message => 1,
        TextField::Content => 2,
        TextField::MessageOrContent => 3,
    };
    out.extend_from_slice(&[tag, number]);
    put_bytes(out, text.as_bytes());
}

fn put_parts(tag: u8, parts: &[Filter], out: &mut Vec<u8>, nodes: &mut usize) {
    out.push(tag);
    put_varint(out, len_u64(parts.len()));
    for part in parts {
        put(part, out, nodes);
    }
}

/// Reads a stored filter.
///
/// # Errors
/// `Corrupt` if the bytes are none.
pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Filter> {
    take(reader, FILTER_DEPTH_MAX, &mut 0)
}

fn take(reader: &mut Reader<'_>, depth_left: usize, nodes: &mut usize) -> Result<Filter> {
    *nodes += 1;
    let Some(depth_left) = depth_left.checked_sub(1).filter(|_| *nodes <= NODES_MAX) else {
        return Err(Error::corrupt("a stored filter is nested too deep or too large"));
    };
    Ok(match reader.u8()? {
        tag::ALL => Filter::All,
        tag::TERM => Filter::Term(take_field(reader)?, take_text(reader)?),
        tag::PREFIX => Filter::Prefix(take_field(reader)?, take_text(reader)?),
        tag::ANY_OF => Filter::AnyOf(take_field(reader)?, take_list(reader, nodes, |reader, _| take_text(reader))?),
        tag::WITHIN => Filter::Within(take_field(reader)?, take_list(reader, nodes, |reader, _| take_text(reader))?),
        tag::CREATED => Filter::CreatedBetween { from_us: reader.i64()?, to_us: reader.i64()? },
        tag::SEQUENCE => Filter::SequenceBetween { from: reader.u64()?, to: reader.u64()? },
        tag::ACKNOWLEDGED => Filter::Acknowledged(reader.u8()? != 0),
        tag::CONTAINS => Filter::Contains(take_text_field(reader)?, take_text(reader)?),
        tag::TEXT_EQUALS => Filter::TextEquals(take_text_field(reader)?, take_text(reader)?),
        tag::AND => Filter::And(take_list(reader, nodes, |reader, nodes| take(reader, depth_left, nodes))?),
        tag::OR => Filter::Or(take_list(reader, nodes, |reader, nodes| take(reader, depth_left, nodes))?),
        tag::NOT => Filter::Not(Box::new(take(reader, depth_left, nodes)?)),
        other => return Err(Error::corrupt(format!("unknown filter tag {other}"))),
    })
}

fn take_field(reader: &mut Reader<'_>) -> Result<Field> {
    let number = reader.u8()?;
    Field::from_number(number).ok_or_else(|| Error::corrupt(format!("unknown field number {number}")))
}

fn take_text_field(reader: &mut Reader<'_>) -> Result<TextField> {
    match reader.u8()? {
        1 => Ok(TextField::Message),
        2 => Ok(TextField::Content),
        3 => Ok(TextField::MessageOrContent),
        other => Err(Error::corrupt(format!("unknown text field {other}"))),
    }
}

fn take_text(reader: &mut Reader<'_>) -> Result<String> {
    let bytes = take_bytes(reader)?;
    let text =
        std::str::from_utf8(bytes).map_err(|source| Error::corrupt("a text is not UTF-8").with_source(source))?;
    Ok(text.to_owned())
}

fn take_list<T>(
    reader: &mut Reader<'_>,
    nodes: &mut usize,
    mut one: impl FnMut(&mut Reader<'_>, &mut usize) -> Result<T>,
) -> Result<Vec<T>> {
    // Every entry takes at least one byte, so what is left bounds the allocation.
    let len = reader.varint_len()?;
    let mut list = Vec::with_capacity(len.min(1024));
    for _ in 0..len {
        *nodes += 1;
        list.push(one(reader, nodes)?);
    }
    Ok(list)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn filters() -> impl Strategy<Value = Filter> {
        let leaf = prop_oneof![
            Just(Filter::All),
            any::<String>().prop_map(|value| Filter::Term(Field::UserId, value)),
            any::<Vec<String>>().prop_map(|values| Filter::AnyOf(Field::RealmIds, values)),
            any::<String>().prop_map(|value| Filter::Prefix(Field::EventType, value)),
            any::<Vec<String>>().prop_map(|values| Filter::Within(Field::RealmIds, values)),
            any::<(i64, i64)>().prop_map(|(from_us, to_us)| Filter::CreatedBetween { from_us, to_us }),
            any::<(u64, u64)>().prop_map(|(from, to)| Filter::SequenceBetween { from, to }),
            any::<bool>().prop_map(Filter::Acknowledged),
            any::<String>().prop_map(|needle| Filter::Contains(TextField::MessageOrContent, needle)),
            any::<String>().prop_map(|value| Filter::TextEquals(TextField::Content, value)),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Filter::And),
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Filter::Or),
                inner.prop_map(Filter::not),
            ]
        })
    }

    proptest! {
        #[test]
        fn filters_come_back(filter in filters()) {
            let mut bytes = Vec::new();
            encode(&filter, &mut bytes).unwrap();
            let mut reader = Reader::new(&bytes);
            prop_assert_eq!(decode(&mut reader).unwrap(), filter);
            prop_assert!(reader.is_empty());
        }

        #[test]
        fn any_bytes_are_read_without_panic(bytes: Vec<u8>) {
            let _ = decode(&mut Reader::new(&bytes));
        }
    }

    #[test]
    fn too_deep_a_filter_is_refused() {
        let mut filter = Filter::All;
        for _ in 0..FILTER_DEPTH_MAX {
            filter = filter.not();
        }
        assert!(encode(&filter, &mut Vec::new()).is_err());
        assert!(decode(&mut Reader::new(&[tag::NOT; 100])).is_err());
    }
}
