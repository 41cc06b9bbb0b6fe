//! `dax diff`: what a new plan changes of an old one.

use crate::args::{DiffArgs, PlanFormat};
use crate::exit::{CliError, Exit};
use crate::printer::Printer;
use dax_engine::{Engine, digest, render};
use serde_json::json;

pub(crate) fn run(args: &DiffArgs, engine: &Engine, out: &mut Printer) -> Result<Exit, CliError> {
    let (old, new) = (engine.open_plan(&args.old)?, engine.open_plan(&args.new)?);
    let blocks = render::diff(&old, &new);
    for format in &args.format {
        match format {
            PlanFormat::Human => out.blocks(&blocks),
            PlanFormat::Markdown => {
                let flavour = render::Flavour::GitHub;
                out.data(&render::markdown(&blocks, flavour, flavour.budget()));
            }
            PlanFormat::Html => {
                out.data(&render::html(&format!("{} / {}", new.project, new.environment), &blocks))
            }
            PlanFormat::Json => {
                let text = render::terminal(&blocks, false);
                let lines: Vec<&str> = text.lines().collect();
                let digests = (digest::digest(&old), digest::digest(&new));
                out.json(&json!({ "format_version": 1, "old": digests.0, "new": digests.1, "same": digests.0 == digests.1, "lines": lines }));
            }
        }
    }
    Ok(Exit::Done)
}
