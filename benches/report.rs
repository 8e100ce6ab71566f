//! What was measured, as tables for people and as JSON for programs.

use std::fs;
use std::path::Path;

use serde_json::{Map, Value, json};

use crate::options::Options;
use crate::trial::{Bar, Demand, Figure, Measured, Round};
use crate::{Outcome, machine};

const FIGURES: [Figure; 15] = [
    Figure::Rate,
    Figure::P50,
    Figure::P99,
    Figure::Cpu,
    Figure::ClientCpu,
    Figure::Count,
    Figure::Series,
    Figure::Memory,
    Figure::MemoryPeak,
    Figure::Ready,
    Figure::FirstByte,
    Figure::Size,
    Figure::Transactions,
    Figure::Rows,
    Figure::Lag,
];

/// Everything measured so far, each part printed as soon as it is there.
pub struct Report {
    machine: String,
    trials: Vec<Value>,
    bars: Vec<Vec<String>>,
    failed: Vec<&'static str>,
}

/// Several rounds' values of one figure.
struct Spread {
    median: f64,
    least: f64,
    most: f64,
}

/// A bar with what was measured.
struct Judged {
    figure: f64,
    peer: Option<f64>,
    /// What is compared with the demand.
    value: Spread,
    met: bool,
}

// === impl Report ===

impl Report {
    pub fn begin(options: &Options) -> Outcome<Self> {
        let machine = machine::description()?;
        println!("{machine}");
        let seconds = options.measure.as_secs_f64();
        println!("{} rounds of {seconds} s; medians [least–most]; ratios are medians of the rounds' ratios", options.rounds);
        Ok(Self { machine, trials: Vec::new(), bars: Vec::new(), failed: Vec::new() })
    }

    /// Prints a trial, and keeps it.
    pub fn add(&mut self, trial: Measured) {
        println!("\n== {}: {}\n   load average before: {:.2}\n", trial.name, trial.title, trial.load_average);
        let shown: Vec<Figure> = FIGURES
            .into_iter()
            .filter(|figure| trial.rounds.iter().any(|(_, rounds)| spread(rounds, *figure).is_some()))
            .collect();
        let mut table = vec![vec![String::new()]];
        table[0].extend(shown.iter().map(|figure| figure.heading().to_owned()));
        for (name, rounds) in &trial.rounds {
            let mut row = vec![name.clone()];
            row.extend(shown.iter().map(|figure| cell(rounds, *figure)));
            table.push(row);
        }
        print_table(&table);
        let judged: Vec<(&Bar, Option<Judged>)> = trial.bars.iter().map(|bar| (bar, judge(&trial, bar))).collect();
        let rows: Vec<Vec<String>> = judged.iter().map(|(bar, judged)| bar_row(bar, judged.as_ref())).collect();
        if !rows.is_empty() {
            println!();
            print_table(&[vec![bar_headings()], rows.clone()].concat());
        }
        self.bars.extend(rows.into_iter().map(|row| [vec![trial.name.to_owned()], row].concat()));
        self.trials.push(trial_json(&trial, &judged));
    }

    /// Tells that a trial came to nothing.
    pub fn fail(&mut self, trial: &'static str, error: &dyn std::error::Error) {
        println!("\n== {trial} FAILED: {error}");
        self.failed.push(trial);
    }

    /// Prints all bars once more, and writes the file that was asked for.
    pub fn finish(self, options: &Options) -> Outcome<()> {
        if self.trials.is_empty() && self.failed.is_empty() {
            return Err("no trial has such a name; --list shows them".into());
        }
        let mut headings = vec!["trial".to_owned()];
        headings.extend(bar_headings());
        println!("\n== All bars\n");
        print_table(&[vec![headings], self.bars].concat());
        if let Some(file) = &options.json {
            write_json(file, &self.machine, options, self.trials)?;
        }
        if self.failed.is_empty() { Ok(()) } else { Err(format!("failed: {}", self.failed.join(", ")).into()) }
    }
}

fn write_json(file: &Path, machine: &str, options: &Options, trials: Vec<Value>) -> Outcome<()> {
    let seconds = options.measure.as_secs_f64();
    let all = json!({ "machine": machine, "rounds": options.rounds, "seconds": seconds, "trials": trials });
    Ok(fs::write(file, serde_json::to_string_pretty(&all)? + "\n")?)
}

fn trial_json(trial: &Measured, judged: &[(&Bar, Option<Judged>)]) -> Value {
    let contenders: Map<String, Value> = trial
        .rounds
        .iter()
        .map(|(name, rounds)| {
            let figures = FIGURES.into_iter().filter_map(|figure| {
                let values: Vec<f64> = rounds.iter().filter_map(|round| round.get(&figure).copied()).collect();
                let median = spread(rounds, figure)?.median;
                Some((figure.key().to_owned(), json!({ "median": median, "rounds": values })))
            });
            (name.clone(), Value::Object(figures.collect()))
        })
        .collect();
    let bars: Vec<Value> = judged
        .iter()
        .map(|(bar, judged)| {
            let value = judged.as_ref().map(|judged| judged.value.median);
            let met = judged.as_ref().map(|judged| judged.met);
            let (of, over, demand) = (&bar.of, &bar.over, bar.demand.text());
            json!({ "figure": bar.figure.key(), "of": of, "over": over, "demand": demand, "value": value, "met": met })
        })
        .collect();
    json!({ "name": trial.name, "load_average": trial.load_average, "contenders": contenders, "bars": bars })
}

/// The median over rounds of a figure, or of two contenders' ratios within each round.
fn judge(trial: &Measured, bar: &Bar) -> Option<Judged> {
    let rounds_of = |name: &str| trial.rounds.iter().find(|(other, _)| other == name).map(|(_, rounds)| rounds);
    let own = rounds_of(&bar.of)?;
    let figure = spread(own, bar.figure)?.median;
    let (peer, value) = match &bar.over {
        None => (None, spread(own, bar.figure)?),
        Some(over) => {
            let others = rounds_of(over)?;
            let ratios = own
                .iter()
                .zip(others)
                .filter_map(|(own, other)| Some(own.get(&bar.figure)? / other.get(&bar.figure)?))
                .collect();
            (Some(spread(others, bar.figure)?.median), Spread::of(ratios)?)
        }
    };
    let met = bar.demand.is_met_by(value.median);
    Some(Judged { figure, peer, value, met })
}

fn bar_headings() -> Vec<String> {
    ["of", "figure", "over", "its figure", "ratio", "bar", ""].map(str::to_owned).to_vec()
}

fn bar_row(bar: &Bar, judged: Option<&Judged>) -> Vec<String> {
    let over = bar.over.clone().unwrap_or_else(|| "–".to_owned());
    let Some(judged) = judged else {
        return vec![bar.of.clone(), "–".into(), over, "–".into(), "–".into(), bar.demand.text(), "not measured".into()];
    };
    let ratio = if judged.peer.is_some() { judged.value.text() } else { "–".to_owned() };
    vec![
        bar.of.clone(),
        format!("{} {}", number(judged.figure), bar.figure.heading()),
        over,
        judged.peer.map_or_else(|| "–".to_owned(), number),
        ratio,
        bar.demand.text(),
        if judged.met { "met" } else { "NOT MET" }.to_owned(),
    ]
}

fn spread(rounds: &[Round], figure: Figure) -> Option<Spread> {
    Spread::of(rounds.iter().filter_map(|round| round.get(&figure).copied()).collect())
}

/// The median, with its spread where that says something.
fn cell(rounds: &[Round], figure: Figure) -> String {
    match (spread(rounds, figure), figure) {
        (None, _) => "–".to_owned(),
        (Some(spread), Figure::Count | Figure::Series | Figure::ClientCpu) => number(spread.median),
        (Some(spread), _) => spread.text(),
    }
}

fn print_table(rows: &[Vec<String>]) {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    for row in rows {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        println!("   {}", cells.join("  ").trim_end());
    }
}

/// Three significant digits, or all of a large number's, in groups.
fn number(value: f64) -> String {
    if value < 1_000.0 {
        let decimals = match value {
            below if below < 9.995 => 2,
            below if below < 99.95 => 1,
            _ => 0,
        };
        return format!("{value:.decimals$}");
    }
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

// === impl Spread ===

impl Spread {
    fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        let (&least, &most) = (values.first()?, values.last()?);
        let (below, above) = (values.get((values.len() - 1) / 2)?, values.get(values.len() / 2)?);
        Some(Self { median: (below + above) / 2.0, least, most })
    }

    fn text(&self) -> String {
        let Self { median, least, most } = *self;
        format!("{} [{}–{}]", number(median), number(least), number(most))
    }
}

// === impl Figure ===

impl Figure {
    fn heading(self) -> &'static str {
        match self {
            Self::Rate => "/s",
            Self::P50 => "ms p50",
            Self::P99 => "ms p99",
            Self::Cpu => "µs CPU each",
            Self::ClientCpu => "client's µs",
            Self::Count => "in a round",
            Self::Memory => "MiB",
            Self::MemoryPeak => "MiB at most",
            Self::Series => "series",
            Self::Ready => "ms to ready",
            Self::FirstByte => "ms to first byte",
            Self::Transactions => "transactions/agent min",
            Self::Rows => "rows/agent min",
            Self::Lag => "s lag",
            Self::Size => "KiB",
        }
    }

    fn key(self) -> &'static str {
        match self {
            Self::Rate => "rate_per_s",
            Self::P50 => "p50_ms",
            Self::P99 => "p99_ms",
            Self::Cpu => "cpu_us_each",
            Self::ClientCpu => "client_cpu_us_each",
            Self::Count => "count",
            Self::Memory => "resident_mib",
            Self::MemoryPeak => "resident_peak_mib",
            Self::Series => "series",
            Self::Ready => "ready_ms",
            Self::FirstByte => "first_byte_ms",
            Self::Transactions => "transactions_per_agent_minute",
            Self::Rows => "rows_per_agent_minute",
            Self::Lag => "lag_seconds",
            Self::Size => "size_kib",
        }
    }
}

// === impl Demand ===

impl Demand {
    fn text(self) -> String {
        match self {
            Self::AtLeast(least) => format!("≥ {least}"),
            Self::AtMost(most) => format!("≤ {most}"),
        }
    }
}
