//! Says how the fleet stands, to the writer and to everybody else.

use super::state::Sync;
use super::target::Target;
use crate::budget::InUse;

impl Sync {
    /// Says how the fleet stands now.
    pub(super) async fn publish(&mut self) {
        let orders: Vec<_> = self.targets.all.iter_mut().filter_map(|target| target.allow(self.is_connected)).collect();
        if !orders.is_empty() && self.parts.writer.order_allowances(orders).await.is_err() {
            self.targets.all.iter_mut().for_each(Target::note_lowered);
        }
        self.publisher.warn(self.desk.warnings());
        let (now, board) = (self.parts.clock.instant(), self.parts.board.read());
        let current = self.targets.all.iter().filter(|target| target.span.contains(now.time));
        let shared = current.filter_map(|target| {
            let in_use: InUse = board.used_here(&target.budget, target.span, now)?;
            target.shared(&in_use, now.steady)
        });
        self.publisher.publish(shared.collect());
    }
}
