//! Commands that run beside a service: hooks and migrations, each once however often it is asked
//! for.

use super::Agent;
use super::process::Process;
use super::service::Service;
use crate::marks;
use crate::record::Known;
use dax_core::{Name, RevisionId, Value};
use dax_provider_api::redact::Redactor;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// Commands of a service that are remembered.
const REMEMBERED: usize = 200;

/// A command that is to be run.
pub(super) struct Run {
    pub(super) token: Name,
    pub(super) revision: RevisionId,
    pub(super) spec: Value,
    pub(super) command: Vec<Name>,
    pub(super) secrets: BTreeMap<Name, String>,
    pub(super) timeout: Duration,
}

impl Agent {
    /// Runs a command and waits for its end; one that ended well before is not run again.
    pub(super) async fn run_once(&self, service: &Arc<Service>, run: Run) -> Result<(), String> {
        let known = service
            .lock()
            .commands
            .iter()
            .find(|(token, _)| *token == run.token)
            .map(|(_, known)| *known);
        let shown = run.command.iter().map(Name::as_str).collect::<Vec<_>>().join(" ");
        match known {
            Some(Known::Done) => return Ok(()),
            Some(Known::Begun) => return Err(self.begun_before(&run, &shown)),
            None => {}
        }
        service.remember(&run.token, Some(Known::Begun), REMEMBERED);
        self.write()?;
        let result = execute(service, &run, &shown).await;
        service.remember(&run.token, result.is_ok().then_some(Known::Done), REMEMBERED);
        self.write()?;
        result
    }

    fn begun_before(&self, run: &Run, shown: &str) -> String {
        let mark = marks::of_command(&run.token);
        let mut running = marks::marked(&self.path);
        running.retain(|one| one.process == mark);
        let still = if running.is_empty() {
            String::new()
        } else {
            format!(" (it still runs: {})", marks::listed(&running))
        };
        format!(
            "`{shown}` was begun before and the agent ended in the middle of it{still}: see what \
             it did, then say how to go on"
        )
    }
}

async fn execute(service: &Arc<Service>, run: &Run, shown: &str) -> Result<(), String> {
    let revision = (&run.revision, &run.spec);
    let launched = service.launch_of(revision, &run.command, &run.secrets, &run.token);
    let redactor = Redactor::new(run.secrets.values());
    let mut process = Process::start(launched.launch()?)?;
    let Ok(ended) = tokio::time::timeout(run.timeout, process.succeeded()).await else {
        process.stop(Duration::from_secs(1)).await;
        return Err(format!(
            "`{shown}` was not done within {} s; {}",
            run.timeout.as_secs(),
            launched.log.last_lines(Some(&redactor))
        ));
    };
    process.kin.end(BTreeSet::new()).await;
    match ended {
        Ok(()) => {
            launched.log.remove();
            Ok(())
        }
        Err(how) => Err(format!("`{shown}`: {how}; {}", launched.log.last_lines(Some(&redactor)))),
    }
}
