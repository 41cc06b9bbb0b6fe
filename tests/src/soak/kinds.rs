//! Ways for a run to be cut off, and how each is done to real processes.

use super::service::WITH_SECRET;
use super::world::{World, signal};
use crate::random::Chance;
use rustix::process::Signal;
use std::process::Child;
use std::time::{Duration, Instant};

/// A way for a run to be cut off at a moment of chance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// SIGKILL of dax.
    Kill,
    /// SIGKILL of dax, and of the command that goes on.
    KillTwice,
    /// SIGKILL of dax, and of two commands that go on.
    KillThrice,
    /// SIGKILL of the agent.
    Agent,
    /// SIGKILL of dax and of the agent.
    Both,
    /// SIGSTOP of dax, later SIGKILL.
    StopKill,
    /// SIGSTOP of dax until its lease has run out and another has finished the run, then SIGCONT.
    StopCont,
    /// SIGINT of dax.
    Int,
    /// SIGTERM of dax.
    Term,
    /// SIGKILL of a replica, which is started again.
    Replica,
    /// SIGKILL of the agent and of a replica with a secret, which only the next apply can start again.
    AgentAndReplica,
    /// SIGKILL of the database, which is started again.
    Database,
}

/// All of them, each with how often it comes.
const WEIGHTS: [(Kind, u64); 12] = [
    (Kind::Kill, 26),
    (Kind::KillTwice, 10),
    (Kind::KillThrice, 6),
    (Kind::Agent, 20),
    (Kind::Both, 12),
    (Kind::StopKill, 6),
    (Kind::StopCont, 3),
    (Kind::Int, 8),
    (Kind::Term, 8),
    (Kind::Replica, 8),
    (Kind::AgentAndReplica, 8),
    (Kind::Database, 25),
];

impl Kind {
    /// Chooses one; the database's only where there is one.
    pub fn choose(chance: &mut Chance, with_database: bool) -> Self {
        let all = if with_database { &WEIGHTS[..] } else { &WEIGHTS[..11] };
        let mut at = chance.below(all.iter().map(|(_, weight)| weight).sum());
        for (kind, weight) in all {
            if at < *weight {
                return *kind;
            }
            at -= weight;
        }
        Self::Kill
    }

    /// Commands of dax that are killed one after the other.
    pub const fn deaths(self) -> usize {
        match self {
            Self::KillThrice => 3,
            Self::KillTwice => 2,
            Self::Kill | Self::Both | Self::StopKill => 1,
            Self::Agent
            | Self::StopCont
            | Self::Int
            | Self::Term
            | Self::Replica
            | Self::AgentAndReplica
            | Self::Database => 0,
        }
    }

    /// Returns its name in the report.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kill => "dax killed",
            Self::KillTwice => "dax killed twice",
            Self::KillThrice => "dax killed three times",
            Self::Agent => "agent killed",
            Self::Both => "dax and agent killed",
            Self::StopKill => "dax stopped, then killed",
            Self::StopCont => "dax stopped past its lease",
            Self::Int => "dax interrupted",
            Self::Term => "dax terminated",
            Self::Replica => "replica killed",
            Self::AgentAndReplica => "agent and replica killed",
            Self::Database => "database killed",
        }
    }
}

/// The time in which the agent served nobody.
#[derive(Clone, Copy, Debug)]
pub struct Outage {
    /// Right before it was killed.
    pub begun: Instant,
    /// The moment when all ports answered again; none while they do not.
    pub ended: Option<Instant>,
}

/// Does it to a command under way, and to the agent; says whether anything was there to be hit.
pub fn strike(kind: Kind, world: &mut World, child: &mut Child, chance: &mut Chance) -> Strike {
    let running = matches!(child.try_wait(), Ok(None));
    let pid = i32::try_from(child.id()).unwrap_or(0);
    let mut strike = Strike { hit: running, outage: None, replica: None, kills: 0 };
    let mut send = |name: Signal| {
        if running {
            signal(pid, name);
            strike.kills += u64::from(name == Signal::KILL);
        }
    };
    match kind {
        Kind::Kill | Kind::KillTwice | Kind::KillThrice => send(Signal::KILL),
        Kind::Int => send(Signal::INT),
        Kind::Term => send(Signal::TERM),
        Kind::StopCont => send(Signal::STOP),
        Kind::StopKill => {
            send(Signal::STOP);
            std::thread::sleep(Duration::from_millis(chance.below(800)));
            send(Signal::KILL);
        }
        Kind::Agent => strike.agent(world),
        Kind::Both => {
            // In either order.
            if chance.below(2) == 0 {
                send(Signal::KILL);
                strike.agent(world);
            } else {
                strike.agent(world);
                if running {
                    signal(pid, Signal::KILL);
                    strike.kills += 1;
                }
            }
        }
        Kind::Replica => {
            let name = &world.services[chance.below(4) as usize].name;
            strike.replica(world, name, chance);
        }
        Kind::AgentAndReplica => {
            strike.agent(world);
            strike.replica(world, WITH_SECRET, chance);
        }
        Kind::Database => {
            if let Some(database) = &mut world.database {
                database.crash();
                strike.kills += 1;
                std::thread::sleep(Duration::from_millis(chance.below(1500)));
                database.start_again();
            }
        }
    }
    strike
}

/// What came of it.
#[derive(Clone, Copy, Debug)]
pub struct Strike {
    /// The command was under way.
    pub hit: bool,
    /// The agent's death.
    pub outage: Option<Outage>,
    /// The moment when a replica was killed.
    pub replica: Option<Instant>,
    /// Processes that were killed.
    pub kills: u64,
}

impl Strike {
    fn replica(&mut self, world: &World, name: &str, chance: &mut Chance) {
        let all = world.replicas(name);
        if all.is_empty() {
            return;
        }
        self.replica = Some(Instant::now());
        signal(all[chance.below(all.len() as u64) as usize], Signal::KILL);
        self.kills += 1;
    }

    fn agent(&mut self, world: &World) {
        let agents = world.agents();
        if agents.is_empty() {
            return;
        }
        self.outage = Some(Outage { begun: Instant::now(), ended: None });
        for pid in agents {
            signal(pid, Signal::KILL);
            self.kills += 1;
        }
    }
}
