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
mod tests {
    use super::markdown;
    use crate::markdown::Flavour;
    use crate::standing::Standing;
    use crate::testing::{change, guarded, leaf, text};
    use dax_plan::model::{Action, Change};

    const BUDGET: usize = 65_000;

    fn balanced(text: &str) {
        assert_eq!(text.matches("<details").count(), text.matches("</details>").count());
        let fences = text.lines().filter(|line| line.starts_with("```")).count();
        assert_eq!(fences % 2, 0, "a fence is cut");
    }

    #[test]
    fn a_big_value_hides_no_image() {
        let leaves = vec![
            leaf("env.HOST", text("a"), text(&"b".repeat(70_000))),
            leaf("image", text("acme/web:1"), text("acme/web:evil")),
        ];
        let plan = guarded(vec![change("web", Action::Rollout, leaves)]);
        let blocks = crate::plan(&plan, &Standing::default());
        for budget in [BUDGET, 1_200] {
            let text = markdown(&blocks, Flavour::GitHub, budget);
            assert!(text.len() <= budget, "{}", text.len());
            assert!(text.contains("evil"), "{text}");
            assert!(!text.contains("less risky"));
            balanced(&text);
        }
        let text = markdown(&blocks, Flavour::GitHub, BUDGET);
        assert!(text.contains("\"acme/web:1\" → \"acme/web:evil\""), "{text}");
        assert!(text.contains("(70,000 characters, "), "{text}");
    }

    /// So many changes, of which each hundredth deletes and each hundredth and first replaces.
    fn many(count: usize) -> Vec<Change> {
        (0..count)
            .map(|at| {
                let action = match at % 100 {
                    77 => Action::Delete,
                    78 => Action::Replace,
                    _ => Action::Rollout,
                };
                let leaves = vec![
                    leaf("image", text("acme/web:1"), text("acme/web:2")),
                    leaf("env.HOST", text("a"), text(&format!("host-{at}"))),
                ];
                change(&format!("s{at}"), action, leaves)
            })
            .collect()
    }

    #[test]
    fn of_thousands_of_changes_each_that_deletes_or_replaces_is_named() {
        let all = [Flavour::GitHub, Flavour::GitLab, Flavour::Bitbucket];
        for (count, flavours) in [(2_000, &all[..]), (20_000, &all[..1])] {
            let plan = guarded(many(count));
            let blocks = crate::plan(&plan, &Standing::default());
            for &flavour in flavours {
                let text = markdown(&blocks, flavour, BUDGET.min(flavour.budget()));
                assert!(text.len() <= BUDGET.min(flavour.budget()), "{count}: {}", text.len());
                balanced(&text);
                for change in &plan.changes {
                    if matches!(change.action, Action::Delete | Action::Replace) {
                        let name = change.addr.as_str();
                        let named = [", ", "\n", "<", " "]
                            .iter()
                            .any(|end| text.contains(&format!("{name}{end}")));
                        assert!(named, "{count}: {name} is not named");
                    }
                }
                assert!(text.contains("Not shown here for its length"), "{count}");
            }
        }
    }

    #[test]
    fn what_is_not_shown_is_counted_with_the_place_where_it_is() {
        let plan = guarded(many(300));
        let blocks = crate::plan(&plan, &Standing::default());
        insta::assert_snapshot!(markdown(&blocks, Flavour::GitHub, 4_000), @r#"
    ## production · deletes s77, s177, s277 · replaces s78, s178, s278 with downtime · image s0, s1, s2, s3, s4, s5, s6, s7, s8, s9 and 287 more 1 → 2 · env.HOST s0 "a" → "host-0" · env.HOST s1 "a" → "host-1" · env.HOST s2 "a" → "host-2" · +294 more · needs 1 of team:sre

    ```diff
      Rollback: by itself when a step fails; later `dax rollback -e production`; s77, s177, s277 come back from the state, without data; the data of s78, s178, s278 is gone
    ```

    ### Approval

    ```diff
    ! 1 of team:sre: 0 of 1  main.dax:19:3
      dax approve -e production 993906444f88c109dad7b0e13658cb1d3c167ed38bfd445b2131f1ebda5a89c0
    ```

    ### Risks

    | risk | count | where |
    | --- | --- | --- |
    | delete: its data is gone | 3 | service.s77, service.s177, service.s277 |
    | replace: its data is gone | 3 | service.s78, service.s178, service.s278 |

    - − delete, image 1 → 2 (3): service.s77, service.s177, service.s277
    - ± replace, image 1 → 2 (3): service.s78, service.s178, service.s278
    - \~ roll out, image 1 → 2 (294): service.s0, service.s1, service.s2, service.s3, service.s4, service.s5, service.s6, service.s7, service.s8, service.s9, service.s10, service.s11, service.s12, service.s13, service.s14, service.s15, service.s16, service.s17, service.s18, service.s19, service.s20, service.s21, service.s22, service.s23, service.s24, service.s25, service.s26, service.s27, service.s28, service.s29, service.s30, service.s31, service.s32, service.s33, service.s34, service.s35, service.s36, service.s37, service.s38, service.s39, service.s40, service.s41, service.s42, service.s43, service.s44, service.s45, service.s46, service.s47, service.s48, service.s49, service.s50, service.s51, service.s52, service.s53, service.s54, service.s55, service.s56, service.s57, service.s58, service.s59, service.s60, service.s61, service.s62, service.s63, service.s64, service.s65, service.s66, service.s67, service.s68, service.s69, service.s70, service.s71, service.s72, service.s73, service.s74, service.s75, service.s76, service.s79, service.s80, service.s81, service.s82, service.s83, service.s84, service.s85, service.s86, service.s87, service.s88, service.s89, service.s90, service.s91, service.s92, service.s93, service.s94, service.s95, service.s96, service.s97, service.s98, service.s99, service.s100, service.s101, service.s102, service.s103, service.s104, service.s105, service.s106, service.s107, service.s108, service.s109, service.s110, service.s111, service.s112, service.s113, service.s114, service.s115, service.s116, service.s117, service.s118, service.s119, service.s120, service.s121, service.s122, service.s123, service.s124, service.s125, service.s126, service.s127, service.s128, service.s129, service.s130, service.s131, service.s132, service.s133, service.s134, service.s135, service.s136, service.s137, service.s138, service.s139, service.s140, service.s141, service.s142, service.s143, service.s144, service.s145, service.s146, service.s147, service.s148, service.s149, service.s150, service.s151, service.s152, service.s153, service.s154, service.s155, service.s156, service.s157, service.s158, service.s159, service.s160, service.s161, service.s162, service.s163, service.s164, service.s165 and 130 more
    ```diff
      294 to roll out, 3 to replace, 3 to delete: 300 steps, 0 provider calls
      digest 993906444f88c109dad7b0e13658cb1d3c167ed38bfd445b2131f1ebda5a89c0
    ```


    _Not shown here for its length: the steps of 300 changes, 600 leaves, the names of 130 changes. 300 changes share lines. All of it stands in the saved plan (`dax show`) and in the files of the run._
    "#);
    }
}
