//! The gate as the ledger has it: an operator's orders, and a line of history for every change.

use super::GateOrder;
use super::draft::Draft;
use crate::budget::GateVerdict;
use crate::domain::{GateChange, GateMode, GateOverride, Now};
use crate::ledger::LedgerError;
use crate::views::Published;

/// Who gives an order: what they call themselves, and whose token it came with. Nobody is the agent itself.
#[derive(Default)]
struct SaidBy {
    actor: String,
    token: Option<Box<str>>,
}

impl SaidBy {
    fn of(manual: &GateOverride) -> Self {
        Self { actor: manual.actor.clone(), token: manual.token.clone() }
    }
}

/// What the rule says now, where the newest line says something else.
pub(super) fn unnoted(published: &Published, now: Now) -> Option<GateVerdict> {
    let verdict = published.gate(now);
    let newest = published.views.gate.as_ref().map_or((false, GateMode::Auto), |line| (line.active, line.mode));
    (newest != (verdict.active, verdict.mode)).then_some(verdict)
}

impl Draft<'_> {
    /// Takes an operator's order. Where the gate is disabled it is kept, and takes effect when the gate is enabled again.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub fn order_gate(&mut self, order: GateOrder) -> Result<(), LedgerError> {
        self.count_events()?;
        let before = self.next.views.gate_override.take();
        let (reason, said_by) = match order {
            GateOrder::Manual(manual) => {
                let said = (manual.reason.clone(), SaidBy::of(&manual));
                self.next.views.gate_override = Some(manual);
                said
            }
            // It follows the budgets already, so nothing changes.
            GateOrder::Auto { .. } if before.is_none() => return Ok(()),
            GateOrder::Auto { reason, actor, token } => (reason, SaidBy { actor, token }),
        };
        self.override_changed = true;
        let verdict = self.next.gate(self.now);
        if verdict.mode != GateMode::Disabled {
            self.write_line(verdict.active, verdict.mode, reason, said_by);
        }
        Ok(())
    }

    /// Writes a line if what the rule says now is not what the newest line says.
    pub(super) fn note_gate(&mut self) {
        if let Some(verdict) = unnoted(&self.next, self.now) {
            // An order that was given while the gate was disabled takes effect now, in the name of who gave it.
            let manual = self.next.views.manual(self.now.time).filter(|_| verdict.mode == GateMode::Manual);
            let said_by = manual.map(SaidBy::of).unwrap_or_default();
            self.write_line(verdict.active, verdict.mode, verdict.reason.into_owned(), said_by);
        }
    }

    fn write_line(&mut self, active: bool, mode: GateMode, reason: String, SaidBy { actor, token }: SaidBy) {
        let line = GateChange { timestamp: self.now.time, active, reason, mode, actor, token };
        self.next.views.change_gate(line.clone());
        self.gate.push(line);
    }
}
