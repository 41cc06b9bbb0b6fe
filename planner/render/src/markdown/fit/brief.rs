//! The beginning of a body that is too long: so many of its fields, those that decide what runs in
//! any case, and how many more there are.

use super::short_line;
use crate::shorten::grouped;
use crate::tree::{Block, Line, Tone};

/// Characters of a line that is shortened.
const CHARACTERS: usize = 160;
/// Lines below the first one of a field that are shown.
const BELOW: usize = 3;

/// A body taken apart into items, each of which is shown or left out as a whole.
pub(super) struct Items(Vec<Item>);

/// A changed field with its lines, or a line of another kind.
struct Item {
    is_field: bool,
    is_vital: bool,
    lines: Vec<Line>,
}

impl Items {
    pub(super) fn of(body: &[Block]) -> Self {
        let mut items: Vec<Item> = Vec::new();
        let lines = body.iter().filter_map(|block| match block {
            Block::Lines(lines) => Some(lines),
            _ => None,
        });
        for line in lines.flatten() {
            match items.last_mut() {
                Some(last) if last.is_field && line.indent > last.lines[0].indent => {
                    last.lines.push(line.clone());
                }
                _ => items.push(Item {
                    is_field: line.field,
                    is_vital: line.vital,
                    lines: vec![line.clone()],
                }),
            }
        }
        items.iter_mut().for_each(Item::shorten);
        Self(items)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The number of fields and of other lines that are left out with so many items shown.
    pub(super) fn rest(&self, shown: usize) -> (usize, usize) {
        let rest = self.0.iter().skip(shown).filter(|item| !item.is_vital);
        let (fields, others): (Vec<&Item>, Vec<&Item>) = rest.partition(|item| item.is_field);
        (fields.len(), others.len())
    }

    /// The first items and all vital ones, and how many more there are.
    pub(super) fn first(&self, shown: usize) -> Vec<Block> {
        let kept = self.0.iter().enumerate().filter(|(at, item)| *at < shown || item.is_vital);
        let mut lines: Vec<Line> = kept.flat_map(|(_, item)| item.lines.iter().cloned()).collect();
        let (fields, others) = self.rest(shown);
        let more: Vec<String> = [(fields, "field"), (others, "line")]
            .into_iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, word)| more(count, word))
            .collect();
        if !more.is_empty() {
            let text = format!("… {}", more.join(" and "));
            lines.push(Line::at(1).with(Tone::Dim, text));
        }
        vec![Block::Lines(lines)]
    }
}

impl Item {
    fn shorten(&mut self) {
        let below = self.lines.len() - 1;
        let first = &self.lines[0];
        let indent = first.indent + 2;
        let mut kept: Vec<Line> =
            self.lines.iter().take(1 + BELOW).map(|line| short_line(line, CHARACTERS)).collect();
        if below > BELOW {
            let text = format!("… {}", more(below - BELOW, "line"));
            kept.push(Line::at(indent).with(Tone::Dim, text));
        }
        self.lines = kept;
    }
}

fn more(count: usize, word: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{} more {word}{ending}", grouped(count))
}
