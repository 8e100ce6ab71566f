//! The terminal: what is drawn onto it, what keys it tells, and how it is given back.
//!
//! *Invariants.* However it ends (a key, a signal, a panic, a terminal that is gone), the first page, the cursor and the way in which
//! keys are read are as before. Everything else happens on other threads: a key is answered at once.
//!
//! *Limits.* [`NEWS_MAX`]; it is drawn when something changed, and every [`AGE_EVERY`].

use std::io::{self, BufWriter, Stdout};
use std::panic;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use ratatui::backend::{Backend, CrosstermBackend};
use ratatui::buffer::Buffer;
use ratatui::crossterm::event::{self, Event, KeyEvent};
use ratatui::crossterm::terminal;
use ratatui::layout::Rect;

use super::super::client::AgentClient;
use super::super::output::{LiveScreen, Screen, leave_live};
use super::super::signals::{self, Told};
use super::super::{Exit, Failure};
use super::ask::{self, Away, Costs, Heard, Standing};
use super::asker::Wishes;
use super::draw::{Shot, draw};
use super::known::Known;
use super::question::Question;
use super::view::{Deed, View};

/// How often the time and ages are drawn anew.
const AGE_EVERY: Duration = Duration::from_secs(1);
/// News that wait to be drawn.
const NEWS_MAX: usize = 64;
/// Columns and rows of the largest window that is drawn; one that says it is larger is no window.
const SIZE_MAX: usize = 1_000;

/// What there is to draw anew for.
enum News {
    Standing(Box<Result<Standing, Away>>),
    Costs(Box<Heard<Costs>>),
    Key(KeyEvent),
    Signal(Told),
    /// A thread ended that should not.
    Broken(&'static str),
}

/// Tells when a thread ends.
struct Ends(SyncSender<News>, &'static str);

impl Drop for Ends {
    fn drop(&mut self) {
        // Nobody listens any more when all of it ends.
        let _over = self.0.try_send(News::Broken(self.1));
    }
}

/// Keys one by one as they are pressed, not a line at a time.
pub struct Keyboard(());

impl Keyboard {
    /// `None` where there is no terminal to read keys from.
    pub fn take() -> Option<Self> {
        terminal::enable_raw_mode().ok().map(|()| Self(()))
    }
}

impl Drop for Keyboard {
    fn drop(&mut self) {
        // A terminal that is gone needs nothing.
        let _gone = terminal::disable_raw_mode();
    }
}

/// What is known at first, and what is wanted.
pub struct Start {
    pub standing: Standing,
    pub costs: Heard<Costs>,
    pub question: Question,
    pub interval: Duration,
}

/// Shows it until somebody ends it.
///
/// # Errors
/// Signals cannot be heard, keys not be read, or a terminal that is there cannot be written to.
pub fn run(keyboard: Keyboard, start: Start, [standing, costs]: [AgentClient; 2], screen: Screen) -> Result<Exit, Failure> {
    let Start { standing: first, costs: first_costs, question, interval } = start;
    let (news, heard) = sync_channel(NEWS_MAX);
    signals::listen(news.clone(), News::Signal)?;
    restore_before_panics_are_told();
    let window = LiveScreen::enter(screen)?;
    let at = standing.address();
    let known = Known::new(first, first_costs, Instant::now());
    let wishes = [Wishes::new(question), Wishes::new(question)];
    let [standings, groupings] = &wishes;
    let ends = Ends(news.clone(), "the thread that asks the agent");
    standings.keep_asking(interval, news.clone(), move |_| {
        let _told_when_over = &ends;
        News::Standing(Box::new(ask::standing(&standing)))
    });
    let ends = Ends(news.clone(), "the thread that asks for costs");
    groupings.keep_asking(interval, news.clone(), move |question| {
        let _told_when_over = &ends;
        News::Costs(Box::new(ask::costs(&costs, question)))
    });
    read_keys(news);
    let view = View::new(question);
    let exit = Loop { known, view, wishes, at, interval, colours: screen.has_colours() }.run(&window, &heard);
    // The cursor and the first page before the keyboard: what is typed from now on is the shell's.
    drop(window);
    drop(keyboard);
    exit
}

/// Keys, on a thread of its own: it waits for them without an end, and ends with the process.
fn read_keys(news: SyncSender<News>) {
    thread::spawn(move || {
        let _told_when_over = Ends(news.clone(), "reading keys");
        while let Ok(event) = event::read() {
            // Sizes are told by a signal.
            let Event::Key(key) = event else { continue };
            if news.send(News::Key(key)).is_err() {
                break;
            }
        }
    });
}

/// The words of a panic belong onto the first page.
fn restore_before_panics_are_told() {
    let told = panic::take_hook();
    panic::set_hook(Box::new(move |panicked| {
        leave_live();
        let _gone = terminal::disable_raw_mode();
        told(panicked);
    }));
}

/// What is drawn, again and again.
struct Loop {
    known: Known,
    view: View,
    /// Of how things stand, and of costs.
    wishes: [Wishes; 2],
    at: String,
    interval: Duration,
    colours: bool,
}

impl Loop {
    fn run(mut self, window: &LiveScreen, heard: &Receiver<News>) -> Result<Exit, Failure> {
        let mut canvas = Canvas::new();
        loop {
            let drawn = canvas.draw(window.size(), |buffer| {
                let Self { known, view, at, interval, colours, .. } = &mut self;
                draw(buffer, Shot { known, at, interval: *interval, now: Instant::now(), colours: *colours }, view);
            });
            match drawn {
                Ok(()) => {}
                // The terminal is gone, and so is who watched.
                Err(error) if is_gone(&error) => return Ok(Exit::Done),
                Err(error) => return Err(Failure::Failed(format!("cannot write to standard output: {error}"))),
            }
            let mut next = heard.recv_timeout(AGE_EVERY);
            // Whatever else is there already is drawn together with it.
            loop {
                match next {
                    Ok(news) => {
                        if let Some(exit) = self.take(news, &mut canvas)? {
                            return Ok(exit);
                        }
                    }
                    Err(RecvTimeoutError::Timeout) => break,
                    Err(RecvTimeoutError::Disconnected) => return Ok(Exit::Done),
                }
                next = heard.recv_timeout(Duration::ZERO);
            }
        }
    }

    fn take(&mut self, news: News, canvas: &mut Canvas) -> Result<Option<Exit>, Failure> {
        let now = Instant::now();
        match news {
            News::Standing(heard) => self.known.hear(*heard, now),
            News::Costs(heard) => self.known.hear_costs(*heard, now),
            News::Signal(Told::Resized) => canvas.forget(),
            News::Signal(Told::Stop) => return Ok(Some(Exit::Done)),
            News::Broken(what) => return Err(Failure::Failed(format!("{what} broke off"))),
            News::Key(key) => match self.view.press(key) {
                Deed::Nothing => {}
                Deed::Quit => return Ok(Some(Exit::Done)),
                Deed::Ask => self.wishes.iter().for_each(|wishes| wishes.ask(self.view.question)),
                Deed::Refresh => {
                    self.wishes.iter().for_each(Wishes::refresh);
                    // Whatever else wrote onto the page is drawn over.
                    canvas.forget();
                }
                Deed::Pause => self.wishes.iter().for_each(|wishes| wishes.pause(self.view.paused)),
            },
        }
        Ok(None)
    }
}

fn is_gone(error: &io::Error) -> bool {
    let is_hung_up = error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error());
    error.kind() == io::ErrorKind::BrokenPipe || is_hung_up
}

/// What stands on the page, so that only what changed is written: in one write, so that nothing flickers.
struct Canvas {
    backend: CrosstermBackend<BufWriter<Stdout>>,
    shown: Option<Buffer>,
}

impl Canvas {
    fn new() -> Self {
        Self { backend: CrosstermBackend::new(BufWriter::with_capacity(64 * 1024, io::stdout())), shown: None }
    }

    /// Draws all of it next time.
    fn forget(&mut self) {
        self.shown = None;
    }

    fn draw(&mut self, (columns, rows): (usize, usize), draw: impl FnOnce(&mut Buffer)) -> io::Result<()> {
        let side = |length: usize| u16::try_from(length.min(SIZE_MAX)).unwrap_or(u16::MAX);
        let area = Rect::new(0, 0, side(columns), side(rows));
        let mut buffer = Buffer::empty(area);
        draw(&mut buffer);
        let shown = match self.shown.take().filter(|shown| shown.area == area) {
            Some(shown) => shown,
            None => {
                self.backend.clear()?;
                Buffer::empty(area)
            }
        };
        self.backend.draw(shown.diff_iter(&buffer))?;
        Backend::flush(&mut self.backend)?;
        self.shown = Some(buffer);
        Ok(())
    }
}
