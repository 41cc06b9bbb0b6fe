//! Keeping the record: written before something is said to run, read by the next agent.

use super::record::{FORMAT, Record};
use super::service::Service;
use super::{Agent, Key, process};
use crate::protocol::RECORD;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::sync::{Arc, PoisonError};

impl Agent {
    /// Writes the record; a crash leaves the old one or the new one.
    pub(super) fn write(&self) -> Result<(), String> {
        let _guard = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let services = self
            .services()
            .into_iter()
            .map(|((environment, name), service)| service.record(environment, name));
        let record = Record { format_version: FORMAT, services: services.collect() };
        let path = self.folder.join(RECORD);
        let next = self.folder.join("agent.json.next");
        let write = || -> std::io::Result<()> {
            let mut file = std::fs::File::options()
                .create(true)
                .write(true)
                .truncate(true)
                .mode(0o600)
                .open(&next)?;
            serde_json::to_writer(&mut file, &record)?;
            file.flush()?;
            file.sync_data()?;
            std::fs::rename(&next, &path)
        };
        write().map_err(|error| format!("the agent cannot write {}: {error}", path.display()))
    }

    /// Takes over what the last agent looked after.
    pub(super) async fn adopt(self: &Arc<Self>) {
        let Ok(text) = std::fs::read(self.folder.join(RECORD)) else { return };
        let Ok(record) = serde_json::from_slice::<Record>(&text) else { return };
        if record.format_version != FORMAT {
            return;
        }
        for record in record.services {
            let key: Key = (record.environment.clone(), record.service.clone());
            let service = Service::restore(self.clone(), record).await;
            self.services.lock().unwrap_or_else(PoisonError::into_inner).insert(key, service);
        }
        self.end_strays();
        let _ = self.write();
    }

    /// Ends processes that an agent of this folder started and died before it wrote them down.
    fn end_strays(&self) {
        let known: Vec<i32> =
            self.services().iter().flat_map(|(_, service)| service.processes()).collect();
        for pid in process::marked(&self.folder) {
            if !known.contains(&pid) {
                process::end_group(pid);
            }
        }
    }
}
