//! Whether cost can be recorded, as the writer last found it.

use std::sync::Arc;

use arc_swap::ArcSwapOption;

/// The writer's state of health, shared with whoever answers probes.
#[derive(Clone, Debug, Default)]
pub struct Health(Arc<ArcSwapOption<&'static str>>);

impl Health {
    /// Why cost cannot be recorded, in words fit for a client; `None` when it can.
    pub fn problem(&self) -> Option<&'static str> {
        self.0.load().as_deref().copied()
    }

    pub(super) fn set_problem(&self, problem: &'static str) {
        self.0.store(Some(Arc::new(problem)));
    }

    pub(super) fn clear(&self) {
        self.0.store(None);
    }
}
