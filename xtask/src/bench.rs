//! Speed and memory of the release build on generated projects: N services in three environments.
//!
//! Figures are CPU seconds of the whole process (user and system), the smallest of several runs, its wall
//! time, and its peak memory. Growth is the exponent from one N to the next: 1.0 is linear.

mod proxy;

use crate::{cargo, run as run_command};
use anyhow::{Context, Result, ensure};
use nix::sys::resource::{UsageWho, getrusage};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

const SIZES: [usize; 4] = [10, 100, 1_000, 10_000];

/// What one command used.
#[derive(Clone, Copy, Debug)]
struct Usage {
    cpu: f64,
    wall: f64,
    peak_mb: f64,
}

pub(crate) fn run(root: &Path, args: &[String]) -> Result<()> {
    // One command is measured by a process of its own, so that the peak is that of this command alone.
    if let [word, rest @ ..] = args
        && word == "--measure"
    {
        return measure_here(rest);
    }
    if let [word] = args
        && word == "proxy"
    {
        return proxy::run(root);
    }
    run_command(cargo(&["build", "--release", "--package", "dax-cli"]))?;
    let dax = root.join("target/release/dax");
    if let [word, rest @ ..] = args
        && word == "lsp"
    {
        return editor(&dax, rest);
    }
    let most = args.first().and_then(|n| n.parse().ok()).unwrap_or(10_000);
    let mut table: Vec<(usize, Vec<(&'static str, Usage)>)> = Vec::new();
    let mut texts = Vec::new();
    for size in SIZES.into_iter().filter(|size| *size <= most) {
        let folder = std::env::temp_dir().join(format!("dax-bench-{}-{size}", std::process::id()));
        let rows = bench(&dax, &folder, size);
        texts.push(text_of(&folder)?);
        std::fs::remove_dir_all(&folder)?;
        table.push((size, rows?));
    }
    report(&table);
    for ((size, rows), (bytes, lines)) in table.iter().zip(texts) {
        for (name, usage) in rows.iter().filter(|(name, _)| name.starts_with("check")) {
            let (speed, rate) = (bytes as f64 / usage.wall / 1e6, lines as f64 / usage.wall);
            println!(
                "{name:32} {size:>8} {speed:>8.1} MB/s {rate:>10.0} lines/s of {lines} lines, by wall time"
            );
        }
    }
    run_command(cargo(&["bench", "--package", "dax-tests"]))
}

fn bench(dax: &Path, folder: &Path, size: usize) -> Result<Vec<(&'static str, Usage)>> {
    generate(folder, size, "1.0.0")?;
    once(dax, folder, &["fmt"], 0)?;
    let plan = ["plan", "-e", "production", "-q", "--format", "json"];
    let mut rows = vec![("start: --version", measure(dax, folder, &["--version"], size, 0)?)];
    rows.push(("check", measure(dax, folder, &["check"], size, 0)?));
    rows.push(("check on one core", measure(dax, folder, &["one-core", "check"], size, 0)?));
    rows.push(("fmt --check", measure(dax, folder, &["fmt", "--check"], size, 0)?));
    rows.push(("build 3 environments to JSON", measure(dax, folder, &["build"], size, 0)?));
    rows.push((
        "plan from nothing",
        measure(dax, folder, &["plan", "-e", "production", "-q"], size, 0)?,
    ));
    rows.push(("plan from nothing as JSON", measure(dax, folder, &plan, size, 0)?));
    let apply = ["apply", "-e", "production", "--auto-approve", "-q"];
    rows.push(("apply from nothing", once(dax, folder, &apply, 0)?));
    rows.push((
        "plan without changes",
        measure(dax, folder, &["plan", "-e", "production", "-q"], size, 0)?,
    ));
    generate(folder, size, "1.0.1")?;
    rows.push((
        "plan, 1 % changed",
        measure(dax, folder, &["plan", "-e", "production", "-q"], size, 0)?,
    ));
    rows.push(("apply, 1 % changed", once(dax, folder, &apply, 0)?));
    Ok(rows)
}

/// Bytes and lines of a project's texts.
fn text_of(folder: &Path) -> Result<(usize, usize)> {
    let (mut bytes, mut lines) = (0, 0);
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|ending| ending == "dax") {
            let text = std::fs::read_to_string(path)?;
            bytes += text.len();
            lines += text.lines().count();
        }
    }
    Ok((bytes, lines))
}

/// The project: files of a hundred services, and the environments. `tag` is that of one service in a hundred.
fn generate(folder: &Path, size: usize, tag: &str) -> Result<()> {
    std::fs::create_dir_all(folder)?;
    std::fs::write(folder.join("dax.mod"), "project = \"bench\"\nedition = 2026\n")?;
    for (number, chunk) in (0..size).collect::<Vec<_>>().chunks(100).enumerate() {
        let mut text = String::new();
        for i in chunk {
            let version = if i % 100 == 7 { tag } else { "1.0.0" };
            let need = if i % 20 == 0 {
                String::new()
            } else {
                format!("  needs    = [svc{:05}]\n", i - 1)
            };
            let _ = write!(
                text,
                "service svc{i:05} {{\n  image    = \"registry.example.com/team/svc{i:05}:{version}\"\n  replicas = default 2\n  cpu      = default 250mcpu\n  memory   = default 256MiB\n  ports    = {{ http: {port} }}\n  env      = {{\n    LOG_LEVEL: default \"info\"\n    REGION: \"eu-west-1\"\n    SERVICE: \"svc{i:05}\"\n    TIMEOUT: \"30s\"\n  }}\n  health http \"/healthz\" {{ every = 10s, timeout = 2s, fail_after = 3 }}\n{need}}}\n\n",
                port = 8000 + i % 50_000,
            );
        }
        std::fs::write(
            folder.join(format!("services_{number:03}.dax")),
            text.trim_end().to_owned() + "\n",
        )?;
    }
    let mut text = "import memory from \"std/memory\"\n\nprovider memory.world {\n}\n".to_owned();
    for environment in ["dev", "staging", "production"] {
        let _ = write!(text, "\nenvironment {environment} {{\n");
        for i in 0..size {
            let _ = writeln!(text, "  bind svc{i:05} to memory.world");
        }
        for i in 0..size {
            match environment {
                "staging" => {
                    let _ = writeln!(text, "  set svc{i:05} {{ cpu = 500mcpu, memory = 512MiB }}");
                }
                "production" => {
                    let replicas =
                        if i % 10 == 0 { ", replicas = override 6" } else { ", replicas = 4" };
                    let _ =
                        writeln!(text, "  set svc{i:05} {{ cpu = 1cpu, memory = 1GiB{replicas} }}");
                }
                _ => {}
            }
        }
        text.push_str("}\n");
    }
    std::fs::write(folder.join("environments.dax"), text)?;
    Ok(())
}

/// The best of several runs.
fn measure(dax: &Path, folder: &Path, args: &[&str], size: usize, code: i32) -> Result<Usage> {
    let runs = if size >= 10_000 { 3 } else { 5 };
    let all = (0..runs).map(|_| once(dax, folder, args, code)).collect::<Result<Vec<_>>>()?;
    all.into_iter().min_by(|a, b| a.cpu.total_cmp(&b.cpu)).context("at least one run")
}

fn once(dax: &Path, folder: &Path, args: &[&str], code: i32) -> Result<Usage> {
    let output = Command::new(std::env::current_exe()?)
        .args(["bench", "--measure", &code.to_string()])
        .arg(dax)
        .args(args)
        .current_dir(folder)
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "dax {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    let numbers: Vec<f64> = text.split_whitespace().filter_map(|n| n.parse().ok()).collect();
    let [cpu, wall, peak_mb] = numbers[..] else { anyhow::bail!("no figures: {text}") };
    Ok(Usage { cpu, wall, peak_mb })
}

fn measure_here(args: &[String]) -> Result<()> {
    let [code, program, rest @ ..] = args else { anyhow::bail!("nothing to measure") };
    // What this process may use, its child may use.
    let rest = match rest {
        [word, rest @ ..] if word == "one-core" => {
            let mut first = nix::sched::CpuSet::new();
            first.set(0)?;
            nix::sched::sched_setaffinity(nix::unistd::Pid::from_raw(0), &first)?;
            rest
        }
        rest => rest,
    };
    let begun = Instant::now();
    let output = Command::new(PathBuf::from(program))
        .args(rest)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .output()?;
    let wall = begun.elapsed().as_secs_f64();
    ensure!(
        output.status.code() == code.parse().ok(),
        "{}: {}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    let used = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let seconds =
        |time: nix::sys::time::TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
    println!(
        "{} {wall} {}",
        seconds(used.user_time()) + seconds(used.system_time()),
        used.max_rss() as f64 / 1024.0
    );
    Ok(())
}

fn report(table: &[(usize, Vec<(&'static str, Usage)>)]) {
    println!(
        "\n{:32} {:>8} {:>10} {:>10} {:>9} {:>8}",
        "", "N", "CPU s", "wall s", "peak MB", "growth"
    );
    let count = table.first().map_or(0, |(_, rows)| rows.len());
    for row in 0..count {
        let mut previous: Option<(usize, f64)> = None;
        for (size, rows) in table {
            let (name, usage) = rows[row];
            // Below ten milliseconds the start of the process is all that is measured.
            let growth = previous
                .filter(|(_, cpu)| *cpu >= 0.01)
                .map(|(n, cpu)| (usage.cpu / cpu).ln() / ((*size as f64) / (n as f64)).ln());
            let growth = growth.map_or_else(|| "-".to_owned(), |g| format!("{g:.2}"));
            println!(
                "{name:32} {size:>8} {:>10.4} {:>10.4} {:>9.1} {growth:>8}",
                usage.cpu, usage.wall, usage.peak_mb
            );
            previous = Some((*size, usage.cpu));
        }
    }
}

/// A thousand files, in a hundred modules that the project imports, with a hundred thousand lines in all.
const AREAS: usize = 100;
/// Files of each module.
const FILES: usize = 9;
/// Services of each file.
const SERVICES: usize = 8;

/// What the language server must keep to, in milliseconds: which percentile of what.
const TARGETS: [(&str, &str, f64); 6] = [
    ("keystroke to syntax findings", "p95_ms", 5.0),
    ("keystroke to semantic findings", "p95_ms", 50.0),
    ("completion", "p95_ms", 20.0),
    ("hover", "p95_ms", 20.0),
    ("rename", "p99_ms", 200.0),
    ("references", "p99_ms", 200.0),
];
const COLD_START_MS: f64 = 1000.0;
const RESIDENT_MB: f64 = 200.0;

/// How fast the language server answers on a generated project, beside what it must keep to.
fn editor(dax: &Path, args: &[String]) -> Result<()> {
    let edits = args.first().map_or("2000", String::as_str);
    let folder = std::env::temp_dir().join(format!("dax-bench-lsp-{}", std::process::id()));
    workspace(&folder)?;
    let said = Command::new(dax)
        .args(["ide-bench", "--edits", edits, "--format", "json"])
        .current_dir(&folder)
        .output();
    std::fs::remove_dir_all(&folder)?;
    let said = said?;
    ensure!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    let report: serde_json::Value = serde_json::from_slice(&said.stdout)?;
    println!(
        "{} files, {} lines, {} keystrokes",
        report["files"], report["lines"], report["keystrokes"]
    );
    println!("{:34} {:>9} {:>9} {:>9} {:>9}", "ms", "p50", "p95", "p99", "target");
    let mut missed = Vec::new();
    let mut row = |what: &str, figures: [f64; 3], value: f64, target: f64| {
        println!(
            "{what:34} {:>9.2} {:>9.2} {:>9.2} {target:>9}",
            figures[0], figures[1], figures[2]
        );
        if value > target {
            missed.push(what.to_owned());
        }
    };
    let number = |value: &serde_json::Value| value.as_f64().unwrap_or(f64::INFINITY);
    let start = number(&report["cold_start_ms"]);
    row("cold start to findings", [start; 3], start, COLD_START_MS);
    for (what, percentile, target) in TARGETS {
        let times = &report["times"][what];
        row(
            what,
            ["p50_ms", "p95_ms", "p99_ms"].map(|key| number(&times[key])),
            number(&times[percentile]),
            target,
        );
    }
    let resident = number(&report["resident_bytes"]);
    let resident = resident / 1e6;
    row("memory in the end, MB", [resident; 3], resident, RESIDENT_MB);
    ensure!(missed.is_empty(), "missed: {}", missed.join(", "));
    Ok(())
}

fn workspace(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder)?;
    std::fs::write(folder.join("dax.mod"), "project = \"shop\"\nedition = 2026\n")?;
    let mut main = "import local from \"std/local\"\n".to_owned();
    let mut environments =
        ["dev", "staging", "production"].map(|name| (name, format!("environment {name} {{\n")));
    for area in 0..AREAS {
        let _ = writeln!(main, "import a{area} from \"./a{area}\"");
        let inner = folder.join(format!("a{area}"));
        std::fs::create_dir_all(&inner)?;
        let common = "param image_tag: string = \"v1\"\n\n## How often a probe asks.\nlet probe_every = 2s\n\nfn port_of(n: int) -> int = 8000 + n\n";
        std::fs::write(inner.join("common.dax"), common)?;
        for file in 0..FILES {
            let mut text = String::new();
            for i in file * SERVICES..(file + 1) * SERVICES {
                let upstream = if i % 10 == 0 {
                    String::new()
                } else {
                    format!("    UPSTREAM: \"http://127.0.0.1:${{s{}.ports.http}}\"\n", i - 1)
                };
                let _ = write!(
                    text,
                    "## Service number {i}.\nservice s{i} {{\n  image = \"registry.example.com/s{i}:${{image_tag}}\"\n  replicas = default {}\n  ports = {{ http: 8080 }}\n  health http \"/health\" {{ every = probe_every }}\n  env = {{\n    NAME: \"s{i}\"\n    LEVEL: default \"info\"\n    SHARD: \"${{port_of({i})}}\"\n{upstream}  }}\n}}\n\n",
                    1 + i % 3,
                );
            }
            std::fs::write(
                inner.join(format!("f{file:02}.dax")),
                text.trim_end().to_owned() + "\n",
            )?;
        }
        let all: Vec<String> = (0..FILES * SERVICES).map(|i| format!("a{area}.s{i}")).collect();
        for (_, text) in &mut environments {
            let _ = writeln!(text, "  bind [{}] to local.machine", all.join(", "));
            let _ = writeln!(text, "  set a{area}.s0 {{ replicas = 4, env.LEVEL = \"debug\" }}");
        }
    }
    main.push_str("\nprovider local.machine {\n}\n");
    std::fs::write(folder.join("main.dax"), main)?;
    for (name, text) in environments {
        std::fs::write(folder.join(format!("{name}.dax")), text + "}\n")?;
    }
    Ok(())
}
