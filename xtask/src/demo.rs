//! The demo: version 1 deployed, version 2 canaried and promoted, version 3 stopped by its analysis and
//! rolled back, while a client sends requests without pause. It fails if dax itself drops a single one.

use crate::load::{Load, Tally};
use crate::{cargo, run as run_command};
use anyhow::{Context, Result, bail, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

const PORT: u16 = 8410;
const WORKERS: usize = 4;

struct Row {
    what: &'static str,
    exit: i32,
    seconds: f64,
    tally: Tally,
}

pub(crate) fn run(root: &Path) -> Result<()> {
    run_command(cargo(&["build", "--package", "dax-cli"]))?;
    let dax = root.join("target/debug/dax");
    let folder = std::env::temp_dir().join(format!("dax-demo-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    for file in ["dax.mod", "main.dax"] {
        std::fs::copy(root.join("examples/quickstart").join(file), folder.join(file))
            .with_context(|| file.to_owned())?;
    }
    let demo = Demo { dax, folder: folder.clone() };
    let result = demo.play();
    if result.is_err() {
        let _ = demo.apply_like(&["destroy", "-e", "production", "--auto-approve", "-q"]);
    }
    let left = demo.processes()?;
    std::fs::remove_dir_all(&folder)?;
    result?;
    ensure!(left.is_empty(), "processes are left: {left:?}");
    println!("no process is left");
    Ok(())
}

struct Demo {
    dax: PathBuf,
    folder: PathBuf,
}

impl Demo {
    fn apply_like(&self, args: &[&str]) -> Result<i32> {
        println!("\n$ dax {}", args.join(" "));
        let status = Command::new(&self.dax)
            .args(args)
            .current_dir(&self.folder)
            .stdin(std::process::Stdio::null())
            .status()?;
        status.code().context("dax was ended by a signal")
    }

    fn play(&self) -> Result<()> {
        let mut rows = Vec::new();
        let begun = Instant::now();
        let exit = self.apply_like(&[
            "apply",
            "-e",
            "production",
            "-p",
            "version=1",
            "--auto-approve",
            "-q",
        ])?;
        rows.push(Row {
            what: "version 1 deployed",
            exit,
            seconds: begun.elapsed().as_secs_f64(),
            tally: Tally::default(),
        });
        ensure!(exit == 0, "version 1 was not deployed");
        let load = Load::start(PORT, WORKERS);
        for (what, args, wanted) in [
            (
                "version 2, sound",
                vec!["apply", "-e", "production", "-p", "version=2", "--auto-approve"],
                0,
            ),
            (
                "version 3, fails 20 %",
                vec![
                    "apply",
                    "-e",
                    "production",
                    "-p",
                    "version=3",
                    "-p",
                    "error_rate=20%",
                    "--auto-approve",
                ],
                5,
            ),
            (
                "nothing to do",
                vec!["apply", "-e", "production", "-p", "version=2", "--auto-approve", "-q"],
                0,
            ),
        ] {
            let begun = Instant::now();
            let exit = self.apply_like(&args)?;
            rows.push(Row {
                what,
                exit,
                seconds: begun.elapsed().as_secs_f64(),
                tally: load.take(),
            });
            ensure!(exit == wanted, "{what}: exit {exit}, {wanted} was expected");
        }
        let last = load.stop();
        rows.push(Row { what: "after that", exit: 0, seconds: 0.0, tally: last });
        let begun = Instant::now();
        let exit = self.apply_like(&["destroy", "-e", "production", "--auto-approve", "-q"])?;
        rows.push(Row {
            what: "destroyed",
            exit,
            seconds: begun.elapsed().as_secs_f64(),
            tally: Tally::default(),
        });
        report(&rows)
    }

    /// Processes whose command line names this demo's folder or that run in it.
    fn processes(&self) -> Result<Vec<String>> {
        let mut found = Vec::new();
        for entry in std::fs::read_dir("/proc")? {
            let path = entry?.path();
            let line = std::fs::read(path.join("cmdline")).unwrap_or_default();
            let line = String::from_utf8_lossy(&line).replace('\0', " ");
            let here =
                std::fs::read_link(path.join("cwd")).is_ok_and(|cwd| cwd.starts_with(&self.folder));
            if here || line.contains(&*self.folder.to_string_lossy()) {
                found.push(line);
            }
        }
        Ok(found)
    }
}

fn report(rows: &[Row]) -> Result<()> {
    println!(
        "\n{:24} {:>4} {:>8} {:>9} {:>8} {:>8} {:>8} {:>7} {:>7}",
        "", "exit", "seconds", "requests", "v1", "v2", "v3", "errors", "broken"
    );
    let mut broken = Vec::new();
    for row in rows {
        let answers = |version: &str| {
            row.tally
                .answers
                .iter()
                .filter(|((_, text), _)| text.contains(version))
                .map(|(_, n)| n)
                .sum::<usize>()
        };
        let total: usize = row.tally.answers.values().sum();
        let errors: usize = row
            .tally
            .answers
            .iter()
            .filter(|((status, _), _)| *status >= 500)
            .map(|(_, n)| n)
            .sum();
        let foreign: Vec<_> = row
            .tally
            .answers
            .iter()
            .filter(|((status, text), _)| *status >= 500 && !text.contains("version 3 failed"))
            .collect();
        println!(
            "{:24} {:>4} {:>8.1} {:>9} {:>8} {:>8} {:>8} {:>7} {:>7}",
            row.what,
            row.exit,
            row.seconds,
            total,
            answers("version 1"),
            answers("version 2"),
            answers("version 3"),
            errors,
            row.tally.broken.len()
        );
        broken.extend(row.tally.broken.iter().cloned());
        ensure!(foreign.is_empty(), "answers that are dax's own errors: {foreign:?}");
        let third = answers("version 3");
        ensure!(errors <= third, "more errors than requests to version 3");
        // It never got further than its first step, a tenth of the traffic; a few requests are the grain of the count.
        ensure!(third * 10 <= total + 100, "version 3 got more than its share: {third} of {total}");
    }
    if !broken.is_empty() {
        bail!(
            "{} requests were refused or cut: {:?}",
            broken.len(),
            &broken[..broken.len().min(5)]
        );
    }
    println!("not one request was refused or cut; every error came from version 3 itself");
    Ok(())
}
