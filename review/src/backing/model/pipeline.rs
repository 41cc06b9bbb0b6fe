//! The pipeline's side: jobs that plan and show, and jobs that apply, by the decisions of dax.

use super::program::{Approved, Change, Page, Program, Rules};
use super::{
    Account, Backing, Candidate, End, Made, Part, Seen, Shown, World, apart, backing, distinct,
    made, seen,
};
use dax_engine::conditions::ApprovalRule;
use dax_engine::conditions::asked::{Question, answer};
use dax_engine::model::ApprovalGate;
use dax_engine::render::Rule;
use dax_engine::{Approval, Name};
use std::collections::BTreeSet;

impl World {
    /// A plan from what runs to a program.
    pub(super) fn page(&self, program: &Program) -> Page {
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

    pub(super) fn shown(&self, page: &Page, commit: &str, certain: bool) -> Shown {
        Shown {
            commit: commit.to_owned(),
            at_ms: self.now_s * 1000 + 500,
            certain,
            effect: page.effect.clone(),
            parts: page.parts.clone(),
        }
    }

    /// The job of a change request: it may be cancelled at any point.
    pub(super) fn plan(&mut self, at: usize) {
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
    pub(super) fn show(&mut self, at: usize, page: &Page, commit: &str, cancelled: u8) {
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

    /// Those whose approval of a plan of a change request counts.
    pub(super) fn approvers(
        &self,
        at: usize,
        plan: &Shown,
        pending: &[usize],
        commits: &BTreeSet<String>,
    ) -> BTreeSet<Account> {
        let (change, effect) = (&self.changes[at], &*plan.effect);
        let standing = change.standing();
        let shares = |other: &&usize| {
            let mut plans = self.changes[**other].plans.iter().filter(|one| one.certain);
            plans.any(|one| one.parts.intersection(&plan.parts).next().is_some())
        };
        let beside: Vec<&Change> =
            pending.iter().filter(shares).map(|other| &self.changes[*other]).collect();
        let counts = |(who, approval): (&Account, &Approved)| {
            let one = Seen { commit: Some(&approval.commit), at_ms: Some(approval.at_s * 1000) };
            let plan = seen(&one, &standing, commits).ok().filter(|plan| plan.effect == effect);
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
    pub(super) fn is_approved(
        &self,
        rules: &Rules,
        is_empty: bool,
        by: &BTreeSet<Account>,
    ) -> bool {
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

    /// The job after a merge, for a commit of the branch.
    pub(super) fn apply(&mut self, tip: usize) -> End {
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
            return self.run(program, tip, &pending);
        }
        let mut candidates = Vec::new();
        for (change, at) in pending.iter().enumerate() {
            let plans = self.changes[*at].standing();
            for plan in distinct(&plans) {
                let head = &self.changes[*at].head;
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
        self.run(program, tip, &pending)
    }

    /// A run that succeeds; who starts it by hand knows no change requests.
    pub(super) fn run(&mut self, program: Program, tip: usize, brought: &[usize]) -> End {
        for at in brought {
            (self.changes[*at].spent_s, self.changes[*at].ran_s) =
                (Some(self.now_s), Some(self.now_s));
        }
        self.running = program;
        self.applied = tip;
        self.applies += 1;
        End::Applied
    }

    /// Nothing is applied; the plan is shown where it can be approved.
    pub(super) fn refuse(&mut self, pending: &[usize], page: &Page, commit: &str) -> End {
        self.refusals += 1;
        if let Some(at) = pending.last() {
            let cancelled = self.chance.u8(0..12);
            let known = self.changes[*at].standing().last().is_some_and(|last| {
                last.certain && last.commit == commit && last.effect == page.effect
            });
            if !known {
                self.show(*at, page, commit, cancelled);
            }
        }
        End::Refused
    }
}
