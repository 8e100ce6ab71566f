//! Events and requests as a format found them: plain values, nothing checked.
//!
//! Every field is optional, and one that has the wrong shape says which, so that the reason can name it. Numbers are text: no
//! float ever holds money.
//!
//! *What is deliberately not here.* Rules, and any format: whoever has texts and numbers can fill these.

use std::borrow::Cow;

use jiff::Timestamp;

/// A field of a record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Field<T> {
    /// It is not there.
    #[default]
    Absent,
    /// It is there, in the shape it should have.
    Given(T),
    /// It is there in another shape.
    Misshapen(Shape),
}

/// The kinds of value that formats tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Explicitly nothing.
    Null,
    /// `true` or `false`.
    Bool,
    /// A number, of any size and precision.
    Number,
    /// A text.
    String,
    /// A list.
    Array,
    /// Names with values.
    Object,
}

/// A text as it was sent, its escapes undone.
pub type RawText<'a> = Field<Cow<'a, str>>;
/// A number in decimal digits, as it was sent.
pub type RawNumber<'a> = Field<Cow<'a, str>>;

/// A point in time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RawTime<'a> {
    /// As RFC 3339.
    Text(Cow<'a, str>),
    /// From a format that has times of its own.
    At(Timestamp),
}

/// A text that is known to be a JSON object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawJson<'a> {
    /// To the letter.
    pub text: Cow<'a, str>,
    /// Whether every number in it is within the range of a double. `1e400` is JSON, but most readers choke on it.
    pub numbers_are_finite: bool,
}

/// What was counted, and how many. What has no number is not in it.
pub type RawUsage<'a> = Vec<(Cow<'a, str>, RawNumber<'a>)>;

/// One event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RawEvent<'a> {
    /// The paid service.
    pub service: RawText<'a>,
    /// What it cost.
    pub amount_usd: RawNumber<'a>,
    /// What the service was asked to do.
    pub operation: RawText<'a>,
    /// Idempotency key within its source.
    pub id: RawText<'a>,
    /// The key that the request came under: the id of what has none. No field of an event.
    pub idempotency_key: RawText<'a>,
    /// Who made the id.
    pub source: RawText<'a>,
    /// When another ledger recorded it. No field of an event but in an import.
    pub recorded_at: Field<RawTime<'a>>,
    /// When it happened.
    pub time: Field<RawTime<'a>>,
    /// `charge` or `credit`.
    pub kind: RawText<'a>,
    /// The process that made the call.
    pub worker: RawText<'a>,
    /// The batch of work it belongs to.
    pub batch_id: RawText<'a>,
    /// The lead it was made for.
    pub lead_id: RawText<'a>,
    /// The model or tier that was used.
    pub model: RawText<'a>,
    /// Quantities. No name stands twice.
    pub usage: Field<RawUsage<'a>>,
    /// The same as the provider said it: its usage object.
    pub usage_raw: Field<RawJson<'a>>,
    /// How long the call took.
    pub duration_seconds: RawNumber<'a>,
    /// `ok` or `error`.
    pub outcome: RawText<'a>,
    /// Whatever else the sender wants kept.
    pub attributes: Field<RawJson<'a>>,
    /// Which telling of the event this is.
    pub revision: RawNumber<'a>,
    /// How it came to be, as another ledger says. No field of an event but in an import.
    pub origin: Field<RawJson<'a>>,
    /// Names that are no field of an event. A format that does not mind them leaves this empty.
    pub unknown: Vec<Cow<'a, str>>,
}

/// A request to set money aside.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RawReservation<'a> {
    /// The service that is going to be paid.
    pub service: RawText<'a>,
    /// What it will be asked to do.
    pub operation: RawText<'a>,
    /// What it is thought to cost at most.
    pub estimated_cost_usd: RawNumber<'a>,
    /// The model that it will ask, where the book says what that costs.
    pub model: RawText<'a>,
    /// What it will use at most.
    pub usage: Field<RawUsage<'a>>,
    /// How long to hold the money.
    pub ttl_seconds: RawNumber<'a>,
    /// The id that the worker chose.
    pub id: RawText<'a>,
    /// The key that the request came under: the id where there is none. No field of a reservation.
    pub idempotency_key: RawText<'a>,
    /// The process that does the work.
    pub worker: RawText<'a>,
    /// The batch of work.
    pub batch_id: RawText<'a>,
    /// The lead it is for.
    pub lead_id: RawText<'a>,
    /// Names that are no field of a reservation.
    pub unknown: Vec<Cow<'a, str>>,
}

/// An operator's word about the gate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RawGateOrder<'a> {
    /// `active`, `inactive` or `auto`.
    pub state: RawText<'a>,
    /// Why.
    pub reason: RawText<'a>,
    /// Who says so.
    pub actor: RawText<'a>,
    /// When the word lapses.
    pub expires_in_seconds: RawNumber<'a>,
    /// Names that are no field of it.
    pub unknown: Vec<Cow<'a, str>>,
}

/// Somebody's word about a budget's limit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RawLimitOrder<'a> {
    /// So much money, or null.
    pub limit_usd: RawNumber<'a>,
    /// So much usage, or null.
    pub limit_usage: Field<RawUsage<'a>>,
    /// Why.
    pub reason: RawText<'a>,
    /// Who says so.
    pub actor: RawText<'a>,
    /// When the word lapses.
    pub expires_in_seconds: RawNumber<'a>,
    /// Names that are no field of it.
    pub unknown: Vec<Cow<'a, str>>,
}

/// A request with a single field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RawSingle<'a> {
    /// That field.
    pub value: Field<Cow<'a, str>>,
    /// Other names.
    pub unknown: Vec<Cow<'a, str>>,
}

impl RawEvent<'_> {
    /// The names of an event's fields.
    pub const FIELDS: [&'static str; 17] = [
        "service",
        "amount_usd",
        "operation",
        "id",
        "source",
        "time",
        "kind",
        "worker",
        "batch_id",
        "lead_id",
        "model",
        "usage",
        "usage_raw",
        "duration_seconds",
        "outcome",
        "attributes",
        "revision",
    ];
    /// Those that may be said when a reservation is settled; the reservation knows the others.
    pub const SETTLEMENT_FIELDS: [&'static str; 8] =
        ["amount_usd", "time", "usage", "usage_raw", "model", "duration_seconds", "outcome", "attributes"];
}

impl RawReservation<'_> {
    /// The names of a reservation's fields.
    pub const FIELDS: [&'static str; 10] = [
        "service",
        "operation",
        "estimated_cost_usd",
        "model",
        "usage",
        "ttl_seconds",
        "id",
        "worker",
        "batch_id",
        "lead_id",
    ];
}

impl RawGateOrder<'_> {
    /// The names of its fields.
    pub const FIELDS: [&'static str; 4] = ["state", "reason", "actor", "expires_in_seconds"];
}

impl RawLimitOrder<'_> {
    /// The names of its fields.
    pub const FIELDS: [&'static str; 5] = ["limit_usd", "limit_usage", "reason", "actor", "expires_in_seconds"];
}

impl<T> Field<T> {
    /// Whether it was said at all, in whatever shape.
    pub const fn is_present(&self) -> bool {
        !matches!(self, Self::Absent)
    }
}

impl<'a> From<&'a str> for Field<Cow<'a, str>> {
    fn from(text: &'a str) -> Self {
        Self::Given(Cow::Borrowed(text))
    }
}

impl Shape {
    /// As it is called in a sentence: "a number".
    pub const fn with_article(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool => "a boolean",
            Self::Number => "a number",
            Self::String => "a string",
            Self::Array => "an array",
            Self::Object => "an object",
        }
    }
}
