//! Holds in the runs: which there must be, and what they keep.

use std::collections::BTreeMap;

use annals_engine::{Engine, Error, ErrorKind, Field, Filter};

use crate::oracle::{Expected, Known, Trouble};
use crate::random::Random;
use crate::script::user;

/// Each keeps the events of one user; the events are those of nine.
const HOLDS: u64 = 3;

/// The holds that must be in force, by the user whose events they keep.
#[derive(Clone, Debug, Default)]
pub(crate) struct Holds(BTreeMap<String, Known>);

impl Holds {
    /// Whether nothing may remove the event, amend it or replace it. Holds are known whenever steps are done.
    pub(crate) fn keep(&self, event: &Expected) -> bool {
        self.0.get(&event.user_id) == Some(&Known::Yes)
    }

    /// Places a hold, or releases it.
    pub(crate) fn change(&mut self, engine: &Engine, random: &mut Random, places: bool) -> Result<(), Error> {
        let user_id = user(random.below(HOLDS));
        let before = self.0.get(&user_id).copied().unwrap_or(Known::No);
        let changed = if places {
            engine.place_hold(&user_id, &Filter::term(Field::UserId, &user_id))
        } else {
            engine.release_hold(&user_id).map(drop)
        };
        let wanted = Known::of(places);
        let after = if changed.is_ok() || before == wanted { wanted } else { Known::Either };
        self.0.insert(user_id, after);
        changed
    }

    /// Compares the holds with what must be, and notes what was not known.
    pub(crate) fn look(&mut self, engine: &Engine) -> Result<(), Trouble> {
        let found: Vec<String> = engine.holds().into_iter().map(|hold| hold.name).collect();
        if let Some(name) = found.iter().find(|name| !self.0.contains_key(*name)) {
            return Err(format!("there is a hold {name} that was never placed").into());
        }
        for (user_id, known) in &mut self.0 {
            let is_there = found.contains(user_id);
            if !known.allows(is_there) {
                return Err(format!("the hold {user_id}: in force is {is_there}, that must be {known:?}").into());
            }
            *known = Known::of(is_there);
        }
        Ok(())
    }
}

/// Whether a call was refused because of a hold.
pub(crate) fn is_held<T>(called: &Result<T, Error>) -> bool {
    called.as_ref().is_err_and(|error| error.kind() == ErrorKind::Held)
}
