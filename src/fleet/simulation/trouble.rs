//! What goes wrong: agents that are cut off or crash, ledgers and databases that are set back.

use super::database::Database;
use super::world::{CALM_MS, CHAOS_MS, Event, World};
use crate::domain::Usd;

impl World {
    pub(super) fn trouble(&mut self) {
        if !self.scenario.has_faults {
            return;
        }
        let is_over = self.now_ms >= CHAOS_MS;
        self.is_calm = self.now_ms >= CALM_MS;
        let pause_ms = if is_over { 1_000 } else { 200 + self.chance.below(3_000) };
        self.after(pause_ms, Event::Trouble);
        if is_over || self.chance.one_in(4) {
            self.heal();
        }
        if !is_over {
            let id = self.chance.below(self.agents.len() as u64) as usize;
            match self.chance.below(6) {
                0 | 1 => self.agents[id].is_cut_off = true,
                2 => self.agents[id].crash(),
                3 => self.heal(),
                4 if self.scenario.has_restores => self.set_back(id),
                _ => {
                    let agent = &self.agents[id];
                    self.ledger_backups.insert(id, (agent.ledger.clone(), agent.really_spent));
                    self.backup = Some(self.database.clone());
                }
            }
        }
        self.note_free();
    }

    fn heal(&mut self) {
        for agent in &mut self.agents {
            agent.is_cut_off = false;
            agent.start(self.chance.next());
        }
    }

    fn set_back(&mut self, id: usize) {
        if self.chance.one_in(2) {
            let Some((ledger, really_spent)) = self.ledger_backups.get(&id).cloned() else { return };
            let agent = &mut self.agents[id];
            // What was spent since is spent, and what is no longer held may be, too.
            let forgotten = (agent.really_spent - really_spent).max(Usd::ZERO) + agent.ledger.standing().held;
            self.allowance += forgotten + ledger.standing().held;
            agent.crash();
            (agent.ledger, agent.is_set_back) = (ledger, true);
            agent.start(self.chance.next());
        } else if let Some(backup) = self.backup.clone() {
            let claim = |database: &Database, id: usize| database.rows.get(&id).map_or(Usd::ZERO, |row| row.lease.claim());
            for (id, agent) in self.agents.iter().enumerate() {
                let forgotten = claim(&self.database, id) - claim(&backup, id);
                self.allowance += forgotten.max(Usd::ZERO) + agent.used();
            }
            self.database = backup;
        }
    }
}
