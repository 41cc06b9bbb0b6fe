//! The page about all environments: their decisions first, those to stop at on top, then each
//! difference once.

use super::head;
use super::input::{CommentInput, Content, Frame};
use super::plan::{conditions, lines, share, unnamed};
use super::{DIGITS, NOTE, escaped, foot, left_out};
use dax_engine::render::{self, Block, Fitted, Flavour, Line, Tone};
use dax_engine::{Name, Plan};
use std::collections::BTreeMap;
use std::fmt::Write;

/// Bytes that the faults of the program may take of the page.
const FAULTS: usize = 15_000;
/// Environments that are named of many.
const NAMES: usize = 40;

/// The page about environments.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The text, in Markdown.
    pub text: String,
    /// Projects with environments of which whoever reads it was not shown the plan, with the
    /// reason.
    pub lacks: BTreeMap<(Name, Name), String>,
}

/// An environment on the page.
struct Entry<'i> {
    input: &'i CommentInput,
    head: String,
    conditions: String,
    note: String,
    lacks: Option<String>,
}

/// The page about environments; of a single one its own comment without the marker.
pub fn page(inputs: &[CommentInput], faults: &[String], passed: usize, frame: &Frame<'_>) -> Page {
    let mut out = String::new();
    if !faults.is_empty() {
        let title = Block::Heading(2, Line::at(0).with(Tone::Strong, "The program"));
        let blocks = [title, lines(Tone::Remove, faults)];
        out.push_str(&render::markdown(&blocks, frame.flavour, FAULTS.min(frame.budget / 4)));
    }
    let tests = if passed > 0 {
        format!("\n{passed} tests of the program passed\n")
    } else {
        String::new()
    };
    if let [one] = inputs {
        let budget = frame.budget.saturating_sub(out.len() + tests.len());
        let written = super::written(one, &Frame { budget, ..*frame });
        out.push_str(written.text.split_once('\n').map_or("", |(_, rest)| rest));
        let lacks = written.lacks.map(|why| (of(one), why)).into_iter().collect();
        return Page { text: out + &tests, lacks };
    }
    let foot = inputs.first().map_or_else(String::new, |one| last(one, frame));
    let room = frame.budget.saturating_sub(out.len() + foot.len() + tests.len() + 2);
    let (mut entries, unseen) = decisions(inputs, frame, room / 2);
    let mut lacks: BTreeMap<(Name, Name), String> = BTreeMap::new();
    for one in &unseen {
        lacks.insert(
            of(one),
            format!(
                "its decision does not fit into what all environments share; run `dax ci -e {}` in \
                 a job of its own",
                one.environment
            ),
        );
    }
    out.push_str(&without(&unseen));
    let taken: usize = entries.iter().map(Entry::len).sum();
    let details = details(&mut entries, frame.flavour, room.saturating_sub(taken));
    for one in &entries {
        let _ = writeln!(out, "{}{}\n{}", one.head, one.note, one.conditions);
        lacks.extend(one.lacks.clone().map(|why| (of(one.input), why)));
    }
    Page { text: out + &details + &foot + &tests, lacks }
}

fn of(one: &CommentInput) -> (Name, Name) {
    (one.project.clone(), one.environment.clone())
}

fn last(one: &CommentInput, frame: &Frame<'_>) -> String {
    foot(&CommentInput { content: Content::Removed { rules: None }, ..one.clone() }, frame)
}

impl Entry<'_> {
    /// Bytes that it takes, with a note.
    fn len(&self) -> usize {
        self.head.len() + self.conditions.len() + NOTE
    }
}

/// The decisions about the environments, those to stop at first, as long as there is room, and the
/// environments for which there is none.
fn decisions<'i>(
    inputs: &'i [CommentInput],
    frame: &Frame<'_>,
    room: usize,
) -> (Vec<Entry<'i>>, Vec<&'i CommentInput>) {
    let several = inputs.iter().any(|one| one.project != inputs[0].project);
    let mut order: Vec<&CommentInput> = inputs.iter().collect();
    order.sort_by_key(|one| (head::weight(one), &one.environment, &one.project));
    let (mut entries, mut unseen, mut taken) = (Vec::new(), Vec::new(), 0);
    for input in order {
        let mut head = String::new();
        if several {
            let _ = writeln!(head, "{}  ", escaped(&input.project));
        }
        head.push_str(&head::head(input, frame));
        let mut entry =
            Entry { input, head, conditions: String::new(), note: String::new(), lacks: None };
        if let Some(shown) = input.plan() {
            let part = conditions(&input.environment, shown, frame.flavour, share(room));
            (entry.conditions, entry.lacks) = (part.text, part.lacks);
        }
        if taken + entry.len() > room {
            unseen.push(input);
            continue;
        }
        taken += entry.len();
        entries.push(entry);
    }
    (entries, unseen)
}

/// The sentence about environments that are not on the page.
fn without(unseen: &[&CommentInput]) -> String {
    if unseen.is_empty() {
        return String::new();
    }
    let all: Vec<String> = unseen.iter().take(NAMES).map(|one| escaped(&one.environment)).collect();
    let more = unseen.len().saturating_sub(NAMES);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!(
        "**Not shown here, for its length: what becomes of {}{more}.** What is not shown is \
         approved by nobody: run `dax ci -e …` for fewer environments in jobs of their own.\n\n",
        all.join(", ")
    )
}

/// Each difference once, under the environments that have it; what is left out is noted beside
/// their decisions.
fn details(entries: &mut [Entry<'_>], flavour: Flavour, room: usize) -> String {
    let inputs: Vec<&CommentInput> = entries.iter().map(|one| one.input).collect();
    let mut groups: Vec<(Vec<usize>, Vec<Block>)> = Vec::new();
    for group in same(inputs.iter().copied()) {
        let [first, ..] = group.as_slice() else { continue };
        if let Some(shown) = inputs[*first].plan().filter(|shown| !shown.plan.is_empty()) {
            let all: Vec<&str> = group.iter().map(|at| inputs[*at].environment.as_str()).collect();
            let digest: String = shown.digest.chars().take(DIGITS).collect();
            let title = if all.len() > 1 {
                format!("The same in {}", all.join(", "))
            } else {
                format!("{} ({digest})", all.join(", "))
            };
            let mut blocks = vec![Block::Heading(2, Line::at(0).with(Tone::Strong, title))];
            blocks.extend(render::details(&shown.plan));
            groups.push((group, blocks));
        }
    }
    let whole = |blocks: &[Block]| render::fitted(blocks, flavour, usize::MAX);
    let mut texts: Vec<Fitted> = groups.iter().map(|(_, blocks)| whole(blocks)).collect();
    // The shortest ones are whole; the others share what is left.
    let mut order: Vec<usize> = (0..texts.len()).collect();
    order.sort_by_key(|at| texts[*at].text.len());
    let mut left = room;
    for (done, at) in order.iter().enumerate() {
        let most = left / (order.len() - done);
        if texts[*at].text.len() > most {
            texts[*at] = render::fitted(&groups[*at].1, flavour, most);
        }
        left = left.saturating_sub(texts[*at].text.len());
    }
    for ((group, _), fitted) in groups.iter().zip(&texts) {
        for at in group {
            let entry = &mut entries[*at];
            entry.note = left_out(fitted.cut.text().as_deref());
            entry.lacks = entry.lacks.take().or_else(|| unnamed(&fitted.cut));
        }
    }
    texts.into_iter().map(|fitted| fitted.text).collect()
}

/// Environments by their difference: those of one group change the same from the same.
pub(crate) fn same<'i>(inputs: impl IntoIterator<Item = &'i CommentInput>) -> Vec<Vec<usize>> {
    let mut groups: Vec<(Option<String>, Vec<usize>)> = Vec::new();
    for (at, one) in inputs.into_iter().enumerate() {
        let key = one.plan().filter(|shown| !shown.plan.is_empty());
        let key = key.map(|shown| difference(&one.project, &shown.plan));
        match groups.iter_mut().find(|(other, _)| key.is_some() && *other == key) {
            Some((_, group)) => group.push(at),
            None => groups.push((key, vec![at])),
        }
    }
    groups.into_iter().map(|(_, group)| group).collect()
}

/// The changes of a plan and their steps, as a key.
fn difference(project: &Name, plan: &Plan) -> String {
    let steps: Vec<_> = plan.steps.iter().map(|step| (&step.service, &step.task)).collect();
    format!("{project} {:?} {:?} {:?} {steps:?}", plan.mode, plan.changes, plan.deferred)
}

#[cfg(test)]
mod tests {
    use super::{Page, page};
    use crate::comment::input::{Condition, Content, Outcome, PlanShown};
    use crate::comment::{CommentInput, Frame};
    use dax_engine::render::{Flavour, Standing};
    use dax_engine::{Plan, digest};
    use serde_json::{Value as Json, json};

    /// A plan of one service: what is done with it, and the fields that change.
    fn plan(action: &str, fields: &[(String, String)]) -> Plan {
        let leaf = |(path, value): &(String, String)| {
            json!({
                "path": path, "before": { "str": "a" }, "after": { "str": value }, "live": null,
                "owner": "dax", "origin": null, "changed_by": null,
            })
        };
        let leaves: Vec<Json> = fields.iter().map(leaf).collect();
        let plan = json!({
            "format_version": 2, "project": "shop", "environment": "production", "mode": "apply",
            "params": {}, "sources": "", "base": { "lineage": "", "serial": 0 }, "gates": [],
            "approvals": [], "unchanged": 0, "steps": [], "observed": {}, "result": {},
            "changes": [{
                "addr": "service.web", "action": action, "reason": "changed", "strategy": null,
                "from": null, "to": null, "risks": [], "span": null, "rollback_within_ms": 0,
                "leaves": leaves,
            }],
        });
        serde_json::from_value(plan).unwrap()
    }

    fn input(environment: &str, mut plan: Plan, conditions: Vec<Condition>) -> CommentInput {
        plan.environment = environment.into();
        let shown = PlanShown {
            digest: digest::digest(&plan),
            plan,
            standing: Standing::default(),
            policies: Vec::new(),
            denied: false,
            unseen: false,
            conditions,
            lapsed: Vec::new(),
            before: None,
        };
        CommentInput {
            project: "shop".into(),
            environment: environment.into(),
            content: Content::Plan(Box::new(shown)),
            outcome: Outcome::default(),
            same_as: None,
        }
    }

    fn paged(inputs: &[CommentInput], budget: usize) -> Page {
        let flavour = Flavour::GitHub;
        let page = page(inputs, &[], 0, &Frame { flavour, commit: "c0ffee", url: None, budget });
        assert!(page.text.len() <= budget, "{} of {budget}", page.text.len());
        page
    }

    fn lacks(page: &Page) -> Vec<&str> {
        page.lacks.keys().map(|(_, environment)| environment.as_str()).collect()
    }

    fn loosens(count: usize) -> Vec<Condition> {
        let one = |at: usize| Condition {
            what: format!("policy {at}"),
            before: Some("x".repeat(200)),
            after: None,
            loosens: true,
            strategy: false,
        };
        (0..count).map(one).collect()
    }

    #[test]
    fn decisions_to_stop_at_come_first_and_one_that_is_not_there_was_not_shown() {
        let fields = |count: usize| -> Vec<(String, String)> {
            (0..count).map(|at| (format!("env.F{at}"), "v".repeat(100))).collect()
        };
        let mut all: Vec<CommentInput> =
            (0..8).map(|at| input(&format!("a{at}"), plan("update", &fields(3)), vec![])).collect();
        all.push(input("x-deletes", plan("delete", &[]), vec![]));
        all.push(input("y-loosens", plan("update", &fields(3)), loosens(1)));
        let page = paged(&all, 60_000);
        assert_eq!(lacks(&page), Vec::<&str>::new());
        let places = ["y-loosens", "x-deletes", "a0", "a7"].map(|name| {
            page.text.find(&format!("**{name} · ")).unwrap_or_else(|| panic!("{name}"))
        });
        assert!(places.is_sorted(), "{places:?}");
        // With room for few of them, those stay.
        let page = paged(&all, 6_000);
        let lost = lacks(&page);
        assert!(lost.contains(&"a7") && !lost.iter().any(|name| name.contains('-')), "{lost:?}");
        for name in &lost {
            assert!(!page.text.contains(&format!("**{name} · ")), "{name}");
        }
        let first = page.text.lines().next().unwrap_or_default();
        assert!(first.starts_with("**Not shown here") && first.contains("a7"), "{first}");
        assert!(page.lacks.values().all(|why| why.contains("`dax ci -e a")), "{page:?}");
    }

    #[test]
    fn loosened_conditions_that_do_not_fit_were_not_shown() {
        let all = [
            input("one", plan("update", &[]), loosens(300)),
            input("two", plan("delete", &[]), vec![]),
        ];
        assert_eq!(lacks(&paged(&all, 60_000)), ["one"]);
        assert_eq!(lacks(&paged(&all[..1], 60_000)), ["one"]);
        assert_eq!(lacks(&paged(&all[1..], 60_000)), Vec::<&str>::new());
    }

    #[test]
    fn details_that_are_cut_are_said_beside_the_decision() {
        let many: Vec<(String, String)> =
            (0..2_000).map(|at| (format!("env.F{at}"), "v".repeat(100))).collect();
        let all = [
            input("one", plan("update", &many), vec![]),
            input("two", plan("delete", &[]), vec![]),
        ];
        for some in [&all[..], &all[..1]] {
            let page = paged(some, 60_000);
            assert_eq!(lacks(&page), Vec::<&str>::new());
            let said = page.text.find("**Not shown below, for its length: ").expect("a note");
            assert!(said < page.text.find("env.F0:").expect("a field"), "{said}");
            assert_eq!(page.text.matches("**Not shown below").count(), 1);
        }
    }
}
