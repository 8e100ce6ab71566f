//! How a reservation is written, read and checked.

use rusqlite::{Connection, Row, params};

use super::super::LedgerError;
use super::super::checksum::Checksum;
use super::super::rows::{check, damaged, name, nanoseconds, timestamp};
use super::StoredReservation;
use crate::domain::{Attribution, Reservation, ReservationRequest, ReservationState, Usd};

/// The columns that [`read`] expects, in their order.
pub(super) const COLUMNS: &str = "seq, id, id_given, service, operation, estimated_pico, ttl_seconds, worker, batch_id, lead_id, critical, \
     created_at_ns, expires_at_ns, ended_at_ns, state, amount_pico, reason, event_seq, checksum";

const INSERT: &str = "INSERT INTO reservation (seq, id, id_given, service, operation, estimated_pico, ttl_seconds, worker, batch_id, \
     lead_id, critical, created_at_ns, expires_at_ns, ended_at_ns, state, amount_pico, reason, event_seq, checksum) \
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";

/// Writes a new row, whose checksum is given.
pub(super) fn insert(connection: &Connection, stored: &StoredReservation, checksum: i64) -> Result<(), LedgerError> {
    let StoredReservation { seq, reservation, event_seq } = stored;
    let Reservation { request, critical, created_at, expires_at, ended_at, state } = reservation;
    let [worker, batch_id, lead_id] = request.attributed_to();
    connection.prepare_cached(INSERT)?.execute(params![
        seq,
        &*request.id,
        request.id_given,
        request.service.as_str(),
        request.operation.as_str(),
        pico(request.estimated_cost)?,
        request.ttl_seconds,
        worker,
        batch_id,
        lead_id,
        critical,
        nanoseconds(*created_at),
        nanoseconds(*expires_at),
        ended_at.map(nanoseconds),
        state.stage().as_str(),
        amount(state)?,
        reason(state),
        event_seq,
        checksum,
    ])?;
    Ok(())
}

/// Writes what may change of a row, whose checksum is given.
pub(super) fn update(connection: &Connection, stored: &StoredReservation, checksum: i64) -> Result<(), LedgerError> {
    let sql = "UPDATE reservation SET expires_at_ns = ?, ended_at_ns = ?, state = ?, amount_pico = ?, reason = ?, event_seq = ?, \
               checksum = ? WHERE seq = ?";
    let Reservation { expires_at, ended_at, state, .. } = &stored.reservation;
    let changed = connection.prepare_cached(sql)?.execute(params![
        nanoseconds(*expires_at),
        ended_at.map(nanoseconds),
        state.stage().as_str(),
        amount(state)?,
        reason(state),
        stored.event_seq,
        checksum,
        stored.seq,
    ])?;
    if changed == 1 { Ok(()) } else { Err(damaged("reservation", "seq")) }
}

pub(super) fn read(row: &Row<'_>) -> Result<StoredReservation, LedgerError> {
    let usd =
        |column: usize| Ok::<_, LedgerError>(row.get::<_, Option<i64>>(column)?.map(|pico| Usd::from_pico(pico.into())));
    let missing = || damaged("reservation", "state");
    let state = match row.get_ref(14)?.as_str().map_err(rusqlite::Error::from)? {
        "held" => ReservationState::Held,
        "expired" => ReservationState::Expired,
        "released" => ReservationState::Released { reason: row.get(16)? },
        "committed" => ReservationState::Settled { amount: usd(15)?.ok_or_else(missing)? },
        _ => return Err(missing()),
    };
    let request = ReservationRequest {
        id: row.get(1)?,
        id_given: row.get(2)?,
        service: name(row, 3)?,
        operation: name(row, 4)?,
        estimated_cost: usd(5)?.unwrap_or(Usd::ZERO),
        ttl_seconds: row.get(6)?,
        attribution: Attribution { worker: row.get(7)?, batch_id: row.get(8)?, lead_id: row.get(9)? }.shared(),
    };
    let reservation = Reservation {
        request,
        critical: row.get(10)?,
        created_at: timestamp(11, row.get(11)?)?,
        expires_at: timestamp(12, row.get(12)?)?,
        ended_at: row.get::<_, Option<i64>>(13)?.map(|ns| timestamp(13, ns)).transpose()?,
        state,
    };
    let stored = StoredReservation { seq: row.get(0)?, reservation, event_seq: row.get(17)? };
    check("reservation", row.get(18)?, checksum(&stored))?;
    Ok(stored)
}

fn pico(amount: Usd) -> Result<i64, LedgerError> {
    // Estimates are bounded like events, at a ninth of what 64 bits of pico-dollars hold.
    i64::try_from(amount.pico()).map_err(|_| damaged("reservation", "amount"))
}

fn amount(state: &ReservationState) -> Result<Option<i64>, LedgerError> {
    match state {
        ReservationState::Settled { amount } => pico(*amount).map(Some),
        _ => Ok(None),
    }
}

fn reason(state: &ReservationState) -> Option<&str> {
    match state {
        ReservationState::Released { reason } => reason.as_deref(),
        _ => None,
    }
}

pub(super) fn checksum(stored: &StoredReservation) -> i64 {
    let Reservation { request, critical, created_at, expires_at, ended_at, state } = &stored.reservation;
    let optional = |value: Option<i64>| value.unwrap_or(i64::MIN);
    let pico = |amount: Usd| i64::try_from(amount.pico()).unwrap_or(i64::MAX);
    let [worker, batch_id, lead_id] = request.attributed_to();
    let amount = if let ReservationState::Settled { amount } = state { Some(pico(*amount)) } else { None };
    Checksum::of("reservation")
        .integer(stored.seq)
        .text(&request.id)
        .integer(i64::from(request.id_given))
        .text(request.service.as_str())
        .text(request.operation.as_str())
        .integer(pico(request.estimated_cost))
        .integer(i64::from(request.ttl_seconds))
        .optional_text(worker)
        .optional_text(batch_id)
        .optional_text(lead_id)
        .integer(i64::from(*critical))
        .integer(nanoseconds(*created_at))
        .integer(nanoseconds(*expires_at))
        .integer(optional(ended_at.map(nanoseconds)))
        .text(state.stage().as_str())
        .integer(optional(amount))
        .optional_text(reason(state))
        .integer(optional(stored.event_seq))
        .finish()
}
