//! `dax demo-service`: a small HTTP service to try dax with.

use crate::args::{DemoArgs, DemoFault};
use crate::exit::{CliError, Exit};
use dax_provider_builtin::local::demo;

pub(crate) fn run(args: DemoArgs) -> Result<Exit, CliError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let port = args.port;
    let service = demo::Demo {
        name: args.name,
        version: args.version,
        port,
        errors_per_million: args.error_rate,
        latency: args.latency,
        start_delay: args.start_delay,
        crash_after: args.crash_after,
        fault: args.fault.map(fault),
        fault_every: args.fault_every,
        idle_close: args.idle_close,
    };
    runtime
        .block_on(demo::run(service))
        .map_err(|error| CliError::World(format!("port {port}: {error}")))?;
    Ok(Exit::Done)
}

fn fault(fault: DemoFault) -> demo::Fault {
    match fault {
        DemoFault::Truncate => demo::Fault::Truncate,
        DemoFault::Stall => demo::Fault::Stall,
        DemoFault::Drip => demo::Fault::Drip,
        DemoFault::Hang => demo::Fault::Hang,
        DemoFault::Close => demo::Fault::Close,
    }
}
