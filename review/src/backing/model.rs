//! The protocol between authors, reviewers, the code host and the pipeline as a model: random
//! histories of pushes, plans, reviews, dismissals, merges, cancelled and repeated jobs, applies
//! by hand and changes of the rules.
//!
//! The pipeline's side is the decisions of [`super`]. The other side is kept apart from it: what
//! each reviewer had before their eyes when they approved, and which rules were in force.

mod audit;
mod history;
mod pipeline;
mod program;

use super::*;
use program::{Change, Program, Rules};

/// Histories that are played.
const HISTORIES: u64 = 10_000;
/// Events of each.
const EVENTS: usize = 60;
/// Accounts; the first ones may approve at the start, all of them may write.
const PEOPLE: u8 = 6;
/// Fields of the one service.
const FIELDS: u8 = 3;

type Account = u8;

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
    /// Applies of older commits by hand.
    back: usize,
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
            back: 0,
        }
    }

    fn tip(&self) -> &(String, Program) {
        self.branch.last().expect("a branch has a commit")
    }

    fn pass(&mut self) {
        self.now_s += self.chance.u64(0..3);
    }
}

/// A commit by chance.
fn commit(chance: &mut fastrand::Rng) -> String {
    format!("{:016x}", chance.u64(..))
}

#[test]
fn in_no_history_is_anything_applied_that_was_not_agreed_to_and_none_is_stuck() {
    let (mut applies, mut refusals, mut joined, mut back) = (0, 0, 0, 0);
    for seed in 0..HISTORIES {
        let mut world = World::new(seed);
        for _ in 0..EVENTS {
            world.event();
        }
        applies += world.applies;
        world.remedy();
        refusals += world.refusals;
        joined += world.joined;
        back += world.back;
    }
    // A model in which nothing happens would prove nothing.
    let counts = format!(
        "{applies} applies, {joined} of several plans, {refusals} refusals, {back} taken back"
    );
    println!("{counts} in {HISTORIES} histories");
    assert!(applies > 5_000 && joined > 100 && refusals > 5_000 && back > 500, "{counts}");
}
