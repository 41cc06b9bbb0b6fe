//! Marks: variables in the environment of a process that say whose it is, for whoever finds it
//! later.
//!
//! Every process that an agent starts carries them, and so does what that process starts in its
//! turn, unless it wipes its environment. They are how a process is found again when nothing else
//! is known of it.

use crate::process_id::{Identity, Stat};
use dax_core::printable::Line;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::hash::{BuildHasher, Hasher};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

/// The folder of the agent that started it.
const FOLDER: &str = "DAX_AGENT";
/// The start that it belongs to: a [`Token`], `command:…`, or [`AGENT`].
const PROCESS: &str = "DAX_PROCESS";
/// What [`PROCESS`] says of an agent itself.
pub(crate) const AGENT: &str = "agent";

/// One start of one replica.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Token(String);

impl TryFrom<String> for Token {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let is_token = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if is_token { Ok(Self(text)) } else { Err("this is no token of a process".to_owned()) }
    }
}

impl Token {
    /// One that nobody else has.
    pub(crate) fn fresh() -> Self {
        // The standard library seeds each of these with random numbers of the system.
        let mut hasher = std::hash::RandomState::new().build_hasher();
        hasher.write_u32(std::process::id());
        Self(format!("{:016x}", hasher.finish()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// The mark of a command that runs beside a service, by the name of its call.
pub(crate) fn of_command(call: &str) -> String {
    format!("command:{call}")
}

/// The variables that mark a process of a folder's agent.
pub(crate) fn mark(folder: &Path, process: &str) -> [(OsString, OsString); 2] {
    [(FOLDER.into(), folder.into()), (PROCESS.into(), process.into())]
}

/// A process that carries the mark of a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Marked {
    pub(crate) identity: Identity,
    /// The start that it belongs to; empty where an older dax started it.
    pub(crate) process: String,
    pub(crate) environment: String,
    pub(crate) service: String,
    /// Whether it leads a group in somebody else's session, as what an agent started does.
    pub(crate) leads: bool,
}

/// Every process of this user that carries the mark of a folder.
pub(crate) fn marked(folder: &Path) -> Vec<Marked> {
    let wanted = [FOLDER.as_bytes(), b"=", folder.as_os_str().as_encoded_bytes()].concat();
    find(|variables| variables.contains(&&wanted[..]))
}

/// Every process of this user that bears one of these tokens, whatever folder it was started for.
pub(crate) fn bearing(tokens: &BTreeSet<&Token>) -> Vec<Marked> {
    if tokens.is_empty() {
        return Vec::new();
    }
    find(|variables| {
        let text = value(variables, PROCESS);
        Token::try_from(text).is_ok_and(|token| tokens.contains(&token))
    })
}

/// The value of a variable; empty where there is none.
fn value(variables: &[&[u8]], name: &str) -> String {
    let found = variables
        .iter()
        .find_map(|one| one.strip_prefix(name.as_bytes()).and_then(|rest| rest.strip_prefix(b"=")));
    String::from_utf8_lossy(found.unwrap_or_default()).into_owned()
}

/// Every process of this user whose variables are as they are wanted.
fn find(wanted: impl Fn(&[&[u8]]) -> bool) -> Vec<Marked> {
    let me = rustix::process::getuid().as_raw();
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.flatten().filter_map(|entry| {
        use std::os::unix::fs::MetadataExt;
        let pid = entry.file_name().to_str()?.parse::<i32>().ok()?;
        (entry.metadata().ok()?.uid() == me).then_some(pid)
    });
    pids.filter_map(|pid| look(pid, &wanted)).collect()
}

/// What a process says of itself, if its variables are as they are wanted.
fn look(pid: i32, wanted: &impl Fn(&[&[u8]]) -> bool) -> Option<Marked> {
    let environ = std::fs::read(format!("/proc/{pid}/environ")).ok()?;
    let variables: Vec<&[u8]> = environ.split(|byte| *byte == 0).collect();
    if !wanted(&variables) {
        return None;
    }
    let stat = Stat::of(pid)?;
    Some(Marked {
        identity: Identity { pid, started: stat.started },
        process: value(&variables, PROCESS),
        environment: value(&variables, "DAX_ENVIRONMENT"),
        service: value(&variables, "DAX_SERVICE"),
        leads: stat.leads(pid),
    })
}

/// The process that a start made, if it runs: the first of those that bear its token and lead a
/// group.
pub(crate) fn started_as(all: &[Marked], token: &Token) -> Option<Identity> {
    let mine = all.iter().filter(|one| one.leads && one.process == token.as_str());
    mine.map(|one| one.identity).min_by_key(|identity| (identity.started, identity.pid))
}

/// Processes as a text for people: `1234 (dev.web), 1240 (dev.api)`.
pub(crate) fn listed(all: &[Marked]) -> String {
    const SHOWN: usize = 12;
    let one = |one: &Marked| {
        let clean = Line::new;
        match one.service.as_str() {
            "" if one.process == AGENT => format!("{} (the agent)", one.identity.pid),
            "" => one.identity.pid.to_string(),
            service => {
                let (environment, service) = (clean(&one.environment), clean(service));
                format!("{} ({environment}.{service})", one.identity.pid)
            }
        }
    };
    let mut parts: Vec<String> = all.iter().take(SHOWN).map(one).collect();
    if all.len() > SHOWN {
        parts.push(format!("and {} more", all.len() - SHOWN));
    }
    parts.join(", ")
}

/// The processes below others in the tree, at this moment.
pub(crate) fn descendants(of: &[Identity]) -> BTreeSet<Identity> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return BTreeSet::new() };
    let pids =
        entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let all: Vec<(Identity, i32)> = pids
        .filter_map(|pid| {
            let stat = Stat::of(pid)?;
            Some((Identity { pid, started: stat.started }, stat.parent))
        })
        .collect();
    let mut found = BTreeSet::new();
    let mut open: Vec<Identity> = of.iter().copied().filter(|one| one.runs()).collect();
    while let Some(parent) = open.pop() {
        for (child, _) in all.iter().filter(|(_, of)| *of == parent.pid) {
            if found.insert(*child) {
                open.push(*child);
            }
        }
    }
    found
}

/// The folder whose mark a process carries.
pub(crate) fn folder_of(pid: i32) -> Option<PathBuf> {
    let environ = std::fs::read(format!("/proc/{pid}/environ")).ok()?;
    let prefix = [FOLDER.as_bytes(), b"="].concat();
    let folder = environ.split(|byte| *byte == 0).find_map(|one| one.strip_prefix(&prefix[..]))?;
    Some(PathBuf::from(OsString::from_vec(folder.to_vec())))
}

/// The project of an agent's folder.
pub(crate) fn project_of(folder: &Path) -> &Path {
    folder.parent().and_then(Path::parent).unwrap_or(folder)
}
