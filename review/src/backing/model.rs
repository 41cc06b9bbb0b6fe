//! The protocol between authors, reviewers, the code host and the pipeline as a model: random
//! histories of pushes, plans, reviews, dismissals, merges, cancelled and repeated jobs, applies
//! by hand and changes of the rules.
//!
//! The pipeline's side is the decisions of [`super`]. The other side is kept apart from it: what
//! each reviewer had before their eyes when they approved, and which rules were in force.

use super::*;
use dax_engine::conditions::asked::{Question, answer};
use dax_engine::conditions::{ApprovalRule, Conditions};
use dax_engine::model::ApprovalGate;
use dax_engine::render::Rule;
use dax_engine::{Approval, Name};

/// Histories that are played.
const HISTORIES: u64 = 10_000;
/// Events of each.
const EVENTS: usize = 60;
/// Accounts; the first ones may approve at the start, all of them may write.
const PEOPLE: u8 = 6;
/// Fields of the one service.
const FIELDS: u8 = 3;

type Account = u8;

/// People who must approve, and how many of them.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Rules {
    count: usize,
    members: BTreeSet<Account>,
}

impl Rules {
    fn lacks(&self, approvers: &BTreeSet<Account>) -> bool {
        approvers.intersection(&self.members).count() < self.count
    }

    /// The same as dax knows them.
    fn conditions(&self) -> Conditions {
        let team = Name::from("team:sre");
        let members = self.members.iter().map(|who| Name::from(format!("p{who}"))).collect();
        Conditions {
            approvals: vec![self.rule()],
            groups: BTreeMap::from([(team, members)]),
            ..Conditions::default()
        }
    }

    fn rule(&self) -> ApprovalRule {
        let count = u32::try_from(self.count).expect("few people");
        ApprovalRule { count, of: vec![Name::from("team:sre")] }
    }

    /// Reports whether some approve under these whom the older ones did not ask for.
    fn loosens(&self, old: &Self) -> bool {
        old.count > 0 && (self.count < old.count || !self.members.is_subset(&old.members))
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Program {
    fields: BTreeMap<u8, u64>,
    rules: Rules,
}

/// The content of a plan as it is shown: its parts, and a digest of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Page {
    effect: String,
    parts: BTreeSet<Part>,
}

#[derive(Clone, Debug)]
struct Approved {
    commit: String,
    at_s: u64,
    /// The effect that stood in the comment at that moment, as a person reads it.
    read: Option<Page>,
}

#[derive(Debug)]
struct Change {
    author: Account,
    pushers: BTreeSet<Account>,
    head: String,
    /// Fields that it sets, and the rules that it wants.
    edits: BTreeMap<u8, u64>,
    rules: Option<Rules>,
    merged: Option<usize>,
    plans: Vec<Shown>,
    comment: Option<Page>,
    approvals: BTreeMap<Account, Approved>,
}

impl Change {
    fn brings(&self, to: &Program) -> Program {
        let mut program = to.clone();
        program.fields.extend(&self.edits);
        if let Some(rules) = &self.rules {
            program.rules = rules.clone();
        }
        program
    }
}

struct World {
    chance: fastrand::Rng,
    now_s: u64,
    /// The branch: programs, each with its commit.
    branch: Vec<(String, Program)>,
    changes: Vec<Change>,
    /// The program that runs, the rules under which it was applied, and its commit of the branch.
    running: Program,
    applied: usize,
    /// Applies that happened, for the count at the end.
    applies: usize,
    refusals: usize,
    /// Applies that several plans together stand behind.
    joined: usize,
}

/// The end of an apply job.
#[derive(Debug, PartialEq, Eq)]
enum End {
    Nothing,
    Applied,
    Refused,
}

impl World {
    fn new(seed: u64) -> Self {
        let rules = Rules { count: 1, members: BTreeSet::from([0, 1]) };
        let fields = (0..FIELDS).map(|field| (field, 0)).collect();
        let program = Program { fields, rules };
        let mut chance = fastrand::Rng::with_seed(seed);
        let first = commit(&mut chance);
        Self {
            chance,
            now_s: 1_000,
            branch: vec![(first, program.clone())],
            changes: Vec::new(),
            running: program,
            applied: 0,
            applies: 0,
            refusals: 0,
            joined: 0,
        }
    }

    fn tip(&self) -> &(String, Program) {
        self.branch.last().expect("a branch has a commit")
    }

    /// A plan from what runs to a program.
    fn page(&self, program: &Program) -> Page {
        let mut parts = BTreeSet::new();
        for (field, after) in &program.fields {
            let before = self.running.fields[field];
            if before != *after {
                parts.insert(Part {
                    of: "service.web".to_owned(),
                    kind: format!("leaf {field}"),
                    content: format!("{before} → {after}"),
                });
            }
        }
        let effect = format!("{parts:?} {:?}", program.rules);
        if program.rules != self.running.rules {
            parts.insert(crate::parts::conditions(&format!("{:?}", program.rules)));
        }
        Page { effect, parts }
    }

    fn shown(&self, page: &Page, commit: &str, certain: bool) -> Shown {
        Shown {
            commit: commit.to_owned(),
            at_ms: self.now_s * 1000 + 500,
            certain,
            effect: page.effect.clone(),
            parts: page.parts.clone(),
        }
    }

    fn open(&mut self) {
        let author = self.chance.u8(0..PEOPLE);
        let head = commit(&mut self.chance);
        let mut change = Change {
            author,
            pushers: BTreeSet::from([author]),
            head,
            edits: BTreeMap::new(),
            rules: None,
            merged: None,
            plans: Vec::new(),
            comment: None,
            approvals: BTreeMap::new(),
        };
        self.edit(&mut change);
        self.changes.push(change);
    }

    fn edit(&mut self, change: &mut Change) {
        change.edits.insert(self.chance.u8(0..FIELDS), self.chance.u64(1..4));
        if self.chance.u8(0..12) == 0 {
            let members = (0..PEOPLE).filter(|_| self.chance.bool()).collect::<BTreeSet<_>>();
            change.rules =
                Some(Rules { count: self.chance.usize(0..3).min(members.len()), members });
        }
    }

    /// The job of a change request: it may be cancelled at any point.
    fn plan(&mut self, at: usize) {
        let program = self.changes[at].brings(&self.tip().1);
        let page = self.page(&program);
        let head = self.changes[at].head.clone();
        let cancelled = self.chance.u8(0..6);
        let last = self.changes[at].plans.last();
        if last
            .is_some_and(|last| last.certain && last.commit == head && last.effect == page.effect)
        {
            self.changes[at].comment = Some(page);
            return;
        }
        self.show(at, &page, &head, cancelled);
    }

    /// Keeps, shows, keeps; `cancelled` says before which of these the job dies.
    fn show(&mut self, at: usize, page: &Page, commit: &str, cancelled: u8) {
        if cancelled == 0 {
            return;
        }
        let mut before = self.shown(page, commit, false);
        before.at_ms = apart(&self.changes[at].plans, &page.effect, before.at_ms);
        self.changes[at].plans.push(before);
        self.pass();
        if cancelled == 1 {
            return;
        }
        self.changes[at].comment = Some(page.clone());
        self.pass();
        if cancelled == 2 {
            return;
        }
        let mut after = self.shown(page, commit, true);
        after.at_ms = apart(&self.changes[at].plans, &page.effect, after.at_ms);
        self.changes[at].plans.push(after);
    }

    fn pass(&mut self) {
        self.now_s += self.chance.u64(0..3);
    }

    fn approve(&mut self, at: usize, who: Account) {
        let (now_s, head) = (self.now_s, self.changes[at].head.clone());
        let read = self.changes[at].comment.clone();
        self.changes[at].approvals.insert(who, Approved { commit: head, at_s: now_s, read });
    }

    fn merge(&mut self, at: usize) {
        let program = self.changes[at].brings(&self.tip().1);
        let commit = commit(&mut self.chance);
        self.branch.push((commit, program));
        self.changes[at].merged = Some(self.branch.len() - 1);
    }

    /// Those whose approval of a plan of a change request counts.
    fn approvers(
        &self,
        at: usize,
        plan: &Shown,
        pending: &[usize],
        commits: &BTreeSet<String>,
    ) -> BTreeSet<Account> {
        let (change, effect) = (&self.changes[at], &*plan.effect);
        let shares = |other: &&usize| {
            let mut plans = self.changes[**other].plans.iter().filter(|one| one.certain);
            plans.any(|one| one.parts.intersection(&plan.parts).next().is_some())
        };
        let beside: Vec<&Change> =
            pending.iter().filter(shares).map(|other| &self.changes[*other]).collect();
        let counts = |(who, approval): (&Account, &Approved)| {
            let one = Seen { commit: Some(&approval.commit), at_ms: Some(approval.at_s * 1000) };
            let plan = seen(&one, &change.plans, commits).ok().filter(|plan| plan.effect == effect);
            // The page that this person read, whatever the pipeline makes of it.
            if plan.is_some() {
                let read = approval.read.as_ref().map(|page| page.effect.as_str());
                assert_eq!(read, Some(effect), "an approval counts for what was not read");
            }
            let wrote = |one: &Change| one.author == *who || one.pushers.contains(who);
            plan.is_some() && !wrote(change) && !beside.iter().any(|one| wrote(one))
        };
        change.approvals.iter().filter(|one| counts(*one)).map(|(who, _)| *who).collect()
    }

    /// Reports whether dax takes a plan as approved by these.
    fn is_approved(&self, rules: &Rules, is_empty: bool, by: &BTreeSet<Account>) -> bool {
        let approval = |who: &Account| Approval {
            digest: Name::default(),
            step: None,
            by: Name::from(format!("p{who}")),
            groups: Vec::new(),
            reason: String::new(),
            at_ms: 0,
            signature: None,
            names: Vec::new(),
        };
        let ApprovalRule { count, of } = rules.rule();
        let gates = [ApprovalGate { count, of, span: String::new() }];
        let approvals: Vec<Approval> = by.iter().map(approval).collect();
        let (new, old) = (rules.conditions(), self.running.rules.conditions());
        let question = Question {
            gates: if is_empty { &[] } else { &gates },
            is_empty,
            new: &new,
            old: &[(Rule::Applied, &old)],
            approvals: &approvals,
        };
        answer(&question).is_approved()
    }

    /// The same by the model's own reading of the rules.
    fn lacks(&self, rules: &Rules, approvers: &BTreeSet<Account>) -> bool {
        let old = &self.running.rules;
        rules.lacks(approvers) || (rules.loosens(old) && old.lacks(approvers))
    }

    /// The job after a merge, for a commit of the branch.
    fn apply(&mut self, tip: usize) -> End {
        let (commit, program) = self.branch[tip].clone();
        if tip < self.applied {
            return End::Nothing;
        }
        let page = self.page(&program);
        if page.parts.is_empty() {
            return End::Nothing;
        }
        let commits: BTreeSet<String> =
            self.branch[self.applied..=tip].iter().map(|(commit, _)| commit.clone()).collect();
        let mut pending: Vec<usize> = (0..self.changes.len())
            .filter(|at| self.changes[*at].merged.is_some_and(|at| at > self.applied && at <= tip))
            .collect();
        pending.sort_by_key(|at| self.changes[*at].merged);
        let only_rules = page.parts.iter().all(|part| part.kind == "conditions");
        if only_rules && !program.rules.loosens(&self.running.rules) {
            return self.run(program, tip);
        }
        let mut candidates = Vec::new();
        for (change, at) in pending.iter().enumerate() {
            for plan in distinct(&self.changes[*at].plans) {
                let Change { plans, head, .. } = &self.changes[*at];
                let same = plans.iter().filter(|one| one.effect == plan.effect);
                let made = same.filter_map(|one| made(one, Some(head), &commits)).min();
                let Some(made) = made else { continue };
                let approvers = self.approvers(*at, plan, &pending, &commits);
                let approved = self.is_approved(&program.rules, only_rules, &approvers)
                    && (made == Made::Before || !approvers.is_empty());
                candidates.push(Candidate { change, plan: plan.clone(), made, approved });
            }
        }
        let wanted = self.shown(&page, &commit, true);
        let by = match backing(&wanted, &candidates) {
            Backing::By(by) => by,
            Backing::Lacks(_) => return self.refuse(&pending, &page, &commit),
        };
        if by.iter().any(|at| !candidates[*at].approved) {
            return self.refuse(&pending, &page, &commit);
        }
        self.joined += usize::from(by.len() > 1);
        self.audit(&page, &program.rules, only_rules, &pending);
        self.run(program, tip)
    }

    fn run(&mut self, program: Program, tip: usize) -> End {
        self.running = program;
        self.applied = tip;
        self.applies += 1;
        End::Applied
    }

    /// Nothing is applied; the plan is shown where it can be approved.
    fn refuse(&mut self, pending: &[usize], page: &Page, commit: &str) -> End {
        self.refusals += 1;
        if let Some(at) = pending.last() {
            let cancelled = self.chance.u8(0..12);
            let known = self.changes[*at].plans.last().is_some_and(|last| {
                last.certain && last.commit == commit && last.effect == page.effect
            });
            if !known {
                self.show(*at, page, commit, cancelled);
            }
        }
        End::Refused
    }

    /// The other side of the story: each part that is applied stood before the eyes of enough
    /// people, as they approved it, whom the rules from before and those of the change ask for;
    /// none of them wrote it.
    fn audit(&self, page: &Page, rules: &Rules, only_rules: bool, pending: &[usize]) {
        let old = &self.running.rules;
        let lacks = |approvers: &BTreeSet<Account>| {
            (!only_rules && rules.lacks(approvers)) || (rules.loosens(old) && old.lacks(approvers))
        };
        for part in &page.parts {
            // Whoever was shown to bring it last: what was taken back and brought again is another
            // change.
            let brings = |at: &usize| {
                let change = &self.changes[*at];
                let own = |plan: &&Shown| plan.certain && plan.commit == change.head;
                change.plans.iter().filter(own).any(|plan| plan.parts.contains(part))
            };
            let last = pending.iter().rposition(brings).unwrap_or(0);
            let backed = pending[last..].iter().any(|at| {
                let change = &self.changes[*at];
                let read = |approval: &&Approved| {
                    approval.read.as_ref().is_some_and(|page| page.parts.contains(part))
                };
                let approvers: BTreeSet<Account> = change
                    .approvals
                    .iter()
                    .filter(|(who, approval)| {
                        read(approval)
                            && !pending.iter().any(|at| {
                                let other = &self.changes[*at];
                                let shown = other.plans.iter().filter(|plan| plan.certain);
                                let is_theirs =
                                    other.author == **who || other.pushers.contains(*who);
                                is_theirs && shown.into_iter().any(|plan| plan.parts.contains(part))
                            })
                    })
                    .map(|(who, _)| *who)
                    .collect();
                let was_shown = change.plans.iter().any(|plan| plan.parts.contains(part));
                was_shown && !lacks(&approvers)
            });
            assert!(backed, "{part:?} was applied without an agreement to it");
        }
    }

    fn event(&mut self) {
        self.pass();
        let open: Vec<usize> =
            (0..self.changes.len()).filter(|at| self.changes[*at].merged.is_none()).collect();
        let some = |world: &mut Self| {
            let at = world.chance.usize(0..open.len().max(1));
            open.get(at).copied()
        };
        let who = self.chance.u8(0..PEOPLE);
        match self.chance.u8(0..60) {
            0..6 => {
                self.open();
                self.plan(self.changes.len() - 1);
            }
            6..10 => {
                let Some(at) = some(self) else { return };
                let mut change = self.changes.remove(at);
                change.head = commit(&mut self.chance);
                change.pushers.insert(who);
                self.edit(&mut change);
                self.changes.insert(at, change);
                if self.chance.bool() {
                    self.plan(at);
                }
            }
            10..22 => {
                // A push, a reopening, or somebody who runs the job again.
                if let Some(at) = some(self) {
                    self.plan(at);
                }
            }
            22..42 => {
                if !self.changes.is_empty() {
                    let at = self.chance.usize(0..self.changes.len());
                    // Mostly those approve whom the rules ask for.
                    let members: Vec<Account> =
                        self.tip().1.rules.members.iter().copied().collect();
                    let member = self.chance.choice(&members).copied();
                    let asked = self.chance.u8(0..4) > 0;
                    self.approve(at, member.filter(|_| asked).unwrap_or(who));
                }
            }
            42..44 => {
                if !self.changes.is_empty() {
                    let at = self.chance.usize(0..self.changes.len());
                    self.changes[at].approvals.remove(&who);
                }
            }
            44..51 => {
                // Mostly what has been approved is merged.
                let most = open.iter().copied().max_by_key(|at| self.changes[*at].approvals.len());
                let picked = if self.chance.u8(0..4) > 0 { most } else { some(self) };
                if let Some(at) = picked {
                    self.merge(at);
                    // The job of a merge may be cancelled, or wait behind that of the next one.
                    if self.chance.bool() {
                        self.apply(self.branch.len() - 1);
                    }
                }
            }
            51..54 => {
                // An old job that is run again, or the newest.
                let tip = self.chance.usize(0..self.branch.len());
                self.apply(tip);
            }
            54..59 => {
                // Who is asked for an approval of the plan of the merged commit mostly gives it.
                if self.apply(self.branch.len() - 1) == End::Refused && self.chance.bool() {
                    self.agree();
                }
            }
            _ => {
                // Somebody with access to the state applies by hand what is not on the branch.
                let field = self.chance.u8(0..FIELDS);
                let value = self.chance.u64(1..9);
                self.running.fields.insert(field, value);
            }
        }
    }

    /// The latest change request that is merged and not applied.
    fn latest(&self) -> Option<usize> {
        (0..self.changes.len())
            .filter(|at| self.changes[*at].merged.is_some_and(|at| at > self.applied))
            .max_by_key(|at| self.changes[*at].merged)
    }

    /// All who may approve the latest merge do so; nothing where too few may.
    fn agree(&mut self) -> Option<()> {
        let at = self.latest()?;
        let pending = |one: &&Change| one.merged.is_some_and(|at| at > self.applied);
        let pending: Vec<&Change> = self.changes.iter().filter(pending).collect();
        let may = |who: &Account| {
            !pending.iter().any(|one| one.author == *who || one.pushers.contains(who))
        };
        let eligible: BTreeSet<Account> = (0..PEOPLE).filter(may).collect();
        if eligible.is_empty() || self.lacks(&self.tip().1.rules, &eligible) {
            return None;
        }
        self.now_s += 2;
        eligible.into_iter().for_each(|who| self.approve(at, who));
        Some(())
    }

    /// The remedy that a refusal names: those who may approve the plan of the merged commit, and
    /// the job is run again; where too few are left who may, the plan is approved by its digest.
    fn remedy(&mut self) {
        for _ in 0..20 {
            let tip = self.branch.len() - 1;
            if self.apply(tip) != End::Refused {
                assert_eq!(self.running.fields, self.tip().1.fields, "not what was merged");
                return;
            }
            if self.agree().is_none() {
                // `dax approve` of the digest: no change request, so no author either.
                let program = self.tip().1.clone();
                let all: BTreeSet<Account> = (0..PEOPLE).collect();
                assert!(!self.lacks(&program.rules, &all), "rules that nobody can keep");
                self.run(program, tip);
                return;
            }
        }
        panic!("twenty times approved, and never applied");
    }
}

/// A commit by chance.
fn commit(chance: &mut fastrand::Rng) -> String {
    format!("{:016x}", chance.u64(..))
}

#[test]
fn in_no_history_is_anything_applied_that_was_not_agreed_to_and_none_is_stuck() {
    let (mut applies, mut refusals, mut joined) = (0, 0, 0);
    for seed in 0..HISTORIES {
        let mut world = World::new(seed);
        for _ in 0..EVENTS {
            world.event();
        }
        applies += world.applies;
        world.remedy();
        refusals += world.refusals;
        joined += world.joined;
    }
    // A model in which nothing happens would prove nothing.
    let counts = format!("{applies} applies, {joined} of several plans, {refusals} refusals");
    println!("{counts} in {HISTORIES} histories");
    assert!(applies > 5_000 && joined > 100 && refusals > 5_000, "{counts}");
}
