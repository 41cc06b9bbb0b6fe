//! Windows as sets of minutes of a week, to tell whether some allow more than others.

use super::WindowRule;
use dax_core::Name;
use std::collections::BTreeMap;

/// Days in the order of a week.
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
/// Minutes of a day.
const DAY: usize = 24 * 60;
/// Minutes of a week.
const WEEK: usize = 7 * DAY;

/// Whether each minute that the new windows allow was allowed by the old ones.
///
/// Windows of one time zone are compared with each other only: what two clocks have in common
/// changes with the seasons, so that it cannot be told.
pub(super) fn is_within(new: &[WindowRule], old: &[WindowRule]) -> bool {
    if old.is_empty() {
        return true;
    }
    if new.is_empty() {
        return false;
    }
    let (Some(new), Some(old)) = (minutes(new), minutes(old)) else { return false };
    new.iter().all(|(zone, open)| {
        let known = old.get(zone);
        open.iter().enumerate().all(|(at, open)| !open || known.is_some_and(|known| known[at]))
    })
}

/// Minutes of a week that are open, by time zone; nothing where a window cannot be read.
fn minutes(windows: &[WindowRule]) -> Option<BTreeMap<Name, Vec<bool>>> {
    let mut all: BTreeMap<Name, Vec<bool>> = BTreeMap::new();
    for window in windows {
        let (from, to) = (minute(&window.from)?, minute(&window.to)?);
        let length = if to > from { to - from } else { DAY - from + to };
        let open = all.entry(window.zone.clone()).or_insert_with(|| vec![false; WEEK]);
        for day in &window.days {
            let day = DAYS.iter().position(|known| known == day)?;
            for at in 0..length {
                open[(day * DAY + from + at) % WEEK] = true;
            }
        }
    }
    Some(all)
}

/// `HH:MM` as a minute of the day.
fn minute(text: &str) -> Option<usize> {
    let (hour, minute) = text.split_once(':')?;
    let (hour, minute): (usize, usize) = (hour.parse().ok()?, minute.parse().ok()?);
    (hour < 24 && minute < 60).then_some(hour * 60 + minute)
}
