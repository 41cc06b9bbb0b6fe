//! Shares of traffic over the steps of a strategy, as a chart with a table beside it.
//!
//! Both come from the plan's own steps, so the chart shows nothing that a run would not do.

use super::steps::step_text;
use crate::tree::{Chart, rows};
use crate::values::millis;
use dax_core::RevisionId;
use dax_model::{Operation, WHOLE};
use dax_plan::model::Change;
use dax_plan::{Step, Task};
use std::collections::BTreeMap;
use std::fmt::Write;

/// Size of the drawing, and where its axes stand.
const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 200.0;
const LEFT: f64 = 48.0;
const RIGHT: f64 = 704.0;
const TOP: f64 = 16.0;
const BOTTOM: f64 = 160.0;
/// Room between two points.
const NEAR: f64 = 44.0;
/// Room between two labels below the axis.
const APART: f64 = 40.0;
/// Points on the way beyond which nobody could read the labels.
const MOST: usize = 200;

/// A moment at which shares change, or at which the way waits.
struct Point<'p> {
    at_ms: u64,
    step: &'p Step,
    /// The share of the new revision from here on, in hundredths of a percent.
    share: u32,
}

/// The chart of a service whose traffic is shifted in more than one move.
pub(super) fn chart(change: &Change, steps: &[&Step]) -> Option<Chart> {
    let (Some(_), Some(new)) = (&change.from, &change.to) else { return None };
    let points = points(steps, new);
    let shifts = points
        .iter()
        .filter(|point| matches!(point.step.task, Task::Call(Operation::ShiftTraffic { .. })));
    let waits = points.iter().filter(|point| waits(point.step)).count();
    let shifts = shifts.count();
    if shifts == 0 || shifts + waits < 2 || points.len() > MOST {
        return None;
    }
    let end: u64 = steps.iter().map(|step| step.expected_ms).fold(0, u64::saturating_add);
    let table: Vec<Vec<String>> = points.iter().map(|point| row(point, end)).collect();
    Some(Chart {
        svg: draw(change, &points, end),
        heads: vec!["step", "after", "new", "old", "what"],
        rows: rows(&table),
    })
}

fn waits(step: &Step) -> bool {
    matches!(step.task, Task::Hold { .. } | Task::Analyse { .. } | Task::Gate { .. })
}

fn points<'p>(steps: &[&'p Step], new: &RevisionId) -> Vec<Point<'p>> {
    let (mut at_ms, mut share) = (0_u64, 0);
    let mut points = Vec::new();
    for &step in steps {
        let shifts = match &step.task {
            Task::Call(Operation::ShiftTraffic { traffic }) => {
                share = of(traffic, new);
                true
            }
            _ => false,
        };
        if shifts || waits(step) {
            points.push(Point { at_ms, step, share });
        }
        at_ms = at_ms.saturating_add(step.expected_ms);
    }
    points
}

fn of(traffic: &BTreeMap<RevisionId, u32>, revision: &RevisionId) -> u32 {
    traffic.get(revision).copied().unwrap_or(0).min(WHOLE)
}

fn percent(share: u32) -> String {
    format!("{}%", f64::from(share) / 100.0)
}

fn row(point: &Point<'_>, end: u64) -> Vec<String> {
    let after = match (end, point.at_ms) {
        (0, _) => String::new(),
        (_, 0) => "start".to_owned(),
        (_, ms) => millis(ms),
    };
    vec![
        point.step.id.to_string(),
        after,
        percent(point.share),
        percent(WHOLE - point.share),
        step_text(point.step),
    ]
}

/// Places of the points on the axis: by time, but never so near to one another that one hides the
/// other.
fn places(points: &[Point<'_>], end: u64) -> Vec<f64> {
    let span = RIGHT - LEFT;
    let time = |ms: u64| if end > 0 { span * ms as f64 / end as f64 } else { 0.0 };
    let mut places = vec![NEAR];
    for pair in points.windows(2) {
        let apart = time(pair[1].at_ms.saturating_sub(pair[0].at_ms)).max(NEAR);
        places.push(places.last().copied().unwrap_or(0.0) + apart);
    }
    let last = places.last().copied().unwrap_or(NEAR);
    let rest = points.last().map_or(0.0, |point| time(end.saturating_sub(point.at_ms)));
    // The last share needs room for its label.
    let rest = rest.max(2.0 * NEAR);
    places.iter().map(|place| LEFT + span * place / (last + rest)).collect()
}

fn height(share: u32) -> f64 {
    BOTTOM - (BOTTOM - TOP) * f64::from(share) / f64::from(WHOLE)
}

fn draw(change: &Change, points: &[Point<'_>], end: u64) -> String {
    let places = places(points, end);
    // The first step of a chart is in no other one.
    let id = points.first().map_or(0, |point| point.step.id.0);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"chart\" role=\"img\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
         aria-labelledby=\"chart-{id}-title chart-{id}-desc\"><title id=\"chart-{id}-title\">{}</title>\
         <desc id=\"chart-{id}-desc\">{}</desc>",
        escape(&format!("Traffic of {}", change.addr)),
        escape(&description(points, end)),
    );
    for share in [0, WHOLE / 4, WHOLE / 2, WHOLE / 4 * 3, WHOLE] {
        let y = height(share);
        let _ = write!(
            svg,
            "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{RIGHT}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
             <text class=\"tick\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            LEFT - 8.0,
            y + 4.0,
            percent(share)
        );
    }
    svg.push_str(&area(points, &places));
    svg.push_str(&marks(points, &places, end));
    svg.push_str("</svg>");
    svg
}

/// The share of the new revision as a stepped area.
fn area(points: &[Point<'_>], places: &[f64]) -> String {
    let mut line = format!("M{LEFT} {BOTTOM}");
    for (point, x) in points.iter().zip(places) {
        let _ = write!(line, "H{x:.1}V{:.1}", height(point.share));
    }
    let _ = write!(line, "H{RIGHT}");
    format!(
        "<path class=\"new\" d=\"{line}V{BOTTOM}Z\"/><path class=\"edge\" d=\"{line}\" fill=\"none\"/>"
    )
}

/// Times below the axis, shares at the shifts, and lines where people must approve.
fn marks(points: &[Point<'_>], places: &[f64], end: u64) -> String {
    let (mut out, mut last) = (String::new(), (f64::MIN, String::new()));
    for (point, x) in points.iter().zip(places) {
        if matches!(point.step.task, Task::Gate { .. }) {
            let _ = write!(
                out,
                "<line class=\"gate\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{TOP}\" y2=\"{BOTTOM}\"/>\
                 <text class=\"label\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">approval</text>",
                x - 4.0,
                TOP + 10.0
            );
        }
        if matches!(point.step.task, Task::Call(Operation::ShiftTraffic { .. })) {
            let y = (height(point.share) + 14.0).min(BOTTOM - 4.0);
            let share = percent(point.share);
            let _ = write!(
                out,
                "<text class=\"label\" x=\"{:.1}\" y=\"{y:.1}\">{share}</text>",
                x + 4.0
            );
        }
        let time = match (end, point.at_ms) {
            (0, _) => format!("step {}", point.step.id),
            (_, 0) => "start".to_owned(),
            (_, ms) => millis(ms),
        };
        // Points of one moment share its label.
        if x - last.0 < APART || time == last.1 {
            continue;
        }
        let _ = write!(
            out,
            "<text class=\"tick\" x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
            BOTTOM + 18.0,
            escape(&time)
        );
        last = (*x, time);
    }
    out
}

fn description(points: &[Point<'_>], end: u64) -> String {
    let one = |point: &Point<'_>| {
        let when = if end > 0 { format!("after {}", millis(point.at_ms)) } else { String::new() };
        let gap = if when.is_empty() { "" } else { " " };
        format!("{when}{gap}step {}: {}", point.step.id, step_text(point.step))
    };
    points.iter().map(one).collect::<Vec<_>>().join("; ")
}

fn escape(text: &str) -> String {
    crate::html::escape(&text.into())
}
