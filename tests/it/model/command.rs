//! What is asked, answered and shown, in the standard library's types: neither the program's words nor its rules.

use std::collections::BTreeMap;

use super::calendar::{Cycle, Nanos, Span, Zone};

/// Millionths of a millionth of a dollar, or millionths of what is used.
pub type Pico = i128;
/// One of the few texts that histories use.
pub type Word = &'static str;
/// Worker, batch and lead.
pub type Who = [Option<Word>; 3];
/// Service, operation, worker, batch, lead and model.
pub type Names = [Option<Word>; 6];
/// So much of each of [`UNITS`] but the first, in millionths, as far as it is said.
pub type Counts = [Option<Pico>; 3];
/// So much of each of [`UNITS`].
pub type Amounts = [Pico; 4];

pub const DOLLAR: Pico = 1_000_000_000_000;
pub const UNITS: [Word; 4] = ["USD", "images", "input_tokens", "output_tokens"];
pub const USD: usize = 0;
pub const WHO_FIELDS: [Word; 3] = ["worker", "batch_id", "lead_id"];
pub const SERVICES: [Word; 7] = ["openai", "OpenAI", "sendgrid", "apollo", "billing", "proxy", "other"];
pub const OPERATIONS: [Word; 6] = ["chat", "embeddings", "unknown", "health_check", "admin_reset", "admin"];
pub const WHO: [[Word; 5]; 3] =
    [["w1", "W1", "w2", "w3", "wx"], ["b1", "b2", "B2", "b3", "c1"], ["l1", "L2", "l2", "οδος", "ΟΔΟΣ"]];
pub const MODELS: [Word; 4] = ["large", "small", "Small", "tiny*"];
pub const TEAMS: [Word; 2] = ["growth", "research"];
pub const REASONS: [Word; 2] = ["not needed", "cancelled"];
/// The source of calls that come over several roads, and these.
pub const CALLS: Word = "call:openai";
pub const ROADS: [Word; 3] = ["litellm", "cloudevents", "otlp:x"];
/// Patterns of critical operations, as the program is told; `is_critical` says in other words what they mean.
pub const CRITICAL: [&str; 3] = ["health_check", "admin_*", "billing:*"];
/// What budgets may be called.
pub const BUDGETS: [Word; 14] = [
    "daily", "monthly", "alpha", "bravo", "charlie", "delta", "echo", "foxtrot", "golf", "hotel", "india", "juliett",
    "kilo", "lima",
];
/// Patterns that budgets may have, for each of the names.
pub const PATTERNS: [&[Word]; 6] = [
    &["openai", "OPENAI", "open*", "*", "s*d", "apollo", "*A*", "*i"],
    &["chat", "CH*", "*", "*d*s", "emb*ngs"],
    &["w1", "W*", "*", "*2", "w3"],
    &["b1", "B2", "b*", "*"],
    &["l1", "l*", "*", "οδ*", "ΟΔΟΣ"],
    &["large", "*l*", "SMALL", "*", "tiny*"],
];

#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    pub source: Word,
    pub id: u32,
    pub service: Word,
    pub operation: Word,
    pub amount: Pico,
    pub credit: bool,
    pub time: Nanos,
    pub time_given: bool,
    pub who: Who,
    pub model: Option<Word>,
    pub usage: Counts,
    /// An attribute.
    pub team: Option<Word>,
    pub revision: u32,
    /// Over which road a call was told; `None` where a worker told it.
    pub road: Option<Word>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    pub id: u32,
    pub id_given: bool,
    pub service: Word,
    pub operation: Word,
    pub estimate: Pico,
    pub usage: Counts,
    pub ttl_seconds: u32,
    pub who: Who,
    pub model: Option<Word>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Settlement {
    pub amount: Pico,
    pub time: Nanos,
    pub time_given: bool,
    pub model: Option<Word>,
    pub usage: Counts,
}

/// What is asked of the program's writer, many at once.
#[derive(Clone, Debug)]
pub enum Command {
    Record(Vec<Event>),
    /// Calls, which may be told over several roads.
    Tell(Vec<Event>),
    Reserve(Request),
    Commit {
        id: u32,
        settlement: Settlement,
    },
    Release {
        id: u32,
        reason: Option<Word>,
    },
    Extend {
        id: u32,
        ttl_seconds: u32,
    },
    Override {
        active: bool,
        reason: Word,
        lasts_seconds: Option<u32>,
    },
    Auto,
    /// A limit in place of the one in the settings; `None` is that one again.
    Limit {
        budget: Word,
        limit: Option<Vec<(usize, Pico)>>,
        lasts_seconds: Option<u32>,
    },
}

/// What happens between two bursts of commands.
#[derive(Clone, Debug)]
pub enum Step {
    /// Time passes.
    Pass(Nanos),
    /// Somebody sets the wall clock.
    SetWall(Nanos),
    /// The settings are read again.
    Reload(Policy),
    /// The program ends, is off until the wall clock shows `now`, and begins again, maybe in another zone or with other budgets.
    Restart { crash: bool, now: Nanos, zone: Zone, policy: Option<Policy> },
}

/// One budget of the settings.
#[derive(Clone, Debug, PartialEq)]
pub struct Budget {
    pub name: Word,
    /// For each of the names patterns of which one must match; none where it does not matter.
    pub patterns: [Vec<Word>; 6],
    /// Which of the names has the limit by itself.
    pub each: Option<usize>,
    pub cycle: Cycle,
    /// Of each unit, by its place in [`UNITS`].
    pub limit: Vec<(usize, Pico)>,
    /// Hundredths, ascending.
    pub warn_percents: Vec<i128>,
    pub gate_percent: i128,
    pub watch: bool,
}

/// The settings that matter.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    pub budgets: Vec<Budget>,
    pub gate_enabled: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub enum State {
    Held,
    Expired,
    Released(Option<Word>),
    Committed(Pico),
}

#[derive(Clone, Debug, PartialEq)]
pub struct Reservation {
    pub request: Request,
    pub critical: bool,
    pub created_at: Nanos,
    pub expires_at: Nanos,
    pub ended_at: Option<Nanos>,
    pub state: State,
}

/// What a refusal says of a budget.
#[derive(Clone, Debug, PartialEq)]
pub struct Left {
    pub name: Word,
    pub key: Option<String>,
    pub unit: Word,
    pub remaining: Pico,
    pub period_end: Option<Nanos>,
}

/// An event that is refused: its position, its id, the fields that differ.
pub type Conflict = (usize, u32, Vec<Word>);

#[expect(clippy::large_enum_variant, reason = "no history keeps many")]
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    Recorded {
        accepted: usize,
        duplicates: usize,
        revised: usize,
    },
    Conflicts(Vec<Conflict>),
    Done {
        reservation: Reservation,
        is_new: bool,
    },
    NotFound,
    GateActive(Option<Left>),
    Exhausted(Left),
    /// Over, as said in the one word for its state.
    Finished(Word),
    OtherContent(Vec<Word>),
    Ordered,
    /// What the model never answers.
    Failed(String),
}

/// Where a budget stands, or one key of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing {
    pub name: Word,
    pub key: Option<String>,
    pub limit: Vec<(Word, Pico)>,
    pub spent: Vec<Pico>,
    pub reserved: Vec<Pico>,
    pub remaining: Vec<Pico>,
    pub state: String,
    pub period: Span,
}

/// How the keys of a budget stand: all of them, those that are warned of, those that are used up.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct KeyCounts {
    pub keys: u64,
    pub warning: u64,
    pub exhausted: u64,
}

/// Everything that can be seen at an instant.
#[derive(Clone, Debug, PartialEq)]
pub struct View {
    /// Those without keys.
    pub budgets: Vec<Standing>,
    pub keys: BTreeMap<Word, KeyCounts>,
    pub gate_active: bool,
    pub gate_mode: String,
    pub held: u64,
    pub expired: u64,
    pub today: BTreeMap<Word, Pico>,
    pub month: Pico,
    /// What the ledger has rows for.
    pub entries: u64,
}

/// The one copy of a text that the program shows.
pub fn word(text: &str) -> Word {
    let who = WHO.iter().flatten();
    let mut words =
        SERVICES.iter().chain(&OPERATIONS).chain(who).chain(&MODELS).chain(&REASONS).chain(&BUDGETS).chain(&UNITS);
    words.find(|word| **word == text).unwrap_or_else(|| panic!("no history uses the text {text:?}"))
}

/// What the six names are of something.
pub fn names(service: Word, operation: Word, [worker, batch, lead]: Who, model: Option<Word>) -> Names {
    [Some(service), Some(operation), worker, batch, lead, model]
}

/// So much money and usage, unit by unit.
pub fn amounts(usd: Pico, usage: &Counts) -> Amounts {
    let [images, input, output] = usage.map(|count| count.unwrap_or(0));
    [usd, images, input, output]
}
