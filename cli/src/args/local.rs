//! Arguments of what runs on this machine: the demo service and the agent.

use super::duration;
use clap::{Args, ValueEnum};
use std::path::PathBuf;
use std::time::Duration;

#[derive(Args)]
pub(crate) struct DemoArgs {
    /// Name in its answers.
    #[arg(long, default_value = "demo")]
    pub(crate) name: String,
    /// Version in its answers.
    #[arg(long = "version", id = "demo_version", default_value = "1")]
    pub(crate) version: String,
    /// Port; that of the variable PORT by default.
    #[arg(long, env = "PORT", default_value = "8080")]
    pub(crate) port: u16,
    /// Share of requests that fail: `20%`.
    #[arg(long, default_value = "0%", value_parser = percent)]
    pub(crate) error_rate: u64,
    /// Latency of each answer.
    #[arg(long, default_value = "0ms", value_parser = duration)]
    pub(crate) latency: Duration,
    /// Time to start.
    #[arg(long, default_value = "0ms", value_parser = duration)]
    pub(crate) start_delay: Duration,
    /// Crash after so many requests.
    #[arg(long)]
    pub(crate) crash_after: Option<u64>,
    /// Inject a fault into answers, for proxies and canaries to cope with.
    #[arg(long, value_enum)]
    pub(crate) fault: Option<DemoFault>,
    /// Inject the fault into one of so many requests.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) fault_every: u64,
    /// Close a connection on which nothing was asked for this long.
    #[arg(long, value_parser = duration)]
    pub(crate) idle_close: Option<Duration>,
}

/// What can go wrong with an answer of the demo service.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum DemoFault {
    /// The body ends in the middle.
    Truncate,
    /// The body stops in the middle, and nothing more comes.
    Stall,
    /// The body comes byte by byte, one each 50 ms.
    Drip,
    /// No answer comes.
    Hang,
    /// The connection is closed without an answer.
    Close,
}

/// A percentage as parts of a million.
fn percent(text: &str) -> Result<u64, String> {
    let wrong = || "write a share such as 20%".to_owned();
    let number: f64 = text.strip_suffix('%').ok_or_else(wrong)?.parse().map_err(|_| wrong())?;
    if !(0.0..=100.0).contains(&number) {
        return Err("a share lies between 0% and 100%".to_owned());
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "within 0 and 1,000,000"
    )]
    Ok((number * 10_000.0).round() as u64)
}

#[derive(Args)]
pub(crate) struct AgentArgs {
    /// Folder of the agent's files
    #[arg(id = "agent_folder", long = "folder", default_value = ".dax/local")]
    pub(crate) folder: PathBuf,
    /// Folder in which the services' processes run
    #[arg(id = "agent_root", long = "root", default_value = ".")]
    pub(crate) root: PathBuf,
    /// Stay; without it the agent is started in a session of its own and this process ends.
    #[arg(long)]
    pub(crate) stay: bool,
    /// End the agent and everything that agents of this project started, and put the record aside
    #[arg(long, conflicts_with = "stay")]
    pub(crate) end: bool,
}
