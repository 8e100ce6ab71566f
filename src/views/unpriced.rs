//! Events that wait for a price, by service and model: bounded, counts conserved.

use imbl::OrdMap;

use crate::domain::{MODEL_PAIRS_MAX, ModelKey, Name};

/// How many events wait for a price.
///
/// *Invariants.* A series stays once it is there, at 0 if need be. So an event is taken away where it was added.
#[derive(Clone, Debug, Default)]
pub struct UnpricedEvents {
    counts: OrdMap<ModelKey, u64>,
}

impl UnpricedEvents {
    /// Adds an event under its service's metric label.
    pub fn add(&mut self, service_label: &Name, model: &str) {
        let key = self.key(service_label, model, self.counts.len() < MODEL_PAIRS_MAX);
        *self.counts.entry(key).or_default() += 1;
    }

    /// Takes an event away that was added.
    pub fn remove(&mut self, service_label: &Name, model: &str) {
        let key = self.key(service_label, model, false);
        if let Some(count) = self.counts.get_mut(&key) {
            *count = count.saturating_sub(1);
        }
    }

    /// Every series, ordered by label.
    pub fn iter(&self) -> impl Iterator<Item = (&ModelKey, u64)> {
        self.counts.iter().map(|(key, count)| (key, *count))
    }

    fn key(&self, service_label: &Name, model: &str, has_room: bool) -> ModelKey {
        let key = ModelKey::of(service_label, model);
        if has_room || self.counts.contains_key(&key) { key } else { ModelKey::other() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beyond_the_bound_events_are_counted_together_and_taken_away_where_they_were_added() {
        let service = Name::new("openai").unwrap();
        let mut events = UnpricedEvents::default();
        let models: Vec<String> = (0..MODEL_PAIRS_MAX + 50).map(|number| format!("m{number}")).collect();
        models.iter().for_each(|model| events.add(&service, model));
        let other = |events: &UnpricedEvents| events.iter().find(|(key, _)| **key == ModelKey::other()).unwrap().1;
        assert_eq!((events.iter().map(|(_, count)| count).sum::<u64>(), other(&events)), (250, 50));
        models.iter().for_each(|model| events.remove(&service, model));
        assert!(events.iter().all(|(_, count)| count == 0));
        events.add(&service, &models[MODEL_PAIRS_MAX + 1]);
        assert_eq!(other(&events), 1, "its place was given away");
    }
}
