//! Figures of a soak.

use super::kinds::Kind;
use super::load::Failure;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

/// The failures that are shown in full.
const SHOWN: usize = 20;

/// What was done and what came of it.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// The seed of all that was chosen.
    pub seed: u64,
    /// The time since it began.
    pub elapsed: Duration,
    /// Iterations by kind, and how many of them met a command under way.
    pub kinds: BTreeMap<Kind, (u64, u64)>,
    /// Processes that were killed.
    pub kills: u64,
    /// Iterations in which a run was rolled back before it was applied again.
    pub rolled_back: u64,
    /// Iterations in which a stopped command held the file of the state, so that it had to go on first.
    pub held_state: u64,
    /// Requests of the clients.
    pub requests: u64,
    /// Failed ones while the agent was dead.
    pub inside: u64,
    /// Failed ones at any other time.
    pub outside: u64,
    /// Starts of replicas.
    pub starts: usize,
    /// Starts of a replica that was started already.
    pub doubled: usize,
    /// Starts that found their port taken by another program.
    pub port_taken: usize,
    /// Posted texts that reached a service more than once.
    pub posted_twice: u64,
    /// The longest time from the agent's death until all ports answered.
    pub longest_outage: Duration,
    /// All that was wrong, each with its iteration.
    pub problems: Vec<(u64, String)>,
}

impl Report {
    /// Returns the number of iterations.
    pub fn iterations(&self) -> u64 {
        self.kinds.values().map(|(all, _)| all).sum()
    }

    /// Notes a problem and says it at once.
    #[expect(clippy::print_stdout, reason = "whoever waits for hours wants to see it at once")]
    pub fn problem(&mut self, iteration: u64, text: String) {
        println!("PROBLEM in iteration {iteration} of seed {}: {text}", self.seed);
        self.problems.push((iteration, text));
    }

    /// Notes failures outside of the agent's death.
    pub fn failed_outside(&mut self, iteration: u64, failures: &[Failure]) {
        self.outside += failures.len() as u64;
        if let Some(first) = failures.first() {
            let text = format!(
                "{} requests failed while an agent was there; one of {}, {} ms long: {}",
                failures.len(),
                first.service,
                (first.ended - first.begun).as_millis(),
                first.cause
            );
            self.problem(iteration, text);
        }
    }

    /// Returns a line for whoever waits.
    pub fn line(&self) -> String {
        format!(
            "{:>5} s, {} iterations, {} kills, {} requests, failed {} inside and {} outside of an agent's death, {} doubled starts, {} problems",
            self.elapsed.as_secs(),
            self.iterations(),
            self.kills,
            self.requests,
            self.inside,
            self.outside,
            self.doubled,
            self.problems.len()
        )
    }
}

impl std::fmt::Display for Report {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut text = String::new();
        let _ = writeln!(text, "\nseed {}, {} s", self.seed, self.elapsed.as_secs());
        for (kind, (all, hit)) in &self.kinds {
            let _ = writeln!(text, "{all:>8}  {} ({hit} in mid-run)", kind.name());
        }
        for (count, what) in [
            (self.iterations(), "iterations"),
            (self.kills, "processes killed"),
            (self.rolled_back, "iterations with a run that was rolled back and applied again"),
            (self.held_state, "iterations with a command that was stopped in a write of the state"),
            (self.requests, "requests"),
            (self.inside, "requests failed while the agent was dead"),
            (self.outside, "requests failed at any other time"),
            (self.posted_twice, "posted texts that arrived twice"),
            (self.starts as u64, "starts of replicas"),
            (self.doubled as u64, "doubled starts"),
            (self.port_taken as u64, "starts whose port another program had taken"),
            (self.problems.len() as u64, "problems"),
        ] {
            let _ = writeln!(text, "{count:>8}  {what}");
        }
        let outage = self.longest_outage.as_millis();
        let _ = writeln!(
            text,
            "{outage:>8}  ms from an agent's death until all ports answered, at most"
        );
        for (iteration, problem) in self.problems.iter().take(SHOWN) {
            let _ = writeln!(text, "iteration {iteration}: {problem}");
        }
        out.write_str(&text)
    }
}
