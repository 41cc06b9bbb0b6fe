//! Commands that run beside a service: hooks and migrations, each once however often it is asked for.

use super::Agent;
use super::process::{Launch, Process, redacted};
use super::record::Known;
use super::service::Service;
use dax_core::{Name, RevisionId, Value};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Commands of a service that are remembered.
const REMEMBERED: usize = 200;
/// Lines of its output that a failed command is shown with.
const SHOWN_LINES: usize = 5;

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
            Some(Known::Begun) => {
                return Err(format!(
                    "`{shown}` was begun before and the agent ended in the middle of it: see what it did, then say how to go on"
                ));
            }
            None => {}
        }
        service.remember(&run.token, Some(Known::Begun), REMEMBERED);
        self.write()?;
        let result = execute(service, &run, &shown).await;
        service.remember(&run.token, result.is_ok().then_some(Known::Done), REMEMBERED);
        self.write()?;
        result
    }
}

async fn execute(service: &Arc<Service>, run: &Run, shown: &str) -> Result<(), String> {
    let launched = service.launch_of(&run.revision, &run.spec, &run.secrets, &run.token)?;
    let command: Vec<String> = run.command.iter().map(ToString::to_string).collect();
    let launch =
        Launch { command: &command, env: launched.env, root: &launched.root, log: &launched.log };
    let mut process = Process::start(&launch)?;
    let Ok(ended) = tokio::time::timeout(run.timeout, process.succeeded()).await else {
        process.stop(Duration::from_secs(1)).await;
        return Err(format!(
            "`{shown}` was not done within {} s{}",
            run.timeout.as_secs(),
            lines(&launched.log, &run.secrets)
        ));
    };
    match ended {
        Ok(()) => {
            let _ = std::fs::remove_file(&launched.log);
            Ok(())
        }
        Err(how) => Err(format!("`{shown}`: {how}{}", lines(&launched.log, &run.secrets))),
    }
}

/// The last lines of a log, as the end of a sentence; the values of secrets show as `***`.
fn lines(log: &Path, secrets: &BTreeMap<Name, String>) -> String {
    let text = std::fs::read(log).unwrap_or_default();
    let text = redacted(&String::from_utf8_lossy(&text), secrets);
    let lines: Vec<&str> = text.lines().collect();
    let last = &lines[lines.len().saturating_sub(SHOWN_LINES)..];
    if last.is_empty() {
        "; it wrote nothing".to_owned()
    } else {
        format!("; its last lines: {}", last.join(" | "))
    }
}
