//! Who and what the money goes to: names by their cost in the month, with their shares and their days.

use jiff::civil::Date;
use maud::{Markup, html};

use super::View;
use super::chart::{Parts, sparkline};
use super::pieces::{failed, finer_decimals, key_text, name, percent, section, share, usd_cell, usd_text};
use super::ranking::Ranking;
use crate::domain::{Dimension, OTHER_LABEL, Usd};
use crate::people;
use crate::query::ReadError;

/// A section that breaks cost down.
#[derive(Clone, Copy, Debug)]
pub struct Part {
    /// The id of the section.
    pub id: &'static str,
    /// Its heading; without one it is made from what it breaks down by.
    pub title: Option<&'static str>,
    /// Names that are told; the rest is added up.
    pub names_max: usize,
    /// Bytes that its rows may take.
    bytes_max: usize,
}

/// By what the visitor asks for.
pub const SERVICES: Part = Part { id: "breakdown", title: None, names_max: 20, bytes_max: 20 * 1024 };
/// By model.
pub const MODELS: Part = Part { id: "models", title: Some("Models"), names_max: 20, bytes_max: 18 * 1024 };
/// By worker.
pub const WORKERS: Part = Part { id: "workers", title: Some("Workers"), names_max: 10, bytes_max: 11 * 1024 };

/// What a section breaks down, and by what.
#[derive(Clone, Copy, Debug)]
pub struct Breakdown<'b> {
    /// Which section it is.
    pub part: Part,
    /// By what, as `by` has it.
    pub by: &'b str,
}

impl Breakdown<'_> {
    /// The section.
    pub fn show(&self, view: &View, ranking: Result<&Ranking, ReadError>) -> Markup {
        let Part { id, title, .. } = self.part;
        let rest = view.history_link(self.by);
        let title = title.map_or_else(|| format!("By {}", people::printable(self.by)), str::to_owned);
        let links = title_links(view, self.part);
        match ranking {
            Err(_) => failed(id, &title, &rest, "This could not be read from the ledger; the log says why."),
            Ok(ranking) if ranking.names == 0 => {
                section(id, &title, Some(&rest), &html! { (links) p.empty { "No cost in " (view.month_words()) "." } })
            }
            Ok(ranking) => section(id, &title, Some(&rest), &html! { (links) (self.table(view, &title, ranking)) }),
        }
    }

    /// In place of a section that would show the same as another one.
    pub fn shown_above(&self, view: &View) -> Markup {
        let Part { id, title, .. } = self.part;
        let title = title.unwrap_or("Breakdown");
        let body = html! { p.empty { a href="#breakdown" { "Shown above" } ", as the breakdown is by " (self.by) "." } };
        section(id, title, Some(&view.history_link(self.by)), &body)
    }

    fn table(&self, view: &View, title: &str, ranking: &Ranking) -> Markup {
        let days = view.each_day();
        let finest = ranking.top.iter().map(|ranked| finer_decimals(ranked.total)).max().unwrap_or(0);
        let column = Column { view, days: &days, total: ranking.total, finer: finest };
        let nothing = nothing_of(self.by);
        let mut room = view.pool.room(self.part.bytes_max);
        for ranked in &ranking.top {
            let label = name(&key_text(&ranked.key), &nothing);
            if !room.add(&column.row(&label, ranked.total, &ranked.days)) {
                break;
            }
        }
        let shown = room.shown;
        let (names, rest, rest_days) = ranking.rest(shown);
        html! {
            table.ranking {
                caption { (title) ", " (view.month_words()) ", in USD: the " (if names > 0 { "largest" } else { "whole" }) ", with each day" }
                thead { tr {
                    th scope="col" { (column_title(self.by)) }
                    th.spark-cell scope="col" { "Days" }
                    th.num scope="col" { "USD" }
                    th.num scope="col" { "Share" }
                } }
                tbody {
                    (room.into_rows())
                    @if names > 0 {
                        (column.row(&html! { span.rest-name { (OTHER_LABEL) " (" (people::counted(names as u64, "name")) ")" } }, rest, &rest_days))
                    }
                }
                tfoot { tr {
                    th scope="row" { "Together" } td.spark-cell {} (usd_cell(ranking.total, finest)) td.num {}
                } }
            }
        }
    }
}

/// What the rows of a table have in common.
struct Column<'c> {
    view: &'c View,
    days: &'c [Date],
    total: Usd,
    finer: usize,
}

impl Column<'_> {
    fn row(&self, label: &Markup, amount: Usd, days: &[Usd]) -> Markup {
        let part = share(amount, self.total);
        let values: Vec<i128> = days.iter().map(|amount| amount.pico()).collect();
        let places = usize::from(self.view.month.last_day().day().unsigned_abs());
        let highest = self.days.iter().zip(days).max_by_key(|(_, amount)| **amount);
        let title = highest
            .map_or_else(String::new, |(day, most)| format!("most {} on {}", usd_text(*most), day.strftime("%b %-d")));
        html! {
            tr {
                th scope="row" {
                    (label)
                    @if amount > Usd::ZERO {
                        svg.share aria-hidden="true" { rect width=(Parts::of(amount.pico(), self.total.pico())) height="3" {} }
                    }
                }
                td.spark-cell { (sparkline(&values, places, &title)) }
                (usd_cell(amount, self.finer))
                td.num { @match part { Some(part) => (percent(part)), None => "–" } }
            }
        }
    }
}

/// Where the visitor may choose, the choices.
fn title_links(view: &View, part: Part) -> Markup {
    if part.id != SERVICES.id {
        return html! {};
    }
    let by = view.asked.by();
    let known = Dimension::FIELDS.map(|dimension| dimension.word());
    html! {
        nav.by aria-label="Break down by" {
            @for word in known {
                a href={ (view.asked.broken_down_by(word).link()) "#breakdown" } aria-current=[(word == by).then_some("true")] { (word) }
                " "
            }
            @if !known.contains(&by) { a href={ (view.asked.link()) "#breakdown" } aria-current="true" { (people::printable(by)) } }
        }
    }
}

/// How cost without a value is called.
fn nothing_of(by: &str) -> String {
    let what = by.strip_prefix("attributes.").unwrap_or(by);
    format!("without {}{}", if what.starts_with(['a', 'e', 'i', 'o', 'u']) { "an " } else { "a " }, people::printable(what))
}

fn column_title(by: &str) -> String {
    let what = by.strip_prefix("attributes.").unwrap_or(by);
    if by == Dimension::Operation.word() {
        return "Service · operation".into();
    }
    let printable = people::printable(what);
    let mut chars = printable.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}
