//! A text of at most so many bytes: what goes first, and what is said of it.
//!
//! Invariant: a change is never left out for the size of its values. First the steps go, then
//! values are shortened and as many fields stay as fit, then only the head stays, then equal
//! changes share a line by their names. Those that weigh most are shortened last. Where not even
//! all names fit, those of least weight are counted. The fields that decide what runs stay as long
//! as the name does.

mod brief;
mod cut;

pub use cut::{Cut, Fitted};

use super::{Flavour, escape, fence, write_block, write_section};
use crate::shorten::{self, grouped};
use crate::tree::{Block, Line, Section, Tone};
use brief::Items;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// Room for what is said of what was left out.
const REMARK: usize = 500;
/// Sections beyond which none stands open.
const OPEN: usize = 4;
/// Characters of a line that is too long.
const CHARACTERS: usize = 300;
/// Items of a body that is shortened, before it is known how many fit.
const BRIEF: usize = 3;
/// Room for the number of changes that share a line, and of those that are not named.
const COUNTS: usize = 40;

/// Renders as Markdown of at most so many bytes; as nothing where not even the sentence about what
/// is not shown fits.
pub fn markdown(blocks: &[Block], flavour: Flavour, budget: usize) -> String {
    let sections = blocks.iter().filter(|block| matches!(block, Block::Section(_))).count();
    fit(blocks, flavour, budget, sections <= OPEN).text
}

/// As [`markdown`], with all sections folded and with what was left out.
pub fn fitted(blocks: &[Block], flavour: Flavour, budget: usize) -> Fitted {
    fit(blocks, flavour, budget, false)
}

fn fit(blocks: &[Block], flavour: Flavour, budget: usize, open: bool) -> Fitted {
    let parts: Vec<Part<'_>> = blocks.iter().map(|block| Part::of(block, flavour, open)).collect();
    let whole: usize = parts.iter().map(|part| part.text.len()).sum();
    if whole <= budget {
        let text = parts.iter().map(|part| part.text.as_str()).collect();
        return Fitted { text, cut: Cut::default() };
    }
    let fitted = Fit::of(blocks, parts, flavour, budget.saturating_sub(REMARK)).text();
    if fitted.text.len() <= budget {
        return fitted;
    }
    let sections = blocks.iter().filter(|block| matches!(block, Block::Section(_))).count();
    let lists = blocks.iter().filter(|block| matches!(block, Block::Lines(_))).count();
    let cut = Cut { unnamed: sections, lists, ..fitted.cut };
    Fitted { text: String::new(), cut }
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
    block: &'b Block,
    section: Option<&'b Section>,
    text: String,
}

impl<'b> Part<'b> {
    fn of(block: &'b Block, flavour: Flavour, open: bool) -> Self {
        let mut text = String::new();
        if let Block::Section(section) = block {
            write_section(&mut text, section, flavour, open);
            return Self { block, section: Some(section), text };
        }
        write_block(&mut text, block, flavour);
        Self { block, section: None, text }
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
    /// Items of each body, of those that are shown in brief.
    items: Vec<usize>,
    /// Lines that sections share.
    lines: BTreeSet<Key<'b>>,
    /// Lines of lists that were shortened.
    beyond: usize,
    flavour: Flavour,
    room: usize,
    size: usize,
}

/// A line that sections share: their weight, their run and what they do.
type Key<'b> = (Reverse<u32>, usize, &'b str);

impl<'b> Fit<'b> {
    fn of(blocks: &'b [Block], parts: Vec<Part<'b>>, flavour: Flavour, room: usize) -> Self {
        let mut fit = Self {
            shown: vec![Shown::Whole; parts.len()],
            texts: parts.iter().map(|part| part.text.clone()).collect(),
            runs: Vec::new(),
            items: vec![0; parts.len()],
            lines: BTreeSet::new(),
            beyond: 0,
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
        sections.sort_by_key(|at| (fit.weight(*at), Reverse(*at)));
        for (from, to) in SHORTER {
            for at in &sections {
                if fit.size <= fit.room {
                    fit.fill(&sections);
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

    /// Lists that are always there, as of conditions, shrink where they take most of the room: the
    /// longest ones, each to as many lines as fit into its share.
    fn shorten_lists(&mut self, blocks: &[Block]) {
        let size = |fit: &Self, wanted: &dyn Fn(&Block) -> bool| -> usize {
            let parts = fit.parts.iter().zip(&fit.texts);
            parts.filter(|(part, _)| wanted(part.block)).map(|(_, text)| text.len()).sum()
        };
        let has_sections = self.parts.iter().any(|part| part.section.is_some());
        let room = if has_sections { self.room / 2 } else { self.room };
        if size(self, &|block| !matches!(block, Block::Section(_))) <= room {
            return;
        }
        let fixed = size(self, &|block| !matches!(block, Block::Section(_) | Block::Lines(_)));
        let mut left = room.saturating_sub(fixed);
        let mut lists: Vec<(usize, &[Line])> = Vec::new();
        for (at, block) in blocks.iter().enumerate() {
            if let Block::Lines(lines) = block {
                lists.push((at, lines));
            }
        }
        lists.sort_by_key(|(at, _)| self.texts[*at].len());
        let count = lists.len();
        for (done, (at, lines)) in lists.into_iter().enumerate() {
            let share = left / (count - done);
            if self.texts[at].len() > share {
                let (text, more) = beginning(lines, share);
                self.replace(at, text);
                self.beyond += more;
            }
            left = left.saturating_sub(self.texts[at].len());
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
                let items = Items::of(&section.body);
                self.items[at] = BRIEF.min(items.len());
                text = self.brief(section, &items, self.items[at]);
                if text.len() >= self.texts[at].len() {
                    self.items[at] = items.len();
                }
            }
            Shown::Head => {
                let _ = writeln!(text, "- {}", escape(&head(section)));
            }
            Shown::Shared => {
                let Some(group) = &section.group else { return };
                self.replace(at, text);
                // The name and what stands between two of them.
                self.size += escape(group.name.as_str()).len() + 2;
                if self.lines.insert((Reverse(section.weight), self.runs[at], group.what.as_str()))
                {
                    self.size += words(group.what.as_str()).len() + COUNTS;
                }
                self.shown[at] = to;
                return;
            }
        }
        if text.len() < self.texts[at].len() || to == Shown::Head {
            self.replace(at, text);
        }
        self.shown[at] = to;
    }

    fn brief(&self, section: &Section, items: &Items, shown: usize) -> String {
        let mut text = String::new();
        let bare = Section { steps: None, body: items.first(shown), ..section.clone() };
        write_section(&mut text, &bare, self.flavour, false);
        text
    }

    /// Gives the room that is left to the fields of those sections that are shown in brief, as far
    /// as it goes; those that weigh most are first.
    fn fill(&mut self, sections: &[usize]) {
        for &at in sections.iter().rev() {
            let Some(section) = self.parts[at].section.filter(|_| self.shown[at] == Shown::Brief)
            else {
                continue;
            };
            let items = Items::of(&section.body);
            let room = self.room - (self.size - self.texts[at].len());
            let least = self.items[at];
            if least == items.len() {
                continue;
            }
            let most = most_that_fit(least, items.len(), |shown| {
                self.brief(section, &items, shown).len() <= room
            });
            let text = self.brief(section, &items, most);
            self.items[at] = most;
            self.replace(at, text);
        }
    }

    fn text(mut self) -> Fitted {
        let unnamed = self.share();
        let (mut out, mut left) = (String::new(), 0);
        let mut headings = String::new();
        for (part, text) in self.parts.iter().zip(&self.texts) {
            if matches!(part.block, Block::Heading(..)) {
                headings.push_str(text);
            } else if !text.is_empty() {
                if out.len() + headings.len() + text.len() <= self.room {
                    out.push_str(&headings);
                    out.push_str(text);
                } else {
                    left += 1;
                }
                headings.clear();
            }
        }
        let cut = self.cut(unnamed, left);
        out.push_str(&self.remark(&cut));
        Fitted { text: out, cut }
    }

    /// Writes the lines that sections share, as long as there is room; gives the number of sections
    /// that are not named.
    fn share(&mut self) -> usize {
        let mut shared: BTreeMap<Key<'b>, Vec<usize>> = BTreeMap::new();
        // Lines stand where the first of their run stood, those that weigh most on top.
        let mut places: BTreeMap<usize, usize> = BTreeMap::new();
        for (at, part) in self.parts.iter().enumerate() {
            if let (Shown::Shared, Some(section)) = (self.shown[at], part.section)
                && let Some(group) = &section.group
            {
                let key = (Reverse(section.weight), self.runs[at], group.what.as_str());
                shared.entry(key).or_default().push(at);
                places.entry(self.runs[at]).or_insert(at);
            }
        }
        let fixed: usize = self.texts.iter().map(String::len).sum();
        let mut room = self.room.saturating_sub(fixed);
        let mut unnamed = 0;
        for ((_, run, what), members) in &shared {
            let (line, left) = self.line(what, members, &mut room);
            unnamed += left;
            self.texts[places[run]].push_str(&line);
        }
        unnamed
    }

    /// The line that equal changes share, as long as there is room; and how many are only counted.
    fn line(&self, what: &str, members: &[usize], room: &mut usize) -> (String, usize) {
        let mut line = words(what);
        if line.len() + COUNTS > *room {
            return (String::new(), members.len());
        }
        *room -= line.len() + COUNTS;
        let _ = write!(line, " ({}): ", grouped(members.len()));
        let mut names: Vec<String> = Vec::new();
        for at in members {
            let Some(group) = self.parts[*at].section.and_then(|one| one.group.as_ref()) else {
                continue;
            };
            let name = escape(group.name.as_str());
            if name.len() + 2 > *room {
                break;
            }
            *room -= name.len() + 2;
            names.push(name);
        }
        line.push_str(&names.join(", "));
        let left = members.len() - names.len();
        if left > 0 {
            let _ = write!(line, " and {} more", grouped(left));
        }
        line.push('\n');
        (line, left)
    }

    fn cut(&self, unnamed: usize, lists: usize) -> Cut {
        let mut cut = Cut { unnamed, lists, beyond: self.beyond, ..Cut::default() };
        for (at, part) in self.parts.iter().enumerate() {
            let Some(section) = part.section else { continue };
            let shown = self.shown[at];
            cut.steps += usize::from(shown > Shown::Whole && section.steps.is_some());
            if shown >= Shown::Brief {
                let items = Items::of(&section.body);
                // A head has the fields that decide what runs as well.
                let kept = if shown == Shown::Brief { self.items[at] } else { 0 };
                let (more, others) = items.rest(kept);
                cut.fields += more;
                cut.lines += others;
            }
        }
        cut
    }

    /// A sentence about what is not shown here, and where it is.
    fn remark(&self, cut: &Cut) -> String {
        let shared = self.shown.iter().filter(|shown| **shown == Shown::Shared).count();
        let what = match cut.text() {
            None => "Shortened for its length.".to_owned(),
            Some(text) => format!("Not shown here for its length: {text}."),
        };
        let shared =
            if shared > 0 { format!(" {} share lines.", changes(shared)) } else { String::new() };
        format!(
            "\n_{what}{shared} All of it stands in the saved plan (`dax show`) and in the files of \
             the run._\n"
        )
    }
}

fn changes(count: usize) -> String {
    if count == 1 { "1 change".to_owned() } else { format!("{} changes", grouped(count)) }
}

/// The first words of a line that changes share: what they do.
fn words(what: &str) -> String {
    // A hyphen would begin a list of its own.
    match what.strip_prefix("- ") {
        Some(what) => format!("- − {}", escape(what)),
        None => format!("- {}", escape(what)),
    }
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

/// As many lines of a list as fit into so many bytes, and how many more there are.
fn beginning(lines: &[Line], most: usize) -> (String, usize) {
    let text = |shown: usize| {
        let mut kept: Vec<Line> =
            lines.iter().take(shown).map(|line| short_line(line, CHARACTERS)).collect();
        if lines.len() > shown {
            let more = grouped(lines.len() - shown);
            kept.push(Line::at(0).with(Tone::Warn, format!("… and {more} lines more")));
        }
        let mut text = String::new();
        fence(&mut text, &kept);
        text
    };
    let shown = most_that_fit(0, lines.len(), |shown| text(shown).len() <= most);
    (text(shown), lines.len() - shown)
}

/// The largest number up to `all` that fits, where `least` does and larger ones fit less.
fn most_that_fit(least: usize, all: usize, fits: impl Fn(usize) -> bool) -> usize {
    if fits(all) {
        return all;
    }
    let (mut least, mut most) = (least, all);
    while most.saturating_sub(least) > 1 {
        let middle = least.midpoint(most);
        if fits(middle) { least = middle } else { most = middle }
    }
    least
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
