//! Leaves of a service that change.

use crate::shorten;
use crate::tree::{Line, Tone};
use crate::values;
use dax_plan::model::{Change, LeafChange, Owner};

/// The weight of leaves that decide what runs, and how: less is read first.
const WEIGHTS: [&str; 5] = ["image", "command", "replicas", "ports", "provider"];

/// The weight of a leaf by its path.
pub(super) fn weight(path: &str) -> usize {
    let first = path.split('.').next().unwrap_or_default();
    WEIGHTS.iter().position(|one| *one == first).unwrap_or(WEIGHTS.len())
}

/// Reports whether a leaf is among those that are shown however long a plan is.
pub(super) fn is_vital(leaf: &LeafChange) -> bool {
    weight(&leaf.path) < WEIGHTS.len()
}

/// The leaves of a change in the order in which they are read: those that decide what runs come
/// first, those of equal weight by their path.
pub fn ordered(change: &Change) -> Vec<&LeafChange> {
    let mut leaves: Vec<&LeafChange> = change.leaves.iter().collect();
    leaves.sort_by(|one, other| {
        (weight(&one.path), &one.path).cmp(&(weight(&other.path), &other.path))
    });
    leaves
}

pub(super) fn leaf(leaf: &LeafChange) -> Vec<Line> {
    let (mark, tone) = match (&leaf.before, &leaf.after) {
        (None, _) => ("+", Tone::Add),
        (_, None) => ("-", Tone::Remove),
        _ if leaf.owner == Owner::Other => ("!", Tone::Warn),
        _ => ("~", Tone::Change),
    };
    let before = if leaf.before == leaf.after { leaf.live.as_ref() } else { leaf.before.as_ref() };
    let (shown, more) = values::change(before, leaf.after.as_ref(), 3);
    let line = Line::at(1).of_field();
    let line = if is_vital(leaf) { line.vital() } else { line };
    let mut line =
        line.with(tone, format!("{mark} ")).with(Tone::Plain, format!("{}: ", leaf.path));
    line.pieces.extend(shown.pieces);
    let (was, comes) = (leaf.before.as_ref(), leaf.after.as_ref());
    let (was, comes) = (was.and_then(values::secrets), comes.and_then(values::secrets));
    if let Some(from) = &comes {
        line = line.with(Tone::Dim, format!("  from {from}"));
    }
    if let Some(was) = was.filter(|was| Some(was) != comes.as_ref()) {
        line = line.with(Tone::Dim, format!("  was from {was}"));
    }
    if let Some(live) = &leaf.live {
        let by = leaf
            .changed_by
            .as_ref()
            .map_or_else(|| "outside of dax".to_owned(), |by| format!("by {by}"));
        line = line.with(Tone::Warn, format!("  live is {}, changed {by}", shorten::value(live)));
    }
    if let Some(origin) = &leaf.origin {
        line = line.with(Tone::Dim, format!("  {origin}"));
    }
    std::iter::once(line).chain(more).collect()
}
