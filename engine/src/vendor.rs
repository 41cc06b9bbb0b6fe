//! `dax vendor`: brings the packages of a project into `vendor/` and writes down what each must be.

use crate::files::Disk;
use crate::{Diagnostic, Engine, EngineError, Sources, diagnostic, git};
use dax_core::Name;
use dax_files::Beneath;
use dax_project::packages::{self, LOCK, Locked, VENDOR};
use dax_project::{FileSystem, Package, Source};
use std::collections::BTreeMap;
use std::path::Path;

/// The file that makes a folder a package; written last, so that a copy that has it is whole.
const MANIFEST: &str = "dax.mod";

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
    /// Brings every package into `vendor/` and writes `dax.lock`; `copy` false leaves them where
    /// they lie.
    ///
    /// # Errors
    /// A package cannot be found or fetched, or a file cannot be written.
    pub fn vendor(&self, copy: bool) -> Result<Vec<Vendored>, EngineError> {
        let project = Beneath::open(&self.root).map_err(|source| self.in_root(".", source))?;
        let mut fetched: Vec<Name> = Vec::new();
        let (packages, sources, problems) = self.bring_all(&project, copy, &mut fetched)?;
        if diagnostic::has_errors(&problems) {
            return Err(EngineError::Program { sources, diagnostics: problems });
        }
        let disk = Disk::new(&self.root);
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
        self.remove_unused(&project, &packages)?;
        let io = |source| self.in_root(LOCK, source);
        let (path, text) = (Path::new(LOCK), packages::lock_text(&lock));
        let old = project.read(path, dax_files::LARGEST).map_err(io)?;
        if old.as_deref() != Some(text.as_bytes()) && (old.is_some() || !lock.is_empty()) {
            project.write(path, text.as_bytes()).map_err(io)?;
        }
        Ok(all)
    }

    fn in_root(&self, path: &str, source: std::io::Error) -> EngineError {
        EngineError::File { path: self.root.join(path).display().to_string(), source }
    }

    /// Fetches and copies until every package that is required is here.
    fn bring_all(
        &self,
        project: &Beneath,
        copy: bool,
        fetched: &mut Vec<Name>,
    ) -> Result<(Vec<Package>, Sources, Vec<Diagnostic>), EngineError> {
        for _ in 0..MOST_ROUNDS {
            // What was brought is looked at anew.
            let disk = Disk::new(&self.root);
            let (packages, sources, problems) = packages::resolve(&disk)?;
            let mut brought = false;
            for package in &packages {
                let Some(target) = package.vendored() else { continue };
                if package.folder == target || has_manifest(&disk, &target) {
                    continue;
                }
                let files = match &package.source {
                    Source::Git { url, rev } => git::package(&self.root, url, rev)?,
                    Source::Version(_) if copy && !package.folder.is_empty() => {
                        files_of(&disk, &package.folder)?
                    }
                    _ => continue,
                };
                write_all(project, &target, &files)
                    .map_err(|(path, source)| self.in_root(&path, source))?;
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

    /// Takes copies away that nothing requires any more.
    fn remove_unused(&self, project: &Beneath, packages: &[Package]) -> Result<(), EngineError> {
        let kept: Vec<String> = packages.iter().filter_map(Package::vendored).collect();
        let io = |path: &str| {
            let path = path.to_owned();
            move |source| self.in_root(&path, source)
        };
        let Some(vendor) = project.folder(Path::new(VENDOR)).map_err(io(VENDOR))? else {
            return Ok(());
        };
        let vendor = vendor.without_links();
        let mut open = vec![String::new()];
        while let Some(folder) = open.pop() {
            let shown = format!("{VENDOR}/{folder}");
            let names = vendor.list(Path::new(&folder)).map_err(io(&shown))?.unwrap_or_default();
            for name in names.iter().filter_map(|name| name.strip_suffix('/')) {
                let below =
                    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") };
                let whole = format!("{VENDOR}/{below}");
                if !name.contains('@') {
                    open.push(below);
                } else if !kept.contains(&whole) {
                    vendor.remove_all(Path::new(&below)).map_err(io(&whole))?;
                }
            }
        }
        Ok(())
    }
}

fn has_manifest(disk: &Disk, folder: &str) -> bool {
    disk.read(folder, MANIFEST).is_ok_and(|found| found.is_some())
}

/// The files of a package that lies here, by path.
fn files_of(disk: &Disk, folder: &str) -> Result<BTreeMap<String, Vec<u8>>, EngineError> {
    let mut files = BTreeMap::new();
    packages::walk(disk, folder, &mut |path, bytes| {
        files.insert(path.to_owned(), bytes);
        Ok(())
    })?;
    Ok(files)
}

/// Writes the files of a package into a folder of the project, where nothing else is left.
fn write_all(
    project: &Beneath,
    target: &str,
    files: &BTreeMap<String, Vec<u8>>,
) -> Result<(), (String, std::io::Error)> {
    let failed = |path: &str| {
        let path = path.to_owned();
        move |error| (path, error)
    };
    project.remove_all(Path::new(target)).map_err(failed(target))?;
    let (first, last): (Vec<_>, Vec<_>) = files.iter().partition(|(path, _)| *path != MANIFEST);
    for (path, bytes) in first.into_iter().chain(last) {
        let path = format!("{target}/{path}");
        project.create(Path::new(&path), bytes).map_err(failed(&path))?;
    }
    Ok(())
}
