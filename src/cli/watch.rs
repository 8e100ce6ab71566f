//! `--watch`: the same question again and again.
//!
//! A terminal shows the newest answer in place of the one before, below a line with the time, the gate and the budgets. An agent
//! that does not answer is waited for, and what was last known stays in sight with its age: whoever watches at night wants to see it
//! come back. On paper, answers follow each other.
//!
//! *Invariants.* However it ends, the terminal is as it was before.

use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use clap::Args;

use super::client::AgentClient;
use super::output::{LiveScreen, OutputFormat, Screen, note, print_text};
use super::overview;
use super::signals::{self, Told};
use super::table::{Table, wrap};
use super::{Exit, Failure};
use crate::clock::Clock;

/// How often the age of what was last known is shown anew.
const AGE_EVERY: Duration = Duration::from_secs(1);
/// News that wait to be drawn.
const NEWS_MAX: usize = 4;

/// Whether to ask again and again.
#[derive(Args, Clone, Debug)]
pub struct WatchArgs {
    /// Refresh every SECONDS until Ctrl-C [default without a number: 2]
    #[arg(
        long,
        value_name = "SECONDS",
        num_args = 0..=1,
        default_missing_value = "2",
        value_parser = clap::value_parser!(u16).range(1..=3600)
    )]
    pub watch: Option<u16>,
}

/// What the agent said: for people, and to the letter.
pub struct Answer {
    pub table: Table,
    pub json: String,
}

/// An answer with what stands above it.
struct Seen {
    above: String,
    answer: Answer,
    at: Instant,
}

/// What there is to draw anew for.
enum News {
    Answer(Result<Box<Seen>, Failure>),
    Signal(Told),
}

/// Shows an answer; with `--watch` again and again, until Ctrl-C or until nobody reads any more.
///
/// # Errors
/// The first answer's failure: then the question itself, or the address, is probably wrong.
pub fn show(
    arguments: &WatchArgs,
    format: OutputFormat,
    client: AgentClient,
    screen: &Screen,
    ask: impl Fn(&AgentClient) -> Result<Answer, Failure> + Send + 'static,
) -> Result<Exit, Failure> {
    let Some(seconds) = arguments.watch else {
        let Answer { table, json } = ask(&client)?;
        return table.write(format, &json, screen).map(|_| Exit::Done);
    };
    let pause = Duration::from_secs(seconds.into());
    if format == OutputFormat::Table && screen.is_live() {
        return live(pause, client, *screen, ask);
    }
    let mut is_read = on_paper(format, &client, screen, &ask)?;
    while is_read {
        thread::sleep(pause);
        is_read = on_paper(format, &client, screen, &ask).unwrap_or_else(|failure| {
            note(&format!("{failure} (trying again in {seconds} s)"));
            true
        });
    }
    Ok(Exit::Done)
}

fn on_paper(
    format: OutputFormat,
    client: &AgentClient,
    screen: &Screen,
    ask: &impl Fn(&AgentClient) -> Result<Answer, Failure>,
) -> Result<bool, Failure> {
    if format != OutputFormat::Table {
        let Answer { table, json } = ask(client)?;
        return table.write(format, &json, screen);
    }
    let seen = look(client, ask)?;
    let above = wrapped(&seen.above, screen.width().unwrap_or(usize::MAX));
    print_text(&format!("{}\n{}", above.join("\n"), seen.answer.table.paint(*screen)))
}

fn look(client: &AgentClient, ask: &impl Fn(&AgentClient) -> Result<Answer, Failure>) -> Result<Seen, Failure> {
    let answer = ask(client)?;
    let above = overview::line(client, Clock::System.now())?;
    Ok(Seen { above, answer, at: Instant::now() })
}

/// Asks beside drawing: while the agent keeps somebody waiting, Ctrl-C and a new size are heard.
fn live(
    pause: Duration,
    client: AgentClient,
    screen: Screen,
    ask: impl Fn(&AgentClient) -> Result<Answer, Failure> + Send + 'static,
) -> Result<Exit, Failure> {
    // Before the terminal is changed: a question that is wrong is told where it was asked.
    let first = look(&client, &ask)?;
    let (news, heard) = sync_channel(NEWS_MAX);
    signals::listen(news.clone(), News::Signal)?;
    thread::spawn(move || {
        loop {
            thread::sleep(pause);
            if news.send(News::Answer(look(&client, &ask).map(Box::new))).is_err() {
                break;
            }
        }
    });
    let live = LiveScreen::enter(screen)?;
    draw_until_stopped(&live, screen, first, pause, &heard)
}

fn draw_until_stopped(
    live: &LiveScreen,
    screen: Screen,
    mut seen: Seen,
    pause: Duration,
    heard: &Receiver<News>,
) -> Result<Exit, Failure> {
    let mut failure: Option<Failure> = None;
    loop {
        let (columns, rows) = live.size();
        let gone = failure.as_ref().map(|failure| {
            let age = seen.at.elapsed().as_secs();
            format!("{failure}\nLast answer {age} s ago; trying again every {} s.", pause.as_secs())
        });
        if !live.draw(&frame(gone.as_deref(), &seen, screen, columns, rows))? {
            return Ok(Exit::Done);
        }
        match heard.recv_timeout(AGE_EVERY) {
            Ok(News::Answer(Ok(newer))) => (seen, failure) = (*newer, None),
            Ok(News::Answer(Err(failed))) => failure = Some(failed),
            Ok(News::Signal(Told::Resized)) | Err(RecvTimeoutError::Timeout) => {}
            Ok(News::Signal(Told::Stop)) | Err(RecvTimeoutError::Disconnected) => return Ok(Exit::Done),
        }
    }
}

/// The lines of a screen: what is wrong, the line above, and as much of the table as there is room for.
fn frame(gone: Option<&str>, seen: &Seen, screen: Screen, columns: usize, rows: usize) -> Vec<String> {
    let mut lines: Vec<String> = gone.map(|gone| wrapped(gone, columns)).unwrap_or_default();
    lines = lines.into_iter().map(|line| screen.warning(&line)).collect();
    lines.extend(wrapped(&seen.above, columns));
    lines.extend(seen.answer.table.paint(screen).lines().map(str::to_owned));
    let room = rows.max(2);
    if lines.len() > room {
        let more = lines.len() - room + 1;
        lines.truncate(room - 1);
        lines.push(wrap::cut(&format!("… {more} more lines"), columns));
    }
    lines
}

fn wrapped(text: &str, columns: usize) -> Vec<String> {
    text.lines().flat_map(|line| wrap::lines(line, columns)).collect()
}
