//! `--watch`: the same question again and again.
//!
//! A terminal shows the newest answer in place of the one before; a pipe gets one after the other. An agent that does not answer
//! for a while is waited for: whoever watches at night wants to see it come back.

use std::time::Duration;

use super::output::{Screen, note};
use super::{Exit, Failure};

/// Shows an answer every `pause` until nobody reads any more; once without a pause. `show` says whether somebody still reads.
///
/// # Errors
/// The first answer's failure: then the question itself, or the address, is probably wrong.
pub fn repeat(
    pause: Option<Duration>,
    screen: &Screen,
    mut show: impl FnMut() -> Result<bool, Failure>,
) -> Result<Exit, Failure> {
    let Some(pause) = pause else { return show().map(|_| Exit::Done) };
    screen.clear()?;
    let mut is_read = show()?;
    while is_read {
        std::thread::sleep(pause);
        screen.clear()?;
        is_read = match show() {
            Ok(is_read) => is_read,
            Err(failure) => {
                note(&format!("{failure} (trying again in {} s)", pause.as_secs()));
                true
            }
        };
    }
    Ok(Exit::Done)
}
