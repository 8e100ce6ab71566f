//! What handlers need: the other stages, and the surface's own rules.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use opentelemetry::metrics::Meter;
use tokio::sync::{Semaphore, mpsc, oneshot};
use warp::http::{HeaderName, HeaderValue};

use super::Settings;
use super::auth::Access;
use super::body::BodyReader;
use super::call::Call;
use super::instruments::Instruments;
use super::login::Login;
use super::memo::Memo;
use super::problem::Problem;
use super::room::Room;
use super::users::PasswordHash;
use crate::clock::Clock;
use crate::fleet::Fleet;
use crate::ingest::{CallSettings, Limits};
use crate::ledger::Reader;
use crate::pricing::Book;
use crate::query::Reads;
use crate::telemetry::{ExportsFailing, ReloadStatus, Scraper};
use crate::views::Board;
use crate::writer::Writer;

/// Exports at once: each reads with a thread of its own.
const EXPORTS_MAX: usize = 2;

/// A wish to have the settings read again; the answer is what is wrong with them, if anything is.
pub type ReloadWish = oneshot::Sender<Result<(), String>>;

/// The stages that the surface is the edge of.
#[derive(Debug)]
pub struct Parts {
    /// The committed state.
    pub board: Arc<Board>,
    /// The way to record.
    pub writer: Writer,
    /// The way to what is no longer in memory.
    pub reader: Reader,
    /// The way to the Prometheus text.
    pub scraper: Scraper,
    /// What time it is.
    pub clock: Clock,
    /// What an event may be.
    pub limits: Limits,
    /// What operators decide about calls.
    pub calls: CallSettings,
    /// All prices.
    pub book: Arc<ArcSwap<Book>>,
    /// The way to have settings and prices read again.
    pub reload: mpsc::Sender<ReloadWish>,
    /// What became of the last time.
    pub reloads: ReloadStatus,
    /// What cannot be pushed over OTLP.
    pub exports_failing: ExportsFailing,
    /// The way to the fleet, where the agent belongs to one.
    pub fleet: Option<Fleet>,
}

/// Shared by all handlers.
#[derive(Debug)]
pub struct State {
    pub(super) board: Arc<Board>,
    pub(super) writer: Writer,
    pub(super) reads: Reads,
    pub(super) memo: Memo,
    pub(super) scraper: Scraper,
    pub(super) clock: Clock,
    pub(super) limits: Arc<Limits>,
    pub(super) access: Access,
    pub(super) login: Login,
    /// What answers carry unless they have it.
    pub(super) headers: ArcSwap<Vec<(HeaderName, HeaderValue)>>,
    pub(super) bodies: BodyReader,
    /// How long a body may take.
    pub(super) body_timeout: Duration,
    /// Bytes of a body of calls.
    pub(super) ingest_body_bytes_max: usize,
    /// The room for writes.
    pub(super) room: Room,
    /// What operators decide about calls.
    pub(super) calls: CallSettings,
    /// All prices.
    pub(super) book: Arc<ArcSwap<Book>>,
    /// The way to have settings and prices read again.
    pub(super) reload: mpsc::Sender<ReloadWish>,
    /// What became of the last time.
    pub(super) reloads: ReloadStatus,
    /// What cannot be pushed over OTLP.
    pub(super) exports_failing: ExportsFailing,
    /// The way to the fleet, where the agent belongs to one.
    pub(super) fleet: Option<Fleet>,
    pub(super) instruments: Instruments,
    /// Room for exports.
    pub(super) exports: Arc<Semaphore>,
}

impl State {
    /// Joins the stages under these settings. Makes the surface's instruments from the meter, so it is made once.
    pub fn new(parts: Parts, settings: &Settings, meter: &Meter) -> Self {
        Self {
            reads: Reads::new(parts.reader, Arc::clone(&parts.board), settings.reads_waiting_max),
            board: parts.board,
            writer: parts.writer,
            memo: Memo::default(),
            scraper: parts.scraper,
            clock: parts.clock,
            access: Access::new(settings),
            login: Login::new(settings),
            headers: ArcSwap::from_pointee(settings.headers.clone()),
            body_timeout: settings.body_timeout,
            ingest_body_bytes_max: settings.ingest_body_bytes_max,
            room: Room::new(settings),
            calls: parts.calls,
            book: parts.book,
            reload: parts.reload,
            reloads: parts.reloads,
            exports_failing: parts.exports_failing,
            fleet: parts.fleet,
            bodies: BodyReader::new(settings, parts.limits.body_bytes_max),
            limits: Arc::new(parts.limits),
            instruments: Instruments::new(meter),
            exports: Arc::new(Semaphore::new(EXPORTS_MAX)),
        }
    }

    /// Whether this call may go on, and the name of the token that it came with, if it has one.
    ///
    /// # Errors
    /// The first check that fails.
    pub(super) async fn admit(&self, call: &Call) -> Result<Option<Arc<str>>, Problem> {
        self.login.check(call, &self.access).await?;
        self.access.check(call)
    }

    /// Takes other users from the next request on; none: everybody may read.
    pub(super) fn set_users(&self, users: &[(String, PasswordHash)]) {
        self.access.ask_for_login(!users.is_empty());
        self.login.set_users(users);
    }
}
