use std::io::{self, Write};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};

use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;

use super::*;

#[derive(Clone, Default)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Sink {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

/// Takes nothing until it is let go; or fails for ever.
struct Stuck(Receiver<()>);

impl Write for Stuck {
    fn write(&mut self, _bytes: &[u8]) -> io::Result<usize> {
        let _ = self.0.recv();
        Err(io::ErrorKind::StorageFull.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Err(io::ErrorKind::StorageFull.into())
    }
}

#[test]
fn lines_come_out_whole_in_order_and_before_the_end() {
    let sink = Sink::default();
    let (lines, flush) = queue::start(sink.clone());
    for at in 0..1_000 {
        let mut line = lines.make_writer();
        line.write_all(format!("line {at}").as_bytes()).unwrap();
        line.write_all(b"\n").unwrap();
    }
    drop(flush);
    let expected: String = (0..1_000).map(|at| format!("line {at}\n")).collect();
    assert_eq!(sink.text(), expected);
}

#[test]
fn a_stuck_reader_delays_nobody_and_a_failing_one_stops_nobody() {
    let (let_go, stuck): (SyncSender<()>, _) = sync_channel(0);
    let (lines, flush) = queue::start(Stuck(stuck));
    for _ in 0..LOG_LINES_QUEUED_MAX + 100 {
        lines.make_writer().write_all(b"line\n").unwrap();
    }
    drop(flush);
    drop(let_go);
    // The writer fails at each line now and must go on taking them.
    for _ in 0..LOG_LINES_QUEUED_MAX {
        lines.make_writer().write_all(b"line\n").unwrap();
    }
}

#[test]
fn libraries_write_warnings_only_and_opentelemetry_few_of_them() {
    let sink = Sink::default();
    let (lines, flush) = queue::start(sink.clone());
    let layers = vec![lines_layer(LogSettings { level: LevelFilter::DEBUG, format: LogFormat::Json }, lines, false)];
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layers), || {
        tracing::debug!(service = "a \"b\" 🙂", "own");
        tracing::trace!("own but too detailed");
        tracing::info!(target: "hyper::proto", "foreign");
        tracing::warn!(target: "hyper::proto", "foreign warning");
        for _ in 0..1_000 {
            tracing::error!(target: "opentelemetry_sdk", "something failed");
            tracing::warn!(name: "Export.Failed.Exhausted", target: "opentelemetry-otlp", "export failed");
        }
    });
    drop(flush);
    let text = sink.text();
    let messages: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let count = |message: &str| messages.iter().filter(|line| line["message"] == message).count();
    assert_eq!(count("own"), 1);
    assert_eq!(count("foreign warning"), 1);
    assert_eq!(count("something failed"), flood::LINES_PER_WINDOW_MAX as usize);
    assert_eq!(messages.len(), 2 + flood::LINES_PER_WINDOW_MAX as usize);
    assert_eq!(messages[0]["service"], "a \"b\" 🙂");
}

#[test]
fn without_a_push_nobody_wants_spans() {
    let (lines, _flush) = queue::start(Sink::default());
    let layers = vec![lines_layer(LogSettings { level: LevelFilter::TRACE, format: LogFormat::Text }, lines, false)];
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layers), || {
        assert!(tracing::error_span!("of our own").is_disabled());
        let headers = hyper::HeaderMap::new();
        assert!(super::super::spans::request(|| "GET", "/", &headers, "127.0.0.1").is_disabled());
    });
}

#[test]
fn lines_inside_of_a_span_name_its_trace_in_both_formats() {
    use opentelemetry::trace::TracerProvider;

    let provider = opentelemetry_sdk::trace::SdkTracerProvider::builder().build();
    for format in [LogFormat::Text, LogFormat::Json] {
        let sink = Sink::default();
        let (lines, flush) = queue::start(sink.clone());
        let spans = tracing_opentelemetry::layer().with_tracer(provider.tracer("test")).with_filter(own_spans()).boxed();
        let layers = vec![lines_layer(LogSettings { level: LevelFilter::INFO, format }, lines, false), spans];
        let mut headers = hyper::HeaderMap::new();
        let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        headers.insert("traceparent", parent.parse().unwrap());
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layers), || {
            tracing::info!("before");
            let span = super::super::spans::request(|| "GET", "/", &headers, "127.0.0.1");
            span.in_scope(|| tracing::info!(answer = 42, "inside"));
        });
        drop(flush);
        let text = sink.text();
        let [before, inside] = text.lines().collect::<Vec<_>>()[..] else { panic!("{text}") };
        assert!(!before.contains("trace_id"), "{before}");
        match format {
            LogFormat::Text => {
                assert!(inside.contains("inside answer=42 trace_id=0af7651916cd43dd8448eb211c80319c span_id="), "{inside}");
            }
            LogFormat::Json => {
                let line: serde_json::Value = serde_json::from_str(inside).unwrap();
                assert_eq!(line["trace_id"], "0af7651916cd43dd8448eb211c80319c");
                assert_eq!(line["span_id"].as_str().unwrap().len(), 16);
                assert_eq!(line["answer"], 42);
                assert!(serde_json::from_str::<serde_json::Value>(before).is_ok());
            }
        }
    }
}

#[test]
fn setting_up_twice_is_an_error_and_not_a_panic() {
    let first = set_up_logs(LogSettings { level: LevelFilter::OFF, format: LogFormat::Json }, None);
    let second = set_up_logs(LogSettings { level: LevelFilter::OFF, format: LogFormat::Text }, None);
    assert!(second.is_err());
    drop(first);
}
