//! One event as numbers: what is drawn before any text is written.

use annals_engine::EventId;

use crate::random::{Random, mix};
use crate::tables::Tables;
use crate::words::{EVENT_TYPES, RESOURCE_TYPES, SEVERITIES, SOURCES, STATUSES};
use crate::{PROJECTS, USERS};

/// Machines that hand out ids.
const NODES: u32 = 8;
const NODE_SALT: u64 = 0x6e6f_6465;
const COUNTER_BITS: u32 = 24;
const NODE_BITS: u32 = 40;
const US_PER_S: i64 = 1_000_000;

/// An event without its texts. Small on purpose: measurements hold twenty million of them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Row {
    pub(crate) created_at_us: i64,
    /// Where its texts start in the buffer that goes with it.
    pub(crate) text_start: u64,
    pub(crate) resource: u32,
    pub(crate) user: u32,
    pub(crate) counter: u32,
    pub(crate) project: u16,
    realms: [u16; 3],
    pub(crate) message_len: u16,
    pub(crate) payload_len: u16,
    realm_count: u8,
    pub(crate) kind: u8,
    node: u8,
    event_type: u8,
    severity: u8,
    status: u8,
    source: u8,
}

impl Row {
    pub(crate) fn draw(tables: &Tables, place: u64, counter: u64, created_at_us: i64, random: &mut Random) -> Self {
        let (resource, kind) = tables.resources.next(place, random);
        // 1.5 realms on average, as one seldom belongs to several.
        let realm_count = match random.below(10) {
            0..6 => 1,
            6..9 => 2,
            _ => 3,
        };
        let mut row = Self {
            created_at_us,
            resource,
            kind,
            realm_count,
            event_type: tables.event_type(kind, random),
            user: random.below(USERS),
            project: u16::try_from(resource % PROJECTS).unwrap_or(0),
            counter: u32::try_from(counter % (1 << COUNTER_BITS)).unwrap_or(0),
            node: u8::try_from(random.below(NODES)).unwrap_or(0),
            severity: random.share(&SEVERITIES),
            status: random.share(&STATUSES),
            source: random.share(&SOURCES),
            ..Self::default()
        };
        for position in 0..usize::from(realm_count) {
            let mut realm = tables.realm(random);
            while row.realms.iter().take(position).any(|taken| *taken == realm) {
                realm = tables.realm(random);
            }
            if let Some(slot) = row.realms.get_mut(position) {
                *slot = realm;
            }
        }
        row
    }

    /// Seconds of `created_at`, the node, the counter: as 24 hex digits.
    pub(crate) fn id_bits(&self) -> u128 {
        let seconds = u128::from(self.created_at_us.div_euclid(US_PER_S).cast_unsigned() & 0xffff_ffff);
        let node = u128::from(mix(NODE_SALT ^ u64::from(self.node)) >> (64 - NODE_BITS));
        (seconds << (NODE_BITS + COUNTER_BITS)) | (node << COUNTER_BITS) | u128::from(self.counter)
    }

    pub(crate) fn id(&self) -> EventId {
        EventId::from_hex24(self.id_bits())
    }

    pub(crate) fn event_type(&self) -> &'static str {
        EVENT_TYPES.get(usize::from(self.event_type)).map_or("", |(name, _)| name)
    }

    pub(crate) fn resource_type(&self) -> &'static str {
        RESOURCE_TYPES.get(usize::from(self.kind)).copied().unwrap_or_default()
    }

    pub(crate) fn is_container(&self) -> bool {
        self.kind == 0
    }

    pub(crate) fn severity(&self) -> &'static str {
        SEVERITIES.get(usize::from(self.severity)).map_or("", |(name, _)| name)
    }

    pub(crate) fn status(&self) -> &'static str {
        STATUSES.get(usize::from(self.status)).map_or("", |(name, _)| name)
    }

    pub(crate) fn source(&self) -> &'static str {
        SOURCES.get(usize::from(self.source)).map_or("", |(name, _)| name)
    }

    pub(crate) fn realms(&self) -> &[u16] {
        self.realms.get(..usize::from(self.realm_count)).unwrap_or_default()
    }
}
