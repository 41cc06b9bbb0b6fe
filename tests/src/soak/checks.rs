//! The checks after each iteration: state, plan, answers, processes, agent, ports.

use super::load::ask;
use super::service::WITH_CHILD;
use super::world::World;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// The time in which what goes on by itself, such as draining, has to come to rest.
const REST: Duration = Duration::from_secs(20);

/// Returns all that is not as the program wants it, once it has come to rest.
pub fn faults(world: &World) -> Vec<String> {
    let mut faults = Vec::new();
    for (what, args) in [
        ("state verify", &["state", "verify", "-e", "dev"][..]),
        ("plan", &["plan", "-e", "dev", "-q", "--detailed-exitcode"][..]),
    ] {
        match world.dax(args) {
            Ok(said) if said.code == 0 => {}
            Ok(said) => {
                faults.push(format!("{what} ends with {}: {} {}", said.code, said.out, said.err));
            }
            Err(error) => faults.push(format!("{what}: {error}")),
        }
    }
    let until = Instant::now() + REST;
    loop {
        let now = at_rest(world);
        if now.is_empty() || Instant::now() > until {
            faults.extend(now);
            return faults;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Everything that can be seen from outside.
fn at_rest(world: &World) -> Vec<String> {
    let mut faults = Vec::new();
    let agents = world.agents();
    if agents.len() != 1 {
        faults.push(format!("{} agents: {agents:?}", agents.len()));
    }
    let wanted: BTreeSet<u16> = world.services.iter().map(|service| service.port).collect();
    for agent in agents {
        let ports = listening(agent);
        if ports != wanted {
            faults.push(format!("agent {agent} listens on {ports:?}, not on {wanted:?}"));
        }
    }
    let mut running: BTreeMap<(String, String), usize> = BTreeMap::new();
    let mut beside: BTreeMap<(String, String), usize> = BTreeMap::new();
    for process in world.processes() {
        let words: Vec<&str> = process.words.iter().map(String::as_str).collect();
        match words[..] {
            [_, "serve", _, name, version] => {
                *running.entry((name.to_owned(), version.to_owned())).or_default() += 1;
            }
            [_, "nap", _, name, version] => {
                *beside.entry((name.to_owned(), version.to_owned())).or_default() += 1;
            }
            [_, "agent", ..] => {}
            _ => faults.push(format!("process {} is still there: {words:?}", process.pid)),
        }
    }
    let version = |service: &super::world::Service| service.version.to_string();
    let all = world.services.iter();
    let wanted: BTreeMap<(String, String), usize> =
        all.map(|it| ((it.name.clone(), version(it)), it.replicas)).collect();
    if running != wanted {
        faults.push(format!("processes {running:?}, wanted {wanted:?}"));
    }
    let wanted: BTreeMap<(String, String), usize> =
        wanted.into_iter().filter(|((name, _), _)| name == WITH_CHILD).collect();
    if beside != wanted {
        faults.push(format!("processes beside replicas {beside:?}, wanted {wanted:?}"));
    }
    for service in &world.services {
        for _ in 0..service.replicas * 2 {
            let right = format!("{} {} 0", service.name, service.tag());
            match ask(service.port) {
                Ok(text) if text.trim() == right => {}
                Ok(text) => faults.push(format!("port {} answers {text:?}", service.port)),
                Err(error) => faults.push(format!("port {}: {error}", service.port)),
            }
        }
    }
    faults.dedup();
    faults
}

/// The TCP ports on which a process listens. Source: proc_net_tcp(5), state 0A.
fn listening(pid: i32) -> BTreeSet<u16> {
    let mut sockets = BTreeSet::new();
    for entry in std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten() {
        let link = std::fs::read_link(entry.path()).unwrap_or_default();
        let link = link.to_string_lossy().into_owned();
        if let Some(inode) = link.strip_prefix("socket:[").and_then(|rest| rest.strip_suffix(']')) {
            sockets.insert(inode.to_owned());
        }
    }
    let mut ports = BTreeSet::new();
    for table in ["tcp", "tcp6"] {
        let text = std::fs::read_to_string(format!("/proc/{pid}/net/{table}")).unwrap_or_default();
        for line in text.lines().skip(1) {
            let words: Vec<&str> = line.split_whitespace().collect();
            let [_, local, _, "0A", _, _, _, _, _, inode, ..] = words[..] else { continue };
            let port = local.rsplit(':').next().and_then(|hex| u16::from_str_radix(hex, 16).ok());
            if sockets.contains(inode) {
                ports.extend(port);
            }
        }
    }
    ports
}
