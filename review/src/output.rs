//! Folder of what a run leaves for its pipeline: plans, reports, the record of requests.
//!
//! It stands in a checkout, and pipelines hand on everything in it. So it is made anew in every run
//! and written by handle: no link is followed, nothing is taken over that git tracks or that dax
//! did not write.

use crate::ReviewError;
use dax_files::Beneath;
use std::io::{Error, ErrorKind, Write};
use std::path::{Component, Path, PathBuf};

/// Name and content of the file that marks a folder as one of dax; it keeps the folder out of
/// commits as well.
const MARK: (&str, &str) = (".gitignore", "# Made anew by every run of dax.\n*\n");

/// A folder of this run.
#[derive(Clone, Debug)]
pub struct Output {
    /// The path as it was given, for messages.
    path: PathBuf,
    beneath: Beneath,
}

impl Output {
    /// Makes the folder, without anything of earlier runs.
    ///
    /// A relative path is made beneath the working folder, through no link.
    ///
    /// # Errors
    /// A part of the path is a link, git tracks something in it, it holds what dax did not write,
    /// or it cannot be made.
    pub fn create(path: &Path) -> Result<Self, ReviewError> {
        let here = std::env::current_dir().map_err(|source| file_error(path, source))?;
        Self::create_in(&here, path)
    }

    /// As [`Output::create`], from another folder than the working one.
    ///
    /// # Errors
    /// See there.
    pub fn create_in(here: &Path, path: &Path) -> Result<Self, ReviewError> {
        let wrong = |source| file_error(path, source);
        let (root, inner) = split(here, path).map_err(wrong)?;
        let root_folder = Beneath::open(&root).map_err(wrong)?.without_links();
        if let Some(name) = inner.to_str() {
            let listed = dax_engine::tracked(&root, name)?;
            if let Some(first) = listed.first() {
                return Err(wrong(refused(&format!(
                    "git tracks {first}, and this folder is made anew by every run: remove it from \
                     the repository, or name another folder with -o"
                ))));
            }
        }
        // Also a file of this name, a link, or a folder behind a link.
        let before = root_folder.folder(&inner).map_err(wrong)?;
        if let Some(before) = before {
            let names = before.list(Path::new("")).map_err(wrong)?.unwrap_or_default();
            let mark = before.read(Path::new(MARK.0), 4096);
            let is_own = mark.is_ok_and(|found| found.is_some_and(|text| is_mark(&text)));
            if !names.is_empty() && !is_own {
                return Err(wrong(refused(
                    "it holds files that dax did not write, and it is made anew by every run: \
                     remove them, or name another folder with -o",
                )));
            }
            root_folder.remove_all(&inner).map_err(wrong)?;
        }
        let beneath = root_folder.make_folder(&inner).map_err(wrong)?;
        let output = Self { path: path.to_owned(), beneath };
        output.write(MARK.0, MARK.1.as_bytes())?;
        Ok(output)
    }

    /// The path of a file of it, for messages and reports.
    pub fn path(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Writes a file, replacing what this run wrote under its name; gives its path.
    ///
    /// # Errors
    /// The name is no plain name, or the file cannot be written.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<PathBuf, ReviewError> {
        let path = self.path(name);
        let written = plain(name).and_then(|name| self.beneath.write(name, bytes));
        written.map_err(|source| file_error(&path, source))?;
        Ok(path)
    }

    /// Appends a line to a file, made where it lacks.
    ///
    /// # Errors
    /// The name is no plain name, a link has it, or the file cannot be written.
    pub fn append(&self, name: &str, line: &str) -> Result<(), ReviewError> {
        let append = || -> std::io::Result<()> {
            let mut file = self.beneath.append(plain(name)?)?;
            // One write, so that two of them do not mix.
            file.write_all(format!("{line}\n").as_bytes())
        };
        append().map_err(|source| file_error(&self.path(name), source))
    }
}

/// The folder that is opened as it is given, and the path beneath it that is not.
fn split(here: &Path, path: &Path) -> std::io::Result<(PathBuf, PathBuf)> {
    let is_plain = |part| matches!(part, Component::Normal(_) | Component::CurDir);
    if path.components().all(is_plain) {
        let inner: PathBuf =
            path.components().filter(|part| matches!(part, Component::Normal(_))).collect();
        if inner.as_os_str().is_empty() {
            return Err(refused("it is the working folder itself: name another folder with -o"));
        }
        return Ok((here.to_owned(), inner));
    }
    // A whole path is a person's word as far as its last folder.
    match (path.parent(), path.components().next_back()) {
        (Some(parent), Some(Component::Normal(name))) => Ok((here.join(parent), name.into())),
        _ => Err(refused("it names no folder that can be made anew: name another with -o")),
    }
}

/// Reports whether a text is the mark, also that of earlier versions.
fn is_mark(text: &[u8]) -> bool {
    text == MARK.1.as_bytes() || text == b"*\n"
}

fn plain(name: &str) -> std::io::Result<&Path> {
    let path = Path::new(name);
    let mut parts = path.components();
    match (parts.next(), parts.next()) {
        (Some(Component::Normal(only)), None) if only == name => Ok(path),
        _ => Err(Error::new(ErrorKind::InvalidInput, "it is no plain name of a file")),
    }
}

fn refused(message: &str) -> Error {
    Error::new(ErrorKind::PermissionDenied, message)
}

fn file_error(path: &Path, source: Error) -> ReviewError {
    ReviewError::File { path: path.display().to_string(), source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;
    use std::process::Command;

    fn git(folder: &Path, args: &[&str]) {
        let mut command = Command::new("git");
        let output = command.current_dir(folder).args(args).output().unwrap();
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    fn repository() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        git(folder.path(), &["init", "--quiet"]);
        folder
    }

    fn refusal(here: &Path, path: &str) -> String {
        Output::create_in(here, Path::new(path)).unwrap_err().to_string()
    }

    #[test]
    fn each_run_finds_an_empty_folder_and_leaves_its_own_files() {
        let folder = repository();
        let create = || Output::create_in(folder.path(), Path::new("out/dax-ci")).unwrap();
        let output = create();
        output.write("report.json", b"1").unwrap();
        output.write("report.json", b"2").unwrap();
        output.append("requests.jsonl", "one").unwrap();
        output.append("requests.jsonl", "two").unwrap();
        let read =
            |name: &str| std::fs::read_to_string(folder.path().join("out/dax-ci").join(name));
        assert_eq!(read("report.json").unwrap(), "2");
        assert_eq!(read("requests.jsonl").unwrap(), "one\ntwo\n");
        assert_eq!(output.path("report.json"), Path::new("out/dax-ci/report.json"));
        create();
        assert!(read("report.json").is_err() && read("requests.jsonl").is_err());
        // Nothing of it is offered to a commit.
        let mut command = Command::new("git");
        let status = command.current_dir(folder.path()).args(["status", "--porcelain"]).output();
        assert!(status.unwrap().stdout.is_empty());
    }

    #[test]
    fn no_link_is_followed_on_the_way_or_in_the_folder() {
        let outer = tempfile::tempdir().unwrap();
        let root = outer.path().join("checkout");
        std::fs::create_dir_all(root.join("real")).unwrap();
        git(&root, &["init", "--quiet"]);
        std::fs::write(outer.path().join("victim"), "mine").unwrap();
        symlink("..", root.join("up")).unwrap();
        symlink("real", root.join("near")).unwrap();
        symlink("../gone", root.join("dangling")).unwrap();
        for path in ["up", "near", "up/new", "near/new", "dangling", "dangling/new"] {
            refusal(&root, path);
        }
        assert!(!outer.path().join("new").exists() && !outer.path().join("gone").exists());
        // Links that an earlier run or a test left in it go with it; what they lead to stays.
        Output::create_in(&root, Path::new("dax-ci")).unwrap();
        for name in ["summary.md", "requests.jsonl"] {
            symlink("../../victim", root.join("dax-ci").join(name)).unwrap();
        }
        let output = Output::create_in(&root, Path::new("dax-ci")).unwrap();
        output.write("summary.md", b"x").unwrap();
        // One that is put there meanwhile is replaced or refused, never followed.
        symlink("../../victim", root.join("dax-ci/requests.jsonl")).unwrap();
        symlink("../../victim", root.join("dax-ci/report.json")).unwrap();
        output.append("requests.jsonl", "x").unwrap_err();
        output.write("report.json", b"x").unwrap();
        // The folder that was opened is written, whatever has its name by now.
        std::fs::rename(root.join("dax-ci"), root.join("moved")).unwrap();
        symlink("..", root.join("dax-ci")).unwrap();
        output.write("late", b"x").unwrap();
        assert!(root.join("moved/late").exists() && !outer.path().join("late").exists());
        assert_eq!(std::fs::read_to_string(outer.path().join("victim")).unwrap(), "mine");
    }

    #[test]
    fn what_is_committed_or_is_not_of_dax_is_neither_removed_nor_handed_on() {
        let folder = repository();
        let root = folder.path();
        std::fs::create_dir_all(root.join("dax-ci")).unwrap();
        std::fs::write(root.join("dax-ci/.gitignore"), MARK.1).unwrap();
        symlink("/etc/passwd", root.join("dax-ci/x")).unwrap();
        git(root, &["add", "--force", "dax-ci"]);
        let said = refusal(root, "dax-ci");
        assert!(said.contains("git tracks dax-ci/.gitignore") && said.contains("-o"), "{said}");
        // Removed from the folder only, it is still the repository's.
        std::fs::remove_dir_all(root.join("dax-ci")).unwrap();
        refusal(root, "dax-ci");
        std::fs::create_dir_all(root.join("src")).unwrap();
        std::fs::write(root.join("src/main.dax"), "").unwrap();
        assert!(refusal(root, "src").contains("dax did not write"));
        assert!(root.join("src/main.dax").exists());
        for path in ["", ".", "..", "/", "src/main.dax"] {
            refusal(root, path);
        }
    }

    #[test]
    fn a_whole_path_is_taken_as_far_as_its_last_folder() {
        let (folder, other) = (repository(), tempfile::tempdir().unwrap());
        let path = other.path().join("plans");
        Output::create_in(folder.path(), &path).unwrap().write("a", b"x").unwrap();
        assert!(path.join("a").exists());
        symlink("plans", other.path().join("linked")).unwrap();
        refusal(folder.path(), &other.path().join("linked").display().to_string());
    }

    #[test]
    fn a_name_leads_nowhere_else() {
        let folder = repository();
        let output = Output::create_in(folder.path(), Path::new("dax-ci")).unwrap();
        for name in ["../x", "a/b", "/tmp/x", "", ".", "a/", "./a"] {
            output.write(name, b"x").unwrap_err();
            output.append(name, "x").unwrap_err();
        }
    }
}
