//! One history: bursts of commands for the program and the model, what both answer, and what both show afterwards.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};

use lead_factory_metrics::domain::{CostQuestion, Dimension, GateMode, GroupKey, Usd};
use lead_factory_metrics::ledger::{Reader, verify};

use super::border;
use super::chance::Chance;
use super::command::{Answer, Command, Event, Pico, Step, Word};
use super::naive::Model;
use super::program::{Coming, Program};
use super::spending::Since;

/// Newest commands that a failure shows.
const SHOWN: usize = 20;
/// Questions after each burst.
const CHECKS: usize = 6;

/// A history as far as it has come. It tells how to see it again when the test fails.
struct Trail<'a> {
    /// How it is seen again.
    again: String,
    commands: u64,
    newest: VecDeque<Line>,
    failed: &'a AtomicBool,
}

/// What happened, for a failure to show.
#[derive(Debug)]
#[expect(dead_code, reason = "read by `Debug`")]
enum Line {
    Between(Step),
    Asked(Box<(Command, Answer)>),
}

struct History {
    chance: Chance,
    model: Model,
    program: Program,
}

/// Commands of a history that bytes choose, so that none takes too long.
const COMMANDS_OF_BYTES: u64 = 400;

/// Runs a history of about so many commands, unless another one `failed` meanwhile.
pub async fn run(seed: u64, commands: u64, failed: &AtomicBool) {
    let again = format!("to see it again: MODEL_SEED={seed} scripts/test model");
    let trail = Trail { again, commands: 0, newest: VecDeque::new(), failed };
    History::begin(Chance::of_seed(seed)).run(commands, trail).await;
}

/// Runs the history that these bytes choose.
pub async fn replay(bytes: &[u8]) {
    let again = "to see it again: put the input into fuzz/corpus/budgets".to_owned();
    let trail = Trail { again, commands: 0, newest: VecDeque::new(), failed: &AtomicBool::new(false) };
    History::begin(Chance::of_bytes(bytes)).run(COMMANDS_OF_BYTES, trail).await;
}

impl History {
    async fn run(mut self, commands: u64, mut trail: Trail<'_>) {
        while trail.commands < commands && !self.chance.is_used_up() && !trail.failed.load(Ordering::Relaxed) {
            self.burst(&mut trail).await;
            if let Some(step) = self.chance.step(&self.model) {
                trail.note(Line::Between(step.clone()));
                self = self.between(step).await;
            }
        }
        self.finish().await;
    }

    fn begin(mut chance: Chance) -> Self {
        let mut model = Model::new(chance.start(), chance.zone());
        model.reload(chance.policy(&model));
        let program = Program::new(model.now, model.zone, &model.policy, chance.keys_max());
        Self { chance, model, program }
    }

    /// All commands are queued before the first answer is waited for, so that they are committed together.
    async fn burst(&mut self, trail: &mut Trail<'_>) {
        let mut asked: Vec<(Command, Answer, Coming)> = Vec::new();
        for _ in 0..self.chance.burst_len() {
            let command = self.chance.command(&self.model);
            let coming = self.program.ask(&command);
            let expected = self.model.apply(&command);
            asked.push((command, expected, coming));
        }
        for (command, expected, coming) in asked {
            let answer = coming.await;
            trail.note(Line::Asked(Box::new((command, answer.clone()))));
            if answer != expected {
                let (shown, model) = (self.program.view(), self.model.view());
                panic!("answered {answer:#?}\nexpected {expected:#?}\nafter the burst\n{shown:#?}\nexpected\n{model:#?}");
            }
        }
        self.compare_settled();
        self.compare_checks();
    }

    async fn between(mut self, step: Step) -> Self {
        match step {
            Step::Pass(length) => {
                self.model.pass(length);
                self.program.pass(length);
                // Readers need not wait until the writer has looked at the clock.
                self.compare();
            }
            Step::SetWall(now) => {
                let is_back = now < self.model.now;
                self.model.set_wall(now);
                self.program.set_wall(now);
                if is_back {
                    // What was spent in periods that were over is not in memory any more.
                    self.program.look().await;
                }
                self.compare();
            }
            Step::Reload(policy) => {
                self.program.reload(&policy, self.model.zone).await;
                self.model.reload(policy);
            }
            Step::Restart { crash, now, zone, policy } => {
                self.model.policy = policy.unwrap_or(self.model.policy);
                self.model.restart(now, zone);
                let policy = &self.model.policy;
                self.program = if crash {
                    self.program.crash(now, zone, policy).await
                } else {
                    self.program.restart(now, zone, policy).await
                };
                self.compare();
            }
        }
        // Else the burst that follows meets a writer that has not looked at the clock since.
        if !self.chance.one_in(2) {
            self.program.look().await;
            self.compare_settled();
        }
        self
    }

    fn compare(&self) {
        let (mut shown, mut expected) = (self.program.view(), self.model.view());
        if !self.program.has_all_keys() {
            // How keys stand that are not in memory is known when somebody asks for one.
            (shown.keys, expected.keys) = Default::default();
        }
        assert_eq!(shown, expected, "the program's view, and the model's");
        for (position, budget) in self.model.policy.budgets.iter().enumerate() {
            let keys = if budget.each.is_some() { self.model.keys(budget) } else { vec![String::new()] };
            // Also one of which nobody has heard.
            let unknown = budget.each.map(|_| "nobody".to_owned());
            for key in keys.iter().cloned().chain(unknown) {
                let (standing, since) = self.program.key_standing(position, &key);
                assert_eq!(standing, self.model.standing(budget, &key), "a key as the program shows it, and the model");
                // Not known is never wrong.
                let is_known = since.is_none_or(|since| match self.model.exhausted_since(budget, &key) {
                    _ if standing.limit.iter().any(|(_, limit)| *limit == 0) => {
                        standing.period.is_some_and(|(start, _)| start == since)
                    }
                    Since::Event(time) => time == since,
                    Since::Never | Since::Unknown => false,
                });
                let expected = self.model.exhausted_since(budget, &key);
                assert!(is_known, "used up since {since:?}, by the model {expected:?}: {standing:?}");
            }
        }
        self.compare_fullest();
    }

    /// The fullest keys come first, and all of them where there are no more than are shown.
    fn compare_fullest(&self) {
        for (name, shown) in self.program.fullest() {
            let budget = self.model.policy.budgets.iter().find(|budget| budget.name == name).unwrap();
            let utilization = |key: &str| self.model.used(budget, key).utilization();
            for (key, used, state) in &shown {
                let expected = self.model.standing(budget, key);
                let units =
                    (0..used.len()).map(|unit| (expected.spent[unit], expected.reserved[unit], expected.remaining[unit]));
                assert_eq!((used, state), (&units.collect(), &expected.state), "{name} {key}");
            }
            assert!(shown.is_sorted_by(|one, next| utilization(&one.0) >= utilization(&next.0) - 1e-9), "{name}: {shown:?}");
            if self.program.has_all_keys() {
                let mut keys: Vec<&String> = shown.iter().map(|(key, ..)| key).collect();
                keys.sort();
                assert_eq!(keys, self.model.keys(budget).iter().collect::<Vec<_>>(), "{name}");
            }
        }
    }

    /// Also what the writer has written down of the gate.
    fn compare_settled(&self) {
        self.compare();
        let view = self.model.view();
        let (reason, active, mode) = self.program.gate();
        assert_eq!((active, mode.as_str()), (view.gate_active, &*view.gate_mode), "the newest line of the gate's history");
        match mode {
            GateMode::Manual => assert_eq!(Some(&*reason), self.model.manual().map(|manual| manual.reason)),
            GateMode::Auto => self.model.reached().for_each(|budget| assert!(reason.contains(budget.name), "{reason}")),
            GateMode::Disabled => assert_eq!(reason, "Scaling gate is disabled"),
        }
    }

    /// A check is allowed up to what is left, and not a pico-dollar or a millionth of a token further.
    fn compare_checks(&mut self) {
        for _ in 0..CHECKS {
            let names = self.chance.names();
            let room = self.model.room(&names).map(|room| room.unwrap_or(0).max(0));
            let beyond = self.chance.below(4) as usize;
            for more in [[0; 4], room, std::array::from_fn(|unit| room[unit] + Pico::from(unit == beyond))] {
                let expected = self.model.refusal(&names, &more);
                assert_eq!(self.program.refusal(&names, &more), expected, "{names:?} {more:?}");
            }
        }
    }

    /// The file is sound, and holds what was answered, event by event.
    async fn finish(self) {
        let Model { now, zone, .. } = self.model;
        let Self { model, program, .. } = self.between(Step::Restart { crash: false, now, zone, policy: None }).await;
        let path = program.path();
        // The folder goes when this does.
        let _folder = program.stop().await;

        let report = verify(&path).unwrap();
        let total: Pico = model.events().map(|event| event.amount).sum();
        assert_eq!((report.problems, report.total_usd), (vec![], Usd::from_pico(total)));
        assert_eq!(report.events, model.events().count() as u64);
        compare_groups(&model, path);
    }
}

/// Compares cost by day and worker, because reservations say who their events were for, and by team, which revisions change.
fn compare_groups(model: &Model, path: std::path::PathBuf) {
    let reader = Reader::new(path, border::zone(model.zone));
    let by_worker = grouped(model, |event| event.who[0]);
    let by_team = grouped(model, |event| event.team);
    for (dimension, expected) in [(Dimension::Worker, by_worker), (Dimension::Attribute("team".into()), by_team)] {
        let Some((&first, &last)) = expected.keys().next().zip(expected.keys().next_back()) else { return };
        let question = CostQuestion { by: vec![dimension], first, last, filters: vec![], by_day: true };
        let found = reader.breakdown(&question, &|| false).unwrap();
        // A team whose only cost has moved to another one is still named.
        let of_day = |sums: BTreeMap<GroupKey, Usd>| {
            let sums = sums.into_iter().map(|(key, sum)| (key.values().collect::<String>(), sum.pico()));
            sums.filter(|(_, sum)| *sum != 0).collect()
        };
        assert_eq!(found.into_iter().map(|(day, sums)| (day, of_day(sums))).collect::<BTreeMap<_, _>>(), expected);
    }
}

/// What the model's events add up to, by day and text; what adds up to nothing is left out.
fn grouped(model: &Model, text: impl Fn(&Event) -> Option<Word>) -> BTreeMap<jiff::civil::Date, BTreeMap<String, Pico>> {
    let zone = border::zone(model.zone);
    let mut expected: BTreeMap<_, BTreeMap<String, Pico>> = BTreeMap::new();
    for event in model.events() {
        let day = zone.day_of(border::timestamp(event.time));
        *expected.entry(day).or_default().entry(text(event).unwrap_or("").to_owned()).or_default() += event.amount;
    }
    expected.values_mut().for_each(|sums| sums.retain(|_, sum| *sum != 0));
    expected
}

impl Trail<'_> {
    fn note(&mut self, line: Line) {
        self.commands += 1;
        if self.newest.len() == SHOWN {
            self.newest.pop_front();
        }
        self.newest.push_back(line);
    }
}

impl Drop for Trail<'_> {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        self.failed.store(true, Ordering::Relaxed);
        let Self { again, commands, newest, .. } = self;
        eprintln!("command {commands} of the history; it and the ones before:");
        newest.iter().for_each(|line| eprintln!("  {line:?}"));
        eprintln!("{again}");
    }
}
