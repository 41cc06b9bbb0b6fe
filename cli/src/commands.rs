//! The commands, one file each, and what several of them need.

pub(crate) mod abort;
pub(crate) mod adopt;
pub(crate) mod affected;
#[cfg(feature = "local")]
pub(crate) mod agent;
pub(crate) mod apply;
pub(crate) mod approve;
pub(crate) mod build;
pub(crate) mod check;
pub(crate) mod ci;
#[cfg(feature = "local")]
pub(crate) mod demo_service;
pub(crate) mod destroy;
pub(crate) mod diff;
pub(crate) mod doc;
pub(crate) mod doctor;
pub(crate) mod drift;
pub(crate) mod eval;
pub(crate) mod explain;
pub(crate) mod fmt;
pub(crate) mod graph;
pub(crate) mod history;
pub(crate) mod ide_bench;
pub(crate) mod import;
pub(crate) mod import_schema;
pub(crate) mod init;
pub(crate) mod lint;
pub(crate) mod login;
pub(crate) mod lsp;
pub(crate) mod pause;
pub(crate) mod pin;
pub(crate) mod plan;
pub(crate) mod promote;
pub(crate) mod resume;
pub(crate) mod rollback;
pub(crate) mod show;
pub(crate) mod simulate;
pub(crate) mod state;
pub(crate) mod status;
pub(crate) mod test;
pub(crate) mod vendor;
pub(crate) mod why;

use crate::args::{
    EnvironmentArg, MarkdownFlavour, ParamArgs, PlanFormat, RunArgs, SelectionArgs, ShownArgs,
};
use crate::exit::{CliError, Exit};
use crate::printer::Printer;
use crate::progress::Display;
use dax_engine::model::Mode;
use dax_engine::printable::Text;
use dax_engine::{
    ApplyRequest, Engine, EngineError, Finished, Interrupts, Missing, Origin, Outcome, Params,
    Plan, PlanRequest, Reviews, Selection, StateSource, StepId, Told, Watch, event, output_within,
};
use std::io::{IsTerminal, Read, Write};
use std::path::Path;

/// The engine for a folder, with every provider and every place for a state that is built in.
pub(crate) fn engine(folder: &Path, state: Option<String>) -> Result<Engine, CliError> {
    let root = folder
        .canonicalize()
        .map_err(|error| CliError::World(format!("{}: {error}", folder.display())))?;
    let context = dax_provider_builtin::Context {
        folder: root.join(".dax"),
        root: root.clone(),
        program: std::env::current_exe()?,
    };
    let platforms =
        Box::new(move |instance: &_| dax_provider_builtin::provider(instance, &context));
    let state = StateSource {
        url: state,
        key: state_key()?,
        open: Box::new(dax_store_builtin::open),
        stranger: ci::of_a_stranger(),
        pipeline: dax_engine::in_pipeline(&|name| std::env::var_os(name)),
    };
    Ok(Engine::new(root, platforms, state)?)
}

/// How long the command for the state's key may take; it may ask somebody.
const KEY_TIME: std::time::Duration = std::time::Duration::from_secs(60);

/// The text of the key that seals the state: from a variable, from a file, or from what a command prints.
fn state_key() -> Result<Option<String>, CliError> {
    let variable = |name: &str| std::env::var(name).ok().filter(|text| !text.is_empty());
    if let Some(text) = variable("DAX_STATE_KEY") {
        return Ok(Some(text));
    }
    if let Some(path) = variable("DAX_STATE_KEY_FILE") {
        let text = std::fs::read_to_string(&path)
            .map_err(|error| CliError::World(format!("the state's key, {path}: {error}")))?;
        return Ok(Some(text));
    }
    let Some(command) = variable("DAX_STATE_KEY_COMMAND") else { return Ok(None) };
    let wrong =
        |message: String| CliError::World(format!("the command for the state's key: {message}"));
    let mut shell = std::process::Command::new("sh");
    let output = output_within(shell.arg("-c").arg(&command), Vec::new(), KEY_TIME);
    let output = output.map_err(|error| match error.kind() {
        std::io::ErrorKind::TimedOut => wrong(format!("{error} ({} s)", KEY_TIME.as_secs())),
        _ => wrong(error.to_string()),
    })?;
    if !output.status.success() {
        return Err(wrong(output.status.to_string()));
    }
    String::from_utf8(output.stdout)
        .map(Some)
        .map_err(|_| wrong("what it prints is no text".to_owned()))
}

/// Steps as people number them.
pub(crate) fn steps(numbers: &[u32]) -> Vec<StepId> {
    numbers.iter().map(|number| StepId(number.saturating_sub(1))).collect()
}

/// What is to be planned.
pub(crate) fn plan_request(
    environment_arg: &EnvironmentArg,
    params_args: &ParamArgs,
    selection: &SelectionArgs,
    engine: &Engine,
) -> Result<PlanRequest, CliError> {
    let environment = match &environment_arg.environment {
        // Whether there is such a one is found out with the plan.
        Some(name) => name.clone(),
        None => environment(environment_arg, engine)?,
    };
    Ok(PlanRequest {
        environment,
        params: params(params_args, Missing::Report),
        selection: Selection {
            targets: selection.targets.clone(),
            exclude: selection.exclude.clone(),
            ..Selection::default()
        },
        adopt: None,
    })
}

/// The parameters of a command.
pub(crate) fn params(args: &ParamArgs, missing: Missing) -> Params {
    let values =
        args.params.iter().map(|(name, value)| (name.as_str().into(), value.clone())).collect();
    Params {
        values,
        typed: std::collections::BTreeMap::new(),
        missing,
        only: None,
        outputs: std::collections::BTreeMap::new(),
    }
}

/// The environment that is meant: the one named, or the only one there is.
pub(crate) fn environment(arg: &EnvironmentArg, engine: &Engine) -> Result<String, CliError> {
    if let Some(name) = &arg.environment {
        // One that is there for each key is none by itself. A program that cannot be read keeps nobody from going back.
        let declared = engine.declared_environments().unwrap_or_default();
        if declared.get(name.as_str()).is_some_and(|one| one.keyed) {
            return Err(EngineError::NeedsKey { name: name.clone() }.into());
        }
        return Ok(name.clone());
    }
    let none = ParamArgs { params: Vec::new() };
    let checked = engine.check(&params(&none, Missing::Ignore))?;
    let names: Vec<String> = checked.graph.environments.keys().map(ToString::to_string).collect();
    match names.as_slice() {
        [one] => Ok(one.clone()),
        [] => {
            checked.sound()?;
            Err(CliError::Usage("the program has no environment".to_owned()))
        }
        _ => Err(CliError::Usage(format!(
            "which environment? say -e and one of {}",
            names.join(", ")
        ))),
    }
}

/// Asks whether to go on. `--auto-approve` is a yes, and so is the digest of the plan, which somebody has read then.
fn approve(args: &RunArgs, question: &str, out: &mut Printer) -> Result<bool, CliError> {
    if args.auto_approve || args.expect.as_deref().is_some_and(dax_engine::is_vouching) {
        return Ok(true);
    }
    if !std::io::stdin().is_terminal() {
        return Err(CliError::Usage(
            "stdin is not a terminal: pass --expect DIGEST (32 digits or more) or --auto-approve"
                .to_owned(),
        ));
    }
    out.ask(&format!("{question} Only `yes` goes on:"));
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(answer.trim() == "yes")
}

/// Wishes to stop: the first Ctrl-C or SIGTERM stops at the next safe place, the second at once.
///
/// # Errors
/// The system has no thread to give.
fn interrupts() -> std::io::Result<Interrupts> {
    let (sender, receiver) = tokio::sync::mpsc::channel(4);
    std::thread::Builder::new().spawn(move || {
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
            return;
        };
        runtime.block_on(async {
            use tokio::signal::unix::{SignalKind, signal};
            let (Ok(mut interrupt), Ok(mut terminate)) =
                (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
            else {
                return;
            };
            let mut count = 0;
            loop {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
                count += 1;
                if count > 1 {
                    std::process::exit(Exit::Interrupted.code());
                }
                let _ = sender.send(()).await;
            }
        });
    })?;
    Ok(receiver)
}

/// Shows a plan, asks whether it is wanted, and carries it out: the way of everything that changes the world.
pub(crate) fn show_and_apply(
    plan: Plan,
    again: Option<PlanRequest>,
    question: &str,
    args: &RunArgs,
    origin: Origin,
    engine: &Engine,
    out: &mut Printer,
) -> Result<Exit, CliError> {
    engine.nothing_waits(&plan.environment)?;
    let standing = engine.standing(&plan)?;
    out.signed = standing.signed;
    if !out.quiet {
        let shown = ShownArgs {
            format: vec![PlanFormat::Human],
            flavour: MarkdownFlavour::Github,
            budget: None,
        };
        out.plan(&plan, &standing, &shown);
        out.arrived()?;
    }
    if let Some(message) = dax_engine::denial(&plan, &standing) {
        return Err(EngineError::Denied { message }.into());
    }
    if plan.is_empty() {
        // Who expects a plan expects its conditions.
        if let Some(expected) = &args.expect
            && engine.brings_conditions(&plan)?
        {
            dax_engine::expected(expected, &plan)?;
        }
        if engine.accept_conditions(&plan, &Reviews::default(), None)? {
            let recorded = engine.recorded_conditions(&plan.environment)?;
            let said = recorded.map(|one| one.conditions.to_string()).unwrap_or_default();
            out.note(&format!("the conditions of `{}` are now: {said}", plan.environment));
        }
        return Ok(Exit::Done);
    }
    if let Some(expected) = &args.expect {
        dax_engine::expected(expected, &plan)?;
    }
    if !approve(args, question, out)? {
        out.note("nothing was changed");
        return Ok(Exit::Error);
    }
    let request = ApplyRequest {
        plan,
        expect: args.expect.clone(),
        acknowledged: steps(&args.acknowledge).into_iter().collect(),
        why: args.reason.clone(),
        name: args.point.as_deref().map(Into::into),
        lock_timeout: args.lock_timeout,
        again,
        origin,
        reviews: Reviews::default(),
        base: None,
    };
    carry_out(out, args.events.events.as_deref(), |interrupts, watch| {
        engine.apply(request, interrupts, watch)
    })
}

/// The text of a file; `-` is standard input.
pub(crate) fn read_text(path: &Path) -> Result<String, CliError> {
    dax_engine::text::decode(read_bytes(path)?)
        .map_err(|found| CliError::World(format!("{}: {found}", path.display())))
}

/// The bytes of a file that a person named, as many as fit; `-` is standard input.
pub(crate) fn read_bytes(path: &Path) -> Result<Vec<u8>, CliError> {
    let wrong = |message: String| CliError::World(format!("{}: {message}", path.display()));
    let mut bytes = Vec::new();
    let limit = dax_files::LARGEST + 1;
    let read = if path.as_os_str() == "-" {
        std::io::stdin().lock().take(limit).read_to_end(&mut bytes)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes))
    };
    read.map_err(|error| wrong(error.to_string()))?;
    if bytes.len() as u64 == limit {
        return Err(wrong(format!("it is larger than {} MiB", dax_files::LARGEST >> 20)));
    }
    Ok(bytes)
}

/// Writes what a command made to the file that is named, or to standard output.
pub(crate) fn deliver(
    text: &str,
    output: Option<&Path>,
    out: &mut Printer,
) -> Result<Exit, CliError> {
    match output {
        Some(path) => {
            dax_files::write_given(path, text.as_bytes())
                .map_err(|error| CliError::World(format!("{}: {error}", path.display())))?;
            out.note(&format!("written: {}", path.display()));
        }
        None => out.exact(text),
    }
    Ok(Exit::Done)
}

/// Runs something that shows progress, and says how it ended.
pub(crate) fn carry_out(
    out: &mut Printer,
    events: Option<&Path>,
    run: impl FnOnce(&mut Interrupts, Watch<'_>) -> Result<Finished, EngineError>,
) -> Result<Exit, CliError> {
    let finished = perform(out, events, run)?;
    Ok(Exit::of(&finished.outcome))
}

/// The same for whoever wants to know more than how it ended.
pub(crate) fn perform(
    out: &mut Printer,
    events: Option<&Path>,
    run: impl FnOnce(&mut Interrupts, Watch<'_>) -> Result<Finished, EngineError>,
) -> Result<Finished, EngineError> {
    let mut display = Display::new(out.quiet, out.signed, out.streams.clone());
    let open = |path: &Path| std::fs::File::options().create(true).append(true).open(path);
    let wrong = |source| EngineError::File {
        path: events.map_or_else(String::new, |path| path.display().to_string()),
        source,
    };
    let mut file = events.map(open).transpose().map_err(wrong)?;
    let mut lost = None;
    let mut runs = 0;
    let mut watch = |plan: &Plan, run: u64, told: Told| {
        if let Some(file) = &mut file {
            let now = jiff::Timestamp::now().as_millisecond();
            let line = event(plan, run, u64::try_from(now).unwrap_or(0), &told);
            // A line is written at once, so that whoever follows the file never sees half of one.
            let line = Text::json(&line);
            if lost.is_none() {
                lost = file.write_all(format!("{line}\n").as_bytes()).err();
            }
        }
        match told {
            Told::Progress(progress) => display.event(plan, progress),
            Told::Begins => {
                runs += 1;
                if runs > 1 {
                    let names: Vec<&str> =
                        plan.changes.iter().map(|change| change.addr.name()).collect();
                    display.line(&format!(
                        "now that it is known what they waited for: {}",
                        names.join(", ")
                    ));
                }
            }
            Told::Ends(_) => {}
        }
    };
    let mut interrupts = interrupts().map_err(|source| EngineError::File {
        path: "the thread that waits for Ctrl-C".to_owned(),
        source,
    })?;
    out.ran = true;
    let finished = run(&mut interrupts, &mut watch)?;
    if let (Some(path), Some(error)) = (events, &lost) {
        out.events_lost(path, error);
    }
    let environment = &finished.plan.environment;
    match &finished.outcome {
        Outcome::Succeeded => {
            let now = match finished.plan.mode {
                Mode::Destroy => "is gone",
                Mode::Rollback => "is rolled back",
                Mode::Apply => "is as planned",
            };
            out.note(&format!("done: `{environment}` {now} (run {})", finished.run));
            out.calls(&finished.calls);
            for (addr, url) in &finished.urls {
                out.note(&format!("  {}  {url}", addr.name()));
            }
            if !finished.plan.deferred.is_empty() {
                let names: Vec<&str> =
                    finished.plan.deferred.iter().map(|one| one.addr.name()).collect();
                out.note(&format!(
                    "what they waited for is known now: plan and apply {} next",
                    names.join(", ")
                ));
            }
        }
        Outcome::RolledBack { step: None, message } => {
            out.alarm(&format!("{message}; everything was rolled back"));
            finished.aftermath.iter().for_each(|sentence| out.alarm(sentence));
        }
        Outcome::RolledBack { step: Some(step), message } => {
            let failed = finished
                .plan
                .steps
                .get(step.0 as usize)
                .map_or_else(String::new, |s| format!(" of {}", s.service));
            out.alarm(&format!("failed at step {step}{failed}: {message}"));
            finished.aftermath.iter().for_each(|sentence| out.alarm(sentence));
        }
        Outcome::Stuck { step, message } => {
            out.alarm(&format!("step {step} could not be rolled back: {message}"));
            out.alarm(&format!(
                "mend the cause and carry on with `dax resume -e {environment}`, or leave that step as it is with `--skip {step} --reason …`"
            ));
        }
        Outcome::Held { step, message } => {
            out.alarm(&format!("step {step} waits for a decision: {message}"));
            out.alarm(&format!(
                "`dax resume -e {environment} --again {step}` tries it again, `--done {step} --reason …` goes on without, `dax abort -e {environment}` rolls everything back"
            ));
        }
        Outcome::Diverged { message } => {
            out.alarm(&format!("every step went well, yet {message}; `dax plan -e {environment}` shows what is left to do"));
        }
        Outcome::Abandoned { message } => {
            out.alarm(&format!(
                "run {} is ended as it is: {message}. Nothing was rolled back, and the state says what it said before: see `dax status -e {environment}` and `dax drift -e {environment}`, then `dax apply -e {environment}`",
                finished.run
            ));
        }
        Outcome::Interrupted => {
            out.alarm(&format!("interrupted; carry on with `dax resume -e {environment}`"))
        }
    }
    Ok(finished)
}
