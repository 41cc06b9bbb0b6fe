//! Logs: written by the processes themselves, cut when they grow too large, read from their end.
//!
//! Whatever a service writes, and however fast: a rotation copies no more than the limit, and
//! reading the last lines takes no more than 64 KiB.

use dax_files::Private;
use dax_provider_api::redact::Redactor;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Bytes from the end that the last lines are looked for in.
const TAIL: u64 = 64 * 1024;
/// Characters of a line that are shown.
const LONGEST_LINE: usize = 400;
/// Lines that are shown.
const SHOWN_LINES: usize = 5;

/// The log of one replica or command.
#[derive(Clone)]
pub(super) struct Log {
    folder: Private,
    name: String,
    /// Whether something was thrown away of it.
    emptied: Arc<AtomicBool>,
}

/// When a log is cut, and what is kept of it.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    pub(super) size: u64,
    pub(super) files: i64,
}

impl Log {
    pub(super) fn of(folder: &Private, name: String) -> Self {
        Self { folder: folder.clone(), name, emptied: Arc::default() }
    }

    pub(super) fn path(&self) -> PathBuf {
        self.folder.path().join(&self.name)
    }

    /// Opens it for a process to write to.
    pub(super) fn open(&self) -> Result<File, String> {
        self.folder
            .append(&self.name)
            .map_err(|error| format!("{}: {error}", self.path().display()))
    }

    pub(super) fn remove(&self) {
        let _ = self.folder.remove(&self.name);
    }

    fn numbered(&self, number: i64) -> String {
        format!("{}.{number}", self.name)
    }

    /// Cuts it if it has grown too large: its end becomes a file of its own, then it is emptied.
    /// The process that writes it holds it open for appending and never notices.
    pub(super) fn rotate(&self, limits: Limits) {
        let too_large = self
            .folder
            .open_file(&self.name)
            .is_ok_and(|file| file.is_some_and(|file| length(&file) > limits.size));
        if too_large && self.cut(limits).is_err() {
            // Better a log that lost its past than a full disk.
            let _ = self.empty();
        }
    }

    fn cut(&self, limits: Limits) -> io::Result<()> {
        if limits.files < 1 {
            self.emptied.store(true, Ordering::Release);
            return self.empty();
        }
        for number in (1..limits.files).rev() {
            let _ = self.folder.rename(&self.numbered(number), &self.numbered(number + 1));
        }
        let Some(mut log) = self.folder.open_file(&self.name)? else { return Ok(()) };
        let next = format!("{}.next", self.name);
        self.folder.remove(&next)?;
        let mut copy = self.folder.append(&next)?;
        log.seek(SeekFrom::Start(length(&log).saturating_sub(limits.size)))?;
        io::copy(&mut log.take(limits.size), &mut copy)?;
        self.folder.rename(&next, &self.numbered(1))?;
        self.empty()
    }

    fn empty(&self) -> io::Result<()> {
        self.folder.lock_file(&self.name)?.set_len(0)
    }

    /// At most the last `most` bytes of a file, and whether there are more.
    fn end_of(&self, name: &str, most: u64) -> (Vec<u8>, bool) {
        let Ok(Some(mut file)) = self.folder.open_file(name) else { return (Vec::new(), false) };
        let from = length(&file).saturating_sub(most);
        let mut bytes = Vec::new();
        if file.seek(SeekFrom::Start(from)).is_ok() {
            let _ = file.take(most).read_to_end(&mut bytes);
        }
        (bytes, from > 0)
    }

    /// The last lines as the end of a sentence, with secrets masked. Without what masks them
    /// nothing is shown.
    pub(super) fn last_lines(&self, secrets: Option<&Redactor>) -> String {
        let (mut bytes, mut cut) = self.end_of(&self.name, TAIL);
        let lines = bytes.iter().filter(|byte| **byte == b'\n').count();
        if !cut && lines <= SHOWN_LINES {
            // It was cut a moment ago: what it wrote before is in the file beside it.
            let most = TAIL.saturating_sub(bytes.len() as u64);
            let (before, more) = self.end_of(&self.numbered(1), most);
            cut = more;
            bytes = [before, bytes].concat();
        }
        if bytes.is_empty() {
            return if self.emptied.load(Ordering::Acquire) {
                "its log was emptied when it reached `log_size`".to_owned()
            } else {
                "it wrote nothing".to_owned()
            };
        }
        let Some(secrets) = secrets else {
            return format!(
                "its log lines are withheld: the agent was restarted and does not have the secrets \
                 to mask in them; see {}",
                self.path().display()
            );
        };
        if cut {
            // A line without its beginning may hold a part of a secret that nobody recognises.
            let whole =
                bytes.iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |at| at + 1);
            bytes.drain(..whole);
        }
        let text = secrets.redact(&String::from_utf8_lossy(&bytes));
        let lines: Vec<String> = text.lines().map(shortened).collect();
        let last = &lines[lines.len().saturating_sub(SHOWN_LINES)..];
        if last.is_empty() {
            return format!(
                "its last line is longer than {TAIL} bytes; see {}",
                self.path().display()
            );
        }
        format!("its last lines: {}", last.join(" | "))
    }
}

fn length(file: &File) -> u64 {
    file.metadata().map_or(0, |found| found.len())
}

fn shortened(line: &str) -> String {
    match line.char_indices().nth(LONGEST_LINE) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn log(root: &std::path::Path) -> Log {
        Log::of(&Private::create(root, ".dax").unwrap(), "a.log".to_owned())
    }

    fn size(log: &Log, name: &str) -> u64 {
        std::fs::metadata(log.folder.path().join(name)).map_or(0, |found| found.len())
    }

    #[test]
    fn a_log_that_grew_far_beyond_its_limit_leaves_its_end_and_no_more() {
        let root = tempfile::tempdir().unwrap();
        let log = log(root.path());
        let mut file = log.open().unwrap();
        file.set_len(1 << 30).unwrap(); // sparse: it takes no room
        file.write_all(b"\nthe end\n").unwrap();
        log.rotate(Limits { size: 1 << 20, files: 3 });
        assert_eq!((size(&log, "a.log"), size(&log, "a.log.1")), (0, 1 << 20));
        let none = Redactor::default();
        assert!(
            log.last_lines(Some(&none)).ends_with("the end"),
            "{}",
            log.last_lines(Some(&none))
        );
        file.write_all(b"new\n").unwrap();
        assert!(log.last_lines(Some(&none)).ends_with("the end | new"));
    }

    #[test]
    fn it_wrote_nothing_is_said_only_where_nothing_was_ever_written() {
        let root = tempfile::tempdir().unwrap();
        let log = log(root.path());
        let none = Redactor::default();
        let mut file = log.open().unwrap();
        assert_eq!(log.last_lines(Some(&none)), "it wrote nothing");
        assert_eq!(log.last_lines(None), "it wrote nothing");
        file.write_all(&[b'x'; 100]).unwrap();
        log.rotate(Limits { size: 10, files: 0 });
        assert_eq!(log.last_lines(Some(&none)), "its log was emptied when it reached `log_size`");
        file.write_all(&[b'y'; 100]).unwrap();
        assert!(log.last_lines(None).contains("withheld"));
        assert!(!log.last_lines(None).contains("yyy"));
    }

    #[test]
    fn a_line_without_its_beginning_is_not_shown() {
        let root = tempfile::tempdir().unwrap();
        let log = log(root.path());
        let secret = "s3cret-".repeat(10_000);
        let redactor = Redactor::new([&secret]);
        log.open().unwrap().write_all(format!("a\n{secret}\nlast\n").as_bytes()).unwrap();
        assert_eq!(log.last_lines(Some(&redactor)), "its last lines: last");
        log.open().unwrap().write_all(secret.as_bytes()).unwrap();
        assert!(log.last_lines(Some(&redactor)).starts_with("its last line is longer than"));
    }

    #[test]
    fn a_log_is_of_this_user_alone_and_no_link() {
        use std::os::unix::fs::PermissionsExt;
        let root = tempfile::tempdir().unwrap();
        let log = log(root.path());
        drop(log.open().unwrap());
        let mode = std::fs::metadata(log.path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let victim = root.path().join("victim");
        std::fs::write(&victim, "x".repeat(100)).unwrap();
        std::fs::remove_file(log.path()).unwrap();
        std::os::unix::fs::symlink(&victim, log.path()).unwrap();
        assert!(log.open().is_err());
        log.rotate(Limits { size: 10, files: 2 });
        assert_eq!(std::fs::read(&victim).unwrap().len(), 100);
        assert_eq!(log.last_lines(Some(&Redactor::default())), "it wrote nothing");
    }
}
