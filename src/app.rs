//! The composition root: builds the stages, joins them, and takes them down in order.
//!
//! *Invariants.* Everything that can fail at the start fails before the first request is answered. Shutdown is an order: stop
//! accepting, let requests finish, let the writer commit what it took, flush telemetry; each step under the one deadline.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::Instant;

use crate::api::{self, Server, Surface};
use crate::clock::Clock;
use crate::config::{Config, Problems};
use crate::ledger::{Ledger, OpenError, Reader};
use crate::notify::{self, Deliveries};
use crate::systemd;
use crate::telemetry::{self, Otlp, ReloadStatus, Telemetry, TelemetryError};
use crate::writer::{self, Ended, Started};

/// From the signal to the exit. Supervisors commonly kill after 10 s.
const SHUTDOWN_MAX: Duration = Duration::from_secs(9);
/// The part of it that requests under way may take, so that enough is left for the last commit and flush.
const DRAIN_MAX: Duration = Duration::from_secs(5);
/// One answers some 50,000 reads a second; four are more than the one writer can keep up with.
const IO_THREADS_MAX: usize = 4;
/// Signal number of SIGXFSZ. Its default action kills the process when the ledger meets a file size limit; handled, the write
/// fails like on a full disk.
const SIGXFSZ: i32 = 25;

/// Why the agent did not start, or did not end as it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The ledger cannot be had.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The writer did not start.
    #[error(transparent)]
    Start(#[from] writer::StartError),
    /// There can be no metrics.
    #[error(transparent)]
    Telemetry(#[from] TelemetryError),
    /// The system refused something that every start needs.
    #[error("cannot start")]
    System(#[source] io::Error),
    /// A sync failed while running.
    #[error("the disk failed to sync the ledger; restart the agent to read what is really there")]
    SyncFailed,
    /// The writer was not done in time. What was answered is in the ledger all the same.
    #[error("the ledger did not finish in time")]
    ShutdownTooSlow,
}

/// Runs the agent until a signal stops it or its disk fails. `otlp` is what pushes its telemetry, if anything does; `reload` reads
/// the settings again.
///
/// # Errors
/// See [`AppError`]; each means exit code 1.
pub fn serve(
    config: Config,
    otlp: Option<Otlp>,
    reload: impl Fn() -> Result<Config, Problems> + Send,
) -> Result<(), AppError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(io_threads())
        .enable_all()
        .build()
        .map_err(AppError::System)?;
    let outcome = runtime.block_on(async {
        let agent = Agent::build(config, otlp, Clock::System)?;
        agent.run(reload).await
    });
    // Whatever still runs (a read of old events) waits for nobody.
    runtime.shutdown_background();
    outcome
}

/// The stages, bound but not answering yet.
struct Agent {
    server: Server,
    surface: Surface,
    started: Started,
    telemetry: Telemetry,
    reloads: ReloadStatus,
    deliveries: Deliveries,
    signals: Signals,
    config: Config,
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
    _file_size: Signal,
}

/// What a signal asks for.
enum Asked {
    Stop,
    Reload,
}

// === impl Agent ===

impl Agent {
    fn build(config: Config, otlp: Option<Otlp>, clock: Clock) -> Result<Self, AppError> {
        let signals = Signals::register().map_err(AppError::System)?;
        let server = Server::bind(&config.api).map_err(|source| AppError::Listen { address: config.api.listen, source })?;
        let address = server.local_addr().map_err(AppError::System)?;
        let telemetry = Telemetry::pushing(telemetry_settings(&config), otlp)?;
        let zone = config.policy.zone.clone();
        let ledger = Ledger::open(&config.ledger.path, &zone, clock.now())?;
        let settings = writer_settings(&config);
        let started = writer::start(ledger, Arc::new(config.policy.clone()), settings, clock.clone(), &telemetry.meter())?;
        telemetry.observe(Arc::clone(&started.board), clock.clone());
        let deliveries = deliver(&config, &started.writer, &clock, &telemetry).map_err(AppError::System)?;
        let surface = Surface::new(api::State::new(
            api::Parts {
                board: Arc::clone(&started.board),
                writer: started.writer.clone(),
                reader: Reader::new(config.ledger.path.clone(), zone),
                clock,
                limits: config.ingest.clone(),
                scraper: telemetry.scraper(),
            },
            &config.api,
            &telemetry.meter(),
        ));
        let reloads = ReloadStatus::new(&telemetry.meter());
        telemetry.push()?;
        tracing::info!(
            version = env!("CARGO_PKG_VERSION"),
            %address,
            ledger = %config.ledger.path.display(),
            events = started.board.read().views.events,
            "listening"
        );
        Ok(Self { server, surface, started, telemetry, reloads, deliveries, signals, config })
    }

    async fn run(self, reload: impl Fn() -> Result<Config, Problems>) -> Result<(), AppError> {
        let Self { server, surface, started, telemetry, reloads, deliveries, mut signals, config } = self;
        let Started { writer, mut ended, .. } = started;
        let (stop, stopped) = tokio::sync::oneshot::channel::<Instant>();
        let deadline = async { stopped.await.unwrap_or_else(|_| Instant::now()) };
        let serving = tokio::spawn(server.serve(surface.clone(), deadline));
        systemd::ready();
        let early_end = loop {
            tokio::select! {
                asked = signals.next() => match asked {
                    Asked::Stop => break None,
                    Asked::Reload => {
                        systemd::reloading();
                        apply(&reload, &config, &writer, &surface, &reloads).await;
                        systemd::ready();
                    }
                },
                end = &mut ended => break Some(end),
            }
        };
        let began = Instant::now();
        systemd::stopping();
        if early_end.is_none() {
            tracing::info!("stopping");
        }
        // Nobody to tell means that the server has ended already.
        let _ = stop.send(began + DRAIN_MAX);
        let _ = serving.await;
        drop(surface);
        // Before the writer, so that it still notes what became of the last ones.
        drop(deliveries);
        let end = match early_end {
            Some(end) => end,
            None => {
                writer.stop().await;
                tokio::time::timeout_at(began + SHUTDOWN_MAX, ended).await.map_err(|_| AppError::ShutdownTooSlow)?
            }
        };
        let flushed = tokio::task::spawn_blocking(move || telemetry.shutdown());
        if tokio::time::timeout_at(began + SHUTDOWN_MAX, flushed).await.is_err() {
            tracing::warn!("telemetry was not flushed in time");
        }
        match end {
            Ok(Ended::Cleanly) => Ok(()),
            // A writer that panicked counts as a failed disk: only a restart may look at the file again.
            Ok(Ended::SyncFailed) | Err(_) => Err(AppError::SyncFailed),
        }
    }
}

/// Begins to deliver the messages of the outbox.
fn deliver(config: &Config, writer: &writer::Writer, clock: &Clock, telemetry: &Telemetry) -> io::Result<Deliveries> {
    let writer = writer.clone();
    let parts = notify::Parts {
        reader: Arc::new(Reader::new(config.ledger.path.clone(), config.policy.zone.clone())),
        clock: clock.clone(),
        settle: Arc::new(move |reports| writer.settle_deliveries(reports)),
        attempt_max: notify::ATTEMPT_MAX,
        schedule: notify::Schedule::default(),
    };
    notify::start(&config.webhooks, &parts, &telemetry.meter())
}

fn telemetry_settings(config: &Config) -> telemetry::Settings {
    telemetry::Settings {
        environment: config.environment.clone(),
        series: config.series.clone(),
        ..telemetry::Settings::default()
    }
}

/// Threads that answer requests. A sidecar leaves most of the machine to the workers beside it, and its writer has a thread of its
/// own: with two cores, a second I/O thread only adds hand-offs (a third less throughput, twice the p99).
fn io_threads() -> usize {
    std::thread::available_parallelism().map_or(1, |cores| cores.get() / 2).clamp(1, IO_THREADS_MAX)
}

fn writer_settings(config: &Config) -> writer::Settings {
    writer::Settings {
        series: config.series.clone(),
        age_max: config.ingest.age_max,
        ahead_max: config.ingest.ahead_max,
        holds_max: config.holds_max,
        receivers: notify::receivers(&config.webhooks),
        retention: config.ledger.retention_days.map(|days| SignedDuration::from_hours(24 * i64::from(days))),
    }
}

/// Reads the settings again and puts budgets, thresholds and tokens in force; a bad file changes nothing.
async fn apply(
    reload: &impl Fn() -> Result<Config, Problems>,
    running: &Config,
    writer: &writer::Writer,
    surface: &Surface,
    status: &ReloadStatus,
) {
    match reload() {
        Ok(next) => {
            let mut policy = next.policy;
            if policy.zone.name() != running.policy.zone.name() {
                tracing::warn!(zone = policy.zone.name(), "another BUDGET_TIMEZONE takes effect at the next start");
                policy.zone = running.policy.zone.clone();
            }
            surface.set_tokens(next.api.tokens);
            // A writer that has stopped ends the agent; there is nothing to reload then.
            let _ = writer.set_policy(Arc::new(policy)).await;
            status.succeeded();
            tracing::info!("settings read again: budgets, caps, thresholds, critical operations and tokens are in force");
        }
        Err(problems) => {
            status.failed();
            tracing::error!(%problems, "the settings are wrong; the ones in force stay");
        }
    }
}

// === impl Signals ===

impl Signals {
    fn register() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
            _file_size: signal(SignalKind::from_raw(SIGXFSZ))?,
        })
    }

    async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.terminate.recv() => Asked::Stop,
            _ = self.interrupt.recv() => Asked::Stop,
            _ = self.hang_up.recv() => Asked::Reload,
        }
    }
}
