//! `dax-soak`: the kill loop with real processes, and the service that it deploys. `cargo xtask soak` builds and runs it.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "its output is what it is for")]

use dax_tests::soak::{Options, run, service};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

const USAGE: &str = "Kill real processes under load, and check what is left

Usage: cargo xtask soak [OPTIONS]

Options:
  --minutes <N>    Begin no iteration after so many minutes [default: 10]
  --state <PLACE>  Keep the state in `sqlite` or `postgres` [default: sqlite]
  --seed <N>       Choose everything from this seed [default: one of chance, which is shown]
  --iteration <N>  Do this iteration again and again
  --dax <FILE>     Put this program to the test [default: target/debug/dax]

Ctrl-C ends it after the iteration under way. It exits with 1 where anything was wrong.";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let result = match words[..] {
        ["serve", traces, name, version] => {
            service::serve(Path::new(traces), name, version).map_err(|error| error.to_string())
        }
        ["nap", ..] => {
            service::nap();
            Ok(())
        }
        ["-h" | "--help"] => {
            println!("{USAGE}");
            Ok(())
        }
        _ => options(&words).and_then(|options| soak(&options)),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}

fn options(words: &[&str]) -> Result<Options, String> {
    let clock = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let mut options = Options {
        dax: dax_tests::root().join("target/debug/dax"),
        time: Duration::from_secs(600),
        seed: clock.map_or(1, |time| time.as_secs()),
        only: None,
        with_database: false,
    };
    let mut words = words.iter();
    while let Some(name) = words.next() {
        let value = words.next().ok_or_else(|| format!("`{name}` has no value\n\n{USAGE}"))?;
        let wrong = || format!("`{name} {value}` is not understood\n\n{USAGE}");
        match (*name, *value) {
            ("--minutes", _) => {
                let minutes: f64 = value.parse().map_err(|_| wrong())?;
                options.time = Duration::try_from_secs_f64(minutes * 60.0).map_err(|_| wrong())?;
            }
            ("--seed", _) => options.seed = value.parse().map_err(|_| wrong())?,
            ("--iteration", _) => options.only = Some(value.parse().map_err(|_| wrong())?),
            ("--dax", _) => options.dax = PathBuf::from(value),
            ("--state", "sqlite" | "postgres") => options.with_database = *value == "postgres",
            _ => return Err(wrong()),
        }
    }
    Ok(options)
}

fn soak(options: &Options) -> Result<(), String> {
    let stop = Arc::<AtomicBool>::default();
    on_interrupt(stop.clone());
    let report = run(options, &stop).map_err(|error| error.to_string())?;
    println!("{report}");
    if report.problems.is_empty() {
        return Ok(());
    }
    let folder = std::env::temp_dir().join(format!("dax-soak-{}", std::process::id()));
    Err(format!(
        "{} problems; the project is kept in {}; `cargo xtask soak --seed {} --iteration N` repeats one",
        report.problems.len(),
        folder.display(),
        options.seed
    ))
}

/// The first SIGINT or SIGTERM ends the loop after its iteration.
fn on_interrupt(stop: Arc<AtomicBool>) {
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(async {
            use tokio::signal::unix::{SignalKind, signal};
            let mut term = signal(SignalKind::terminate()).expect("a handler");
            loop {
                tokio::select! {
                    _ = tokio::signal::ctrl_c() => {}
                    _ = term.recv() => {}
                }
                stop.store(true, Ordering::Release);
                eprintln!("it ends after this iteration");
            }
        });
    });
}
