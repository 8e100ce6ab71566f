//! How a reservation stands in its table.

use std::sync::Arc;

use super::super::LedgerError;
use super::super::events::NoneIsNull;
use super::super::row::{Cell, Cells, Codec, Pico, Plain, Shape, Sink, row};
use crate::domain::{Attribution, Reservation, ReservationRequest, ReservationState, Usd};

/// A reservation as it stands in the ledger.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredReservation {
    /// Its place: 1 for the first reservation ever granted, then without gaps.
    pub seq: i64,
    /// What is on record.
    pub reservation: Reservation,
    /// The place of the event that committed it.
    pub event_seq: Option<i64>,
}

/// A reservation that a commit writes.
#[derive(Clone, Debug)]
pub struct ReservationChange {
    /// What the ledger has; `None` when it is new.
    pub before: Option<StoredReservation>,
    /// What it is to have.
    pub after: StoredReservation,
}

row! {
    "INSERT" "reservation",
    write StoredReservation, read StoredReservation,
    (StoredReservation {
        seq,
        reservation: Reservation {
            request: ReservationRequest { id, id_given, service, operation, estimated_cost, ttl_seconds, attribution, model, usage },
            critical,
            created_at,
            expires_at,
            ended_at,
            state,
        },
        event_seq,
    }),
    key {
        "seq" => seq;
    }
    columns {
        "id" => id;
        "id_given" => id_given;
        "service" => service;
        "operation" => operation;
        "estimated_pico" => estimated_cost: Pico;
        "ttl_seconds" => ttl_seconds;
        "worker", "batch_id", "lead_id" => attribution;
        "critical" => critical;
        "created_at_ns" => created_at;
        "expires_at_ns" => expires_at;
        "ended_at_ns" => ended_at;
        "state", "amount_pico", "reason" => state;
        "event_seq" => event_seq;
    }
    later {
        "model" => model;
        "usage" => usage: NoneIsNull;
    }
}

impl Codec<Option<Arc<Attribution>>> for Plain {
    const SHAPES: &'static [Shape] = &[Shape::OptionalText, Shape::OptionalText, Shape::OptionalText];

    fn put(value: &Option<Arc<Attribution>>, sink: &mut impl Sink) -> Result<(), LedgerError> {
        let none = Attribution::default();
        let Attribution { worker, batch_id, lead_id } = value.as_deref().unwrap_or(&none);
        Self::put(worker, sink)?;
        Self::put(batch_id, sink)?;
        Self::put(lead_id, sink)
    }

    fn take(cells: &mut Cells<'_>) -> Option<Option<Arc<Attribution>>> {
        let (worker, batch_id, lead_id) = (Self::take(cells)?, Self::take(cells)?, Self::take(cells)?);
        Some(Attribution { worker, batch_id, lead_id }.shared())
    }
}

/// The state's name, and what belongs to it: the cost of one that was settled, the reason for one that was released.
impl Codec<ReservationState> for Plain {
    const SHAPES: &'static [Shape] = &[Shape::Text, Shape::OptionalInteger, Shape::OptionalText];

    fn put(state: &ReservationState, sink: &mut impl Sink) -> Result<(), LedgerError> {
        sink.add(Cell::Text(state.stage().as_str()))?;
        match state {
            ReservationState::Settled { amount } => Pico::put(amount, sink)?,
            _ => sink.add(Cell::OptionalInteger(None))?,
        }
        sink.add(Cell::OptionalText(match state {
            ReservationState::Released { reason } => reason.as_deref(),
            _ => None,
        }))
    }

    fn take(cells: &mut Cells<'_>) -> Option<ReservationState> {
        let (stage, pico, reason) = (cells.text()?, cells.optional_integer()?, cells.optional_text()?);
        match stage {
            "held" => Some(ReservationState::Held),
            "expired" => Some(ReservationState::Expired),
            "released" => Some(ReservationState::Released { reason: reason.map(Box::from) }),
            "committed" => Some(ReservationState::Settled { amount: Usd::from_pico(pico?.into()) }),
            _ => None,
        }
    }
}
