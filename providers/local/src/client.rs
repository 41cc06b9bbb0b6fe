//! The platform that the applier sees: finds the agent and asks it; only a change starts one.

use crate::agent::{LOCK, LOG};
use crate::marks::{self, AGENT, Marked};
use crate::protocol::{Empty, INHERITED, NOT_UNDERSTOOD, Reply, Request, line};
use crate::record::{self, Doubt, LONGEST, RECORD, Record};
use crate::{channel, home, look};
use dax_core::{Name, Value};
use dax_files::Private;
use dax_model::{LiveService, Traits};
use dax_provider_api::{BoxFuture, Call, Metrics, Platform, ProviderError, Query, Scope};
use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;

/// How long the agent may take to start.
const START: Duration = Duration::from_secs(10);
/// How long an agent may take to be seen as a process.
const ALIVE: Duration = Duration::from_millis(700);
/// How long an agent is waited for that is there and does not listen: it starts, or it ends.
const BETWEEN: Duration = Duration::from_secs(2);
/// How often it is looked for.
const POLL: Duration = Duration::from_millis(20);
/// How long it may take to answer what takes no work.
const ANSWER: Duration = Duration::from_secs(20);
/// Bytes of the agent's log that an error is looked for in.
const LOG_END: u64 = 2 * 1024;

/// The platform `local.machine` of one project.
#[derive(Clone, Debug)]
pub struct Local {
    /// Where the agent keeps its files: `.dax/local`.
    pub folder: PathBuf,
    /// Where the services' processes run: the project's folder.
    pub root: PathBuf,
    /// The program that can be the agent, and the arguments that make it one.
    pub agent: (PathBuf, Vec<String>),
}

/// What there is of an agent.
enum Found {
    /// One that listens.
    Agent(UnixStream),
    /// None, but what one has written down.
    Record(Record),
    /// Neither, and nothing that it could have started.
    Nothing,
}

fn failed(what: &str, error: &io::Error) -> ProviderError {
    let message = format!("the local agent {what}: {error}");
    match error.kind() {
        ErrorKind::PermissionDenied | ErrorKind::InvalidInput | ErrorKind::InvalidData => {
            ProviderError::Refused { message }
        }
        _ => ProviderError::Unreachable { message },
    }
}

/// Whether an agent holds the lock of a folder.
fn is_locked(folder: &Private) -> bool {
    // A shared lock, and not kept: an agent that starts at this moment tries again.
    folder
        .open_file(LOCK)
        .is_ok_and(|file| file.is_some_and(|file| file.try_lock_shared().is_err()))
}

impl Local {
    /// Looks for an agent, and where there is none for what one has left. Starts and ends nothing.
    async fn find(&self) -> Result<Found, ProviderError> {
        let cannot = |error: io::Error| failed("cannot be looked for", &error);
        let path = home::canonical(&self.folder).map_err(cannot)?;
        let begun = Instant::now();
        loop {
            let folder = home::open(&self.folder).map_err(cannot)?;
            if let Some(folder) = &folder
                && let Some(stream) = channel::connect(folder).await.map_err(cannot)?
            {
                return Ok(Found::Agent(stream));
            }
            let locked = folder.as_ref().is_some_and(is_locked);
            if !locked && let Some(record) = self.recorded(folder.as_ref(), &path)? {
                return Ok(Found::Record(record));
            }
            let marked = marks::marked(&path);
            let waits = if locked { START } else { BETWEEN };
            let agent = marked.iter().any(|one| one.process == AGENT);
            if locked && begun.elapsed() > waits {
                let message = format!(
                    "an agent holds `{}` and does not listen: end it, `fuser` and `lsof` say which \
                     process it is",
                    path.join(LOCK).display()
                );
                return Err(ProviderError::Unreachable { message });
            }
            if !(locked || agent) || begun.elapsed() > waits {
                return if marked.is_empty() {
                    Ok(Found::Nothing)
                } else {
                    Err(ProviderError::Refused { message: look::unrecorded(&path, &marked) })
                };
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// What an agent has written down; what is not to be believed is an error.
    fn recorded(
        &self,
        folder: Option<&Private>,
        path: &Path,
    ) -> Result<Option<Record>, ProviderError> {
        let Some(folder) = folder else { return Ok(None) };
        let (doubt, left) = match folder.read(RECORD, LONGEST) {
            Ok(None) => return Ok(None),
            Ok(Some(bytes)) => match record::decode(&bytes, path) {
                Ok(record) => return Ok(Some(record.since_boot())),
                // Of a project that was moved, the processes bear the mark of its former place.
                Err(doubt) => (doubt, record::remaining(&bytes)),
            },
            Err(error) => (Doubt::Damaged(error.to_string()), Vec::new()),
        };
        let mut marked: Vec<Marked> = marks::marked(path);
        marked.extend(left);
        marked.sort_by_key(|one| one.identity);
        marked.dedup();
        Err(ProviderError::Refused { message: look::unknown(&doubt, path, &marked) })
    }

    /// A connection to an agent, which is started when there is none.
    async fn connect(&self) -> Result<UnixStream, ProviderError> {
        if let Found::Agent(stream) = self.find().await? {
            return Ok(stream);
        }
        let folder = self.start().map_err(|error| failed("cannot be started", &error))?;
        let started = Instant::now();
        loop {
            let found = channel::connect(&folder).await;
            match found.map_err(|error| failed("cannot be reached", &error))? {
                Some(stream) => return Ok(stream),
                None if started.elapsed() > START || is_dead(&folder, started.elapsed()) => {
                    let message = format!(
                        "the local agent did not start; {} ends with: {}",
                        folder.path().join(LOG).display(),
                        end_of_log(&folder)
                    );
                    return Err(ProviderError::Unreachable { message });
                }
                None => tokio::time::sleep(POLL).await,
            }
        }
    }

    /// Starts the agent in a session of its own; of two that start at once one ends by itself.
    fn start(&self) -> io::Result<Private> {
        let folder = home::create(&self.folder)?;
        let path = home::canonical(&self.folder)?;
        let log = folder.append(LOG)?;
        let mut command = std::process::Command::new(&self.agent.0);
        command.args(&self.agent.1).arg("--folder").arg(&path).arg("--root").arg(&self.root);
        // Nothing else of the environment: a secret in it is no business of the agent. Where this
        // user's key is, it has to know.
        let inherited = INHERITED.iter().chain(&["XDG_STATE_HOME"]);
        command
            .env_clear()
            .envs(inherited.filter_map(|name| Some((name, std::env::var_os(name)?))))
            .envs(marks::mark(&path, AGENT));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        // The process that is started hands over to the agent and ends at once.
        command.spawn()?.wait()?;
        Ok(folder)
    }

    async fn ask(stream: UnixStream, request: &Request) -> Result<Reply, ProviderError> {
        let said = tokio::time::timeout(ANSWER, Self::converse(stream, request)).await;
        said.unwrap_or_else(|_| {
            let message = format!("the local agent did not answer within {} s", ANSWER.as_secs());
            Err(ProviderError::Unreachable { message })
        })
    }

    async fn converse(mut stream: UnixStream, request: &Request) -> Result<Reply, ProviderError> {
        let mut text = serde_json::to_string(request)
            .map_err(|e| ProviderError::Refused { message: e.to_string() })?;
        text.push('\n');
        stream.write_all(text.as_bytes()).await.map_err(|e| failed("cannot be asked", &e))?;
        let answer = line(stream).await.map_err(|e| failed("does not answer", &e))?;
        let Some(answer) = answer else {
            return Err(ProviderError::Unreachable {
                message: "the local agent went away in the middle of a call".to_owned(),
            });
        };
        match serde_json::from_slice(&answer) {
            Ok(Reply::Refused(message)) if message.starts_with(NOT_UNDERSTOOD) => {
                let remedy = "another dax may have started it: `dax agent --end` ends it and what \
                              it runs, then `dax apply` starts everything anew";
                Err(ProviderError::Refused { message: format!("{message}; {remedy}") })
            }
            Ok(Reply::Refused(message)) => Err(ProviderError::Refused { message }),
            Ok(Reply::Conflict(message)) => Err(ProviderError::Conflict { message }),
            Ok(reply) => Ok(reply),
            Err(error) => Err(ProviderError::Refused {
                message: format!("the local agent speaks another version: {error}"),
            }),
        }
    }
}

/// Whether an agent that was started so long ago is gone without having listened.
fn is_dead(folder: &Private, after: Duration) -> bool {
    let Ok(path) = std::fs::canonicalize(folder.path()) else { return false };
    after > ALIVE && !marks::marked(&path).iter().any(|one| one.process == AGENT)
}

/// The last lines of the agent's own log.
fn end_of_log(folder: &Private) -> String {
    let Ok(Some(mut log)) = folder.open_file(LOG) else { return "nothing".to_owned() };
    let from = log.metadata().map_or(0, |found| found.len()).saturating_sub(LOG_END);
    let mut bytes = Vec::new();
    if log.seek(SeekFrom::Start(from)).is_ok() {
        let _ = log.take(LOG_END).read_to_end(&mut bytes);
    }
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().collect();
    match &lines[lines.len().saturating_sub(3)..] {
        [] => "nothing".to_owned(),
        last => last.join(" | "),
    }
}

impl Platform for Local {
    fn traits(&self) -> Traits {
        Traits {
            header_routes: true,
            mirror: false,
            commands: true,
            commands_once: true,
            fenced: true,
            exclusive_ports: true,
            immutable: Vec::new(),
            ..Traits::default()
        }
    }

    fn problems(&self, values: &Value, _settings: &BTreeMap<Name, Value>) -> Vec<String> {
        let command = values.get("command").map_or(&[][..], Value::items);
        if command.is_empty() {
            return vec!["the local platform runs programs: `command` says which".to_owned()];
        }
        Vec::new()
    }

    fn read<'a>(
        &'a self,
        scope: &'a Scope,
    ) -> BoxFuture<'a, Result<BTreeMap<Name, LiveService>, ProviderError>> {
        Box::pin(async move {
            let stream = match self.find().await? {
                Found::Agent(stream) => stream,
                Found::Nothing => return Ok(BTreeMap::new()),
                Found::Record(record) => {
                    let path = home::canonical(&self.folder);
                    let path = path.map_err(|error| failed("cannot be looked for", &error))?;
                    return Ok(look::live(&record, &path, &scope.environment));
                }
            };
            let request = Request::Read { environment: scope.environment.clone() };
            match Self::ask(stream, &request).await? {
                Reply::Services(services) => Ok(services),
                _ => Err(ProviderError::Refused {
                    message: "the local agent gave another answer than asked for".to_owned(),
                }),
            }
        })
    }

    fn change<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Result<(), ProviderError>> {
        Box::pin(async move {
            let request = Request::Change {
                environment: call.environment.clone(),
                service: call.service.clone(),
                operation: Box::new(call.operation.clone()),
                spec: call.spec.clone(),
                token: call.token.clone(),
                fence: call.fence.clone(),
                expect: call.expect.clone(),
                timeout_ms: u64::try_from(call.timeout.as_millis()).unwrap_or(u64::MAX),
                values: call.secrets.0.clone(),
                named: call.secrets.0.is_empty().then_some(Empty {}),
            };
            let stream = self.connect().await?;
            // Whoever calls says how long it may take.
            Self::converse(stream, &request).await.map(|_| ())
        })
    }

    fn settle(&self) -> BoxFuture<'_, Result<(), ProviderError>> {
        Box::pin(async move {
            if let Found::Agent(stream) = self.find().await? {
                Self::ask(stream, &Request::Settle).await?;
            }
            Ok(())
        })
    }
}

impl Metrics for Local {
    fn measure<'a>(
        &'a self,
        query: &'a Query,
    ) -> BoxFuture<'a, Result<Option<Value>, ProviderError>> {
        Box::pin(async move {
            let request = Request::Measure {
                environment: query.environment.clone(),
                service: query.service.clone(),
                revision: query.revision.clone(),
                text: query.text.clone(),
                window_ms: u64::try_from(query.window.as_millis()).unwrap_or(u64::MAX),
            };
            let stream = match self.find().await? {
                Found::Agent(stream) => stream,
                // Only a run measures, and a run may start an agent: its services would stay
                // without one.
                Found::Record(_) => self.connect().await?,
                Found::Nothing => return Ok(None),
            };
            match Self::ask(stream, &request).await? {
                Reply::Measured(value) => Ok(value),
                _ => Ok(None),
            }
        })
    }
}
