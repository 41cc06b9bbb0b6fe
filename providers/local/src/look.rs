//! A look at what runs without an agent: the record says what is meant to, the kernel says what
//! does.
//!
//! Nothing is started, ended or written here, so a read of a project is a read, whatever lies in
//! its folder.

use crate::agent::{service_ports, url};
use crate::marks::{self, Marked};
use crate::record::{Doubt, RECORD, Record, ServiceRecord};
use dax_core::{Name, Value};
use dax_model::{Edit, LiveRevision, LiveService};
use std::collections::BTreeMap;
use std::path::Path;

/// The services of an environment as they are while no agent looks after them.
///
/// That nobody does is a difference of its own, which an apply mends: without an agent nobody
/// listens on a service's own port, and what ends is not started again.
pub(crate) fn live(
    record: &Record,
    folder: &Path,
    environment: &Name,
) -> BTreeMap<Name, LiveService> {
    let marked = marks::marked(folder);
    let services = record.services.iter().filter(|service| service.environment == *environment);
    services.map(|service| (service.service.clone(), seen(service, &marked))).collect()
}

fn seen(service: &ServiceRecord, marked: &[Marked]) -> LiveService {
    let served = !service_ports(&service.settings).is_empty();
    let revisions = service.revisions.iter().map(|(id, revision)| {
        let running = revision.replicas.iter().filter(|one| one.running(marked).is_some()).count();
        let replicas = i64::try_from(running).unwrap_or(i64::MAX);
        let ready = if served { 0 } else { replicas };
        (id.clone(), LiveRevision { replicas, ready, spec: revision.spec.clone() })
    });
    let edit = Edit {
        path: "agent".into(),
        by: Name::default(),
        wrote: Value::str("running"),
        found: Value::str("not running"),
    };
    LiveService {
        settings: service.settings.clone(),
        revisions: revisions.collect(),
        traffic: service.traffic.clone(),
        routes: service.routes.clone(),
        edits: vec![edit],
        url: url(&service.settings),
        ..LiveService::default()
    }
}

/// Why what runs is not known, and the way out.
pub(crate) fn unknown(doubt: &Doubt, folder: &Path, marked: &[Marked]) -> String {
    let record = folder.join(RECORD);
    let runs = if marked.is_empty() {
        "No process that dax started for this project runs".to_owned()
    } else {
        format!(
            "These processes, which dax started for this project, still run: {}",
            marks::listed(marked)
        )
    };
    let newer = match doubt {
        Doubt::Version(version) if *version > crate::record::FORMAT => {
            "use that dax again, or let go of what it runs: "
        }
        _ => "",
    };
    format!(
        "the agent's record `{}` {doubt}. {runs}; nothing was started or ended. {newer}`dax agent \
         --end` ends them and puts the record aside, then `dax apply` starts everything anew",
        record.display()
    )
}

/// Why what runs is not known, where there is no record at all.
pub(crate) fn unrecorded(folder: &Path, marked: &[Marked]) -> String {
    format!(
        "processes that dax started for this project still run, but `{}`, which says what they \
         are, is gone: {}. Nothing was started or ended. `dax agent --end` ends them, then `dax \
         apply` starts everything anew",
        folder.join(RECORD).display(),
        marks::listed(marked)
    )
}
