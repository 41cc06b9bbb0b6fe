//! `dax`: the command line.
//!
//! A command turns arguments into a request, calls the engine and hands values to the printer. Data goes to
//! stdout, everything else to stderr; the exit code says how it went.

mod args;
mod commands;
mod diagnostics;
mod exit;
mod output;
mod printer;
mod progress;

use args::{Arguments, Command};
use clap::Parser;
use exit::{CliError, Exit};
use printer::Printer;

/// A program is many small values that are made once and read often.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => std::process::exit(told(&error).code()),
    };
    let mut printer = Printer::new(arguments.quiet, arguments.verbose);
    let exit = match run(arguments, &mut printer) {
        Ok(exit) => exit,
        Err(error) => {
            let exit = error.exit();
            printer.error(&error);
            exit
        }
    };
    std::process::exit(printer.finish(exit).code());
}

/// Says what is wrong with the command line, or shows the help that it asks for.
fn told(error: &clap::Error) -> Exit {
    let plain = error.render().to_string();
    let mut printer = Printer::new(false, false);
    if error.use_stderr() {
        // It repeats words of the command line, which a script may have from anywhere.
        if plain.contains(|c: char| c != '\n' && dax_engine::printable::is_hidden(c)) {
            printer.alarm(&plain);
        } else {
            let _ = error.print();
        }
        return Exit::Usage;
    }
    printer.styled(&plain, &error.render().ansi().to_string());
    printer.finish(Exit::Done)
}

fn run(arguments: Arguments, out: &mut Printer) -> Result<Exit, CliError> {
    // As if started there: every path of the command line is meant from that folder.
    std::env::set_current_dir(&arguments.folder)
        .map_err(|error| CliError::World(format!("{}: {error}", arguments.folder.display())))?;
    let folder = std::path::Path::new(".");
    // A variable that a pipeline sets to nothing is none.
    let state = arguments.state.filter(|url| !url.is_empty());
    match arguments.command {
        #[cfg(feature = "local")]
        Command::Agent(args) => commands::agent::run(args, out),
        #[cfg(feature = "local")]
        Command::DemoService(args) => commands::demo_service::run(args),
        Command::Init(args) => commands::init::run(&args, folder, out),
        Command::Explain(args) => commands::explain::run(&args, out),
        Command::Fmt(args) => commands::fmt::run(&args, folder, out),
        Command::Import(command) => commands::import::run(&command, out),
        Command::ImportSchema(args) => commands::import_schema::run(&args, out),
        Command::Affected(args) => commands::affected::run(&args, folder, out),
        Command::Lsp(args) => commands::lsp::run(&args),
        Command::Ci(args) => commands::ci::run(&args, state.as_deref(), out),
        Command::Login(args) => commands::login::run(&args, out),
        Command::IdeBench(args) => commands::ide_bench::run(&args, folder, out),
        other => {
            let engine = commands::engine(folder, state)?;
            match other {
                Command::Check(args) => commands::check::run(&args, &engine, out),
                Command::Lint(args) => commands::lint::run(&args, &engine, out),
                Command::Test(args) => commands::test::run(&args, &engine, out),
                Command::Plan(args) => commands::plan::run(&args, &engine, out),
                Command::Show(args) => commands::show::run(&args, &engine, out),
                Command::Diff(args) => commands::diff::run(&args, &engine, out),
                Command::Apply(args) => commands::apply::run(args, &engine, out),
                Command::Approve(args) => commands::approve::run(&args, &engine, out),
                Command::Pause(args) => commands::pause::run(&args, &engine, out),
                Command::Abort(args) => commands::abort::run(args, &engine, out),
                Command::Pin(args) => commands::pin::run(&args, true, &engine, out),
                Command::Unpin(args) => commands::pin::run(&args, false, &engine, out),
                Command::Adopt(args) => commands::adopt::run(&args, &engine, out),
                Command::Drift(args) => commands::drift::run(&args, &engine, out),
                Command::State(args) => commands::state::run(&args, &engine, out),
                Command::Resume(args) => commands::resume::run(&args, &engine, out),
                Command::Rollback(args) => commands::rollback::run(&args, &engine, out),
                Command::Promote(args) => commands::promote::run(args, &engine, out),
                Command::Destroy(args) => commands::destroy::run(&args, &engine, out),
                Command::Status(args) => commands::status::run(&args, &engine, out),
                Command::Doctor(args) => commands::doctor::run(&args, &engine, out),
                Command::History(args) => commands::history::run(&args, &engine, out),
                Command::Why(args) => commands::why::run(&args, &engine, out),
                Command::Graph(args) => commands::graph::run(&args, &engine, out),
                Command::Eval(args) => commands::eval::run(&args, &engine, out),
                Command::Doc(args) => commands::doc::run(&args, &engine, out),
                Command::Vendor(args) => commands::vendor::run(&args, &engine, out),
                Command::Build(args) => commands::build::run(&args, &engine, out),
                Command::Agent(_)
                | Command::DemoService(_)
                | Command::Lsp(_)
                | Command::IdeBench(_)
                | Command::Ci(_)
                | Command::Login(_)
                | Command::Init(_)
                | Command::Explain(_)
                | Command::Fmt(_)
                | Command::Affected(_)
                | Command::Import(_)
                | Command::ImportSchema(_) => Ok(Exit::Usage),
            }
        }
    }
}
