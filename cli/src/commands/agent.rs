//! `dax agent`: looks after local services; started by dax itself.

use crate::args::AgentArgs;
use crate::exit::{CliError, Exit};
use crate::printer::Printer;
use std::process::Stdio;

/// Threads of the agent beside the one that starts it.
const THREADS: usize = 2;

pub(crate) fn run(args: AgentArgs, out: &mut Printer) -> Result<Exit, CliError> {
    if args.end {
        return end(&args, out);
    }
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
        tokio::runtime::Builder::new_multi_thread().worker_threads(THREADS).enable_all().build()?;
    runtime.block_on(dax_provider_builtin::local::agent::run(args.folder, args.root))?;
    Ok(Exit::Done)
}

/// Ends what nobody can look after any more.
fn end(args: &AgentArgs, out: &mut Printer) -> Result<Exit, CliError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let ended = runtime.block_on(dax_provider_builtin::local::end_everything(&args.folder))?;
    if ended.is_empty() {
        out.note("nothing that dax started for this project runs here");
    }
    for one in ended {
        out.note(&format!("ended: {one}"));
    }
    Ok(Exit::Done)
}
