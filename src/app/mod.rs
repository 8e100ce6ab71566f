//! The composition root: builds the stages, joins them, and takes them down in order.
//!
//! *Invariants.* Everything that can fail at the start fails before the first request is answered. Shutdown is an order: stop
//! accepting, let requests finish, let the writer commit what it took, flush telemetry; each step under the one deadline.

mod error;
mod reload;
mod serving;
mod signals;

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use opentelemetry::metrics::Meter;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use crate::api::{self, GrpcServer, ReloadWish, Surface};
use crate::clock::Clock;
use crate::config::{Config, Problems};
use crate::fleet::{Fleet, FleetParts};
use crate::ledger::{Ledger, Reader};
use crate::net::{self, Server, TlsSwitch};
use crate::notify::{self, Deliveries};
use crate::pricing::Book;
use crate::query::LeadWatch;
use crate::rating::{Rater, RatingParts};
use crate::systemd;
use crate::telemetry::{Otlp, ReloadStatus, Telemetry};
use crate::writer::{self, Ended, Started, Writer};

pub use error::AppError;

use reload::ReadSettings;
use serving::Ports;
use signals::{Asked, Signals};

/// From the signal to the exit. Supervisors commonly kill after 10 s.
const SHUTDOWN_MAX: Duration = Duration::from_secs(9);
/// The part of it that requests under way may take, so that enough is left for the last commit and flush.
const DRAIN_MAX: Duration = Duration::from_secs(5);
/// Wishes to have the settings read again that may wait.
const RELOAD_WISHES_MAX: usize = 4;
/// One answers some 50,000 reads a second; four are more than the one writer can keep up with.
const IO_THREADS_MAX: usize = 4;

/// Runs the agent until a signal stops it or its disk fails. `otlp` is what pushes its telemetry, if anything does; `reload` reads
/// the settings again.
///
/// # Errors
/// See [`AppError`]; each means exit code 1.
pub fn serve(
    config: Config,
    otlp: Option<Otlp>,
    reload: impl Fn() -> Result<Config, Problems> + Send + Sync + 'static,
) -> Result<(), AppError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(io_threads())
        .enable_all()
        .build()
        .map_err(AppError::System)?;
    let outcome = runtime.block_on(async {
        let agent = Agent::build(config, otlp, Clock::System)?;
        agent.run(Arc::new(reload)).await
    });
    // Whatever still runs (a read of old events) waits for nobody.
    runtime.shutdown_background();
    outcome
}

/// The stages, bound but not answering yet.
struct Agent {
    ports: Ports,
    tls: TlsSwitch,
    surface: Surface,
    started: Started,
    telemetry: Telemetry,
    reloads: ReloadStatus,
    deliveries: Deliveries,
    lead_watch: LeadWatch,
    rater: Rater,
    book: Arc<ArcSwap<Book>>,
    fleet: Option<Fleet>,
    reload_wishes: mpsc::Receiver<ReloadWish>,
    signals: Signals,
    config: Config,
}

impl Agent {
    fn build(mut config: Config, otlp: Option<Otlp>, clock: Clock) -> Result<Self, AppError> {
        keep_within_files(&mut config);
        let signals = Signals::register().map_err(AppError::System)?;
        let tls = TlsSwitch::new(config.net.tls.clone());
        let (ports, address) = bind_ports(&config.net, &tls)?;
        let zone = &config.policy.zone;
        let ledger = Ledger::open(&config.ledger.path, zone, clock.now())?;
        let loaded = writer::load(ledger, Arc::clone(&config.policy), config.writer.clone(), clock.clone())?;
        let board = Arc::clone(&loaded.board);
        let mut telemetry = Telemetry::new(&config.telemetry, board, clock.clone(), otlp)?;
        let meter = telemetry.meter();
        let started = loaded.spawn(&meter)?;
        let reader = || Reader::new(config.ledger.path.clone(), zone.clone());
        let parts = parts_of_notify(reader(), &started.writer, &clock);
        let deliveries = notify::start(&config.webhooks, &parts, &meter).map_err(AppError::System)?;
        let lead_watch = {
            let clock = clock.clone();
            LeadWatch::start(reader(), Arc::clone(&started.board), move || clock.instant()).map_err(AppError::System)?
        };
        let book = Arc::new(ArcSwap::new(Arc::clone(&config.book)));
        let rater = Rater::start(RatingParts {
            reader: reader(),
            writer: started.writer.clone(),
            book: Arc::clone(&book),
            usd_max: config.ingest.event_usd_max,
        })
        .map_err(AppError::System)?;
        let fleet = start_fleet(&config, &started, reader(), &clock, &meter)?;
        let reloads = ReloadStatus::new(&meter);
        let (reload, reload_wishes) = mpsc::channel(RELOAD_WISHES_MAX);
        let parts = api::Parts {
            board: Arc::clone(&started.board),
            writer: started.writer.clone(),
            reader: reader(),
            clock,
            limits: config.ingest.clone(),
            calls: config.calls.clone(),
            book: Arc::clone(&book),
            reload,
            scraper: telemetry.scraper(),
            reloads: reloads.clone(),
            exports_failing: telemetry.exports_failing(),
            fleet: fleet.clone(),
        };
        let surface = Surface::new(api::State::new(parts, &config.api, &meter));
        telemetry.push()?;
        tracing::info!(
            version = env!("CARGO_PKG_VERSION"),
            %address,
            tls = config.net.tls.is_some(),
            ledger = %config.ledger.path.display(),
            events = started.board.read().views.entries,
            "listening"
        );
        Ok(Self {
            ports,
            tls,
            surface,
            started,
            telemetry,
            reloads,
            deliveries,
            lead_watch,
            rater,
            book,
            fleet,
            reload_wishes,
            signals,
            config,
        })
    }

    async fn run(self, read: ReadSettings) -> Result<(), AppError> {
        let Self { ports, tls, surface, started, telemetry, reloads, deliveries, lead_watch, rater, book, fleet, .. } = self;
        let (mut reload_wishes, mut signals, config) = (self.reload_wishes, self.signals, self.config);
        let Started { writer, mut ended, .. } = started;
        let serving = ports.serve(&surface);
        systemd::ready();
        let reload = async || {
            systemd::reloading();
            let parts = reload::Parts { writer: &writer, surface: &surface, tls: &tls, book: &book };
            let applied = reload::apply(reload::read_apart(&read).await, &config, &parts, &reloads).await;
            systemd::ready();
            rater.rate();
            applied
        };
        let mut is_asked_again = false;
        let early_end = 'running: loop {
            // Nobody hears of a signal's; what is wrong is logged.
            let wish = if std::mem::take(&mut is_asked_again) {
                None
            } else {
                tokio::select! {
                    asked = signals.next() => match asked {
                        Asked::Stop => break None,
                        Asked::Reload => None,
                    },
                    Some(wish) = reload_wishes.recv() => Some(wish),
                    end = &mut ended => break Some(end),
                }
            };
            // Meanwhile too: a file may lie where reading it hangs.
            let mut reloading = pin!(reload());
            let applied = loop {
                tokio::select! {
                    applied = &mut reloading => break applied,
                    asked = signals.next() => match asked {
                        Asked::Stop => break 'running None,
                        Asked::Reload => is_asked_again = true,
                    },
                    end = &mut ended => break 'running Some(end),
                }
            };
            // Whoever asked may have hung up.
            wish.map(|wish| wish.send(applied));
        };
        let began = Instant::now();
        systemd::stopping();
        if early_end.is_none() {
            tracing::info!("stopping");
        }
        serving.stop(began + DRAIN_MAX).await;
        drop(surface);
        // Nobody reserves any more, and the writer still says what is in use.
        if let Some(fleet) = fleet {
            fleet.stop().await;
        }
        // It goes on at the next start.
        drop(rater);
        // Before the writer, so that it still notes what became of the last ones.
        drop(deliveries);
        // Likewise, so that nobody reads the log that the writer is about to empty.
        drop(lead_watch);
        let end = match early_end {
            Some(end) => end,
            None => {
                writer.stop().await;
                timeout_at(began + SHUTDOWN_MAX, ended).await.map_err(|_| AppError::ShutdownTooSlow)?
            }
        };
        let flushed = tokio::task::spawn_blocking(move || telemetry.shutdown());
        if timeout_at(began + SHUTDOWN_MAX, flushed).await.is_err() {
            tracing::warn!("telemetry was not flushed in time");
        }
        match end {
            Ok(Ended::Cleanly) => Ok(()),
            // A writer that panicked counts as a failed disk: only a restart may look at the file again.
            Ok(Ended::SyncFailed) | Err(_) => Err(AppError::SyncFailed),
        }
    }
}

/// Takes every port there is to be, and says which one is for everything.
fn bind_ports(net: &net::Settings, tls: &TlsSwitch) -> Result<(Ports, SocketAddr), AppError> {
    let main = Server::bind(net).map_err(|source| AppError::Listen { address: net.listen, source })?;
    let address = main.local_addr().map_err(AppError::System)?;
    let ports = Ports { main, socket: bind_socket(net)?, otlp: bind_otlp(net)?, grpc: bind_grpc(net)? };
    Ok((ports.with_tls(tls), address))
}

/// Makes the Unix socket, where there is to be one.
fn bind_socket(settings: &net::Settings) -> Result<Option<Server>, AppError> {
    let Some(path) = &settings.write_socket else { return Ok(None) };
    let server =
        Server::bind_socket(path, settings).map_err(|source| AppError::ListenSocket { path: path.clone(), source })?;
    tracing::info!(path = %path.display(), "serving a Unix socket");
    Ok(Some(server))
}

/// Takes the port for OTLP alone, where there is to be one.
fn bind_otlp(settings: &net::Settings) -> Result<Option<Server>, AppError> {
    let Some(address) = settings.otlp_http_listen else { return Ok(None) };
    let server = Server::bind(&net::Settings { listen: address, ..settings.clone() })
        .map_err(|source| AppError::Listen { address, source })?;
    let address = server.local_addr().map_err(AppError::System)?;
    tracing::info!(%address, "taking OTLP over HTTP");
    Ok(Some(server))
}

/// Takes the port for OTLP over gRPC, where there is to be one.
fn bind_grpc(settings: &net::Settings) -> Result<Option<GrpcServer>, AppError> {
    let Some(address) = settings.otlp_grpc_listen else { return Ok(None) };
    let server =
        GrpcServer::bind(address, settings.connections_max).map_err(|source| AppError::Listen { address, source })?;
    let address = server.local_addr().map_err(AppError::System)?;
    tracing::info!(%address, "taking OTLP over gRPC");
    Ok(Some(server))
}

/// Begins to take part in the fleet, where the agent belongs to one.
fn start_fleet(
    config: &Config,
    started: &Started,
    reader: Reader,
    clock: &Clock,
    meter: &Meter,
) -> Result<Option<Fleet>, AppError> {
    let Some(settings) = &config.fleet else { return Ok(None) };
    let (board, writer) = (Arc::clone(&started.board), started.writer.clone());
    let parts = FleetParts::new(board, writer, reader, &config.ledger.path, clock.clone()).map_err(AppError::Fleet)?;
    Ok(Some(Fleet::start(settings.clone(), parts, meter)))
}

/// Serves no more connections than the process may open files, and takes no more writes than leave some of them to reads.
fn keep_within_files(config: &mut Config) {
    let (wanted, max) = (config.net.connections_max, net::connections_for_files());
    if max < wanted {
        tracing::warn!(max, wanted, "the process may open too few files (ulimit -n) for max_connections");
        config.net.connections_max = max;
        config.api.bound_waiting(max, max.div_ceil(2));
    }
}

fn parts_of_notify(reader: Reader, writer: &Writer, clock: &Clock) -> notify::DeliveryParts {
    let writer = writer.clone();
    notify::DeliveryParts {
        reader: Arc::new(reader),
        clock: clock.clone(),
        report: Arc::new(move |reports| writer.report_deliveries(reports)),
        attempt_max: notify::ATTEMPT_MAX,
        schedule: notify::Schedule::default(),
    }
}

/// Threads that answer requests. A sidecar leaves most of the machine to the workers beside it, and its writer has a thread of its
/// own: with two cores, a second I/O thread only adds hand-offs (a third less throughput, twice the p99).
fn io_threads() -> usize {
    std::thread::available_parallelism().map_or(1, |cores| cores.get() / 2).clamp(1, IO_THREADS_MAX)
}
