//! `dax agent`: looks after local services; started by dax itself.

use crate::args::AgentArgs;
use crate::exit::{CliError, Exit};
use std::process::Stdio;

pub(crate) fn run(args: AgentArgs) -> Result<Exit, CliError> {
    if !args.stay {
        // A session of its own: the terminal's signals and its end are no business of the agent.
        let _ = rustix::process::setsid();
        let mut command = std::process::Command::new(std::env::current_exe()?);
        command
            .args(["agent", "--stay", "--folder"])
            .arg(&args.folder)
            .arg("--root")
            .arg(&args.root);
        command.stdin(Stdio::null()).stdout(Stdio::null()).spawn()?;
        return Ok(Exit::Done);
    }
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(dax_provider_builtin::local::agent::run(args.folder, args.root))?;
    Ok(Exit::Done)
}
