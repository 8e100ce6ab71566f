//! Entries by FOCUS, the FinOps Open Cost and Usage Specification, 1.2 (<https://focus.finops.org>), as CSV.
//!
//! A line is an entry: the cost columns of all lines add up to the ledger's total. An adjustment is a line with the difference that it
//! makes; one that came after its month was over has the charge class `Correction`, since the month may be invoiced by then.
//!
//! *Invariants.* Costs have all 12 decimals. The columns are those that the specification's validator asks for; `x_` are ours.
//!
//! *Deliberately not here.* Invoices: the agent sees calls, so `InvoiceId` is empty.

use jiff::{SignedDuration, Timestamp};

use super::sheet::LineWriter;
use crate::domain::{BudgetZone, Kind, Month, Period, Usd};
use crate::ledger::Exported;
use crate::wire::usage_json;

/// The account that all lines are under; the agent knows of no other.
const BILLING_ACCOUNT: &str = "lead-factory-metrics";
/// What a call is counted in.
const PRICING_UNIT: &str = "Requests";

const COLUMNS: [&str; 42] = [
    "BilledCost",
    "BillingAccountId",
    "BillingAccountName",
    "BillingCurrency",
    "BillingPeriodEnd",
    "BillingPeriodStart",
    "ChargeCategory",
    "ChargeClass",
    "ChargeDescription",
    "ChargeFrequency",
    "ChargePeriodEnd",
    "ChargePeriodStart",
    "ConsumedQuantity",
    "ConsumedUnit",
    "ContractedCost",
    "EffectiveCost",
    "InvoiceId",
    "InvoiceIssuerName",
    "ListCost",
    "PricingCategory",
    "PricingQuantity",
    "PricingUnit",
    "ProviderName",
    "PublisherName",
    "ServiceCategory",
    "ServiceName",
    "ServiceSubcategory",
    "x_Id",
    "x_Source",
    "x_Service",
    "x_Operation",
    "x_Worker",
    "x_BatchId",
    "x_LeadId",
    "x_Model",
    "x_Usage",
    "x_DurationSeconds",
    "x_Outcome",
    "x_Revision",
    "x_Time",
    "x_RecordedAt",
    "x_StandingCost",
];

/// The line of headings.
pub(super) fn heading() -> Vec<u8> {
    let mut line = LineWriter::begin(Vec::new());
    COLUMNS.iter().for_each(|column| line.text(column));
    line.end()
}

/// Writes the line of an entry.
pub(super) fn write(exported: &Exported, zone: &BudgetZone, to: &mut Vec<u8>) {
    let event = &exported.event;
    let (month_start, month_end) = zone.bounds(Period::Month(Month::of(zone.day_of(event.time))));
    let is_credit = event.kind == Kind::Credit;
    let is_usage = !is_credit && !exported.is_adjustment;
    let is_correction = exported.is_adjustment && exported.recorded_at >= month_end;
    let start = whole_second(event.time);
    let end = start.saturating_add(SignedDuration::from_secs(1)).map_or(month_end, |end| end.min(month_end));
    let service = ascii(event.service.as_str());
    let cost = twelve_decimals(exported.difference);
    let mut line = LineWriter::begin(std::mem::take(to));
    line.text(&cost);
    line.text(BILLING_ACCOUNT);
    line.text(BILLING_ACCOUNT);
    line.text("USD");
    line.text(&iso_8601(month_end));
    line.text(&iso_8601(month_start));
    line.text(if is_credit { "Credit" } else { "Usage" });
    line.text(if is_correction { "Correction" } else { "" });
    line.text(&ascii(&format!("{} {}", event.service, event.operation)));
    line.text(if is_credit { "One-Time" } else { "Usage-Based" });
    line.text(&iso_8601(end));
    line.text(&iso_8601(start));
    // The usage of an adjusted event stands on its first line; what a correction consumed is not known apart.
    line.text(if is_usage { "1.0" } else { "" });
    line.text(if is_usage { PRICING_UNIT } else { "" });
    line.text(&cost);
    line.text(&cost);
    line.text("");
    line.text(&service);
    line.text(&cost);
    line.text(if is_usage { "Standard" } else { "" });
    line.text(if is_usage { "1.0" } else { "" });
    line.text(if is_usage { PRICING_UNIT } else { "" });
    line.text(&service);
    line.text(&service);
    line.text(if event.model.is_some() { "AI and Machine Learning" } else { "Other" });
    line.text(&service);
    line.text(if event.model.is_some() { "Generative AI" } else { "Other (Other)" });
    line.text(&event.key.id);
    line.text(&event.key.source);
    line.text(event.service.as_str());
    line.text(event.operation.as_str());
    for text in [&event.worker, &event.batch_id, &event.lead_id, &event.model] {
        line.text(text.as_deref().unwrap_or_default());
    }
    line.text(&usage_json(&event.usage).unwrap_or_default());
    line.text(&event.duration_seconds.map(|seconds| seconds.to_string()).unwrap_or_default());
    line.text(event.outcome.as_str());
    line.number(event.revision);
    line.number(event.time);
    line.number(exported.recorded_at);
    line.text(&twelve_decimals(event.amount));
    *to = line.end();
}

/// All decimals of an amount.
fn twelve_decimals(amount: Usd) -> String {
    let mut text = amount.to_string();
    let decimals = match text.find('.') {
        Some(point) => text.len() - point - 1,
        None => {
            text.push('.');
            0
        }
    };
    text.extend(std::iter::repeat_n('0', 12_usize.saturating_sub(decimals)));
    text
}

/// The validator takes only ASCII in these columns: other characters stand as their code.
fn ascii(text: &str) -> String {
    let mut ascii = String::with_capacity(text.len());
    for char in text.chars() {
        if char.is_ascii() { ascii.push(char) } else { ascii.extend(char.escape_unicode()) }
    }
    ascii
}

fn whole_second(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second() - i64::from(time.subsec_nanosecond() < 0)).unwrap_or(time)
}

/// In whole seconds of UTC.
fn iso_8601(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{CostEvent, Name};

    fn cells(exported: &Exported) -> Vec<(String, String)> {
        let zone = BudgetZone::named("Europe/Berlin").unwrap();
        let mut text = heading();
        write(exported, &zone, &mut text);
        let mut reader = csv::Reader::from_reader(text.as_slice());
        let headings = reader.headers().unwrap().clone();
        let record = reader.records().next().unwrap().unwrap();
        headings.iter().zip(record.iter()).map(|(heading, cell)| (heading.to_owned(), cell.to_owned())).collect()
    }

    #[track_caller]
    fn assert_cells(exported: &Exported, expected: &[(&str, &str)]) {
        let cells = cells(exported);
        for (heading, expected) in expected {
            let found = cells.iter().find(|(known, _)| known == heading).map(|(_, cell)| cell.as_str());
            assert_eq!(found, Some(*expected), "{heading}");
        }
    }

    #[test]
    fn an_entry_is_a_line_with_all_decimals_in_its_own_month() {
        let event = CostEvent {
            service: Name::new("caf\u{e9}, \u{1f642}").unwrap(),
            time: "2026-10-31T23:30:00.5Z".parse().unwrap(),
            ..CostEvent::example()
        };
        let difference = Usd::parse("0.000000000001").unwrap();
        let recorded_at = "2026-12-01T00:00:00Z".parse().unwrap();
        let exported = Exported { event, difference, is_adjustment: false, recorded_at };
        assert_cells(
            &exported,
            &[
                ("BilledCost", "0.000000000001"),
                ("BillingPeriodStart", "2026-10-31T23:00:00Z"),
                ("BillingPeriodEnd", "2026-11-30T23:00:00Z"),
                ("ChargePeriodStart", "2026-10-31T23:30:00Z"),
                ("ChargePeriodEnd", "2026-10-31T23:30:01Z"),
                ("ChargeClass", ""),
                ("ServiceName", r"caf\u{e9}, \u{1f642}"),
                ("x_Service", "caf\u{e9}, \u{1f642}"),
                ("x_StandingCost", "1.000000000000"),
            ],
        );
        let late = Exported { is_adjustment: true, ..exported.clone() };
        assert_cells(&late, &[("ChargeClass", "Correction"), ("PricingQuantity", ""), ("ConsumedUnit", "")]);
        let in_time = Exported { recorded_at: "2026-11-30T22:59:59Z".parse().unwrap(), ..late };
        assert_cells(&in_time, &[("ChargeClass", "")]);
    }

    #[test]
    fn amounts_of_any_length_get_twelve_decimals() {
        for (amount, text) in [("0", "0.000000000000"), ("-12.5", "-12.500000000000"), ("1e6", "1000000.000000000000")] {
            assert_eq!(twelve_decimals(Usd::parse(amount).unwrap()), text);
        }
    }
}
