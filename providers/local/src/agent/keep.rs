//! Keeping the record: written before something is said to run, read by the next agent.

use super::kin::end_all;
use super::service::Service;
use super::{Agent, Key};
use crate::home;
use crate::marks::{self, AGENT, Marked};
use crate::process_id::{self, Identity};
use crate::record::{self, Known, LONGEST, RECORD, Record};
use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError};

impl Agent {
    /// Writes the record; a crash leaves the old one or the new one.
    pub(super) fn write(&self) -> Result<(), String> {
        let _guard = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lost) = self.lost() {
            return Err(lost);
        }
        let services = self.services().into_iter().map(|(_, service)| service.record());
        let record = Record { boot: process_id::boot(), services: services.collect() };
        let written = record::encode(&record, &self.path)
            .and_then(|bytes| self.folder.replace(RECORD, &bytes));
        let path = self.path.join(RECORD);
        written.map_err(|error| format!("the agent cannot write {}: {error}", path.display()))
    }

    /// Why this agent's folder is not its own any more, if it is not.
    pub(super) fn lost(&self) -> Option<String> {
        let there = home::open(&self.path).ok().flatten().and_then(|now| now.identity().ok());
        if there.is_some() && there == self.folder.identity().ok() {
            return None;
        }
        Some(format!(
            "`{}` was deleted or replaced while its agent (process {}) ran, and nothing can be \
             written down: `dax agent --end` ends the agent and what it started",
            self.path.display(),
            std::process::id()
        ))
    }

    /// Takes over what the last agent looked after.
    ///
    /// # Errors
    /// There is a record that is not to be believed; it stays as it is.
    pub(super) async fn adopt(self: &Arc<Self>) -> std::io::Result<()> {
        let Some(bytes) = self.folder.read(RECORD, LONGEST)? else { return Ok(()) };
        let doubted = |doubt| {
            let message = format!("{} {doubt}", self.path.join(RECORD).display());
            std::io::Error::new(std::io::ErrorKind::InvalidData, message)
        };
        let record = record::decode(&bytes, &self.path).map_err(doubted)?.since_boot();
        let marked = marks::marked(&self.path);
        let mut restored = Vec::new();
        for record in record.services {
            let key: Key = (record.environment.clone(), record.service.clone());
            let service = Service::restore(self, record, &marked);
            restored.push((key, service.await.map_err(std::io::Error::other)?));
        }
        {
            let mut services = self.services.lock().unwrap_or_else(PoisonError::into_inner);
            let all = restored.iter().map(|(key, (service, _))| (key.clone(), service.clone()));
            services.extend(all);
        }
        for (_, (service, adopted)) in restored {
            for (replica, process) in adopted {
                service.look_after(&replica, process);
            }
        }
        // What is in the record was found by its token; the rest belongs to nothing that anybody
        // knows of.
        end_all(&self.strays(), || self.strays()).await;
        self.write().map_err(std::io::Error::other)
    }

    /// Processes that an agent of this folder started and that nothing in the record knows.
    fn strays(&self) -> BTreeSet<Identity> {
        // First the processes, then what is known: what is started in between is known by then.
        let marked = marks::marked(&self.path);
        let records: Vec<_> =
            self.services().into_iter().map(|(_, service)| service.record()).collect();
        let mut known = BTreeSet::from([AGENT.to_owned()]);
        let mut pids = BTreeSet::new();
        for service in &records {
            let begun = service.commands.iter().filter(|(_, known)| *known == Known::Begun);
            known.extend(begun.map(|(call, _)| marks::of_command(call)));
            for replica in service.revisions.values().flat_map(|revision| &revision.replicas) {
                known.insert(replica.token.as_str().to_owned());
                pids.extend(replica.process.map(|process| process.pid));
            }
        }
        let stray =
            |one: &Marked| !known.contains(&one.process) && !pids.contains(&one.identity.pid);
        marked.into_iter().filter(stray).map(|one| one.identity).collect()
    }

    /// Ends what is left of a service: commands that nobody waits for any more.
    pub(super) async fn end_rest(&self, key: &Key) {
        let find = || {
            let mut found = marks::marked(&self.path);
            found.retain(|one| one.environment == *key.0 && one.service == *key.1);
            found.into_iter().map(|one| one.identity).collect::<BTreeSet<_>>()
        };
        end_all(&find(), find).await;
    }
}
