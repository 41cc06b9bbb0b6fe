//! The way out when nobody knows any more what runs: ends all that bears a project's mark.

use crate::marks::{self, AGENT, Marked};
use crate::process_id::Identity;
use crate::record::{self, LONGEST, RECORD};
use crate::{agent, channel, home};
use rustix::process::Signal;
use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

/// How long a process may take to end when it is asked to.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often it is looked.
const POLL: Duration = Duration::from_millis(20);
/// How often what comes again is ended again.
const ROUNDS: usize = 20;
/// The name under which a record is kept that is not to be believed.
const ASIDE: &str = "agent.json.aside";

/// Something that was ended, as a text.
pub type Ended = String;

/// Ends the agent of a folder and every process that agents of this folder started, and puts the
/// record aside.
///
/// # Errors
/// Something does not end, or the record cannot be moved.
pub async fn end_everything(folder: &Path) -> io::Result<Vec<Ended>> {
    let path = home::canonical(folder)?;
    let private = home::open(folder)?;
    let mut ended = Vec::new();
    // First the agent, which would start again what ends. That of a project that was moved is known
    // by its socket, and what it started by its former place.
    let mut places = BTreeSet::from([path.clone()]);
    let mut agents = BTreeSet::new();
    if let Some(private) = &private
        && let Ok(Some(stream)) = channel::connect(private).await
        && let Some(pid) = stream.peer_cred()?.pid()
    {
        agents.extend(Identity::now(pid));
        places.extend(marks::folder_of(pid));
    }
    let marked = places.iter().flat_map(|place| marks::marked(place));
    agents.extend(marked.filter(|one| one.process == AGENT).map(|one| one.identity));
    ended.extend(agents.iter().map(|agent| format!("{} (agent)", agent.pid)));
    end(&agents).await;
    let bytes = private.as_ref().and_then(|private| private.read(RECORD, LONGEST).ok().flatten());
    let left = || {
        let mut all: Vec<Marked> = places.iter().flat_map(|place| marks::marked(place)).collect();
        all.extend(bytes.iter().flat_map(|bytes| record::remaining(bytes)));
        all.sort_by_key(|one| one.identity);
        all.dedup();
        all
    };
    for round in 0..ROUNDS {
        let found = left();
        if found.is_empty() {
            break;
        }
        if round == 0 {
            ended.push(marks::listed(&found));
        }
        end(&found.iter().map(|one| one.identity).collect()).await;
    }
    if let Some(record) = bytes.as_ref().and_then(|bytes| record::decode(bytes, &path).ok()) {
        let groups = record.replicas().filter_map(|replica| replica.cgroup.as_deref());
        groups.for_each(agent::end_group);
    }
    let left = left();
    if !left.is_empty() {
        return Err(io::Error::other(format!("these do not end: {}", marks::listed(&left))));
    }
    if let Some(private) = private {
        // Whatever it is: a link is moved and not followed.
        private.remove(ASIDE).or_else(|_| private.remove_all(ASIDE))?;
        match private.rename(RECORD, ASIDE) {
            Ok(()) => ended.push(format!("the record is now {}", path.join(ASIDE).display())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        for name in [channel::SOCKET, agent::LOCK] {
            private.remove(name)?;
        }
    }
    Ok(ended)
}

async fn end(all: &BTreeSet<Identity>) {
    for signal in [Signal::TERM, Signal::KILL] {
        let left = all.iter().filter(|one| one.runs());
        left.for_each(|one| one.signal(signal));
        let until = Instant::now() + PATIENCE;
        while all.iter().any(|one| one.runs()) && Instant::now() < until {
            tokio::time::sleep(POLL).await;
        }
    }
}
