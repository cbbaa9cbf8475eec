//! Events and keys of fjall as bytes.

use annals_engine::{Event, EventId, Field};

use crate::Outcome;

const PLACE_LEN: usize = 16;
/// Behind the text of an index key: no text here holds it.
pub(super) const END: u8 = 0;

/// An event as it is stored: what indexes need first, then all texts with their lengths.
pub(super) struct Held<'a> {
    pub(super) id: [u8; 16],
    pub(super) texts: Vec<&'a str>,
}

pub(super) const TYPE: usize = 0;
pub(super) const KIND: usize = 1;
pub(super) const RESOURCE: usize = 2;
pub(super) const REALMS: usize = 9;
pub(super) const MESSAGE: usize = 10;
const TEXTS: usize = 12;

pub(super) fn encode(event: &Event<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(&event.id.unwrap_or(EventId::from_u128(0)).as_u128().to_be_bytes());
    let realms: Vec<&str> = event.realm_ids.iter().collect();
    let realms = realms.join("\n");
    let of = |field: Field| event.get(field).unwrap_or_default();
    let texts: [&str; TEXTS] = [
        of(Field::EventType),
        of(Field::ResourceType),
        of(Field::ResourceId),
        of(Field::UserId),
        of(Field::ProjectId),
        of(Field::ContainerId),
        of(Field::Severity),
        of(Field::Status),
        of(Field::Source),
        &realms,
        event.message.unwrap_or_default(),
        event.payload.unwrap_or_default(),
    ];
    for text in texts {
        out.extend_from_slice(&u32::try_from(text.len()).unwrap_or(u32::MAX).to_le_bytes());
        out.extend_from_slice(text.as_bytes());
    }
}

pub(super) fn decode(bytes: &[u8]) -> Outcome<Held<'_>> {
    let broken = || "an event of fjall is cut short";
    let (id, mut rest) = bytes.split_first_chunk::<16>().ok_or_else(broken)?;
    let mut texts = Vec::with_capacity(TEXTS);
    while let Some((len, tail)) = rest.split_first_chunk::<4>() {
        let (text, tail) = tail.split_at_checked(usize::try_from(u32::from_le_bytes(*len))?).ok_or_else(broken)?;
        texts.push(std::str::from_utf8(text)?);
        rest = tail;
    }
    if texts.len() != TEXTS {
        return Err(broken().into());
    }
    Ok(Held { id: *id, texts })
}

/// One text of an event, without a look at the others.
pub(super) fn text_at(bytes: &[u8], number: usize) -> Option<&[u8]> {
    let mut rest = bytes.get(16..)?;
    for _ in 0..number {
        let (len, tail) = rest.split_first_chunk::<4>()?;
        rest = tail.get(usize::try_from(u32::from_le_bytes(*len)).ok()?..)?;
    }
    let (len, tail) = rest.split_first_chunk::<4>()?;
    tail.get(..usize::try_from(u32::from_le_bytes(*len)).ok()?)
}

pub(super) fn place_of(time_us: i64, seq: u64) -> [u8; PLACE_LEN] {
    let mut place = [0; PLACE_LEN];
    let (time, sequence) = place.split_at_mut(8);
    time.copy_from_slice(&time_us.to_be_bytes());
    sequence.copy_from_slice(&seq.to_be_bytes());
    place
}

pub(super) fn time_of(place: &[u8]) -> i64 {
    place.first_chunk::<8>().map_or(0, |time| i64::from_be_bytes(*time))
}

pub(super) fn key_of(text: &str, place: &[u8]) -> Vec<u8> {
    [text.as_bytes(), &[END], place].concat()
}

pub(super) fn place_behind(key: &[u8]) -> &[u8] {
    key.get(key.len().saturating_sub(PLACE_LEN)..).unwrap_or_default()
}
