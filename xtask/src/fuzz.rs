//! Fuzzing: every target of tests/fuzz for a while, from the programs of the tests.

use crate::run as run_command;
use anyhow::{Context, Result};
use std::path::Path;
use std::process::Command;

/// The targets, with the longest input of each: what a run is about has to fit, and no more.
const TARGETS: &[(&str, u32)] = &[
    ("split", 600),
    ("parse", 300),
    ("format", 300),
    ("check", 240),
    ("evaluate", 120),
    ("plan", 12_000),
    ("agent_record", 2_000),
    ("agent_request", 1_000),
    ("state_rows", 600),
    ("manifest", 3_000),
    ("schema", 2_000),
];

pub(crate) fn run(root: &Path, args: &[String]) -> Result<()> {
    let seconds: u32 = args
        .first()
        .map_or(Ok(60), |text| text.parse())
        .context("how many seconds for each target?")?;
    let here = Command::new("cargo")
        .args(["fuzz", "--version"])
        .output()
        .is_ok_and(|output| output.status.success());
    if !here {
        run_command(Command::new("cargo").args(["install", "cargo-fuzz", "--locked"]))?;
    }
    let seeds = root.join("target/fuzz/seeds");
    std::fs::create_dir_all(&seeds)?;
    let mut count = 0;
    collect(root, &mut |text| {
        count += 1;
        Ok(std::fs::write(seeds.join(format!("{count}.dax")), text)?)
    })?;
    for (target, longest) in TARGETS {
        let found = root.join("target/fuzz").join(target);
        std::fs::create_dir_all(&found)?;
        let mut command = Command::new("cargo");
        command
            .current_dir(root.join("tests/fuzz"))
            .env("CARGO_TARGET_DIR", root.join("target/fuzz/build"));
        // Safe code is fuzzed for its own mistakes; without the address sanitizer it runs several times as fast.
        command
            .args(["+nightly", "fuzz", "run", "--fuzz-dir", ".", "-O", "-s", "none", target])
            .arg(&found);
        // Manifests and schemas are those of the tests, one folder deeper.
        let own_seeds = match *target {
            "manifest" => root.join("tests/fixtures/import"),
            "schema" => root.join("tests/fixtures/schema"),
            target => root.join("tests/fuzz/seeds").join(target),
        };
        if own_seeds.exists() {
            command.arg(&own_seeds);
        } else if *target != "evaluate" {
            command.arg(&seeds);
        }
        command.args([
            "--",
            &format!("-max_total_time={seconds}"),
            &format!("-max_len={longest}"),
            "-timeout=25",
        ]);
        run_command(&mut command)?;
    }
    Ok(())
}

/// Every small program of the tests, the examples and the standard library.
fn collect(root: &Path, take: &mut dyn FnMut(&str) -> Result<()>) -> Result<()> {
    let mut open =
        ["tests/fixtures", "examples", "stdlib/std"].map(|folder| root.join(folder)).to_vec();
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|ending| ending == "dax") {
                let text = String::from_utf8_lossy(&std::fs::read(&path)?).into_owned();
                if text.len() < 4_000 {
                    take(&text)?;
                }
            }
        }
    }
    Ok(())
}
