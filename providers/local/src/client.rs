//! The platform that the applier sees: finds the agent, starts it when it is needed, and asks it.

use crate::protocol::{INHERITED, RECORD, Reply, Request, socket_path};
use dax_core::{LiveService, Name, Traits, Value};
use dax_provider_api::{BoxFuture, Call, Metrics, Platform, ProviderError, Query, Scope};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;

/// How long the agent may take to start.
const START: Duration = Duration::from_secs(10);

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

fn unreachable(what: &str, error: &std::io::Error) -> ProviderError {
    ProviderError::Unreachable { message: format!("the local agent {what}: {error}") }
}

impl Local {
    /// Whether there is anything for an agent to look after.
    fn has_record(&self) -> bool {
        self.folder.join(RECORD).exists()
    }

    async fn connect(&self) -> Result<UnixStream, ProviderError> {
        let socket = socket_path(&self.folder);
        if let Ok(stream) = UnixStream::connect(&socket).await {
            return Ok(stream);
        }
        self.start()?;
        let started = tokio::time::Instant::now();
        loop {
            match UnixStream::connect(&socket).await {
                Ok(stream) => return Ok(stream),
                Err(error) if started.elapsed() > START => {
                    let log = self.folder.join("agent.log");
                    let message = format!(
                        "the local agent did not start: {error}; what it had to say is in {}",
                        log.display()
                    );
                    return Err(ProviderError::Unreachable { message });
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    }

    /// Starts the agent in a session of its own; of two that start at once one ends by itself.
    fn start(&self) -> Result<(), ProviderError> {
        let fail = |error: &std::io::Error| unreachable("cannot be started", error);
        std::fs::create_dir_all(&self.folder).map_err(|e| fail(&e))?;
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.folder.join("agent.log"))
            .map_err(|e| fail(&e))?;
        let mut command = std::process::Command::new(&self.agent.0);
        command.args(&self.agent.1).arg("--folder").arg(&self.folder).arg("--root").arg(&self.root);
        // Nothing else of the environment: a secret in it is no business of the agent.
        command
            .env_clear()
            .envs(INHERITED.iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let mut child = command.spawn().map_err(|e| fail(&e))?;
        // The process that is started hands over to the agent and ends at once.
        child.wait().map_err(|e| fail(&e))?;
        Ok(())
    }

    async fn ask(&self, request: &Request) -> Result<Reply, ProviderError> {
        let mut stream = self.connect().await?;
        let mut line = serde_json::to_string(request)
            .map_err(|e| ProviderError::Refused { message: e.to_string() })?;
        line.push('\n');
        stream.write_all(line.as_bytes()).await.map_err(|e| unreachable("cannot be asked", &e))?;
        let mut answer = String::new();
        let read = BufReader::new(stream)
            .read_line(&mut answer)
            .await
            .map_err(|e| unreachable("does not answer", &e))?;
        if read == 0 {
            return Err(ProviderError::Unreachable {
                message: "the local agent went away in the middle of a call".to_owned(),
            });
        }
        match serde_json::from_str(&answer) {
            Ok(Reply::Refused(message)) => Err(ProviderError::Refused { message }),
            Ok(Reply::Conflict(message)) => Err(ProviderError::Conflict { message }),
            Ok(reply) => Ok(reply),
            Err(error) => Err(ProviderError::Refused {
                message: format!("the local agent speaks another version: {error}"),
            }),
        }
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
            if !self.has_record() && !socket_path(&self.folder).exists() {
                return Ok(BTreeMap::new());
            }
            match self.ask(&Request::Read { environment: scope.environment.clone() }).await? {
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
                operation: call.operation.clone(),
                token: call.token.clone(),
                fence: call.fence.clone(),
                expect: call.expect.clone(),
                timeout_ms: u64::try_from(call.timeout.as_millis()).unwrap_or(u64::MAX),
                secrets: call.secrets.0.clone(),
            };
            self.ask(&request).await.map(|_| ())
        })
    }

    fn settle(&self) -> BoxFuture<'_, Result<(), ProviderError>> {
        Box::pin(async move {
            if self.has_record() || socket_path(&self.folder).exists() {
                self.ask(&Request::Settle).await?;
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
            match self.ask(&request).await? {
                Reply::Measured(value) => Ok(value),
                _ => Ok(None),
            }
        })
    }
}
