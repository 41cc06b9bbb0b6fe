//! Packages: which version of each is taken, where it lies, and whether it is what was locked.
//!
//! Versions are chosen as Go does it (minimal version selection): of all that is required of a package, the
//! newest; nothing newer than somebody asked for is ever taken, so a build is the same tomorrow. What the project
//! itself requires by path or by git revision settles the package for everybody.

use crate::codes::{NO_PACKAGE, NOT_LOCKED, TAMPERED};
use crate::manifest::{self, Manifest, Source};
use crate::{FileSystem, ProjectError};
use dax_core::{Diagnostic, FileId, Name, Sources, Span, Value};
use dax_syntax::ast::{Arg, Expr, ExprKind, ItemKind, Member};
use semver::Version;
use std::collections::{BTreeMap, BTreeSet};

/// The folder into which `dax vendor` copies packages.
pub const VENDOR: &str = "vendor";
/// The file that says what each package must be.
pub const LOCK: &str = "dax.lock";

/// A package that was chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    /// Its name.
    pub name: Name,
    /// Where it comes from.
    pub source: Source,
    /// The folder in which it lies, counted from the project's.
    pub folder: String,
    /// The packages that it may import itself.
    pub requires: BTreeSet<Name>,
    /// Where it is required.
    pub span: Span,
}

impl Package {
    /// Its folder below `vendor/`; none for one that is used where it lies.
    pub fn vendored(&self) -> Option<String> {
        match &self.source {
            Source::Path(_) => None,
            Source::Git { rev, .. } => Some(format!("{VENDOR}/{}@{rev}", self.name)),
            Source::Version(version) => Some(format!("{VENDOR}/{}@{version}", self.name)),
        }
    }
}

/// What `dax.lock` says of a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Locked {
    /// Its version or revision.
    pub at: Name,
    /// BLAKE3 of every file, by path.
    pub files: BTreeMap<Name, Name>,
}

/// The packages of a project as they are chosen now, with what is wrong with them; the lock is not asked.
///
/// # Errors
/// There is no project, or a file cannot be read.
pub fn resolve(
    files: &dyn FileSystem,
) -> Result<(Vec<Package>, Sources, Vec<Diagnostic>), ProjectError> {
    let (mut sources, mut problems) = (Sources::default(), Vec::new());
    let bytes = read(files, "dax.mod")?.ok_or(ProjectError::NoManifest)?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let file = sources.add("dax.mod", text.as_str().into());
    let manifest = manifest::parse(file, &text, &mut problems);
    let packages = choose(files, &manifest, &mut sources, &mut problems)?;
    Ok((packages, sources, problems))
}

/// Chooses the packages of a project; one that is not here is reported.
pub(crate) fn choose(
    files: &dyn FileSystem,
    manifest: &Manifest,
    sources: &mut Sources,
    problems: &mut Vec<Diagnostic>,
) -> Result<Vec<Package>, ProjectError> {
    let fixed: BTreeSet<Name> = manifest
        .requires
        .iter()
        .filter(|require| !matches!(require.source, Source::Version(_)))
        .map(|require| require.name.clone())
        .collect();
    let mut chosen: BTreeMap<Name, Package> = BTreeMap::new();
    let mut open: Vec<(Name, Source, Span)> = manifest
        .requires
        .iter()
        .rev()
        .map(|r| (r.name.clone(), r.source.clone(), r.span))
        .collect();
    let mut own = true;
    let mut count = open.len();
    while let Some((name, source, span)) = open.pop() {
        own = own && count > 0;
        count = count.saturating_sub(1);
        if !own && fixed.contains(&name) {
            continue;
        }
        match (chosen.get(&name).map(|package| &package.source), &source) {
            (Some(Source::Version(known)), Source::Version(version)) if known >= version => {
                continue;
            }
            (Some(known), wanted) if known == wanted => continue,
            (Some(known), wanted)
                if !matches!((known, wanted), (Source::Version(_), Source::Version(_))) =>
            {
                let detail = format!(
                    "`{name}` is required from two places: {} and {}",
                    shown(known),
                    shown(wanted)
                );
                let help = "require it in the project's own dax.mod, which settles it for all";
                problems.push(Diagnostic::new(NO_PACKAGE, span, detail).help(help));
                continue;
            }
            _ => {}
        }
        let mut package = Package {
            name: name.clone(),
            source,
            folder: String::new(),
            requires: BTreeSet::new(),
            span,
        };
        let Some(text) = locate(files, manifest, &mut package)? else {
            problems.push(missing(&package, manifest));
            // Known, so that its imports are not reported one by one.
            chosen.insert(name, package);
            continue;
        };
        let path = format!("{}/dax.mod", package.folder);
        let file = sources.add(&path, text.as_str().into());
        let inner = manifest::parse(file, &text, problems);
        package.requires = inner.requires.iter().map(|require| require.name.clone()).collect();
        let inner_requires = inner.requires.into_iter().map(|r| (r.name, r.source, r.span));
        open.splice(0..0, inner_requires);
        chosen.insert(name, package);
    }
    Ok(chosen.into_values().collect())
}

fn shown(source: &Source) -> String {
    match source {
        Source::Path(path) => format!("the folder `{path}`"),
        Source::Git { rev, .. } => format!("revision {}", &rev[..12.min(rev.len())]),
        Source::Version(version) => format!("version {version}"),
    }
}

fn missing(package: &Package, manifest: &Manifest) -> Diagnostic {
    let (detail, help) = match &package.source {
        Source::Path(path) => {
            (format!("there is no package in `{path}`"), "a package is a folder with a dax.mod")
        }
        Source::Git { rev, .. } => (
            format!("`{}` at {rev} is not in `{VENDOR}/`", package.name),
            "fetch it with `dax vendor`",
        ),
        Source::Version(version) => match &manifest.packages {
            Some(folder) => (
                format!(
                    "`{}` {version} is neither in `{VENDOR}/` nor in `{folder}/`",
                    package.name
                ),
                "is the version right?",
            ),
            None => {
                let help =
                    "say in dax.mod where packages lie: `packages = \"…\"`, then `dax vendor`";
                (format!("`{}` {version} is not in `{VENDOR}/`", package.name), help)
            }
        },
    };
    Diagnostic::new(NO_PACKAGE, package.span, detail).help(help)
}

/// Finds the folder of a package; gives the text of its `dax.mod`.
fn locate(
    files: &dyn FileSystem,
    manifest: &Manifest,
    package: &mut Package,
) -> Result<Option<String>, ProjectError> {
    let mut folders: Vec<String> = package.vendored().into_iter().collect();
    match &package.source {
        Source::Path(path) => folders.push(path.trim_end_matches('/').to_owned()),
        Source::Version(version) => {
            folders.extend(
                manifest
                    .packages
                    .as_ref()
                    .map(|at| format!("{}/{}/{version}", at.trim_end_matches('/'), package.name)),
            );
        }
        Source::Git { .. } => {}
    }
    for folder in folders {
        if let Some(bytes) = read(files, &format!("{folder}/dax.mod"))? {
            package.folder = folder;
            return Ok(Some(String::from_utf8_lossy(&bytes).into_owned()));
        }
    }
    Ok(None)
}

fn read(files: &dyn FileSystem, path: &str) -> Result<Option<Vec<u8>>, ProjectError> {
    files.read(path).map_err(|source| ProjectError::Unreadable { path: path.to_owned(), source })
}

/// Every file of a folder with its hash, hidden ones left out.
///
/// # Errors
/// A file or folder cannot be read.
pub fn hashes(files: &dyn FileSystem, folder: &str) -> Result<BTreeMap<Name, Name>, ProjectError> {
    let mut all = BTreeMap::new();
    collect(files, folder, "", &mut all)?;
    Ok(all)
}

fn collect(
    files: &dyn FileSystem,
    folder: &str,
    inner: &str,
    all: &mut BTreeMap<Name, Name>,
) -> Result<(), ProjectError> {
    let at = if inner.is_empty() { folder.to_owned() } else { format!("{folder}/{inner}") };
    let names = files
        .list(&at)
        .map_err(|source| ProjectError::Unreadable { path: at.clone(), source })?
        .unwrap_or_default();
    for name in names.into_iter().filter(|name| !name.starts_with('.')) {
        let below = if inner.is_empty() { name.clone() } else { format!("{inner}/{name}") };
        match below.strip_suffix('/') {
            Some(folder_below) if name == "vendor/" && inner.is_empty() => {
                let _ = folder_below; // a package's own copies are not part of it
            }
            Some(folder_below) => collect(files, folder, folder_below, all)?,
            None => {
                if let Some(bytes) = read(files, &format!("{folder}/{below}"))? {
                    all.insert(below.into(), Name::new(blake3::hash(&bytes).to_hex()));
                }
            }
        }
    }
    Ok(())
}

/// Reads `dax.lock`.
pub(crate) fn parse_lock(
    file: FileId,
    text: &str,
    problems: &mut Vec<Diagnostic>,
) -> BTreeMap<Name, Locked> {
    let (ast, faults) = dax_syntax::parse(file, text);
    problems.extend(faults);
    let mut all = BTreeMap::new();
    for item in &ast.items {
        let ItemKind::Command(command) = &item.kind else { continue };
        let [Arg::Expr(Expr { kind: ExprKind::Literal(Value::Str(name)), .. })] =
            command.args.as_slice()
        else {
            continue;
        };
        let mut locked = Locked { at: Name::default(), files: BTreeMap::new() };
        for member in command.body.iter().flatten() {
            let Member::Field(field) = member else { continue };
            match (&field.value.kind, field.path.first().map(|key| key.name.as_str())) {
                (ExprKind::Literal(Value::Str(at)), Some("at")) => locked.at = at.clone(),
                (ExprKind::Map(None, entries), Some("files")) => {
                    for entry in entries {
                        if let (
                            ExprKind::Literal(Value::Str(path)),
                            ExprKind::Literal(Value::Str(hash)),
                        ) = (&entry.key.kind, &entry.value.kind)
                        {
                            locked.files.insert(path.clone(), hash.clone());
                        }
                    }
                }
                _ => {}
            }
        }
        all.insert(name.clone(), locked);
    }
    all
}

/// The text of `dax.lock`.
pub fn lock_text(all: &BTreeMap<Name, Locked>) -> String {
    let mut text =
        "# Written by `dax vendor`: what each package must be, file by file (BLAKE3).\n".to_owned();
    for (name, locked) in all {
        text.push_str(&format!(
            "\npackage {name:?} {{\n  at = {:?}\n  files = {{\n",
            locked.at.as_str()
        ));
        for (path, hash) in &locked.files {
            text.push_str(&format!("    {path:?}: {:?}\n", hash.as_str()));
        }
        text.push_str("  }\n}\n");
    }
    text
}

/// The version or revision under which a package is locked.
pub fn at(source: &Source) -> Option<Name> {
    match source {
        Source::Path(_) => None,
        Source::Git { rev, .. } => Some(rev.clone()),
        Source::Version(version) => Some(Name::new(Version::to_string(version))),
    }
}

/// Whether every package is what the lock says; the first file that is not is named.
pub(crate) fn verify(
    files: &dyn FileSystem,
    packages: &[Package],
    lock: &BTreeMap<Name, Locked>,
    problems: &mut Vec<Diagnostic>,
) -> Result<(), ProjectError> {
    for package in packages.iter().filter(|package| !package.folder.is_empty()) {
        let Some(at) = at(&package.source) else { continue };
        let Some(locked) = lock.get(&package.name).filter(|locked| locked.at == at) else {
            let detail = format!("`{}` at {at} is not in {LOCK}", package.name);
            problems.push(
                Diagnostic::new(NOT_LOCKED, package.span, detail)
                    .help("look at what it brings, then `dax vendor`"),
            );
            continue;
        };
        let found = hashes(files, &package.folder)?;
        let changed = locked
            .files
            .iter()
            .find(|(path, hash)| found.get(*path) != Some(*hash))
            .map(|(path, _)| path);
        let added = found.keys().find(|path| !locked.files.contains_key(*path));
        let what = match (changed, added) {
            (Some(path), _) if found.contains_key(path) => {
                Some(format!("`{}/{path}` is not what was locked", package.folder))
            }
            (Some(path), _) => Some(format!("`{}/{path}` is gone", package.folder)),
            (None, Some(path)) => {
                Some(format!("`{}/{path}` was not there when it was locked", package.folder))
            }
            (None, None) => None,
        };
        if let Some(what) = what {
            let help = "somebody changed the package: restore it, or look at the change and run `dax vendor`";
            problems.push(Diagnostic::new(TAMPERED, package.span, what).help(help));
        }
    }
    Ok(())
}
