//! The SDK by itself: as many series as the agent shows, collected and written as text, without HTTP and without a ledger.

use std::time::{Duration, Instant};

use opentelemetry::KeyValue;
use opentelemetry::metrics::MeterProvider;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use prometheus::{Registry, TextEncoder};

use crate::floor::{Floor, until_the_bench_ends};
use crate::load::percentile_ms;
use crate::trial::{Figure, Pace, Round};
use crate::{Outcome, machine};

/// Services that the two gauges name, as in the agent that it is compared with; the rest are pairs in a counter.
pub const SERVICES: usize = 200;

/// One round in a process of its own.
pub fn round(series: usize, pace: &Pace) -> Outcome<Round> {
    let seconds = |time: Duration| time.as_secs_f64().to_string();
    let floor = Floor::start(&["scrape", &series.to_string(), &seconds(pace.warm_up), &seconds(pace.measure)])?;
    let &[series, count, seconds, cpu_us, p50_ms, p99_ms] = floor.numbers()?.as_slice() else {
        return Err("a floor that said something else".into());
    };
    Ok(Round::from([
        (Figure::Series, series),
        (Figure::Rate, count / seconds),
        (Figure::P50, p50_ms),
        (Figure::P99, p99_ms),
        (Figure::Cpu, cpu_us / count),
        (Figure::Count, count),
    ]))
}

/// Being the floor: prints series, texts made, seconds, microseconds of CPU, and percentiles in milliseconds.
pub fn run(series: usize, warm_up: Duration, measure: Duration) -> Outcome<()> {
    let registry = Registry::new();
    let reader = opentelemetry_prometheus::exporter()
        .with_registry(registry.clone())
        .scope_info_enabled(false)
        .without_target_info()
        .build()?;
    let provider = SdkMeterProvider::builder().with_reader(reader).build();
    observe(&provider, series);

    let began = Instant::now();
    while began.elapsed() < warm_up {
        text(&registry)?;
    }
    let pid = std::process::id();
    let (cpu, began, mut took) = (machine::cpu(pid)?, Instant::now(), Vec::new());
    while began.elapsed() < measure {
        let one = Instant::now();
        text(&registry)?;
        took.push(one.elapsed());
    }
    let (all, used) = (began.elapsed(), machine::cpu(pid)?.saturating_sub(cpu));
    took.sort_unstable();
    let (p50, p99) = (percentile_ms(&took, 0.50), percentile_ms(&took, 0.99));
    let shown = series_in(&text(&registry)?);
    println!("{shown} {} {} {} {p50} {p99}", took.len(), all.as_secs_f64(), used.as_micros());
    until_the_bench_ends();
    Ok(())
}

/// Samples of an exposition.
pub fn series_in(text: &str) -> usize {
    text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).count()
}

fn text(registry: &Registry) -> Outcome<String> {
    Ok(TextEncoder::new().encode_to_string(&registry.gather())?)
}

fn observe(provider: &SdkMeterProvider, series: usize) {
    let meter = provider.meter("floor");
    for name in ["floor_daily_cost", "floor_monthly_cost"] {
        let gauge = meter.f64_observable_gauge(name).with_description("Cost of a period in USD.");
        gauge
            .with_callback(|observer| {
                for number in 0..SERVICES {
                    observer.observe(number as f64 * 0.01, &[KeyValue::new("service", format!("service-{number}"))]);
                }
            })
            .build();
    }
    let pairs = series.saturating_sub(2 * SERVICES);
    let counter = meter.f64_observable_counter("floor_cost_usd").with_description("Charges since the ledger began.");
    counter
        .with_callback(move |observer| {
            for number in 0..pairs {
                let service = KeyValue::new("service", format!("service-{}", number % SERVICES));
                let operation = KeyValue::new("operation", format!("operation-{}", number / SERVICES));
                observer.observe(number as f64 * 0.01, &[service, operation]);
            }
        })
        .build();
}
