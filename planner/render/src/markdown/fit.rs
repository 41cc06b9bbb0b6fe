//! A text of at most so many bytes: what goes first, and what is said of it.
//!
//! Invariant: a change is never left out for the size of its values. First the steps go, then leaves are
//! shortened, then only the head stays, then equal changes share a line by their names. Those that
//! weigh most are shortened last. Where not even all names fit, those of least weight are counted.

use super::{Flavour, escape, fence, write_block, write_section};
use crate::shorten::{self, grouped};
use crate::tree::{Block, Line, Section, Tone};
use std::collections::BTreeMap;
use std::fmt::Write;

/// Room for what is said of what was left out.
const REMARK: usize = 500;
/// Sections beyond which none stands open.
const OPEN: usize = 4;
/// Lines of a list that is too long.
const LINES: usize = 15;
/// Characters of a line that is too long.
const CHARACTERS: usize = 300;
/// Lines of a body that is shortened, and characters of each.
const BRIEF: (usize, usize) = (3, 160);

/// Renders as Markdown of at most so many bytes.
pub fn markdown(blocks: &[Block], flavour: Flavour, budget: usize) -> String {
    let sections = blocks.iter().filter(|block| matches!(block, Block::Section(_))).count();
    fitted(blocks, flavour, budget, sections <= OPEN)
}

/// As [`markdown`], with all sections folded.
pub fn markdown_folded(blocks: &[Block], flavour: Flavour, budget: usize) -> String {
    fitted(blocks, flavour, budget, false)
}

fn fitted(blocks: &[Block], flavour: Flavour, budget: usize, open: bool) -> String {
    let parts: Vec<Part<'_>> = blocks.iter().map(|block| Part::of(block, flavour, open)).collect();
    let whole: usize = parts.iter().map(|part| part.text.len()).sum();
    if whole <= budget {
        return parts.iter().map(|part| part.text.as_str()).collect();
    }
    Fit::of(blocks, parts, flavour, budget.saturating_sub(REMARK)).text()
}

/// The extent to which a section is shown; later ones are shorter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Shown {
    Whole,
    NoSteps,
    Brief,
    Head,
    Shared,
}

const SHORTER: [(Shown, Shown); 4] = [
    (Shown::Whole, Shown::NoSteps),
    (Shown::NoSteps, Shown::Brief),
    (Shown::Brief, Shown::Head),
    (Shown::Head, Shown::Shared),
];

/// A block as text.
struct Part<'b> {
    section: Option<&'b Section>,
    text: String,
}

impl<'b> Part<'b> {
    fn of(block: &'b Block, flavour: Flavour, open: bool) -> Self {
        let mut text = String::new();
        if let Block::Section(section) = block {
            write_section(&mut text, section, flavour, open);
            return Self { section: Some(section), text };
        }
        write_block(&mut text, block, flavour);
        Self { section: None, text }
    }
}

struct Fit<'b> {
    parts: Vec<Part<'b>>,
    /// The extent to which each part is shown.
    shown: Vec<Shown>,
    /// The text of each part as it is shown; nothing where it shares a line.
    texts: Vec<String>,
    /// The run of sections that each part belongs to: only those of one run share a line.
    runs: Vec<usize>,
    flavour: Flavour,
    room: usize,
    size: usize,
}

/// Sections of a run that share a line: weight, run and what they do.
type Shared<'b> = BTreeMap<(std::cmp::Reverse<u32>, usize, &'b str), Vec<usize>>;

impl<'b> Fit<'b> {
    fn of(blocks: &'b [Block], parts: Vec<Part<'b>>, flavour: Flavour, room: usize) -> Self {
        let mut fit = Self {
            shown: vec![Shown::Whole; parts.len()],
            texts: parts.iter().map(|part| part.text.clone()).collect(),
            runs: Vec::new(),
            size: parts.iter().map(|part| part.text.len()).sum(),
            parts,
            flavour,
            room,
        };
        let mut run = 0;
        for block in blocks {
            run += usize::from(!matches!(block, Block::Section(_)));
            fit.runs.push(run);
        }
        fit.shorten_lists(blocks);
        let mut sections: Vec<usize> =
            (0..fit.parts.len()).filter(|at| fit.parts[*at].section.is_some()).collect();
        // Of equal weight the later one goes first.
        sections.sort_by_key(|at| (fit.weight(*at), std::cmp::Reverse(*at)));
        for (from, to) in SHORTER {
            for at in &sections {
                if fit.size <= fit.room {
                    return fit;
                }
                if fit.shown[*at] == from {
                    fit.shorten(*at, to);
                }
            }
        }
        fit
    }

    fn weight(&self, at: usize) -> u32 {
        self.parts[at].section.map_or(u32::MAX, |section| section.weight)
    }

    /// Lists that are always there, as of conditions, shrink where they take most of the room.
    fn shorten_lists(&mut self, blocks: &[Block]) {
        let fixed = |fit: &Self| -> usize {
            let parts = fit.parts.iter().zip(&fit.texts);
            parts.filter(|(part, _)| part.section.is_none()).map(|(_, text)| text.len()).sum()
        };
        if fixed(self) <= self.room / 2 {
            return;
        }
        for (at, block) in blocks.iter().enumerate() {
            if let Block::Lines(lines) = block {
                let mut text = String::new();
                fence(&mut text, &shortened(lines));
                self.replace(at, text);
            }
        }
    }

    fn replace(&mut self, at: usize, text: String) {
        self.size = self.size - self.texts[at].len() + text.len();
        self.texts[at] = text;
    }

    fn shorten(&mut self, at: usize, to: Shown) {
        let Some(section) = self.parts[at].section else { return };
        let mut text = String::new();
        match to {
            Shown::Whole => return,
            Shown::NoSteps => {
                let bare = Section { steps: None, ..section.clone() };
                write_section(&mut text, &bare, self.flavour, false);
            }
            Shown::Brief => {
                let body = brief(&section.body);
                let bare = Section { steps: None, body, ..section.clone() };
                write_section(&mut text, &bare, self.flavour, false);
            }
            Shown::Head => {
                let _ = writeln!(text, "- {}", escape(&head(section)));
            }
            Shown::Shared => {
                let Some(group) = &section.group else { return };
                self.replace(at, text);
                // The name and what stands between two of them; a line's own words are few.
                self.size += escape(group.name.as_str()).len() + 2;
                self.shown[at] = to;
                return;
            }
        }
        if text.len() < self.texts[at].len() || to == Shown::Head {
            self.replace(at, text);
        }
        self.shown[at] = to;
    }

    fn text(mut self) -> String {
        let mut shared: Shared<'b> = BTreeMap::new();
        for (at, part) in self.parts.iter().enumerate() {
            if let (Shown::Shared, Some(section)) = (self.shown[at], part.section)
                && let Some(group) = &section.group
            {
                let weight = std::cmp::Reverse(section.weight);
                let key = (weight, self.runs[at], group.what.as_str());
                shared.entry(key).or_default().push(at);
            }
        }
        let fixed: usize = self.texts.iter().map(String::len).sum();
        let mut room = self.room.saturating_sub(fixed);
        let mut unnamed = 0;
        // Lines stand where the first of their run stood, those that weigh most on top.
        let mut places: BTreeMap<usize, usize> = BTreeMap::new();
        for ((_, run, _), members) in &shared {
            let first = members.first().copied().unwrap_or(0);
            places.entry(*run).and_modify(|at| *at = first.min(*at)).or_insert(first);
        }
        for ((_, run, what), members) in &shared {
            let (line, left) = self.line(what, members, &mut room);
            unnamed += left;
            if let Some(at) = places.get(run) {
                self.texts[*at].push_str(&line);
            }
        }
        let mut out: String = self.texts.concat();
        out.push_str(&self.remark(unnamed));
        out
    }

    /// The line that equal changes share, as long as there is room; and how many are only counted.
    fn line(&self, what: &str, members: &[usize], room: &mut usize) -> (String, usize) {
        // A hyphen would begin a list of its own.
        let what = what
            .strip_prefix("- ")
            .map_or_else(|| escape(what), |what| format!("− {}", escape(what)));
        let mut line = format!("- {what} ({}): ", grouped(members.len()));
        let (mut first, mut left) = (true, members.len());
        *room = room.saturating_sub(line.len() + 40);
        for at in members {
            let Some(group) = self.parts[*at].section.and_then(|one| one.group.as_ref()) else {
                continue;
            };
            let name = escape(group.name.as_str());
            if name.len() + 2 > *room {
                break;
            }
            *room -= name.len() + 2;
            line.push_str(if std::mem::take(&mut first) { "" } else { ", " });
            line.push_str(&name);
            left -= 1;
        }
        if left > 0 {
            let _ = write!(line, " and {} more", grouped(left));
        }
        line.push('\n');
        (line, left)
    }

    /// A sentence about what is not shown here, and where it is.
    fn remark(&self, unnamed: usize) -> String {
        let sections: Vec<usize> =
            (0..self.parts.len()).filter(|at| self.parts[*at].section.is_some()).collect();
        let has = |at: usize| self.parts[at].section.is_some_and(|one| one.steps.is_some());
        let folded = |at: &&usize| self.shown[**at] > Shown::Whole && has(**at);
        let steps = sections.iter().filter(folded).count();
        let leaves = |at: usize| {
            let section = self.parts[at].section.and_then(|one| one.group.as_ref());
            section.map_or(0, |group| group.leaves)
        };
        let hidden: usize = sections
            .iter()
            .filter(|at| self.shown[**at] >= Shown::Brief)
            .map(|at| leaves(*at).saturating_sub(self.leaves_shown(*at)))
            .sum();
        let shared = sections.iter().filter(|at| self.shown[**at] == Shown::Shared).count();
        let mut parts = vec![format!("the steps of {}", changes(steps))];
        if hidden > 0 {
            parts.push(format!(
                "{} {}",
                grouped(hidden),
                if hidden == 1 { "leaf" } else { "leaves" }
            ));
        }
        if unnamed > 0 {
            parts.push(format!("the names of {}", changes(unnamed)));
        }
        let shared =
            if shared > 0 { format!(" {} share lines.", changes(shared)) } else { String::new() };
        format!(
            "\n_Not shown here for its length: {}.{shared} All of it stands in the saved plan (`dax show`) and in \
             the files of the run._\n",
            parts.join(", ")
        )
    }

    fn leaves_shown(&self, at: usize) -> usize {
        if self.shown[at] == Shown::Brief { BRIEF.0 } else { 0 }
    }
}

fn changes(count: usize) -> String {
    if count == 1 { "1 change".to_owned() } else { format!("{} changes", grouped(count)) }
}

/// The head of a section, with what decides what runs.
fn head(section: &Section) -> String {
    let head = section.head.plain();
    let image = section.group.as_ref().and_then(|group| group.what.as_str().split_once(", "));
    match image {
        Some((_, image)) => format!("{head}: {image}"),
        None => head,
    }
}

/// The first lines of a body, each cut.
fn brief(body: &[Block]) -> Vec<Block> {
    let mut lines: Vec<Line> = Vec::new();
    for block in body {
        if let Block::Lines(more) = block {
            lines.extend(more.iter().cloned());
        }
    }
    let more = lines.len().saturating_sub(BRIEF.0);
    let mut kept: Vec<Line> =
        lines.iter().take(BRIEF.0).map(|line| short_line(line, BRIEF.1)).collect();
    if more > 0 {
        let text = format!("… {} more {}", grouped(more), if more == 1 { "line" } else { "lines" });
        kept.push(Line::at(1).with(Tone::Dim, text));
    }
    vec![Block::Lines(kept)]
}

/// The beginning of a list that is too long, and how much more there is.
fn shortened(lines: &[Line]) -> Vec<Line> {
    let mut kept: Vec<Line> =
        lines.iter().take(LINES).map(|line| short_line(line, CHARACTERS)).collect();
    if lines.len() > LINES {
        let more = grouped(lines.len() - LINES);
        kept.push(Line::at(0).with(Tone::Warn, format!("… and {more} lines more")));
    }
    kept
}

/// A line of at most so many characters, which says how long it is.
fn short_line(line: &Line, most: usize) -> Line {
    let text = line.plain();
    if text.chars().count() <= most {
        return line.clone();
    }
    let tone = line.pieces.first().map_or(Tone::Plain, |piece| piece.tone);
    Line::at(line.indent).with(tone, shorten::text(&text, most))
}

#[cfg(test)]
mod tests;
