//! The project of a soak: its program, the commands that are run on it, and the processes that it has.

use super::load::Target;
use super::service::{POSTS, SECRET, STARTS, WITH_SECRET};
use crate::peers::{Peer, free_port, postgres};
use crate::random::Chance;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// The time in which every command has to end.
pub const PATIENCE: Duration = Duration::from_secs(150);
/// Replicas of the services, in turn: twenty in all.
const REPLICAS: [usize; 5] = [2, 3, 4, 5, 6];

/// A service as the program describes it.
#[derive(Clone, Debug)]
pub struct Service {
    /// Its name.
    pub name: String,
    /// The port of the agent's proxy.
    pub port: u16,
    /// Counts up with each version.
    pub version: u32,
    /// Counts up with each change of its variables.
    pub note: u32,
    /// Replicas that are wanted.
    pub replicas: usize,
}

impl Service {
    /// Its version and variables, as its answers name them.
    pub fn tag(&self) -> String {
        format!("{}.{}", self.version, self.note)
    }
}

/// How a command ended and what it said.
#[derive(Clone, Debug)]
pub struct Said {
    /// Its exit code, or minus one where a signal ended it.
    pub code: i32,
    /// Its standard output.
    pub out: String,
    /// Its standard error.
    pub err: String,
}

/// A process of the project.
#[derive(Clone, Debug)]
pub struct Process {
    /// Its number.
    pub pid: i32,
    /// The words of its command.
    pub words: Vec<String>,
}

/// The project with all that belongs to it.
pub struct World {
    /// The folder of it all.
    pub folder: PathBuf,
    /// The services as the program on disk has them.
    pub services: Vec<Service>,
    /// The services for the clients.
    pub targets: Vec<Arc<Target>>,
    /// The server of the state.
    pub database: Option<Peer>,
    state: Option<String>,
}

impl World {
    /// Makes the project: both programs are copied, so that a build meanwhile changes nothing.
    ///
    /// # Errors
    /// The folder cannot be written, or PostgreSQL is asked for and not installed.
    pub fn new(dax: &Path, with_database: bool) -> std::io::Result<Self> {
        let folder = std::env::temp_dir().join(format!("dax-soak-{}", std::process::id()));
        for part in ["bin", "home", "project", "traces/posts"] {
            std::fs::create_dir_all(folder.join(part))?;
        }
        std::fs::copy(dax, folder.join("bin/dax"))?;
        std::fs::copy(std::env::current_exe()?, folder.join("bin/service"))?;
        let folder = folder.canonicalize()?;
        std::fs::write(folder.join("project/dax.mod"), "project = \"soak\"\nedition = 2026\n")?;
        let database = if with_database { postgres() } else { None };
        if with_database && database.is_none() {
            return Err(std::io::Error::other("`cargo xtask peers PostgreSQL` installs it"));
        }
        let state =
            database.as_ref().map(|it| format!("postgres://dax@127.0.0.1:{}/postgres", it.port));
        let services: Vec<Service> = (0..REPLICAS.len())
            .map(|at| Service {
                name: format!("s{at}"),
                port: free_port(),
                version: 1,
                note: 1,
                replicas: REPLICAS[at],
            })
            .collect();
        let target = |service: &Service| {
            let tags = Mutex::new(BTreeSet::from([service.tag()]));
            Arc::new(Target { name: service.name.clone(), port: service.port, tags })
        };
        let targets = services.iter().map(target).collect();
        let world = Self { folder, services, targets, database, state };
        world.write()?;
        Ok(world)
    }

    /// The project's folder.
    pub fn project(&self) -> PathBuf {
        self.folder.join("project")
    }

    /// Writes the program of the services as they are to be.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self) -> std::io::Result<()> {
        let mut text = "import local from \"std/local\"\n\nprovider local.machine {\n  drain        = 2s\n  stop_timeout = 1s\n}\n".to_owned();
        text.push_str("\nsecret token: string from env(\"SOAK_TOKEN\")\n");
        let (program, traces) = (self.folder.join("bin/service"), self.folder.join("traces"));
        for service in &self.services {
            let _ = write!(
                text,
                "\nservice {name} {{\n  command  = [\"{}\", \"serve\", \"{}\", \"{name}\", \"{}\"]\n  replicas = {}\n  ports    = {{ http: {} }}\n  env      = {{ NOTE: \"{}\"{} }}\n  health http \"/health\" {{ every = 300ms, ready_within = 30s }}\n}}\n",
                program.display(),
                traces.display(),
                service.version,
                service.replicas,
                service.port,
                service.note,
                if service.name == WITH_SECRET { ", TOKEN: token" } else { "" },
                name = service.name,
            );
        }
        text.push_str("\nstrategy careful: canary {\n  step 50% hold 300ms\n}\n\nstrategy both: blue_green {\n}\n\nstrategy bit_by_bit: rolling {\n}\n");
        text.push_str("\nenvironment dev {\n  bind [s0, s1, s2, s3, s4] to local.machine\n  rollout s1 with careful\n  rollout s2 with both\n  rollout s3 with bit_by_bit\n}\n");
        std::fs::write(self.project().join("main.dax"), text)
    }

    /// Changes one to three services: version, variables or replicas.
    pub fn change(&mut self, chance: &mut Chance) {
        let count = self.services.len() as u64;
        for _ in 0..=chance.below(3) {
            let at = chance.below(count) as usize;
            match chance.below(4) {
                0 | 1 => self.services[at].version += 1,
                2 => self.services[at].note += 1,
                _ => {
                    let other = chance.below(count) as usize;
                    let replicas = self.services[at].replicas;
                    self.services[at].replicas = self.services[other].replicas;
                    self.services[other].replicas = replicas;
                }
            }
        }
    }

    /// Returns a command of the project's dax, in a process group of its own, apart from the terminal's signals.
    pub fn command(&self, args: &[&str]) -> Command {
        use std::os::unix::process::CommandExt;
        let mut command = Command::new(self.folder.join("bin/dax"));
        command.args(args).current_dir(self.project()).stdin(Stdio::null()).process_group(0);
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", self.folder.join("home")).env("NO_COLOR", "1").env("USER", "soak");
        command.env("SOAK_TOKEN", SECRET);
        if let Some(state) = &self.state {
            command.env("DAX_STATE", state);
        }
        command
    }

    /// Starts a command whose output goes to files.
    ///
    /// # Errors
    /// It does not start.
    pub fn start(&self, args: &[&str], name: &str) -> std::io::Result<Child> {
        let file = |kind: &str| std::fs::File::create(self.folder.join(format!("{name}.{kind}")));
        self.command(args).stdout(file("out")?).stderr(file("err")?).spawn()
    }

    /// Waits for a command that [`Self::start`] started; one that does not end in time is ended.
    ///
    /// # Errors
    /// Its output cannot be read.
    pub fn wait(&self, child: &mut Child, name: &str) -> std::io::Result<Said> {
        let until = Instant::now() + PATIENCE;
        let mut late = "";
        let status = loop {
            if let Some(status) = child.try_wait()? {
                break status;
            }
            if Instant::now() > until {
                late = "HANGS: it did not end in time\n";
                child.kill()?;
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        let read = |kind: &str| std::fs::read(self.folder.join(format!("{name}.{kind}")));
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        let (out, err) = (text(read("out")?), format!("{late}{}", text(read("err")?)));
        Ok(Said { code: status.code().unwrap_or(-1), out, err })
    }

    /// Runs a command to its end.
    ///
    /// # Errors
    /// It does not start.
    pub fn dax(&self, args: &[&str]) -> std::io::Result<Said> {
        let mut child = self.start(args, "command")?;
        self.wait(&mut child, "command")
    }

    /// Returns every process whose command names the project, commands under way included.
    pub fn processes(&self) -> Vec<Process> {
        let here = self.folder.display().to_string();
        let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
        let process = |entry: std::fs::DirEntry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            let line = std::fs::read(entry.path().join("cmdline")).ok()?;
            let line = String::from_utf8_lossy(&line);
            let words: Vec<String> =
                line.split('\0').filter(|word| !word.is_empty()).map(str::to_owned).collect();
            words.iter().any(|word| word.starts_with(&here)).then_some(Process { pid, words })
        };
        entries.flatten().filter_map(process).collect()
    }

    /// Returns the agents: one, where nothing is wrong.
    pub fn agents(&self) -> Vec<i32> {
        let all = self.processes().into_iter();
        // The process that is started first hands over to this one.
        let agent = |process: &Process| {
            process.words.get(1..3) == Some(&["agent", "--stay"].map(str::to_owned))
        };
        all.filter(agent).map(|process| process.pid).collect()
    }

    /// Returns the replicas of a service.
    pub fn replicas(&self, name: &str) -> Vec<i32> {
        let all = self.processes().into_iter();
        let replica = |it: &Process| it.words.get(1).is_some_and(|word| word == "serve");
        let named = |it: &Process| it.words.get(3).is_some_and(|word| word == name);
        all.filter(|it| replica(it) && named(it)).map(|process| process.pid).collect()
    }

    /// Returns the starts of each service and tag, and those whose port another program had taken.
    pub fn starts(&self) -> (BTreeMap<(String, String), usize>, usize) {
        let text = std::fs::read_to_string(self.folder.join("traces").join(STARTS));
        let (mut starts, mut taken) = (BTreeMap::new(), 0);
        for line in text.unwrap_or_default().lines() {
            match line.split(' ').collect::<Vec<_>>()[..] {
                [name, tag, _, "up"] => {
                    *starts.entry((name.to_owned(), tag.to_owned())).or_default() += 1;
                }
                _ => taken += 1,
            }
        }
        (starts, taken)
    }

    /// Returns the texts that were posted since the last look, and forgets them.
    pub fn posts(&self) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(self.folder.join("traces").join(POSTS)) else {
            return Vec::new();
        };
        let mut all = Vec::new();
        for path in entries.flatten().map(|entry| entry.path()) {
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            let _ = std::fs::remove_file(&path);
            all.extend(text.lines().map(str::to_owned));
        }
        all
    }

    /// Takes it all down. Processes that dax leaves are ended and counted; the folder stays where it is to be kept.
    ///
    /// # Errors
    /// The folder cannot be removed.
    pub fn end(&mut self, keep: bool) -> std::io::Result<usize> {
        let _ =
            self.dax(&["destroy", "-e", "dev", "--auto-approve", "-q", "--lock-timeout", "40s"]);
        let until = Instant::now() + Duration::from_secs(10);
        while !self.processes().is_empty() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(50));
        }
        let left = self.processes();
        for process in &left {
            signal(process.pid, rustix::process::Signal::KILL);
        }
        self.database = None;
        if !keep {
            std::fs::remove_dir_all(&self.folder)?;
        }
        Ok(left.len())
    }
}

/// Sends a signal to one process.
pub fn signal(pid: i32, signal: rustix::process::Signal) {
    if let Some(pid) = rustix::process::Pid::from_raw(pid) {
        let _ = rustix::process::kill_process(pid, signal);
    }
}
