//! Leaves of a service that change.

use crate::shorten;
use crate::tree::{Line, Tone};
use crate::values;
use dax_plan::model::{Change, LeafChange, Owner};

/// The leaves of a change in the order in which they are read: those that decide what runs come
/// first.
pub(super) fn ordered(change: &Change) -> Vec<&LeafChange> {
    let mut leaves: Vec<&LeafChange> = change.leaves.iter().collect();
    leaves.sort_by_key(|leaf| match leaf.path.split('.').next().unwrap_or_default() {
        "image" | "command" | "provider" => 0,
        "replicas" | "ports" => 1,
        _ => 2,
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
    let mut line = Line::at(1)
        .of_field()
        .with(tone, format!("{mark} "))
        .with(Tone::Plain, format!("{}: ", leaf.path));
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
