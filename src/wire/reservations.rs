//! `/reservations`: the answers to each step, and the items of the list.

use std::borrow::Cow;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Exact, UsageAmounts, Word};
use crate::domain::{Name, Reservation, ReservationStage, ReservationState, Usd};

/// The answer to a grant. A retry gets it to the letter, whatever became of the reservation since.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrantedAnswer<'a> {
    /// The path, every retry and the event that settles it go by it.
    pub reservation_id: Cow<'a, str>,
    /// `held`.
    pub state: Word<ReservationStage>,
    /// When it lapses unless it ends before.
    pub expires_at: Timestamp,
    /// What is set aside.
    pub estimated_cost_usd: Usd,
    /// Granted whatever the budgets say.
    pub critical: bool,
}

/// The answer to `/reservations/{id}/commit`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettledAnswer<'a> {
    /// Which one.
    pub reservation_id: Cow<'a, str>,
    /// `committed`.
    pub state: Word<ReservationStage>,
    /// What the work cost.
    pub amount_usd: Usd,
    /// What it cost beyond its estimate; zero when it kept to it.
    pub over_estimate_usd: Usd,
}

/// The answer to a release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleasedAnswer<'a> {
    /// Which one.
    pub reservation_id: Cow<'a, str>,
    /// `released`.
    pub state: Word<ReservationStage>,
}

/// The answer to an extension.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExtendedAnswer<'a> {
    /// Which one.
    pub reservation_id: Cow<'a, str>,
    /// `held`.
    pub state: Word<ReservationStage>,
    /// When it lapses now.
    pub expires_at: Timestamp,
}

/// A reservation as `GET /reservations` shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReservationItem<'a> {
    /// Its id.
    pub reservation_id: Cow<'a, str>,
    /// The id that the worker chose; null when the agent made it.
    pub id: Option<Cow<'a, str>>,
    /// The service to be paid.
    pub service: Name,
    /// What it is asked to do.
    pub operation: Name,
    /// What is set aside.
    pub estimated_cost_usd: Usd,
    /// Where it stands.
    pub state: Word<ReservationStage>,
    /// Granted whatever the budgets said.
    pub critical: bool,
    /// When it was granted.
    pub created_at: Timestamp,
    /// When it lapses or lapsed.
    pub expires_at: Timestamp,
    /// What the work cost, once that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount_usd: Option<Usd>,
    /// Why it was released, if the worker said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Cow<'a, str>>,
    /// The process that does the work.
    pub worker: Option<Cow<'a, str>>,
    /// The batch of work.
    pub batch_id: Option<Cow<'a, str>>,
    /// The lead it is for.
    pub lead_id: Option<Cow<'a, str>>,
    /// The model that it asks.
    #[serde(default)]
    pub model: Option<Cow<'a, str>>,
    /// What it will use at most, by kind.
    #[serde(default, skip_serializing_if = "UsageAmounts::is_empty")]
    pub usage: UsageAmounts,
}

impl<'a> From<&'a Reservation> for ReservationItem<'a> {
    fn from(reservation: &'a Reservation) -> Self {
        let Reservation { request, critical, created_at, expires_at, state, .. } = reservation;
        let (amount_usd, reason) = match state {
            ReservationState::Held | ReservationState::Expired => (None, None),
            ReservationState::Released { reason } => (None, reason.as_deref()),
            ReservationState::Settled { amount } => (Some(*amount), None),
        };
        let [worker, batch_id, lead_id] = request.attributed_to().map(|text| text.map(Cow::Borrowed));
        Self {
            reservation_id: (&*request.id).into(),
            id: request.id_given.then(|| (&*request.id).into()),
            service: request.service.clone(),
            operation: request.operation.clone(),
            estimated_cost_usd: request.estimated_cost,
            state: state.stage().into(),
            critical: *critical,
            created_at: *created_at,
            expires_at: *expires_at,
            amount_usd,
            reason: reason.map(Cow::Borrowed),
            worker,
            batch_id,
            lead_id,
            model: request.model.as_deref().map(Cow::Borrowed),
            usage: request.usage.iter().map(|count| (count.kind.as_str().to_owned(), Exact::from(count.count))).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_is_written_as_it_was_read() {
        for end in [r#""held""#, r#""committed""#, r#""released""#] {
            let more = match end {
                r#""committed""# => r#""amount_usd":0.070000000001,"#,
                r#""released""# => r#""reason":"a \"b\"","#,
                _ => "",
            };
            let json = format!(
                r#"{{"reservation_id":"job\"7","id":null,"service":"openai","operation":"chat","estimated_cost_usd":0.05,"state":{end},"critical":false,"created_at":"2026-11-22T10:00:00Z","expires_at":"2026-11-22T10:01:00.5Z",{more}"worker":"w7","batch_id":null,"lead_id":null,"model":"gpt-5","usage":{{"input_tokens":9007199254740993.000001}}}}"#
            );
            let item: ReservationItem<'_> = serde_json::from_str(&json).unwrap();
            assert_eq!(serde_json::to_string(&item).unwrap(), json);
            let older = json.split(",\"model\"").next().unwrap().to_owned() + "}";
            let item: ReservationItem<'_> = serde_json::from_str(&older).unwrap();
            assert_eq!(serde_json::to_string(&item).unwrap(), older.replace('}', ",\"model\":null}"));
        }
    }
}
