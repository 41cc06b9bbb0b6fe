//! Rules of the house that no compiler checks: layout, arrows, pages, snapshots.

use anyhow::{Context, Result, bail};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Lines that a file may have, its tests left out.
const MOST_LINES: usize = 800;

/// Which crate may depend on which; an arrow also covers what lies further along.
const ARROWS: &[(&str, &[&str])] = &[
    (
        "dax-cli",
        &[
            "dax-server",
            "dax-lsp",
            "dax-review",
            "dax-engine",
            "dax-provider-builtin",
            "dax-store-builtin",
        ],
    ),
    ("dax-server", &["dax-engine"]),
    ("dax-review", &["dax-engine"]),
    ("dax-lsp", &["dax-ide", "dax-files"]),
    ("dax-ide", &["dax-project"]),
    (
        "dax-engine",
        &[
            "dax-import",
            "dax-lint",
            "dax-schema",
            "dax-doc",
            "dax-project",
            "dax-apply",
            "dax-render",
        ],
    ),
    ("dax-lint", &["dax-project"]),
    ("dax-doc", &["dax-project"]),
    ("dax-schema", &["dax-syntax"]),
    ("dax-import", &["dax-syntax"]),
    ("dax-store-builtin", &["dax-store-postgres", "dax-store-s3"]),
    ("dax-store-postgres", &["dax-store"]),
    ("dax-store-s3", &["dax-store"]),
    ("dax-apply", &["dax-store", "dax-machine", "dax-provider-api"]),
    ("dax-store", &["dax-machine", "dax-files"]),
    ("dax-machine", &["dax-plan"]),
    ("dax-render", &["dax-plan"]),
    ("dax-plan", &["dax-ir"]),
    ("dax-ir", &["dax-model"]),
    ("dax-model", &["dax-core"]),
    ("dax-project", &["dax-sema", "dax-stdlib"]),
    ("dax-sema", &["dax-syntax", "dax-ir"]),
    ("dax-syntax", &["dax-core"]),
    (
        "dax-provider-builtin",
        &[
            "dax-provider-eks",
            "dax-provider-gke",
            "dax-provider-kubernetes",
            "dax-provider-local",
            "dax-provider-prometheus",
            "dax-provider-github",
            "dax-provider-gitlab",
            "dax-provider-bitbucket",
            "dax-provider-testkit",
        ],
    ),
    ("dax-provider-github", &["dax-provider-client"]),
    ("dax-provider-gitlab", &["dax-provider-client"]),
    ("dax-provider-bitbucket", &["dax-provider-client"]),
    ("dax-provider-eks", &["dax-provider-client"]),
    ("dax-provider-gke", &["dax-provider-client"]),
    ("dax-provider-kubernetes", &["dax-provider-client"]),
    ("dax-provider-prometheus", &["dax-provider-client"]),
    ("dax-provider-local", &["dax-provider-client", "dax-files"]),
    ("dax-provider-testkit", &["dax-provider-client"]),
    ("dax-provider-client", &["dax-provider-api"]),
    ("dax-provider-api", &["dax-model"]),
];

/// Snapshots of plans that no folder holds: they are made from the quickstart.
const WITHOUT_FIXTURE: &[&str] = &["plan/drifted_replicas"];
/// Areas whose snapshots are of what the tests make themselves: models, pictures of plans, former journals.
const MADE: &[&str] = &["analysis", "render", "comments", "journals"];

pub(crate) fn run(root: &Path) -> Result<()> {
    let mut faults = Vec::new();
    let mut files = Vec::new();
    collect(root, &mut files)?;
    for path in &files {
        let name = path.strip_prefix(root)?.display().to_string();
        if name.ends_with(".rs") {
            rust_file(&name, &std::fs::read_to_string(path)?, &mut faults);
        }
        if name.ends_with("Cargo.toml") && path.parent() != Some(root) {
            arrows(&name, &std::fs::read_to_string(path)?, &mut faults);
        }
        if name.ends_with(".snap.new") || name.ends_with(".pending-snap") {
            faults.push(format!("{name}: a snapshot waits to be accepted or removed"));
        }
    }
    snapshots(root, &mut faults)?;
    pages(root, &mut faults)?;
    if faults.is_empty() {
        println!("tidy: {} files in order", files.len());
        return Ok(());
    }
    bail!("{} faults:\n{}", faults.len(), faults.join("\n"))
}

/// Every file that belongs to the project.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in std::fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        let name =
            path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if path.is_dir() {
            if !matches!(name.as_str(), "target" | ".git" | ".dax" | "node_modules") {
                collect(&path, files)?;
            }
        } else {
            files.push(path);
        }
    }
    files.sort();
    Ok(())
}

fn rust_file(name: &str, text: &str, faults: &mut Vec<String>) {
    if !text.starts_with("//!") {
        faults.push(format!("{name}: it does not open with `//!`, what it is and why it exists"));
    }
    let code = text.split("#[cfg(test)]").next().unwrap_or(text);
    let lines = code.lines().count();
    if lines > MOST_LINES && !name.contains("/tests/") {
        faults.push(format!("{name}: {lines} lines, {MOST_LINES} are the most: look for a seam"));
    }
    let front = name.starts_with("providers/builtin/")
        || name.starts_with("stores/builtin/")
        || name.starts_with("cli/")
        || name.starts_with("xtask/");
    if text.contains("cfg(feature") && !front {
        faults.push(format!(
            "{name}: features are switched in providers/builtin, stores/builtin and cli only"
        ));
    }
}

/// All that a crate may depend on.
fn allowed(of: &str) -> BTreeSet<&'static str> {
    let direct: BTreeMap<&str, &[&str]> = ARROWS.iter().copied().collect();
    let mut reached = BTreeSet::new();
    let mut open: Vec<&'static str> = direct.get(of).map(|list| list.to_vec()).unwrap_or_default();
    while let Some(next) = open.pop() {
        if reached.insert(next) {
            open.extend(direct.get(next).map(|list| list.to_vec()).unwrap_or_default());
        }
    }
    reached
}

fn arrows(name: &str, text: &str, faults: &mut Vec<String>) {
    let package =
        text.lines().find_map(|line| line.strip_prefix("name = ")).unwrap_or("").trim_matches('"');
    if matches!(package, "dax-tests" | "dax-fuzz" | "xtask") {
        return;
    }
    let allowed = allowed(package);
    let dependencies = text.split("\n[dependencies]").nth(1).unwrap_or("");
    let dependencies = dependencies.split("\n[").next().unwrap_or("");
    for line in dependencies.lines() {
        let target = line.split(['.', ' ', '=']).next().unwrap_or("");
        if target.starts_with("dax-") && !allowed.contains(target) {
            faults.push(format!("{name}: {package} may not depend on {target}"));
        }
    }
}

/// Each fixture has its snapshot, and each snapshot its fixture.
fn snapshots(root: &Path, faults: &mut Vec<String>) -> Result<()> {
    let mut areas = BTreeSet::new();
    for folder in ["tests/fixtures", "tests/snapshots"] {
        for entry in std::fs::read_dir(root.join(folder))? {
            areas.insert(entry?.file_name().to_string_lossy().into_owned());
        }
    }
    // Texts that fuzzing found are held to properties, not to snapshots.
    areas.remove("fuzz");
    areas.retain(|area| !MADE.contains(&area.as_str()));
    for area in &areas {
        let names = |folder: PathBuf, suffix: &str| -> Result<BTreeSet<String>> {
            let mut all = BTreeSet::new();
            for entry in std::fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
                let name = entry?.file_name().to_string_lossy().into_owned();
                all.insert(name.strip_suffix(suffix).unwrap_or(&name).to_owned());
            }
            Ok(all)
        };
        let fixtures = names(root.join("tests/fixtures").join(area), "")?;
        let snapshots = names(root.join("tests/snapshots").join(area), ".snap")?;
        for lonely in fixtures.symmetric_difference(&snapshots) {
            if !WITHOUT_FIXTURE.contains(&format!("{area}/{lonely}").as_str()) {
                faults.push(format!("tests: {area}/{lonely} is a fixture without a snapshot, or a snapshot without a fixture"));
            }
        }
    }
    Ok(())
}

/// Each code in the source has a page, and each page a code.
fn pages(root: &Path, faults: &mut Vec<String>) -> Result<()> {
    let mut pages = BTreeSet::new();
    for entry in std::fs::read_dir(root.join("docs/diagnostics"))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if let Some(number) = name.strip_prefix("DAX").and_then(|rest| rest.strip_suffix(".md")) {
            pages.insert(number.to_owned());
        }
    }
    let mut codes = BTreeSet::new();
    let mut files = Vec::new();
    for folder in ["lang", "planner", "engine", "providers", "stores"] {
        collect(&root.join(folder), &mut files)?;
    }
    for path in files.iter().filter(|path| path.extension().is_some_and(|e| e == "rs")) {
        let text = std::fs::read_to_string(path)?;
        let direct = text
            .split("Code::error(")
            .chain(text.split("Code::warning("))
            .skip(1)
            .filter_map(|rest| rest.get(..4));
        codes.extend(direct.filter(|n| n.chars().all(|c| c.is_ascii_digit())).map(str::to_owned));
        if path.ends_with("src/codes.rs") {
            // `NAME = 2001 "…"`, with or without the level before the number.
            let listed =
                text.lines().filter_map(|line| line.split_once(" = ")).filter_map(|(_, rest)| {
                    rest.trim_start_matches("error ").trim_start_matches("warning ").get(..4)
                });
            codes.extend(
                listed.filter(|n| n.chars().all(|c| c.is_ascii_digit())).map(str::to_owned),
            );
        }
    }
    for lonely in codes.symmetric_difference(&pages) {
        faults.push(format!(
            "DAX{lonely} is a code without a page in docs/diagnostics, or a page without a code"
        ));
    }
    Ok(())
}
