//! `import`: events of another ledger or another record of cost into an agent, batch by batch.
//!
//! *Invariants.* Batches go one after the other, so events are recorded in the order of the source. Every row has an id that is the same
//! each time, so an import that was cut off can simply be run again. A row that cannot be recorded is told and holds up no other.
//!
//! *Limits.* [`BATCH_EVENTS_MAX`] and [`BATCH_BYTES_MAX`] in a request, [`BATCHES_AHEAD_MAX`] read ahead, [`TRIES_MAX`] tries of each,
//! [`ROWS_TOLD_MAX`] bad rows told.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use jiff::tz::TimeZone;

use super::agent_args::AgentArgs;
use super::answer::read;
use super::client::{ANSWER_TIMEOUT, AgentClient, ClientError};
use super::output::{note, print_line, printable};
use super::token::TokenArgs;
use super::{Exit, Failure};
use crate::clock::Clock;
use crate::config::Sources;
use crate::error_chain::ErrorChain;
use crate::transfer::{BadRow, Mapping, Row, SourceError, SourceFormat, check_rows, read_source};
use crate::wire::{BatchAnswer, ProblemEntry};

/// Events of one request.
const BATCH_EVENTS_MAX: usize = 10_000;
/// Bytes of one request, below what an agent takes by default.
const BATCH_BYTES_MAX: usize = 4 * 1024 * 1024 - 64 * 1024;
/// Batches that are read while others are on their way.
const BATCHES_AHEAD_MAX: usize = 2;
/// How often a batch is sent.
const TRIES_MAX: u32 = 8;
/// The first pause between two tries; each further one is twice as long, up to the last.
const PAUSE_FIRST: Duration = Duration::from_millis(250);
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// Bad rows that are told one by one.
const ROWS_TOLD_MAX: usize = 20;

#[derive(Args, Debug)]
pub struct ImportArgs {
    /// The file to read [default: standard input]
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Format of the file
    #[arg(long, value_enum, default_value = "jsonl", value_name = "FORMAT")]
    pub format: ImportFormat,
    /// Service of rows that name none; with litellm-spend-logs and sqlite-original of all rows
    #[arg(long)]
    pub service: Option<String>,
    /// Source of the ids, with litellm-spend-logs and sqlite-original [default: litellm, lead-factory-python]
    #[arg(long)]
    pub source: Option<String>,
    /// Zone of times without an offset, with litellm-spend-logs and sqlite-original
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    pub time_zone: String,
    /// Take events of any age, not only what POST /costs takes
    #[arg(long)]
    pub any_age: bool,
    /// Read and check everything, and send nothing
    #[arg(long)]
    pub dry_run: bool,
    #[command(flatten)]
    pub token: TokenArgs,
    #[command(flatten)]
    pub agent: AgentArgs,
}

/// The formats, by the words of the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ImportFormat {
    /// One event a line, as export writes them
    Jsonl,
    /// Columns named like an event's fields
    Csv,
    /// LiteLLM's spend logs: the answer of /spend/logs, or the table as JSON lines or CSV
    LitellmSpendLogs,
    /// The SQLite file of the Python original
    SqliteOriginal,
}

/// Rows on their way.
#[derive(Debug, Default)]
struct Batch {
    lines: String,
    /// The place of each row in the source.
    places: Vec<u64>,
    bad: Vec<BadRow>,
    /// How far the source was read for it.
    bytes: u64,
}

/// What the thread that reads says.
enum Said {
    Size(u64),
    Batch(Batch),
    Failed(String),
}

/// What became of everything so far.
#[derive(Debug, Default)]
struct Tally {
    accepted: usize,
    duplicates: usize,
    revised: usize,
    rejected: usize,
    told: usize,
}

/// Runs the verb.
pub fn run(arguments: &ImportArgs, process: &Sources) -> Result<Exit, Failure> {
    let time_zone = TimeZone::get(&arguments.time_zone)
        .map_err(|_| Failure::Usage(format!("--time-zone: there is no zone {:?}", arguments.time_zone)))?;
    let mapping = Mapping {
        service: arguments.service.as_deref().map(Box::from),
        source: arguments.source.as_deref().map(Box::from),
        time_zone,
    };
    let token = arguments.token.to_record(process)?;
    let client = AgentClient::new(&arguments.agent, process, ANSWER_TIMEOUT)?;
    let mut tally = Tally::default();
    let failure = thread::scope(|scope| {
        let (say, heard) = sync_channel(BATCHES_AHEAD_MAX);
        let reading = thread::Builder::new().name("import".into());
        let spawned = reading.spawn_scoped(scope, move || read_batches(arguments, &mapping, &say));
        spawned.map_err(|error| Failure::Failed(format!("cannot start a thread: {error}")))?;
        take_batches(&heard, &mut tally, |batch| {
            if arguments.dry_run {
                Ok(check(batch, arguments.any_age))
            } else {
                send(&client, token.as_deref(), arguments, batch)
            }
        })
    });
    if !arguments.dry_run || failure.is_ok() {
        print_line(&tally.text(arguments.dry_run))?;
    }
    failure?;
    Ok(if tally.rejected == 0 { Exit::Done } else { Exit::Failed })
}

/// Reads the source and says its batches, until nobody listens.
fn read_batches(arguments: &ImportArgs, mapping: &Mapping, say: &SyncSender<Said>) {
    let mut batch = Batch::default();
    let mut take = |row: Result<Row, BadRow>| {
        if row.as_ref().is_ok_and(|row| !batch.has_room_for(row)) || batch.bad.len() >= BATCH_EVENTS_MAX {
            say.send(Said::Batch(std::mem::take(&mut batch))).map_err(|_| SourceError::Stopped)?;
        }
        batch.add(row);
        Ok(())
    };
    let mut size = |size| drop(say.send(Said::Size(size)));
    let done = read_source(arguments.format.into(), arguments.path(), mapping, &mut size, &mut take);
    // Nobody listens once sending has failed.
    let _ = say.send(Said::Batch(batch));
    match done {
        Ok(()) | Err(SourceError::Stopped) => {}
        Err(error) => drop(say.send(Said::Failed(ErrorChain(&error).to_string()))),
    }
}

/// Has each batch recorded, in order, and shows how far it is.
fn take_batches(
    heard: &Receiver<Said>,
    tally: &mut Tally,
    mut record: impl FnMut(&Batch) -> Result<BatchAnswer<'static>, Failure>,
) -> Result<(), Failure> {
    let bar = progress_bar();
    let mut failure = None;
    for said in heard {
        match said {
            Said::Size(size) => bar.set_length(size),
            Said::Failed(text) => failure = Some(Failure::Failed(printable(&text))),
            Said::Batch(batch) => {
                let answer = if batch.places.is_empty() { BatchAnswer::default() } else { record(&batch)? };
                bar.suspend(|| tally.add(&batch, &answer));
                bar.set_position(batch.bytes);
                bar.set_message(tally.short());
            }
        }
    }
    bar.finish_and_clear();
    failure.map_or(Ok(()), Err)
}

/// On a terminal; none elsewhere.
fn progress_bar() -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::no_length();
    match ProgressStyle::with_template("{wide_bar} {percent:>3} %  {msg}  {elapsed}") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// Sends a batch until it is known what became of it.
fn send(
    client: &AgentClient,
    token: Option<&str>,
    arguments: &ImportArgs,
    batch: &Batch,
) -> Result<BatchAnswer<'static>, Failure> {
    let path = if arguments.any_age { "/import?any_age=true" } else { "/import" };
    let mut wait = PAUSE_FIRST;
    for tries in 1.. {
        let after = match client.post_lines(path, token, batch.lines.clone()) {
            Ok(answer) => return read::<BatchAnswer<'_>>(&answer).map(BatchAnswer::into_owned),
            Err(ClientError::TryAgain { after, .. }) if tries < TRIES_MAX => after,
            Err(ClientError::AnswerLost(_) | ClientError::NotReached(_)) if tries < TRIES_MAX => None,
            Err(error) => {
                let Failure::Failed(said) = Failure::from(error) else { break };
                let first = batch.places.first().copied().unwrap_or_default();
                let hint = "Run the same import again: what was recorded counts once.";
                return Err(Failure::Failed(format!("{said}\nStopped at row {first}. {hint}")));
            }
        };
        thread::sleep(after.unwrap_or(wait).max(wait).min(PAUSE_MAX));
        wait *= 2;
    }
    Err(Failure::Failed("the agent did not answer".into()))
}

/// What an agent with default limits would say of a batch, but for what it knows under the same ids.
fn check(batch: &Batch, any_age: bool) -> BatchAnswer<'static> {
    let (accepted, rejected, errors) = check_rows(&batch.lines, any_age, Clock::System.now());
    BatchAnswer { accepted, rejected: Some(rejected), errors: Some(errors.into()), ..BatchAnswer::default() }
}

impl ImportArgs {
    fn path(&self) -> Option<&std::path::Path> {
        self.file.as_deref().filter(|path| path.as_os_str() != "-")
    }
}

impl From<ImportFormat> for SourceFormat {
    fn from(format: ImportFormat) -> Self {
        match format {
            ImportFormat::Jsonl => Self::Jsonl,
            ImportFormat::Csv => Self::Csv,
            ImportFormat::LitellmSpendLogs => Self::LitellmSpendLogs,
            ImportFormat::SqliteOriginal => Self::SqliteOriginal,
        }
    }
}

impl Batch {
    fn has_room_for(&self, row: &Row) -> bool {
        self.places.is_empty()
            || (self.places.len() < BATCH_EVENTS_MAX && self.lines.len() + row.json.len() < BATCH_BYTES_MAX)
    }

    fn add(&mut self, row: Result<Row, BadRow>) {
        match row {
            Ok(row) => {
                self.lines.push_str(&row.json);
                self.lines.push('\n');
                self.places.push(row.number);
                self.bytes = row.bytes;
            }
            Err(bad) => self.bad.push(bad),
        }
    }
}

impl Tally {
    fn add(&mut self, batch: &Batch, answer: &BatchAnswer<'_>) {
        self.accepted += answer.accepted;
        self.duplicates += answer.duplicates;
        self.revised += answer.revised;
        self.rejected += answer.rejected.unwrap_or_default() + batch.bad.len();
        for bad in &batch.bad {
            self.tell(bad.number, &bad.reason);
        }
        for ProblemEntry { index, detail, .. } in answer.errors.as_deref().unwrap_or_default() {
            let place = index.and_then(|index| batch.places.get(index)).copied().unwrap_or_default();
            self.tell(place, detail);
        }
    }

    fn tell(&mut self, place: u64, detail: &str) {
        self.told += 1;
        if self.told <= ROWS_TOLD_MAX {
            note(&format!("row {place}: {detail}"));
        }
    }

    fn short(&self) -> String {
        format!("{} accepted, {} rejected", self.accepted, self.rejected)
    }

    fn text(&self, is_dry: bool) -> String {
        let Self { accepted, duplicates, revised, rejected, .. } = self;
        if is_dry {
            return format!("nothing was sent: {accepted} valid, {rejected} rejected");
        }
        format!("accepted {accepted}, duplicates {duplicates}, revised {revised}, rejected {rejected}")
    }
}
