//! The kill loop: real processes under constant load, cut off at any moment, for minutes or hours.
//!
//! Each iteration changes some of five services with twenty replicas, applies, cuts something off at a moment of
//! chance, goes on as the state says, and checks everything that can be seen from outside. All that is chosen follows
//! from the seed and the number of the iteration. It sends requests to this machine alone and ends its own processes
//! alone.

mod checks;
mod kinds;
mod load;
mod report;
pub mod service;
mod world;

pub use report::Report;

use crate::random::Chance;
use kinds::{Kind, Outage, strike};
use load::{Failure, Load};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Result;
use std::path::PathBuf;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use world::{Said, World, signal};

/// The time after all ports answer again in which a request may still have met the dead agent.
const SLACK: Duration = Duration::from_millis(700);
/// The problems after which it ends.
const MOST_PROBLEMS: usize = 50;
/// The time in which a connection to a replica that was killed is broken.
const AT_ONCE: Duration = Duration::from_millis(100);
/// Commands that may be needed to finish a run.
const TRIES: usize = 20;
/// The replicas start before the first iteration.
const APPLY: &[&str] = &["apply", "-e", "dev", "--auto-approve", "-q", "--lock-timeout", "60s"];
const RESUME: &[&str] = &["resume", "-e", "dev", "-q", "--lock-timeout", "60s"];

/// What to do, and for how long.
pub struct Options {
    /// The program that is put to the test.
    pub dax: PathBuf,
    /// The time after which no iteration begins.
    pub time: Duration,
    /// The seed of all that is chosen.
    pub seed: u64,
    /// One iteration that is done again and again, in place of one after the other.
    pub only: Option<u64>,
    /// The state is in PostgreSQL, which is killed too.
    pub with_database: bool,
}

/// Runs the loop until its time is over or `stop` is set.
///
/// # Errors
/// The project cannot be made, or its first apply fails.
pub fn run(options: &Options, stop: &AtomicBool) -> Result<Report> {
    let begun = Instant::now();
    let mut world = World::new(&options.dax, options.with_database)?;
    let mut report = Report { seed: options.seed, ..Report::default() };
    let result = iterate(options, stop, &mut world, &mut report);
    let keep = result.is_err() || !report.problems.is_empty();
    let left = world.end(keep)?;
    if left > 0 {
        report.problem(report.iterations(), format!("{left} processes were left after destroy"));
    }
    report.elapsed = begun.elapsed();
    result.map(|()| report)
}

#[expect(clippy::print_stdout, reason = "whoever waits for hours wants to see how it goes")]
fn iterate(
    options: &Options,
    stop: &AtomicBool,
    world: &mut World,
    report: &mut Report,
) -> Result<()> {
    println!("seed {}, {}", options.seed, world.folder.display());
    let began = Instant::now();
    let first = world.dax(APPLY)?;
    if first.code != 0 {
        return Err(std::io::Error::other(format!("the first apply: {}", first.err)));
    }
    let typical = began.elapsed();
    let mut soak =
        Soak { load: Load::start(&world.targets[..4]), typical, posted: BTreeSet::new() };
    let mut said = Instant::now();
    let mut number = options.only.unwrap_or(1);
    while began.elapsed() < options.time && !stop.load(Ordering::Acquire) {
        if report.problems.len() >= MOST_PROBLEMS {
            println!("{MOST_PROBLEMS} problems are enough to look at");
            break;
        }
        soak.iteration(options.seed, number, world, report)?;
        number += u64::from(options.only.is_none());
        report.elapsed = began.elapsed();
        if said.elapsed() > Duration::from_secs(30) {
            println!("{}", report.line());
            said = Instant::now();
        }
    }
    soak.load.stop();
    Ok(())
}

/// What goes on from one iteration to the next.
struct Soak {
    load: Load,
    /// The time that an apply takes, so that moments of chance fall into it.
    typical: Duration,
    /// Texts that were posted in this iteration and the one before.
    posted: BTreeSet<String>,
}

impl Soak {
    fn iteration(
        &mut self,
        seed: u64,
        number: u64,
        world: &mut World,
        report: &mut Report,
    ) -> Result<()> {
        let mut chance = Chance::new(seed.wrapping_mul(1_000_003).wrapping_add(number));
        for _ in 0..8 {
            chance.below(2);
        }
        let before = world.services.clone();
        let (starts_before, taken_before) = world.starts();
        world.change(&mut chance);
        world.write()?;
        permit(world, &before);
        let kind = Kind::choose(&mut chance, world.database.is_some());
        let mut cut = Cut::default();
        self.cut(kind, world, &mut chance, &mut cut)?;
        let recovered = recover(world, &mut cut, TRIES)?;
        if let (Some(outage), Some(watch)) = (&mut cut.outage, cut.watch.take()) {
            outage.ended = watch.join().ok();
            let length = outage.ended.map_or(Duration::MAX, |ended| ended - outage.begun);
            report.longest_outage = report.longest_outage.max(length);
        }
        let count = report.kinds.entry(kind).or_default();
        count.0 += 1;
        count.1 += u64::from(cut.hit);
        report.kills += cut.kills;
        report.rolled_back += u64::from(cut.rolled_back);
        report.held_state += u64::from(cut.held_state);
        let context = |text: String| format!("{}: {text}", kind.name());
        if let Err(text) = recovered {
            report.problem(number, context(text));
        }
        for said in cut.said.iter().filter(|said| is_broken(said)) {
            report.problem(number, context(format!("exit {}: {}", said.code, said.err)));
        }
        for fault in checks::faults(world) {
            report.problem(number, context(fault));
        }
        permit(world, &world.services);
        self.requests(number, &cut, report);
        self.posts(number, world, report);
        let (starts, taken) = world.starts();
        report.starts = starts.values().sum();
        report.port_taken += taken - taken_before;
        if !cut.rolled_back {
            for text in doubled(world, &before, &starts_before, &starts, &cut, report) {
                report.problem(number, context(text));
            }
        }
        Ok(())
    }

    /// Applies, and cuts it off.
    fn cut(
        &mut self,
        kind: Kind,
        world: &mut World,
        chance: &mut Chance,
        cut: &mut Cut,
    ) -> Result<()> {
        let mut child = world.start(APPLY, "apply")?;
        for death in 0..kind.deaths().max(1) {
            if death > 0 {
                child = world.start(if death % 2 == 1 { RESUME } else { APPLY }, "apply")?;
            }
            let span = self.typical.as_millis().max(200) as u64;
            std::thread::sleep(Duration::from_millis(chance.below(span)));
            let strike = strike(kind, world, &mut child, chance);
            cut.hit |= strike.hit;
            cut.kills += strike.kills;
            cut.replica = cut.replica.or(strike.replica);
            if strike.outage.is_some() {
                cut.outage = strike.outage;
                let ports = world.services.iter().map(|service| service.port).collect();
                cut.watch = Some(std::thread::spawn(move || await_ports(ports)));
            }
            if kind == Kind::StopCont {
                // Another one waits until the lease has run out and finishes; then the first goes on. One that was
                // stopped in the middle of a write holds the file of the state, and nobody can take that away.
                let recovered = recover(world, cut, 2)?;
                signal(i32::try_from(child.id()).unwrap_or(0), rustix::process::Signal::CONT);
                cut.held_state |= recovered.is_err_and(|text| text.contains("is locked"));
            }
            let said = world.wait(&mut child, "apply")?;
            cut.rolled_back |= said.code == 5;
            cut.said.push(said);
        }
        Ok(())
    }

    /// Counts requests, and tells failures in the agent's death from others.
    fn requests(&mut self, number: u64, cut: &Cut, report: &mut Report) {
        let seen = self.load.take();
        report.requests += seen.requests;
        let is_inside = |failure: &Failure| {
            let with_agent = cut.outage.is_some_and(|outage| {
                let ended = outage.ended.map_or_else(Instant::now, |ended| ended + SLACK);
                failure.ended >= outage.begun && failure.begun <= ended
            });
            // What was sent to a replica that dies may have been done: only whoever asked can send it again.
            let with_replica = cut.replica.is_some_and(|killed| {
                failure.is_post && failure.begun <= killed + AT_ONCE && failure.ended >= killed
            });
            with_agent || with_replica
        };
        let (inside, outside): (Vec<Failure>, Vec<Failure>) =
            seen.failures.into_iter().partition(is_inside);
        report.inside += inside.len() as u64;
        report.failed_outside(number, &outside);
    }

    /// Finds texts that reached a service more than once.
    fn posts(&mut self, number: u64, world: &World, report: &mut Report) {
        let mut now = BTreeSet::new();
        let mut twice = Vec::new();
        for text in world.posts() {
            if self.posted.contains(&text) || !now.insert(text.clone()) {
                twice.push(text);
            }
        }
        self.posted = now;
        if !twice.is_empty() {
            report.posted_twice += twice.len() as u64;
            report.problem(number, format!("posted once and arrived twice: {twice:?}"));
        }
    }
}

/// What was cut off, and how it went on.
#[derive(Default)]
struct Cut {
    hit: bool,
    kills: u64,
    outage: Option<Outage>,
    replica: Option<Instant>,
    watch: Option<JoinHandle<Instant>>,
    rolled_back: bool,
    held_state: bool,
    said: Vec<Said>,
}

/// Panics and hangs are faults wherever they are met.
fn is_broken(said: &Said) -> bool {
    said.err.contains("panicked") || said.err.starts_with("HANGS")
}

/// Lets both versions answer while one replaces the other.
fn permit(world: &World, before: &[world::Service]) {
    for (target, (old, new)) in world.targets.iter().zip(before.iter().zip(&world.services)) {
        *target.tags.lock().unwrap_or_else(PoisonError::into_inner) =
            BTreeSet::from([old.tag(), new.tag()]);
    }
}

/// Finishes what is unfinished, as the commands say, until there is nothing to do.
fn recover(world: &World, cut: &mut Cut, tries: usize) -> Result<std::result::Result<(), String>> {
    let mut last = String::new();
    for _ in 0..tries {
        let said = world.dax(APPLY)?;
        if said.code == 0 {
            return Ok(Ok(()));
        }
        let unfinished = said.err.contains("dax resume");
        cut.rolled_back |= said.code == 5;
        last = format!("apply ends with {}: {}", said.code, said.err);
        cut.said.push(said);
        if unfinished {
            let said = world.dax(RESUME)?;
            cut.rolled_back |= said.code == 5;
            last = format!("resume ends with {}: {}", said.code, said.err);
            cut.said.push(said);
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(Err(format!("it cannot be finished: {last}")))
}

/// Returns the moment when every port answers, or gives up when no command can be waited for any more.
fn await_ports(ports: Vec<u16>) -> Instant {
    let until = Instant::now() + world::PATIENCE;
    while Instant::now() < until && !ports.iter().all(|port| load::ask(*port).is_ok()) {
        std::thread::sleep(Duration::from_millis(10));
    }
    Instant::now()
}

/// Starts beyond those that were wanted: as many as a new revision has replicas, or as were added to one.
fn doubled(
    world: &World,
    before: &[world::Service],
    starts_before: &BTreeMap<(String, String), usize>,
    starts: &BTreeMap<(String, String), usize>,
    cut: &Cut,
    report: &mut Report,
) -> Vec<String> {
    let mut faults = Vec::new();
    // One that was killed on purpose is started once more.
    let mut killed = usize::from(cut.replica.is_some());
    let mut wanted = BTreeMap::new();
    for (old, new) in before.iter().zip(&world.services) {
        let fresh = old.tag() != new.tag();
        let added = if fresh { new.replicas } else { new.replicas.saturating_sub(old.replicas) };
        wanted.insert((new.name.clone(), new.tag()), added);
    }
    for (key, count) in starts {
        let added = count - starts_before.get(key).copied().unwrap_or(0);
        let mut wanted = wanted.get(key).copied().unwrap_or(0);
        if added > wanted {
            wanted += std::mem::take(&mut killed);
        }
        if added > wanted {
            report.doubled += added - wanted;
            faults.push(format!("{key:?} was started {added} times, {wanted} were wanted"));
        }
    }
    faults
}

/// Ends a child that the loop is about to forget.
impl Drop for Soak {
    fn drop(&mut self) {
        self.load.stop();
    }
}
