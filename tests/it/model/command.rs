//! What is asked, answered and shown, in the standard library's types: neither the program's words nor its rules.

use std::collections::BTreeMap;

use super::calendar::Nanos;

/// Millionths of a millionth of a dollar.
pub type Pico = i128;
/// One of the few texts that histories use.
pub type Word = &'static str;
/// Worker, batch and lead.
pub type Who = [Option<Word>; 3];

pub const DOLLAR: Pico = 1_000_000_000_000;
pub const WHO_FIELDS: [Word; 3] = ["worker", "batch_id", "lead_id"];
pub const SERVICES: [Word; 7] = ["openai", "OpenAI", "sendgrid", "apollo", "billing", "proxy", "other"];
pub const OPERATIONS: [Word; 6] = ["chat", "embeddings", "unknown", "health_check", "admin_reset", "admin"];
pub const WHO: [[Word; 3]; 3] = [["w1", "w2", "w3"], ["b1", "b2", "b3"], ["l1", "l2", "l3"]];
pub const MODELS: [Word; 2] = ["large", "small"];
pub const TEAMS: [Word; 2] = ["growth", "research"];
pub const REASONS: [Word; 2] = ["not needed", "cancelled"];
/// Patterns of critical operations, as the program is told; `is_critical` says in other words what they mean.
pub const CRITICAL: [&str; 3] = ["health_check", "admin_*", "billing:*"];
/// Every budget that there may be: name, service, and whether it is a month's.
pub const BUDGETS: [(Word, Option<Word>, bool); 7] = [
    ("daily", None, false),
    ("monthly", None, true),
    ("openai-daily", Some("openai"), false),
    ("openai-monthly", Some("OPENAI"), true),
    ("team", None, false),
    ("sendgrid-daily", Some("sendgrid"), false),
    ("apollo-monthly", Some("apollo"), true),
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
    /// An attribute.
    pub team: Option<Word>,
    pub revision: u32,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    pub id: u32,
    pub id_given: bool,
    pub service: Word,
    pub operation: Word,
    pub estimate: Pico,
    pub ttl_seconds: u32,
    pub who: Who,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Settlement {
    pub amount: Pico,
    pub time: Nanos,
    pub time_given: bool,
    pub model: Option<Word>,
}

/// What is asked of the program's writer, many at once.
#[derive(Clone, Debug)]
pub enum Command {
    Record(Vec<Event>),
    Reserve(Request),
    Commit { id: u32, settlement: Settlement },
    Release { id: u32, reason: Option<Word> },
    Extend { id: u32, ttl_seconds: u32 },
    Override { active: bool, reason: Word, lasts_seconds: Option<u32> },
    Auto,
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
    /// The program ends, is off until the wall clock shows `now`, and begins again, maybe in another zone.
    Restart { crash: bool, now: Nanos, zone: super::calendar::Zone },
}

/// One budget of the settings.
#[derive(Clone, Debug)]
pub struct Budget {
    pub name: Word,
    pub service: Option<Word>,
    pub monthly: bool,
    pub limit: Pico,
    pub warn_percent: i128,
    pub gate_percent: i128,
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
    pub remaining: Pico,
    pub period_end: Nanos,
}

/// An event that is refused: its position, its id, the fields that differ.
pub type Conflict = (usize, u32, Vec<Word>);

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

/// Where a budget stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing {
    pub name: Word,
    pub limit: Pico,
    pub spent: Pico,
    pub reserved: Pico,
    pub remaining: Pico,
    pub state: String,
    pub period: (Nanos, Nanos),
}

/// Everything that can be seen at an instant.
#[derive(Clone, Debug, PartialEq)]
pub struct View {
    pub budgets: Vec<Standing>,
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
    let budgets = BUDGETS.iter().map(|(name, ..)| name);
    let who = WHO.iter().flatten();
    let mut words = SERVICES.iter().chain(&OPERATIONS).chain(who).chain(&MODELS).chain(&REASONS).chain(budgets);
    words.find(|word| **word == text).unwrap_or_else(|| panic!("no history uses the text {text:?}"))
}
