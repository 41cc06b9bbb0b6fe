//! `dax vendor`: brings the packages of a project into `vendor/` and writes down what each must be.

use crate::files::Disk;
use crate::{Diagnostic, Engine, EngineError, Sources, diagnostic, git};
use dax_core::Name;
use dax_project::packages::{self, LOCK, Locked, VENDOR};
use dax_project::{FileSystem, Package, Source};
use std::collections::BTreeMap;
use std::path::Path;

/// Packages that require packages, one after the other, before something must be wrong.
const MOST_ROUNDS: usize = 100;

/// What `dax vendor` did with a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vendored {
    /// The package.
    pub name: Name,
    /// Its version or revision.
    pub at: Name,
    /// Whether it came now.
    pub fetched: bool,
}

impl Engine {
    /// Brings every package into `vendor/` and writes `dax.lock`; `copy` false leaves them where they lie.
    ///
    /// # Errors
    /// A package cannot be found or fetched, or a file cannot be written.
    pub fn vendor(&self, copy: bool) -> Result<Vec<Vendored>, EngineError> {
        let disk = Disk { root: self.root.clone() };
        let mut fetched: Vec<Name> = Vec::new();
        let (packages, sources, problems) = self.bring_all(&disk, copy, &mut fetched)?;
        if diagnostic::has_errors(&problems) {
            return Err(EngineError::Program { sources, diagnostics: problems });
        }
        let mut lock = BTreeMap::new();
        let mut all = Vec::new();
        for package in &packages {
            let Some(at) = packages::at(&package.source) else { continue };
            let files = packages::hashes(&disk, &package.folder)?;
            lock.insert(package.name.clone(), Locked { at: at.clone(), files });
            all.push(Vendored {
                name: package.name.clone(),
                at,
                fetched: fetched.contains(&package.name),
            });
        }
        self.remove_unused(&packages)?;
        let path = self.root.join(LOCK);
        let text = packages::lock_text(&lock);
        let unchanged = std::fs::read_to_string(&path).is_ok_and(|old| old == text);
        let wanted = !lock.is_empty() || path.exists();
        if wanted && !unchanged {
            std::fs::write(&path, text)
                .map_err(|source| EngineError::File { path: path.display().to_string(), source })?;
        }
        Ok(all)
    }

    /// Fetches and copies until every package that is required is here.
    fn bring_all(
        &self,
        disk: &Disk,
        copy: bool,
        fetched: &mut Vec<Name>,
    ) -> Result<(Vec<Package>, Sources, Vec<Diagnostic>), EngineError> {
        for _ in 0..MOST_ROUNDS {
            let (packages, sources, problems) = packages::resolve(disk)?;
            let mut brought = false;
            for package in &packages {
                let Some(target) = package.vendored() else { continue };
                if self.root.join(&target).join("dax.mod").is_file() {
                    continue;
                }
                match &package.source {
                    Source::Git { url, rev } => self.fetch(url, rev, &target)?,
                    Source::Version(_) if copy && !package.folder.is_empty() => {
                        self.copy(disk, &package.folder, &target)?
                    }
                    _ => continue,
                }
                fetched.push(package.name.clone());
                brought = true;
            }
            if !brought {
                return Ok((packages, sources, problems));
            }
        }
        Err(EngineError::Git {
            what: "dax vendor".to_owned(),
            detail: "packages require packages without an end".to_owned(),
        })
    }

    /// Fetches one revision of a repository into a folder, without its history.
    fn fetch(&self, url: &str, rev: &str, target: &str) -> Result<(), EngineError> {
        let work = self.folder().join("fetch");
        let io = |path: &Path| {
            let path = path.display().to_string();
            move |source| EngineError::File { path, source }
        };
        if work.exists() {
            std::fs::remove_dir_all(&work).map_err(io(&work))?;
        }
        crate::files::private_folder(&self.folder()).map_err(io(&work))?;
        std::fs::create_dir_all(&work).map_err(io(&work))?;
        git::git(&work, &["init", "--quiet"])?;
        if git::git(&work, &["fetch", "--quiet", "--depth", "1", "--end-of-options", url, rev])
            .is_err()
        {
            // Servers may refuse to serve a commit that no branch points to; then all of it is fetched.
            git::git(
                &work,
                &[
                    "fetch",
                    "--quiet",
                    "--end-of-options",
                    url,
                    "+refs/heads/*:refs/remotes/origin/*",
                    "+refs/tags/*:refs/tags/*",
                ],
            )?;
        }
        git::git(&work, &["checkout", "--quiet", "--detach", rev])?;
        std::fs::remove_dir_all(work.join(".git")).map_err(io(&work))?;
        let from = Disk { root: work.clone() };
        for path in packages::hashes(&from, ".")?.keys() {
            self.write_file(
                &format!("{target}/{path}"),
                &from.read(path).map_err(io(&work))?.unwrap_or_default(),
            )?;
        }
        std::fs::remove_dir_all(&work).map_err(io(&work))
    }

    fn copy(&self, disk: &Disk, folder: &str, target: &str) -> Result<(), EngineError> {
        for path in packages::hashes(disk, folder)?.keys() {
            let from = format!("{folder}/{path}");
            let bytes = disk
                .read(&from)
                .map_err(|source| EngineError::File { path: from.clone(), source })?
                .unwrap_or_default();
            self.write_file(&format!("{target}/{path}"), &bytes)?;
        }
        Ok(())
    }

    fn write_file(&self, path: &str, bytes: &[u8]) -> Result<(), EngineError> {
        let whole = self.root.join(path);
        let write = || {
            if let Some(folder) = whole.parent() {
                std::fs::create_dir_all(folder)?;
            }
            std::fs::write(&whole, bytes)
        };
        write().map_err(|source| EngineError::File { path: path.to_owned(), source })
    }

    /// Takes copies away that nothing requires any more.
    fn remove_unused(&self, packages: &[Package]) -> Result<(), EngineError> {
        let kept: Vec<String> = packages.iter().filter_map(Package::vendored).collect();
        let mut open = vec![VENDOR.to_owned()];
        while let Some(folder) = open.pop() {
            let disk = Disk { root: self.root.clone() };
            let names = disk
                .list(&folder)
                .map_err(|source| EngineError::File { path: folder.clone(), source })?
                .unwrap_or_default();
            for name in names.iter().filter_map(|name| name.strip_suffix('/')) {
                let below = format!("{folder}/{name}");
                if !name.contains('@') {
                    open.push(below);
                } else if !kept.contains(&below) {
                    let path = self.root.join(&below);
                    std::fs::remove_dir_all(&path)
                        .map_err(|source| EngineError::File { path: below, source })?;
                }
            }
        }
        Ok(())
    }
}
