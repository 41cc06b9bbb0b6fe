//! Gaps: test services that a run of the tests did without, each with its reason.
//!
//! Tests skip through [`not_tested`] alone, so that the summary of `cargo xtask test` forgets none. In CI a gap is a
//! failure: of the summary where one is made, of the test itself otherwise.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;

/// The variable that names the file in which gaps are collected.
pub const LOG: &str = "DAX_NOT_TESTED";

/// A test service that some test did without.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Gap {
    /// Its name.
    pub name: String,
    /// The reason.
    pub reason: String,
}

impl std::fmt::Display for Gap {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}: {}", self.name, self.reason)
    }
}

/// Returns true where `CI` is set, other than to nothing, `0` or `false`.
pub fn is_ci() -> bool {
    std::env::var("CI").is_ok_and(|value| !matches!(value.as_str(), "" | "0" | "false"))
}

/// Records that a test does without a service, and says so.
///
/// # Panics
/// `CI` is set and nobody collects gaps, or the record cannot be written.
#[expect(clippy::print_stderr, reason = "whoever reads the tests must see what was not tested")]
pub fn not_tested(name: &str, reason: &str) {
    let gap = Gap { name: name.to_owned(), reason: reason.replace('\n', " ") };
    eprintln!("NOT TESTED: {gap}");
    match std::env::var_os(LOG) {
        Some(log) => record(Path::new(&log), &gap).expect("the list of gaps is written"),
        None => assert!(!is_ci(), "NOT TESTED, which is a failure where CI is set: {gap}"),
    }
}

/// Tests of several programs write at once: a line is one write.
fn record(log: &Path, gap: &Gap) -> std::io::Result<()> {
    let line = format!("{}\t{}\n", gap.name, gap.reason);
    std::fs::File::options().create(true).append(true).open(log)?.write_all(line.as_bytes())
}

/// Returns the gaps that were recorded, each once; none where there is no such file.
///
/// # Errors
/// The file cannot be read.
pub fn read_log(log: &Path) -> std::io::Result<BTreeSet<Gap>> {
    let text = match std::fs::read_to_string(log) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        read => read?,
    };
    let gap = |line: &str| {
        let (name, reason) = line.split_once('\t').unwrap_or((line, "no reason was recorded"));
        Gap { name: name.to_owned(), reason: reason.to_owned() }
    };
    Ok(text.lines().filter(|line| !line.is_empty()).map(gap).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_that_several_tests_record_are_read_back_once_each() {
        let log = std::env::temp_dir().join(format!("dax-gaps-{}", std::process::id()));
        let gap = |name: &str, reason: &str| Gap { name: name.into(), reason: reason.into() };
        assert!(read_log(&log).expect("no file").is_empty());
        let all = [gap("MinIO", "not installed"), gap("unshare", "no: not here"), gap("A", "")];
        for gap in all.iter().chain(&all) {
            record(&log, gap).expect("written");
        }
        let read = read_log(&log).expect("a file");
        let _ = std::fs::remove_file(&log);
        assert_eq!(read, all.into_iter().collect());
    }
}
