//! What stands in a plan's way at this moment: a pin, an environment that comes first, a window, people.

use crate::{Engine, EngineError};
use dax_apply::Store;
use dax_apply::approvals::agreed;
use dax_core::{Name, ResourceAddr};
use dax_plan::Plan;
use dax_plan::model::{Gate, Mode, Window};
pub use dax_render::Standing;
use std::sync::PoisonError;

/// Services of which nothing is known.
fn unreachable(plan: &Plan) -> Vec<String> {
    let names: Vec<&str> = plan.unreachable.iter().map(ResourceAddr::name).collect();
    if names.is_empty() {
        return Vec::new();
    }
    let excludes: Vec<String> = names.iter().map(|name| format!("--exclude {name}")).collect();
    let (names, excludes) = (names.join(", "), excludes.join(" "));
    vec![format!(
        "nothing is known of {names}: plan again when they can be reached, or leave them out with `{excludes}`"
    )]
}

/// Why a plan cannot be applied now: the first obstacle, with its reasons where something cannot be read.
pub fn denial(plan: &Plan, standing: &Standing) -> Option<String> {
    let shown = if plan.unreachable.is_empty() { 1 } else { standing.obstacles.len() };
    let first: Vec<&str> = standing.obstacles.iter().take(shown).map(String::as_str).collect();
    (!first.is_empty()).then(|| first.join("; "))
}

impl Engine {
    /// What stands in a plan's way now.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn standing(&self, plan: &Plan) -> Result<Standing, EngineError> {
        let store = self.store()?;
        let mut standing = self.standing_of(&store, plan)?;
        if !plan.unreachable.is_empty() {
            let unread = self.unread.lock().unwrap_or_else(PoisonError::into_inner);
            let at = standing.obstacles.len().min(1);
            standing.obstacles.splice(at..at, unread.values().cloned());
        }
        Ok(standing)
    }

    pub(crate) fn standing_of(&self, store: &Store, plan: &Plan) -> Result<Standing, EngineError> {
        // The way back and the way out are never held up.
        if plan.mode != Mode::Apply || plan.is_empty() {
            return Ok(Standing::default());
        }
        self.runtime.block_on(async {
            let mut obstacles = unreachable(plan);
            let mut times = 0;
            if let Some(pin) = store.pinned(&plan.environment).await? {
                let why = if pin.reason.is_empty() { String::new() } else { format!(" ({})", pin.reason) };
                let environment = &plan.environment;
                obstacles.push(format!(
                    "`{environment}` is pinned to state {} since {} by {}{why}; `dax unpin -e {environment}` lets it go on",
                    pin.serial,
                    shown(pin.at_ms),
                    pin.by
                ));
            }
            for gate in &plan.gates {
                match gate {
                    Gate::After { .. } => {
                        if let Some((why, time)) = after(store, gate).await? {
                            times += usize::from(time);
                            obstacles.push(why);
                        }
                    }
                    Gate::Windows(windows) => {
                        if let Some(why) = closed(windows, store.now_ms()) {
                            times += 1;
                            obstacles.push(why);
                        }
                    }
                }
            }
            if !plan.approvals.is_empty() {
                let digest = dax_plan::digest::digest(plan);
                let approvals = store.approvals(&plan.environment, &digest).await?;
                for gate in &plan.approvals {
                    if let Err(lacking) = agreed(gate, None, &approvals) {
                        let of: Vec<&str> = gate.of.iter().map(Name::as_str).collect();
                        let of = if of.is_empty() { String::new() } else { format!(" of {}", of.join(", ")) };
                        let command = format!("dax approve -e {} {digest}", plan.environment);
                        obstacles.push(format!(
                            "it needs {lacking} more {}{of}: `{command}`",
                            if lacking == 1 { "approval" } else { "approvals" }
                        ));
                    }
                }
            }
            let early = times > 0 && times == obstacles.len();
            Ok(Standing { obstacles, early, ..Standing::default() })
        })
    }
}

/// Why the environment that comes first does not allow it yet, and whether that is only a matter of time; nothing when it does.
async fn after(store: &Store, gate: &Gate) -> Result<Option<(String, bool)>, EngineError> {
    let Gate::After { environment, soak_ms, verified, valid_ms, .. } = gate else {
        return Ok(None);
    };
    let runs = store.runs(environment).await?;
    let last = runs.iter().find(|run| run.outcome.is_some());
    let succeeded = last
        .filter(|run| run.outcome == Some(dax_apply::Outcome::Succeeded) && run.mode != "destroy");
    let Some((run, ended)) = succeeded.and_then(|run| Some((run, run.ended_ms?))) else {
        return Ok(Some((format!("`{environment}` was not applied successfully yet"), false)));
    };
    let since = store.now_ms().saturating_sub(ended);
    Ok(if since < *soak_ms {
        Some((
            format!("`{environment}` must have run for {} first", dax_render::millis(*soak_ms)),
            true,
        ))
    } else if *verified && !run.verified {
        Some((
            format!("no analysis passed in the last run of `{environment}`, and one must have"),
            false,
        ))
    } else if *valid_ms > 0 && since > *valid_ms {
        Some((
            format!(
                "`{environment}` was applied more than {} ago: apply it again first",
                dax_render::millis(*valid_ms)
            ),
            false,
        ))
    } else {
        None
    })
}

/// Why now is not in any of these windows, or nothing when it is.
fn closed(windows: &[Window], now_ms: u64) -> Option<String> {
    let now =
        i64::try_from(now_ms).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok())?;
    let mut next: Option<jiff::Timestamp> = None;
    for window in windows {
        match opening(window, now) {
            Ok(None) => return None,
            Ok(Some(at)) => next = Some(next.map_or(at, |next| next.min(at))),
            Err(message) => return Some(message),
        }
    }
    let next = next.map_or_else(String::new, |at| {
        format!("; the next one opens at {}", at.strftime("%Y-%m-%dT%H:%M:%SZ"))
    });
    Some(format!("it may be changed at certain times only, and not now{next}"))
}

/// When a window opens next; nothing when it is open.
fn opening(window: &Window, now: jiff::Timestamp) -> Result<Option<jiff::Timestamp>, String> {
    let wrong =
        |error: jiff::Error| format!("the window at {} cannot be read: {error}", window.span);
    let zone = jiff::tz::TimeZone::get(&window.zone).map_err(wrong)?;
    let here = now.to_zoned(zone.clone());
    let clock = |text: &str| jiff::civil::Time::strptime("%H:%M", text).map_err(wrong);
    let (from, to) = (clock(&window.from)?, clock(&window.to)?);
    let mut next = None;
    // From yesterday on, for windows that reach past midnight.
    for offset in -1..=8_i64 {
        let date = here.date().checked_add(jiff::Span::new().days(offset)).map_err(wrong)?;
        let name = date.strftime("%a").to_string().to_lowercase();
        if !window.days.iter().any(|day| *day == name) {
            continue;
        }
        let opens = date.to_datetime(from).to_zoned(zone.clone()).map_err(wrong)?.timestamp();
        let last = if to > from { date } else { date.tomorrow().map_err(wrong)? };
        let closes = last.to_datetime(to).to_zoned(zone.clone()).map_err(wrong)?.timestamp();
        if opens <= now && now < closes {
            return Ok(None);
        }
        if opens > now && next.is_none_or(|next| opens < next) {
            next = Some(opens);
        }
    }
    Ok(next)
}

/// A time as RFC 3339 in UTC, to the second.
fn shown(ms: u64) -> String {
    let seconds = i64::try_from(ms / 1000).unwrap_or(0);
    jiff::Timestamp::from_second(seconds).map_or_else(|_| ms.to_string(), |time| time.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(days: &[&str], from: &str, to: &str, zone: &str) -> Window {
        let days = days.iter().map(|day| Name::from(*day)).collect();
        Window { days, from: from.into(), to: to.into(), zone: zone.into(), span: String::new() }
    }

    fn at(text: &str) -> u64 {
        let time: jiff::Timestamp = text.parse().expect("a time");
        u64::try_from(time.as_millisecond()).expect("after 1970")
    }

    #[test]
    fn a_window_is_open_from_its_first_minute_to_the_one_after_its_last_by_its_own_clock() {
        let work = [window(&["mon", "tue"], "09:00", "17:00", "Europe/Vienna")];
        // In November Vienna is one hour ahead; 2026-11-23 is a Monday.
        assert_eq!(closed(&work, at("2026-11-23T08:00:00Z")), None);
        assert_eq!(closed(&work, at("2026-11-23T15:59:59Z")), None);
        let late = closed(&work, at("2026-11-23T16:00:00Z")).expect("closed");
        assert!(late.ends_with("the next one opens at 2026-11-24T08:00:00Z"), "{late}");
        let week = closed(&work, at("2026-11-24T16:00:00Z")).expect("closed");
        assert!(week.ends_with("2026-11-30T08:00:00Z"), "{week}");
    }

    #[test]
    fn a_window_past_midnight_belongs_to_the_day_on_which_it_opens() {
        let night = [window(&["fri"], "22:00", "04:00", "UTC")];
        assert_eq!(closed(&night, at("2026-11-28T03:59:00Z")), None);
        assert!(closed(&night, at("2026-11-28T04:00:00Z")).is_some());
        assert!(closed(&night, at("2026-11-27T03:00:00Z")).is_some());
    }
}
