//! Recipes: how the replicas and the commands of a service are run.

use super::health::Health;
use super::kin::Kin;
use super::logs::Log;
use super::process::Launch;
use super::replica::Recipe;
use super::service::{Revision, Service, ports};
use crate::home::file_name;
use crate::marks;
use crate::process_id::Identity;
use crate::protocol::INHERITED;
use dax_core::{Name, RevisionId, Value};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

type Variables = Vec<(OsString, OsString)>;

/// How a command is run.
pub(super) struct Launched {
    command: Vec<String>,
    env: Variables,
    root: PathBuf,
    kin: Kin,
    pub(super) log: Log,
}

impl Launched {
    /// What to start.
    pub(super) fn launch(&self) -> Result<Launch<'_>, String> {
        let (env, kin, log) = (self.env.clone(), self.kin.clone(), self.log.open()?);
        Ok(Launch { command: &self.command, env, root: &self.root, log, kin })
    }
}

/// The variables of a revision: those without secrets, and those with, where their values are
/// known.
fn variables(
    spec: &Value,
    secrets: Option<&BTreeMap<Name, String>>,
) -> (Variables, Option<Variables>) {
    let mut env = Vec::new();
    let mut secret_env = secrets.map(|_| Vec::new());
    for (name, value) in spec.get("env").into_iter().flat_map(Value::entries) {
        match value {
            Value::Secret(secret) => {
                let value = secrets.and_then(|secrets| secrets.get(&secret.value_key()));
                if let (Some(list), Some(value)) = (&mut secret_env, value) {
                    list.push((name.as_str().into(), value.into()));
                }
            }
            other => env.push((
                name.as_str().into(),
                other.as_str().map_or_else(|| other.to_string(), str::to_owned).into(),
            )),
        }
    }
    (env, secret_env)
}

/// The values of a revision's secrets as its running processes have them; nothing unless all are
/// found.
///
/// They are handed to nobody but the same revision's next processes, and mask what these write.
pub(super) fn recovered(spec: &Value, running: &[Identity]) -> Option<BTreeMap<Name, String>> {
    let secrets: Vec<_> = spec
        .get("env")
        .into_iter()
        .flat_map(Value::entries)
        .filter_map(|(variable, value)| match value {
            Value::Secret(secret) => Some((variable, secret.value_key())),
            _ => None,
        })
        .collect();
    let of = |process: &Identity| {
        let environ = std::fs::read(format!("/proc/{}/environ", process.pid)).ok()?;
        let value = |variable: &str| {
            let mut all = environ.split(|byte| *byte == 0);
            let found = all.find_map(|one| {
                one.strip_prefix(variable.as_bytes()).and_then(|rest| rest.strip_prefix(b"="))
            })?;
            String::from_utf8(found.to_vec()).ok()
        };
        let found = secrets
            .iter()
            .map(|(variable, key)| Some((key.clone(), value(variable)?)))
            .collect::<Option<BTreeMap<_, _>>>()?;
        process.runs().then_some(found)
    };
    running.iter().find_map(of)
}

impl Service {
    /// What says to a process what it belongs to.
    fn about(&self, id: &RevisionId) -> impl Iterator<Item = (OsString, OsString)> {
        let about = [
            ("DAX_ENVIRONMENT", &self.environment),
            ("DAX_SERVICE", &self.name),
            ("DAX_REVISION", &id.0),
        ];
        about.map(|(name, value)| (name.into(), value.as_str().into())).into_iter()
    }

    /// How a replica of a revision is run.
    pub(super) fn recipe(
        &self,
        id: &RevisionId,
        revision: &Revision,
        number: u64,
        ports: &BTreeMap<Name, u16>,
    ) -> Recipe {
        let (mut env, secret_env) = variables(&revision.spec, revision.secrets.as_ref());
        for (at, (name, port)) in ports.iter().enumerate() {
            if at == 0 {
                env.push(("PORT".into(), port.to_string().into()));
            }
            env.push((format!("PORT_{}", name.to_uppercase()).into(), port.to_string().into()));
        }
        env.extend(self.about(id));
        env.push(("DAX_REPLICA".into(), number.to_string().into()));
        let command = revision.spec.get("command").map_or(&[][..], Value::items);
        let log = format!("{}-{number}.log", file_name(&id.0));
        Recipe {
            command: command.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            env,
            secret_env,
            root: self.agent.root.clone(),
            log: Log::of(&self.logs, log),
            health: Health::of(&revision.spec),
            folder: self.agent.path.clone(),
            cgroups: self.agent.cgroups.clone(),
        }
    }

    /// How a command is run with the fields of a revision.
    pub(super) fn launch_of(
        &self,
        (id, spec): (&RevisionId, &Value),
        command: &[Name],
        secrets: &BTreeMap<Name, String>,
        call: &str,
    ) -> Launched {
        let mut env: Variables = INHERITED
            .iter()
            .filter_map(|name| Some(((*name).into(), std::env::var_os(name)?)))
            .collect();
        let (plain, secret) = variables(spec, Some(secrets));
        env.extend(plain);
        env.extend(secret.unwrap_or_default());
        env.extend(self.about(id));
        let port = ports(&self.lock().settings).into_values().next();
        env.extend(port.map(|port| ("DAX_URL".into(), format!("http://127.0.0.1:{port}/").into())));
        let mark = marks::of_command(call);
        env.extend(marks::mark(&self.agent.path, &mark));
        Launched {
            command: command.iter().map(ToString::to_string).collect(),
            env,
            root: self.agent.root.clone(),
            kin: Kin {
                cgroups: self.agent.cgroups.clone(),
                folder: self.agent.path.clone(),
                mark,
                group: None,
            },
            log: Log::of(&self.logs, format!("command-{}.log", file_name(call))),
        }
    }
}
