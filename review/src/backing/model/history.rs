//! A history by chance: what people do, and the remedy at its end.

use super::program::{Approved, Change, Rules};
use super::{Account, End, FIELDS, PEOPLE, World, commit};
use std::collections::{BTreeMap, BTreeSet};

impl World {
    pub(super) fn open(&mut self) {
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
            spent_s: None,
            ran_s: None,
        };
        self.edit(&mut change);
        self.changes.push(change);
    }

    pub(super) fn edit(&mut self, change: &mut Change) {
        change.edits.insert(self.chance.u8(0..FIELDS), self.chance.u64(1..4));
        if self.chance.u8(0..12) == 0 {
            let members = (0..PEOPLE).filter(|_| self.chance.bool()).collect::<BTreeSet<_>>();
            change.rules =
                Some(Rules { count: self.chance.usize(0..3).min(members.len()), members });
        }
    }

    pub(super) fn approve(&mut self, at: usize, who: Account) {
        let (now_s, head) = (self.now_s, self.changes[at].head.clone());
        let read = self.changes[at].comment.clone();
        self.changes[at].approvals.insert(who, Approved { commit: head, at_s: now_s, read });
    }

    pub(super) fn merge(&mut self, at: usize) {
        let program = self.changes[at].brings(&self.tip().1);
        let commit = commit(&mut self.chance);
        self.branch.push((commit, program));
        self.changes[at].merged = Some(self.branch.len() - 1);
    }

    pub(super) fn event(&mut self) {
        self.pass();
        let open: Vec<usize> =
            (0..self.changes.len()).filter(|at| self.changes[*at].merged.is_none()).collect();
        let some = |world: &mut Self| {
            let at = world.chance.usize(0..open.len().max(1));
            open.get(at).copied()
        };
        let who = self.chance.u8(0..PEOPLE);
        match self.chance.u8(0..61) {
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
            59 => {
                // Somebody with access to the state applies a commit of the branch by hand: an
                // older one as well, because what came since is bad.
                let at = self.chance.usize(0..self.branch.len());
                self.back += usize::from(at < self.applied);
                self.running = self.branch[at].1.clone();
                self.applied = at;
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
    pub(super) fn latest(&self) -> Option<usize> {
        (0..self.changes.len())
            .filter(|at| self.changes[*at].merged.is_some_and(|at| at > self.applied))
            .max_by_key(|at| self.changes[*at].merged)
    }

    /// All who may approve the latest merge do so; nothing where too few may.
    pub(super) fn agree(&mut self) -> Option<()> {
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
    /// the job is run again; where too few are left who may, somebody applies it by
    /// hand.
    pub(super) fn remedy(&mut self) {
        for _ in 0..20 {
            let tip = self.branch.len() - 1;
            if self.apply(tip) != End::Refused {
                assert_eq!(self.running.fields, self.tip().1.fields, "not what was merged");
                return;
            }
            if self.agree().is_none() {
                // An apply by hand: no change request, so no author either.
                let program = self.tip().1.clone();
                let all: BTreeSet<Account> = (0..PEOPLE).collect();
                assert!(!self.lacks(&program.rules, &all), "rules that nobody can keep");
                self.run(program, tip, &[]);
                return;
            }
        }
        panic!("twenty times approved, and never applied");
    }
}
