//! `dax ci`: plans on change requests, and what was reviewed carried out after the merge.

use crate::args::{CiApplyArgs, CiArgs, CiCommand, CiTriggerArgs, CiWhat};
use crate::commands::{self, params, perform};
use crate::diagnostics;
use crate::exit::{CliError, Exit};
use crate::output::Streams;
use crate::printer::Printer;
use dax_engine::printable::{Line, Text};
use dax_engine::{Engine, EngineError, Missing, Outcome};
use dax_review::{
    Annotation, ApplyOptions, Ending, Forge, Level, Options, Output, Place, Published, Remote,
    ReviewError, Sent, Trigger, Watch, place,
};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

pub(crate) fn run(args: &CiArgs, state: Option<&str>, out: &mut Printer) -> Result<Exit, CliError> {
    match &args.command {
        None => review(&args.what, state, out),
        Some(CiCommand::Apply(args)) => apply(args, state, out),
        Some(CiCommand::Trigger(args)) => trigger(args, out),
    }
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

pub(crate) fn here() -> Result<Option<Place>, CliError> {
    Ok(place(&variable, &|path| std::fs::read_to_string(path).ok())?)
}

/// Whether a pipeline runs for somebody outside of the repository: a change request from a fork. Where it cannot be
/// told, it does.
pub(crate) fn of_a_stranger() -> bool {
    !here().is_ok_and(|place| place.is_none_or(|place| !place.is_from_fork()))
}

/// The record of requests among what a run leaves.
const RECORD: &str = "requests.jsonl";

/// Tells of calls: those that are held back as data, the others to the curious and to a file, a line each.
fn watch(verbose: bool, audit: Option<Output>, streams: Streams) -> Watch {
    Arc::new(move |sent: &Sent| {
        if let Some(output) = audit.as_ref().filter(|_| !sent.held_back) {
            let at = jiff::Timestamp::now().to_string();
            let line = serde_json::json!({
                "at": at, "method": sent.method, "url": sent.url, "status": sent.status,
                "took_ms": sent.took.as_millis(), "waited_ms": sent.waited.as_millis(),
            });
            // What is asked matters more than that it is on record.
            if let Err(error) = output.append(RECORD, Text::json(&line.to_string()).as_str()) {
                streams.message(&format!("a request is not on record: {error}"));
            }
        }
        if sent.held_back {
            let body: serde_json::Value = serde_json::from_str(&sent.body).unwrap_or_default();
            streams.text(&Line::new(&format!("{} {}", sent.method, sent.url)).into());
            streams.json(&format!("\n{body:#}\n\n"));
        } else if verbose {
            let status =
                sent.status.map_or_else(|| "no answer".to_owned(), |status| status.to_string());
            let waited = if sent.waited.is_zero() {
                String::new()
            } else {
                format!(", {} s of it waiting as told", sent.waited.as_secs())
            };
            streams.message(&format!(
                "{} {} {status} in {} ms{waited}",
                sent.method,
                sent.url,
                sent.took.as_millis()
            ));
        } else if !sent.waited.is_zero() {
            streams.message(&format!(
                "waited {} s, because the other side was too busy",
                sent.waited.as_secs()
            ));
        }
    })
}

pub(crate) fn forge(
    place: &Place,
    dry: bool,
    patience: Duration,
    audit: Option<&Output>,
    out: &Printer,
) -> Result<Forge, CliError> {
    let remote = Remote {
        kind: place.kind.to_owned(),
        api: place.api.clone(),
        repository: place.repository.clone(),
        run: place.run.clone(),
        credential: place.credential.clone(),
        dry,
        patience,
        watch: watch(out.verbose, audit.cloned(), out.streams.clone()),
    };
    Ok(Forge::new(&remote, &dax_provider_builtin::source_control)?)
}

fn options(args: &CiWhat, output: &Output) -> Result<Options, CliError> {
    Ok(Options {
        folder: Path::new(".").canonicalize()?,
        base: args.base.clone(),
        environments: args.environments.clone(),
        all: args.all,
        params: params(&args.params, Missing::Report),
        check: args.check_name.clone(),
        dry: args.dry_run,
        output: output.clone(),
    })
}

/// Makes engines; what goes wrong with that is the engine's fault for whoever asks.
fn opener(state: Option<&str>) -> impl Fn(&Path) -> Result<Engine, EngineError> + use<> {
    let state = state.map(str::to_owned);
    move |folder: &Path| match commands::engine(folder, state.clone()) {
        Ok(engine) => Ok(engine),
        Err(CliError::Engine(error)) => Err(error),
        Err(CliError::Usage(message) | CliError::World(message)) => {
            Err(EngineError::Denied { message })
        }
    }
}

/// Makes sure that a job was told where the state is: one of its own would be empty, and gone with it. Only a change
/// request from a fork is planned without any, because it gets no secrets.
fn has_state(place: &Place, state: Option<&str>) -> Result<(), CliError> {
    if state.is_some() || place.is_from_fork() {
        return Ok(());
    }
    let what = match variable("DAX_STATE") {
        Some(_) => "is empty, as a secret is that this job does not have",
        None => "is not set",
    };
    Err(CliError::World(format!(
        "DAX_STATE {what}: the state would be this job's own, empty and gone with it; set \
         DAX_STATE to the address of the state that every job reaches (postgres://… or s3://…), \
         or pass --state"
    )))
}

fn review(args: &CiWhat, state: Option<&str>, out: &mut Printer) -> Result<Exit, CliError> {
    let place = here()?;
    if let Some(place) = &place {
        has_state(place, state)?;
        if state.is_none() {
            out.alarm(
                "note: no DAX_STATE, as for a change request from a fork: this is planned as if \
                 nothing ran yet",
            );
        }
    }
    if place.is_none() && args.base.is_none() {
        return Err(CliError::Usage(
            "this is no pipeline that dax knows: say --base REV to hold the change against a \
             revision"
                .to_owned(),
        ));
    }
    let output = Output::create(&args.output)?;
    let forge = place
        .as_ref()
        .map(|place| forge(place, args.dry_run, args.patience, Some(&output), out))
        .transpose()?;
    let options = options(args, &output)?;
    let found = dax_review::review(
        &options,
        place.as_ref(),
        forge.as_ref(),
        &opener(state),
        &mut |text| out.note(text),
    )?;
    for remark in &found.remarks {
        out.alarm(&format!("note: {remark}"));
    }
    if place.as_ref().is_none_or(|place| place.kind != "github") {
        if found.page.is_empty() && found.remarks.is_empty() {
            out.data("no environment is affected\n");
        }
        out.data(&found.page);
    } else {
        summary(&found)?;
        // Where the check shows no remarks, the log does.
        if !found.annotated {
            out.commands(&workflow_commands(&found.annotations));
        }
    }
    for file in &found.files {
        out.detail(&format!("written: {}", file.display()));
    }
    for fault in &found.faults {
        out.alarm(fault);
    }
    for line in &found.hidden {
        out.alarm(line);
    }
    for report in found.reports.iter().filter(|report| report.failed()) {
        out.alarm(&format!("{}: see {}/summary.md", report.headline(), args.output.display()));
    }
    Ok(if found.failed {
        Exit::Error
    } else if found.denied {
        Exit::Denied
    } else {
        Exit::Done
    })
}

/// Shows the page below the run, and hands on where the report is.
fn summary(found: &Published) -> Result<(), CliError> {
    let append = |variable_name: &str, text: &str| -> Result<(), CliError> {
        let Some(path) = variable(variable_name).filter(|path| !path.is_empty()) else {
            return Ok(());
        };
        let mut file =
            std::fs::File::options().create(true).append(true).open(PathBuf::from(path))?;
        Ok(file.write_all(text.as_bytes())?)
    };
    append("GITHUB_STEP_SUMMARY", &found.page)?;
    let report = found.files.iter().find(|path| path.ends_with("report.json"));
    let report = report.map_or_else(String::new, |path| path.display().to_string());
    append(
        "GITHUB_OUTPUT",
        &format!(
            "failed={}\ndenied={}\nreport={}\n",
            found.failed,
            found.denied,
            Line::new(&report)
        ),
    )
}

/// Remarks as GitHub reads them off the log.
fn workflow_commands(all: &[Annotation]) -> String {
    let line = |one: &Annotation| {
        let level = match one.level {
            Level::Failure => "error",
            Level::Warning => "warning",
            Level::Notice => "notice",
        };
        let (file, title) = (diagnostics::property(&one.path), diagnostics::property(&one.title));
        format!(
            "::{level} file={file},line={},title={title}::{}\n",
            one.line,
            diagnostics::data(&one.message)
        )
    };
    all.iter().map(line).collect()
}

fn apply(args: &CiApplyArgs, state: Option<&str>, out: &mut Printer) -> Result<Exit, CliError> {
    let place = here()?.ok_or_else(|| {
        CliError::Usage(
            "this is no pipeline that dax knows: `dax ci apply` runs in GitHub Actions, GitLab CI or Bitbucket Pipelines".to_owned(),
        )
    })?;
    if args.what.dry_run {
        return Err(CliError::Usage(
            "`dax ci apply` changes what runs: `dax ci --dry-run` shows what would be said"
                .to_owned(),
        ));
    }
    has_state(&place, state)?;
    let output = Output::create(&args.what.output)?;
    let forge = forge(&place, false, args.what.patience, Some(&output), out)?;
    let request = ApplyOptions {
        options: options(&args.what, &output)?,
        unreviewed: args.unreviewed,
        acknowledge: args.acknowledge_reviewed,
        lock_timeout: args.lock_timeout,
    };
    let applied = {
        let (quiet, streams) = (out.quiet, out.streams.clone());
        let mut carry = |engine: &Engine,
                         request: dax_engine::ApplyRequest,
                         hear: &mut dyn FnMut(&dax_engine::Told)| {
            perform(out, None, |interrupts, watch| {
                engine.apply(request, interrupts, &mut |plan, run, told| {
                    hear(&told);
                    watch(plan, run, told);
                })
            })
        };
        let mut say = |text: &str| {
            if !quiet {
                streams.message(text);
            }
        };
        dax_review::apply(&request, &place, &forge, &opener(state), &mut carry, &mut say)?
    };
    if applied.is_empty() {
        out.note("there is nothing to apply");
    }
    let mut exit = Exit::Done;
    for one in applied {
        let name = format!("{} / {}", one.project, one.environment);
        for remark in &one.remarks {
            out.alarm(&format!("note: {remark}"));
        }
        let ended = match one.ending {
            Ending::Nothing => {
                out.note(&format!("{name}: nothing to do"));
                Exit::Done
            }
            Ending::Ran(finished) => {
                if finished.outcome != Outcome::Succeeded {
                    out.alarm(&format!("{name}: {}", finished.outcome.word()));
                }
                Exit::of(&finished.outcome)
            }
            Ending::Accepted => {
                out.note(&format!("{name}: the conditions of the program are in force"));
                Exit::Done
            }
            Ending::Other(unreviewed) => {
                let what = if unreviewed.never {
                    "no plan of it was shown to reviewers"
                } else {
                    "this was not shown to reviewers"
                };
                out.alarm(&format!("{name}: not applied: {what}:"));
                unreviewed.lacks.iter().for_each(|line| out.alarm(&format!("  {line}")));
                out.blocks(&unreviewed.difference);
                unreviewed.help.iter().for_each(|line| out.alarm(&format!("help: {line}")));
                if unreviewed.never { Exit::Denied } else { Exit::Stale }
            }
            Ending::Waits(waiting) => {
                waiting
                    .why
                    .iter()
                    .for_each(|why| out.alarm(&format!("{name}: not applied: {why}")));
                // What was asked for by name and is not done is a failure; what waits for its turn is none.
                if waiting.early && args.what.environments.is_empty() {
                    Exit::Done
                } else {
                    Exit::Denied
                }
            }
            Ending::Failed(error) => {
                let error = CliError::Engine(error);
                out.alarm(&format!("{name}: not applied"));
                out.error(&error);
                error.exit()
            }
        };
        if exit == Exit::Done {
            exit = ended;
        }
    }
    Ok(exit)
}

fn trigger(args: &CiTriggerArgs, out: &mut Printer) -> Result<Exit, CliError> {
    let place = here()?.ok_or_else(|| {
        CliError::Usage(
            "this is no pipeline that dax knows, so it has no token for another".to_owned(),
        )
    })?;
    let other = Place { repository: args.repository.clone(), ..place };
    let forge = forge(&other, args.dry_run, Duration::from_mins(5), None, out)?;
    let trigger = Trigger {
        branch: args.branch.clone(),
        workflow: args.workflow.clone(),
        inputs: args.inputs.iter().cloned().collect(),
    };
    let page = forge.ask(|remote| remote.trigger(&trigger)).map_err(ReviewError::from)?;
    out.note(&format!("started{}", page.map_or_else(String::new, |page| format!(": {page}"))));
    Ok(Exit::Done)
}
