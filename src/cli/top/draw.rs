//! The whole screen: what stands where, and what gives way where there is little room.
//!
//! *Invariants.* No line is wider than the window, and no word of a heading is cut. The title, the gate, the day and the month and
//! the keys are always there; of the rest first the days go, then the unpriced models, the holds, the events, the costs, the budgets.

use std::time::{Duration, Instant};

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::super::table::wrap;
use super::guide::{help, keys};
use super::known::Known;
use super::panel::{Panel, Place};
use super::panels;
use super::text::hour;
use super::theme::{Theme, Tone};
use super::view::View;

/// The least window.
pub const COLUMNS_MIN: u16 = 60;
/// The least window.
pub const ROWS_MIN: u16 = 10;
/// From so many columns on there are two side by side.
const TWO_COLUMNS: usize = 120;
/// Between them.
const BETWEEN: &str = " │ ";
/// From so many rows on the gate and each problem may take two.
const ROWS_FOR_TWO_LINES: u16 = 16;
/// From so many rows on there is a line for the gate's last hours.
const ROWS_FOR_BAND: u16 = 30;
/// From so many rows on, where all stands below each other, there are days.
const ROWS_FOR_DAYS: u16 = 40;
/// Rows of a part below which it is better left out.
const ROWS_LEAST: usize = 2;

/// What a frame is of.
#[derive(Clone, Copy, Debug)]
pub struct Shot<'a> {
    pub known: &'a Known,
    /// The agent's address.
    pub at: &'a str,
    pub interval: Duration,
    pub now: Instant,
    pub colours: bool,
}

/// Draws all of it.
pub fn draw(buffer: &mut Buffer, shot: Shot<'_>, view: &mut View) {
    let area = buffer.area;
    let Shot { known, now, colours, .. } = shot;
    if area.width < COLUMNS_MIN || area.height < ROWS_MIN {
        return too_small(buffer);
    }
    let theme = Theme { colours, faded: known.away.is_some() };
    let wide = Theme { faded: false, ..theme };
    let columns = usize::from(area.width);
    let mut top = vec![title(shot, view, columns, wide)];
    top.extend(panels::away(known, shot.interval, now, [columns, lines_each(area)], wide));
    let last = area.height - 1;
    if view.help {
        top.extend(help(columns, wide));
        top.truncate(usize::from(last));
    } else {
        top.extend(panels::problems(known, [columns, lines_each(area)], theme));
        top.extend(gate_and_totals(shot, area, theme));
    }
    let used = write(buffer, area.x, area.y, columns, &top);
    if !view.help {
        let rest = Rect { y: area.y + used, height: last.saturating_sub(used), ..area };
        parts(buffer, rest, shot, view, theme);
    }
    write(buffer, area.x, area.y + last, columns, &[keys(columns, view.paused, wide)]);
}

fn too_small(buffer: &mut Buffer) {
    let area = buffer.area;
    let said =
        format!("top needs {COLUMNS_MIN} columns and {ROWS_MIN} rows. This window has {} and {}.", area.width, area.height);
    let lines: Vec<Line<'_>> = wrap::lines(&said, area.width.into()).into_iter().map(Line::raw).collect();
    write(buffer, area.x, area.y, area.width.into(), &lines);
}

/// Whose agent, and what time it is there.
fn title(Shot { known, at, now, .. }: Shot<'_>, view: &View, columns: usize, theme: Theme) -> Line<'static> {
    let time = known.time(now);
    let state = if view.paused { "PAUSED " } else { "" };
    let right = format!("{state}{}", hour(time, time));
    let name = "lead-factory-metrics top ";
    let room = columns.saturating_sub(wrap::width(name) + wrap::width(&right) + 1);
    let at = wrap::cut(at.trim_end_matches('/'), room);
    let blanks = " ".repeat(1 + room.saturating_sub(wrap::width(&at)));
    Line::from(vec![
        Span::styled(name, theme.style(Tone::Strong)),
        Span::styled(at, theme.style(Tone::Quiet)),
        Span::raw(blanks),
        Span::styled(right, theme.style(Tone::Strong)),
    ])
}

const fn lines_each(area: Rect) -> usize {
    if area.height >= ROWS_FOR_TWO_LINES { 2 } else { 1 }
}

/// Side by side where there is room.
fn gate_and_totals(Shot { known, now, .. }: Shot<'_>, area: Rect, theme: Theme) -> Vec<Line<'static>> {
    let columns = usize::from(area.width);
    let time = known.time(now);
    let lines = lines_each(area);
    let band = |columns| panels::gate_band(known, time, columns, theme).filter(|_| area.height >= ROWS_FOR_BAND);
    if columns < TWO_COLUMNS {
        let mut all = panels::gate(known, time, [columns, lines], theme);
        all.extend(band(columns));
        all.extend(panels::totals(known, columns, theme));
        return all;
    }
    let [left, right] = halves(columns);
    let mut gate = panels::gate(known, time, [left, 2], theme);
    gate.extend(band(left));
    let mut totals = panels::totals(known, right, theme);
    let rows = gate.len().max(totals.len());
    gate.resize(rows, Line::default());
    totals.resize(rows, Line::default());
    let joined = |(mut line, total): (Line<'static>, Line<'static>)| {
        let blanks = left.saturating_sub(line.width());
        line.push_span(Span::raw(" ".repeat(blanks)));
        line.push_span(Span::styled(BETWEEN, theme.style(Tone::Quiet)));
        total.spans.into_iter().for_each(|span| line.push_span(span));
        line
    };
    gate.into_iter().zip(totals).map(joined).collect()
}

fn halves(columns: usize) -> [usize; 2] {
    let both = columns.saturating_sub(BETWEEN.chars().count());
    [both / 2, both - both / 2]
}

/// The parts that scroll.
fn parts(buffer: &mut Buffer, area: Rect, shot: Shot<'_>, view: &mut View, theme: Theme) {
    let Shot { known, now, .. } = shot;
    let time = known.time(now);
    let budgets = panels::budgets(known, time);
    let costs = panels::costs(known, view.question, now);
    let holds = panels::holds(known, time);
    let unpriced = Some(panels::unpriced(known, time)).filter(|panel| !panel.rows.is_empty() || panel.trouble.is_some());
    let days = Some(panels::days(known, view.question, now)).filter(|panel| !panel.rows.is_empty());
    let events = panels::events(known, time);
    let columns = usize::from(area.width);
    let mut stacks: Vec<(Rect, Vec<Panel>)> = vec![];
    if columns < TWO_COLUMNS {
        let days = days.filter(|_| buffer.area.height >= ROWS_FOR_DAYS);
        let all = [Some(budgets), Some(costs), Some(holds), unpriced, days, Some(events)];
        stacks.push((area, all.into_iter().flatten().collect()));
    } else {
        let [left, right] = halves(columns).map(|half| u16::try_from(half).unwrap_or(u16::MAX));
        let second = area.x + left + BETWEEN.chars().count() as u16;
        let side = [Some(budgets), Some(holds), unpriced, days].into_iter().flatten().collect();
        stacks.push((Rect { width: left, ..area }, side));
        stacks.push((Rect { x: second, width: right, ..area }, vec![costs, events]));
        let lines = vec![Line::styled(BETWEEN, theme.style(Tone::Quiet)); area.height.into()];
        write(buffer, area.x + left, area.y, BETWEEN.chars().count(), &lines);
    }
    let mut shown = vec![];
    for (_, panels) in &stacks {
        shown.extend(heights(panels, area.height.into()).into_iter().zip(panels).filter(|(height, _)| *height > 0));
    }
    let mut places: Vec<Place> = shown.iter().map(|(_, panel)| panel.place).collect();
    places.sort_unstable();
    view.keep(&places);
    for (area, panels) in &stacks {
        stack(buffer, *area, panels, view, theme);
    }
}

/// Parts below each other.
fn stack(buffer: &mut Buffer, area: Rect, panels: &[Panel], view: &mut View, theme: Theme) {
    let mut y = area.y;
    for (panel, height) in panels.iter().zip(heights(panels, area.height.into())).filter(|(_, height)| *height > 0) {
        let from = view.from(panel.place, panel.rows_seen(height), panel.rows.len());
        let lines = panel.lines([area.width.into(), height], from, view.focus == panel.place, theme);
        write(buffer, area.x, y, area.width.into(), &lines);
        y += u16::try_from(height).unwrap_or(u16::MAX);
    }
}

/// How many lines each part gets: at least enough to be of use, or none; and of what is left one each in turn.
fn heights(panels: &[Panel], room: usize) -> Vec<usize> {
    let wanted: Vec<usize> = panels.iter().map(Panel::wanted).collect();
    let mut heights: Vec<usize> = wanted.iter().map(|wanted| (*wanted).min(1 + ROWS_LEAST)).collect();
    while heights.iter().sum::<usize>() > room {
        let shown = panels.iter().enumerate().filter(|(number, _)| heights.get(*number).is_some_and(|height| *height > 0));
        let Some((first, _)) = shown.max_by_key(|(_, panel)| gives_way(panel.place)) else { break };
        // Less of it before nothing of it.
        let shrinks = heights.iter().sum::<usize>() - room == 1 && heights.get(first).is_some_and(|height| *height > 2);
        if let Some(height) = heights.get_mut(first) {
            *height = if shrinks { *height - 1 } else { 0 };
        }
    }
    // Days are what fills the room that nothing else needs; events need all there is.
    let days_wait = panels.iter().all(|panel| panel.place != Place::Events);
    for days_take_part in [!days_wait, true] {
        let takes_part = |panel: &Panel| days_take_part || panel.place != Place::Days;
        while heights.iter().sum::<usize>() < room {
            let mut left = room - heights.iter().sum::<usize>();
            let before = left;
            for ((height, wanted), panel) in heights.iter_mut().zip(&wanted).zip(panels) {
                if left > 0 && *height > 0 && *height < *wanted && takes_part(panel) {
                    *height += 1;
                    left -= 1;
                }
            }
            if left == before {
                break;
            }
        }
    }
    heights
}

/// The highest goes first.
const fn gives_way(place: Place) -> u8 {
    match place {
        Place::Budgets => 0,
        Place::Costs => 1,
        Place::Events => 2,
        Place::Holds => 3,
        Place::Unpriced => 4,
        Place::Days => 5,
    }
}

/// Lines from a place on, as far as the screen goes. How many they were.
fn write(buffer: &mut Buffer, x: u16, y: u16, columns: usize, lines: &[Line<'_>]) -> u16 {
    let bottom = buffer.area.bottom();
    let mut next = y;
    for line in lines.iter().take(usize::from(bottom.saturating_sub(y))) {
        buffer.set_line(x, next, line, u16::try_from(columns).unwrap_or(u16::MAX));
        next += 1;
    }
    next - y
}
