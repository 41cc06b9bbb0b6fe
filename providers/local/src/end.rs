//! The way out when nobody knows any more what runs: ends all that bears a project's mark.

use crate::marks::{self, AGENT};
use crate::process_id::Identity;
use crate::record::RECORD;
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

/// Ends the agent of a folder and every process that agents of this folder started, and puts the record aside.
///
/// # Errors
/// Something does not end, or the record cannot be moved.
pub async fn end_everything(folder: &Path) -> io::Result<Vec<Ended>> {
    let path = home::canonical(folder)?;
    let private = home::open(folder)?;
    let mut ended = Vec::new();
    // First the agent, which would start again what ends.
    let mut agents: BTreeSet<Identity> = marks::marked(&path)
        .into_iter()
        .filter(|one| one.process == AGENT)
        .map(|one| one.identity)
        .collect();
    if let Some(private) = &private
        && let Ok(Some(stream)) = channel::connect(private).await
        && let Some(pid) = stream.peer_cred()?.pid()
    {
        agents.extend(Identity::now(pid));
    }
    ended.extend(agents.iter().map(|agent| format!("{} (agent)", agent.pid)));
    end(&agents).await;
    for round in 0..ROUNDS {
        let found = marks::marked(&path);
        if found.is_empty() {
            break;
        }
        if round == 0 {
            ended.push(marks::listed(&found));
        }
        end(&found.iter().map(|one| one.identity).collect()).await;
    }
    let left = marks::marked(&path);
    if !left.is_empty() {
        return Err(io::Error::other(format!("these do not end: {}", marks::listed(&left))));
    }
    if let Some(private) = private {
        if private.open_file(RECORD).is_ok_and(|file| file.is_some()) {
            private.rename(RECORD, ASIDE)?;
            ended.push(format!("the record is now {}", path.join(ASIDE).display()));
        } else {
            // Something that is no file of this user, such as a link: it goes, what it leads to stays.
            private.remove(RECORD)?;
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
