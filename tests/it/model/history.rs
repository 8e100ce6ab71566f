//! One history: bursts of commands for the program and the model, what both answer, and what both show afterwards.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};

use lead_factory_metrics::domain::{CostQuestion, Dimension, GateMode, GroupKey, Usd};
use lead_factory_metrics::ledger::{Reader, verify};

use super::border;
use super::chance::Chance;
use super::command::{Answer, Command, Event, OPERATIONS, Pico, SERVICES, Step, Word};
use super::naive::Model;
use super::program::{Coming, Program};

/// Newest commands that a failure shows.
const SHOWN: usize = 20;

/// A history as far as it has come. It tells how to see it again when the test fails.
struct Trail<'a> {
    seed: u64,
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

/// Runs a history of about so many commands, unless another one `failed` meanwhile.
pub async fn run(seed: u64, commands: u64, failed: &AtomicBool) {
    let mut trail = Trail { seed, commands: 0, newest: VecDeque::new(), failed };
    let mut history = History::begin(seed);
    while trail.commands < commands && !failed.load(Ordering::Relaxed) {
        history.burst(&mut trail).await;
        if let Some(step) = history.chance.step(&history.model) {
            trail.note(Line::Between(step.clone()));
            history = history.between(step).await;
        }
    }
    history.finish().await;
}

impl History {
    fn begin(seed: u64) -> Self {
        let mut chance = Chance::new(seed);
        let mut model = Model::new(chance.start(), chance.zone());
        model.policy = chance.policy(&model);
        let program = Program::new(model.now, model.zone, &model.policy);
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
                self.model.set_wall(now);
                self.program.set_wall(now);
                self.compare();
            }
            Step::Reload(policy) => {
                self.program.reload(&policy, self.model.zone).await;
                self.model.policy = policy;
            }
            Step::Restart { crash, now, zone } => {
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
        assert_eq!(self.program.view(), self.model.view(), "the program's view, and the model's");
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

    /// A check is allowed up to what is left, and not a pico-dollar further.
    fn compare_checks(&self) {
        for (service, operation) in SERVICES.into_iter().zip(OPERATIONS) {
            let room = self.model.room(service).unwrap_or(0).max(0);
            for estimate in [0, room, room + 1] {
                let expected = self.model.refusal(service, operation, estimate);
                assert_eq!(self.program.refusal(service, operation, estimate), expected, "{service} {operation} {estimate}");
            }
        }
    }

    /// The file is sound, and holds what was answered, event by event.
    async fn finish(self) {
        let Model { now, zone, .. } = self.model;
        let Self { model, program, .. } = self.between(Step::Restart { crash: false, now, zone }).await;
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
        let Self { seed, commands, newest, .. } = self;
        eprintln!("command {commands} of the history with seed {seed}; it and the ones before:");
        newest.iter().for_each(|line| eprintln!("  {line:?}"));
        eprintln!("to see it again: MODEL_SEED={seed} scripts/test model");
    }
}
