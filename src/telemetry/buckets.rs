//! Histogram boundaries that several stages share. The SDK's defaults are made for milliseconds.

/// Durations inside the agent, in seconds: 100 µs (a check from memory) to 10 s (the shutdown deadline).
pub const SECONDS_BUCKETS: [f64; 16] =
    [0.0001, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// Durations of the workers' paid calls, in seconds: a lookup takes milliseconds, a long generation minutes.
pub const CALL_SECONDS_BUCKETS: [f64; 14] =
    [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0];

/// How many at once: from one to 100,000, ten full requests.
pub const COUNT_BUCKETS: [f64; 16] = [
    1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1_000.0, 2_000.0, 5_000.0, 10_000.0, 20_000.0, 50_000.0, 100_000.0,
];
