//! Ids of things, and which kind each thing is of.

use crate::random::{Random, Shares, Zipf, mix};
use crate::words::{EVENT_TYPES, RESOURCE_TYPES};
use crate::{PROJECTS, REALMS, RESOURCES_RANKED_MAX, USERS};

/// What tells the ids of one sort of thing from those of another.
const RESOURCE_SALT: u64 = 0x7265_736f;
const USER_SALT: u64 = 0x7573_6572;
const PROJECT_SALT: u64 = 0x7072_6f6a;
const REALM_SALT: u64 = 0x7265_616c;

/// Hex digits of an id.
pub(crate) const ID_LEN: usize = 24;

/// Ids of one sort, one behind the other.
#[derive(Clone, Debug)]
pub(crate) struct Ids(String);

impl Ids {
    fn new(salt: u64, count: u32) -> Self {
        let mut text = String::with_capacity(ID_LEN * index(count));
        for number in 0..count {
            push_id(&mut text, salt, number);
        }
        Self(text)
    }

    pub(crate) fn get(&self, number: u32) -> &str {
        let start = ID_LEN * index(number);
        self.0.get(start..start + ID_LEN).unwrap_or_default()
    }
}

/// What every event refers to.
#[derive(Clone, Debug)]
pub(crate) struct Tables {
    pub(crate) resources: Resources,
    pub(crate) users: Ids,
    pub(crate) projects: Ids,
    pub(crate) realms: Ids,
    realm_ranks: Zipf,
    /// For each kind of resource: its event types, and how often each is drawn.
    types_of_kind: Vec<(Vec<u8>, Shares)>,
}

/// How resources are drawn.
#[derive(Clone, Debug)]
pub(crate) enum Resources {
    /// By Zipf's law, with the kind of each.
    Ranked { ids: Ids, ranks: Zipf, kinds: Vec<u8> },
    /// Each once before any comes again; what an id and a kind are follows from the number.
    InTurn { count: u32, step: u64, kinds: Shares },
}

impl Tables {
    pub(crate) fn new(resources: u32) -> Self {
        let weights = Zipf::weights(u32::try_from(EVENT_TYPES.len()).unwrap_or(1), 1.1);
        let kind_count = RESOURCE_TYPES.len();
        let mut kind_weights = vec![0.0; kind_count];
        let mut types_of_kind = vec![(Vec::new(), Vec::new()); kind_count];
        for ((event_type, (_, kind)), weight) in (0..).zip(EVENT_TYPES).zip(&weights) {
            let kind = usize::from(kind);
            if let (Some(sum), Some((types, shares))) = (kind_weights.get_mut(kind), types_of_kind.get_mut(kind)) {
                *sum += weight;
                types.push(event_type);
                shares.push(*weight);
            }
        }
        let types_of_kind = types_of_kind.into_iter().map(|(types, shares)| (types, Shares::new(&shares))).collect();
        Self {
            resources: Resources::new(resources.max(1), &kind_weights),
            users: Ids::new(USER_SALT, USERS),
            projects: Ids::new(PROJECT_SALT, PROJECTS),
            realms: Ids::new(REALM_SALT, REALMS),
            realm_ranks: Zipf::new(REALMS, 0.5),
            types_of_kind,
        }
    }

    pub(crate) fn event_type(&self, kind: u8, random: &mut Random) -> u8 {
        let Some((types, shares)) = self.types_of_kind.get(usize::from(kind)) else { return 0 };
        types.get(index(shares.next(random))).copied().unwrap_or(0)
    }

    pub(crate) fn realm(&self, random: &mut Random) -> u16 {
        u16::try_from(self.realm_ranks.next(random)).unwrap_or(0)
    }
}

impl Resources {
    fn new(count: u32, kind_weights: &[f64]) -> Self {
        if count > RESOURCES_RANKED_MAX {
            // Steps of a fixed part of the whole, without a divisor in common with it.
            let step = u64::from(count) * 618 / 1000;
            let step = (step..u64::from(count)).find(|step| common_divisor(*step, u64::from(count)) == 1).unwrap_or(1);
            return Self::InTurn { count, step, kinds: Shares::new(kind_weights) };
        }
        let kinds = kinds_by_rank(&Zipf::weights(count, 1.05), kind_weights);
        Self::Ranked { ids: Ids::new(RESOURCE_SALT, count), ranks: Zipf::new(count, 1.05), kinds }
    }

    /// The resource of the event at that place and its kind.
    pub(crate) fn next(&self, place: u64, random: &mut Random) -> (u32, u8) {
        match self {
            Self::Ranked { ranks, kinds, .. } => {
                let rank = ranks.next(random);
                (rank, kinds.get(index(rank)).copied().unwrap_or(0))
            }
            Self::InTurn { count, step, kinds } => {
                let count = u64::from(*count);
                let number = u32::try_from((place % count) * step % count).unwrap_or(0);
                let kind = kinds.next(&mut Random::new(u64::from(number)));
                (number, u8::try_from(kind).unwrap_or(0))
            }
        }
    }

    /// The id, if there is a table of them.
    pub(crate) fn id(&self, number: u32) -> Option<&str> {
        match self {
            Self::Ranked { ids, .. } => Some(ids.get(number)),
            Self::InTurn { .. } => None,
        }
    }
}

/// The id of a resource that is in no table.
pub(crate) fn push_resource_id(out: &mut String, number: u32) {
    push_id(out, RESOURCE_SALT, number);
}

/// Kinds for resources of falling weight, so that each kind gets its part of the whole weight: the next
/// resource is of the kind that lacks most. A resource keeps its kind, and both laws hold.
fn kinds_by_rank(ranks: &[f64], kind_weights: &[f64]) -> Vec<u8> {
    let scale = ranks.iter().sum::<f64>() / kind_weights.iter().sum::<f64>();
    let mut lacking: Vec<(u8, f64)> = (0..).zip(kind_weights.iter().map(|weight| weight * scale)).collect();
    let mut kinds = Vec::with_capacity(ranks.len());
    for weight in ranks {
        let most = lacking.iter_mut().max_by(|a, b| a.1.total_cmp(&b.1));
        let Some((kind, lack)) = most else { break };
        *lack -= weight;
        kinds.push(*kind);
    }
    kinds
}

fn common_divisor(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { common_divisor(b, a % b) }
}

/// 24 hex digits that are always the same for the same thing.
fn push_id(out: &mut String, salt: u64, number: u32) {
    let high = mix(salt ^ (u64::from(number) << 32));
    let low = mix(high ^ salt);
    push_hex(out, high, 16);
    push_hex(out, low >> 32, 8);
}

/// The last `digits` hex digits of a number.
pub(crate) fn push_hex(out: &mut String, number: u64, digits: u32) {
    for place in (0..digits).rev() {
        let digit = u32::try_from((number >> (4 * place)) & 0xf).unwrap_or(0);
        out.push(char::from_digit(digit, 16).unwrap_or('0'));
    }
}

fn index(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
