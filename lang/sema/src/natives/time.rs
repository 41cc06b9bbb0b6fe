//! Moments, as data: no clock is read here, and time zones come from the database in the program.

use super::{Outcome, bad, record, text};
use dax_core::{Code, Decimal, Quantity, Unit, Value};
use jiff::Timestamp;
use jiff::tz::{TimeZone, TimeZoneDatabase};

const WEEKDAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

pub(super) fn find(name: &str) -> Option<fn(&[Value]) -> Outcome> {
    Some(match name {
        "local_time" => local_time,
        "time_between" => time_between,
        "time_after" => time_after,
        _ => return None,
    })
}

/// The time zone of an IANA name.
pub(super) fn zone(name: &str) -> Option<TimeZone> {
    TimeZoneDatabase::bundled().get(name).ok()
}

/// A moment in the form of RFC 3339.
pub(super) fn moment(text: &str) -> Result<Timestamp, String> {
    text.parse::<Timestamp>().map_err(|error| error.to_string())
}

fn instant(args: &[Value], at: usize) -> Result<Timestamp, (Code, String)> {
    moment(text(args, at)).map_err(|error| {
        (crate::codes::BAD_ARGUMENT, format!("`{}` is no moment: {error}", text(args, at)))
    })
}

fn local_time(args: &[Value]) -> Outcome {
    let Some(zone) = zone(text(args, 1)) else {
        return bad(format!("there is no time zone `{}`", text(args, 1)));
    };
    let at = instant(args, 0)?.to_zoned(zone);
    let (date, time) = (at.date(), at.time());
    let weekday = usize::try_from(date.weekday().to_monday_zero_offset()).unwrap_or(0);
    Ok(record([
        ("date", Value::str(date.to_string())),
        ("time", Value::str(format!("{:02}:{:02}", time.hour(), time.minute()))),
        ("year", Value::Int(date.year().into())),
        ("month", Value::Int(date.month().into())),
        ("day", Value::Int(date.day().into())),
        ("hour", Value::Int(time.hour().into())),
        ("minute", Value::Int(time.minute().into())),
        ("weekday", Value::str(WEEKDAYS[weekday])),
    ]))
}

fn time_between(args: &[Value]) -> Outcome {
    let (from, to) = (instant(args, 0)?, instant(args, 1)?);
    let nanoseconds = Decimal::from_i128_with_scale(to.as_nanosecond() - from.as_nanosecond(), 6);
    Ok(Value::Quantity(Quantity::new(Unit::Duration, nanoseconds)))
}

fn time_after(args: &[Value]) -> Outcome {
    let at = instant(args, 0)?;
    let Value::Quantity(by) = &args[1] else { return bad("this is no duration") };
    let later = i64::try_from(by.base.trunc())
        .ok()
        .and_then(|ms| at.checked_add(jiff::SignedDuration::from_millis(ms)).ok());
    later.map_or_else(
        || bad("the moment is out of range"),
        |later| Ok(Value::str(later.to_string())),
    )
}
