//! The words of the program: money, quantities, names, calendar periods, events, reservations.
//!
//! *Invariants.* A value of one of these types is valid: only constructors that check make one. Money and quantities are integers.
//! Nothing here asks for the time, reads a file, or knows a format.

mod aggregate;
mod attribute;
mod by;
mod cover;
mod cycle;
mod decimal;
mod entry;
mod event;
mod folded;
mod gate;
mod grouping;
mod limit_override;
mod merge;
mod money;
mod name;
mod now;
mod origin;
mod period;
mod quantity;
mod ratio;
mod reached;
mod receiver;
mod reservation;
mod selection;
mod spread;
mod sums;
mod wildcard;

pub use aggregate::{CallFacts, RESPONSE_SOURCE, Repeats, complete, is_same_model};
pub use attribute::{ATTRIBUTE_VALUE_BYTES_MAX, ATTRIBUTES_BYTES_MAX, SERVICE_TIER, attribute_text, with_attributes};
pub use by::dimensions;
pub use cover::{Cover, Facet, FoldedSubject, PATTERN_BYTES_MAX, PATTERNS_MAX, Pattern, Subject};
pub use cycle::{Cycle, PeriodKind, Span};
pub use entry::{Adjustment, Entry, revise};
pub use event::{
    CostEvent, EventKey, Kind, OPERATION_DEFAULT, Outcome, REVISION_MAX, UsageCount, differing_attributes, differing_fields,
    fixed_fields_differing,
};
pub use folded::{Folded, fold_text};
pub use gate::{GateChange, GateMode, GateOverride};
pub use grouping::{ATTRIBUTE_NAME_BYTES_MAX, BY_MAX, CostQuestion, Dimension, Filter, GroupKey, Groups, GroupsByDay};
pub use limit_override::LimitOverride;
pub use merge::{Merge, Merged, merge};
pub use money::{ParseUsdError, Usd};
pub use name::{NAME_BYTES_MAX, Name, NameError, OTHER_LABEL, check_text, check_visible};
pub use now::{Now, Steady};
pub use origin::{
    ANCESTORS_MAX, CostSource, NATIVE_ROAD, Origin, PriceTag, Quality, Rank, SpanId, SpanPlace, TraceId, Zero, unless_zero,
};
pub use period::{BudgetZone, DayStretch, Month, Period, PeriodParseError};
pub use quantity::{ParseQuantityError, Quantity};
pub use ratio::{Threshold, nearest_f64_percent};
pub use reached::Reached;
pub use receiver::{Receiver, Subscription};
pub use reservation::{
    Attribution, Reservation, ReservationRequest, ReservationStage, ReservationState, Settlement, after,
    differing_request_fields,
};
pub use selection::{EventField, EventFilter, EventPlace, EventQuestion, Selection, TimeSpan};
pub use spread::Spread;
pub use sums::{MODEL_PAIRS_MAX, ModelKey, PAIRS_PER_DAY_MAX, Pair, Sums, UsageKey};
pub use wildcard::matches;
