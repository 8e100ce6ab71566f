//! Every kind of value that a setting may have. An error completes a sentence that begins with the value.

mod calls;
mod money;
mod names;
mod numbers;
mod places;
mod words;

pub(super) use calls::{call_key, cost_from, roads};
pub(super) use money::{event_usd, limit, parse_limit, share, shares};
pub(super) use names::{label, names, operations, parse_label, parse_token, service, token};
pub(super) use numbers::{count, day_of_month, days_or_none, duration_or_none, milliseconds, port, seconds, timeout};
pub(super) use places::{host, hosts, listen, path, socket, webhook_url, zone};
pub(super) use words::{action, boolean, facet, level, log_format, period, scope, webhook_format, weekday};
