//! `dax promote`: what one environment proved moves to another.

use crate::args::PromoteArgs;
use crate::commands::show_and_apply;
use crate::exit::{CliError, Exit};
use crate::printer::Printer;
use dax_engine::render::millis;
use dax_engine::{Bundle, Engine, Origin, diagnostic};

pub(crate) fn run(args: PromoteArgs, engine: &Engine, out: &mut Printer) -> Result<Exit, CliError> {
    let bundle = engine.bundle(&args.from)?;
    facts(&bundle, out);
    engine.wait_for_others(&args.to, args.run.lock_timeout)?;
    let (judged, request) = engine.plan_promotion(&bundle, &args.to)?;
    if !diagnostic::has_errors(&judged.findings) {
        out.diagnostics(&judged.sources, &judged.findings);
    }
    let plan = judged.allowed()?;
    let question = format!("Bring this to `{}`?", args.to);
    show_and_apply(
        plan,
        Some(request),
        &question,
        &args.run,
        Origin::Promoted(bundle.record()),
        engine,
        out,
    )
}

/// What speaks for it.
fn facts(bundle: &Bundle, out: &mut Printer) {
    let row = |name: &str, value: String| vec![name.to_owned(), value];
    let mut rows = vec![
        row("bundle", bundle.digest.to_string()),
        row(
            "proved in",
            format!(
                "{}, run {}, {} ago",
                bundle.from,
                bundle.run,
                millis(bundle.age.as_secs() * 1000)
            ),
        ),
        row("analysis", if bundle.verified { "passed" } else { "none" }.to_owned()),
        row(
            "program",
            bundle.commit.as_ref().map_or_else(
                || bundle.config.to_string(),
                |commit| format!("commit {}", commit.id),
            ),
        ),
    ];
    for (addr, image) in &bundle.artefacts {
        rows.push(row(addr.name(), image.to_string()));
    }
    out.table(&["what", "is"], &rows);
    let loose: Vec<&str> = bundle.loose().into_iter().map(|addr| addr.name()).collect();
    if !loose.is_empty() {
        out.note(&format!("{}: named by a tag, which may lead elsewhere tomorrow; a digest (`image@sha256:…`) cannot", loose.join(", ")));
    }
}
