//! Packages: which version of each is taken, where it lies, and whether it is what was locked.
//!
//! Versions are chosen as Go does it (minimal version selection): of all that is required of a
//! package, the newest; nothing newer than somebody asked for is ever taken, so a build is the same
//! tomorrow. What the project itself requires by path or by git revision settles the package for
//! everybody.

use crate::codes::{MANIFEST, NO_PACKAGE, NOT_LOCKED, TAMPERED, UNREADABLE};
use crate::manifest::{self, Manifest, Require, Source};
use crate::reading::{At, Reader, joined};
use crate::{FileSystem, ProjectError};
use dax_core::{Diagnostic, FileId, Name, Sources, Span, Value};
use dax_syntax::ast::{Arg, Expr, ExprKind, ItemKind, Member};
use semver::Version;
use std::collections::{BTreeMap, BTreeSet};

/// The folder into which `dax vendor` copies packages.
pub const VENDOR: &str = "vendor";
/// The file that says what each package must be.
pub const LOCK: &str = "dax.lock";

/// Most files of a package.
pub const MOST_FILES: usize = 20_000;
/// All files of a package together, in bytes.
pub const MOST_BYTES: u64 = 512 << 20;
/// Folders in folders of a package.
const MOST_DEEP: usize = 64;

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

/// The packages of a project as they are chosen now, with what is wrong with them; the lock is not
/// asked.
///
/// # Errors
/// There is no project, or a file cannot be read.
pub fn resolve(
    files: &dyn FileSystem,
) -> Result<(Vec<Package>, Sources, Vec<Diagnostic>), ProjectError> {
    let (mut sources, mut problems) = (Sources::default(), Vec::new());
    let mut reader = Reader::new(files);
    let bytes = reader.own("dax.mod")?.ok_or(ProjectError::NoManifest)?;
    let manifest = manifest::read("dax.mod", bytes, &mut sources, &mut problems);
    let packages = choose(&mut reader, &manifest, &mut sources, &mut problems);
    Ok((packages, sources, problems))
}

/// Chooses the packages of a project; one that is not here is reported.
pub(crate) fn choose(
    reader: &mut Reader<'_>,
    manifest: &Manifest,
    sources: &mut Sources,
    problems: &mut Vec<Diagnostic>,
) -> Vec<Package> {
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
        let found = match locate(reader, manifest, &mut package) {
            Ok(found) => found.ok_or_else(|| missing(&package, manifest)),
            Err((path, error)) => {
                let detail = format!("`{path}`: {error}");
                Err(Diagnostic::new(UNREADABLE, package.span, detail))
            }
        };
        let bytes = match found {
            Ok(bytes) => bytes,
            Err(problem) => {
                problems.push(problem);
                // Known, so that its imports are not reported one by one.
                package.folder.clear();
                chosen.insert(name, package);
                continue;
            }
        };
        let path = joined(&package.folder, "dax.mod");
        let inner = manifest::read(&path, bytes, sources, problems);
        package.requires = inner.requires.iter().map(|require| require.name.clone()).collect();
        let inner_requires: Vec<Require> = inner
            .requires
            .into_iter()
            .filter(|inner| fixed.contains(&inner.name) || may_require(&package, inner, problems))
            .collect();
        open.splice(0..0, inner_requires.into_iter().map(|r| (r.name, r.source, r.span)));
        chosen.insert(name, package);
    }
    chosen.into_values().collect()
}

/// Whether a package may require another from where it says: one that was brought here from
/// elsewhere cannot choose folders and repositories of this machine.
fn may_require(package: &Package, inner: &Require, problems: &mut Vec<Diagnostic>) -> bool {
    let here = match &inner.source {
        Source::Path(_) => true,
        Source::Git { url, .. } => crate::remote::is_local(url),
        Source::Version(_) => false,
    };
    if !here || matches!(package.source, Source::Path(_)) {
        return true;
    }
    let detail = format!(
        "`{}` was brought here and cannot require `{}` from a folder of this machine",
        package.name, inner.name
    );
    let help = "require it in the project's own dax.mod, which settles it for all";
    problems.push(Diagnostic::new(MANIFEST, inner.span, detail).help(help));
    false
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

/// Finds the folder of a package; gives the content of its `dax.mod`, or why a file cannot be read.
fn locate(
    reader: &mut Reader<'_>,
    manifest: &Manifest,
    package: &mut Package,
) -> Result<Option<Vec<u8>>, (String, std::io::Error)> {
    let mut folders: Vec<String> = package.vendored().into_iter().collect();
    match &package.source {
        Source::Path(path) => folders.push(folder_of(path)),
        Source::Version(version) => {
            folders.extend(
                manifest
                    .packages
                    .as_ref()
                    .map(|at| format!("{}/{}/{version}", folder_of(at), package.name)),
            );
        }
        Source::Git { .. } => {}
    }
    for folder in folders {
        let at = At { within: folder, path: "dax.mod".to_owned() };
        if let Some(bytes) = reader.read(&at).map_err(|error| (at.shown(), error))? {
            package.folder = at.within;
            return Ok(Some(bytes));
        }
    }
    Ok(None)
}

/// The folder that `dax.mod` names; the project's own stands as `.`.
fn folder_of(path: &str) -> String {
    match path.trim_end_matches('/') {
        "" if path.starts_with('/') => "/".to_owned(),
        "" => ".".to_owned(),
        path => path.to_owned(),
    }
}

/// Whether a file belongs to a package: hidden ones do not, nor do the package's own copies of
/// others.
pub fn is_part(path: &str) -> bool {
    let mut parts = path.split('/');
    parts.clone().all(|part| !part.starts_with('.')) && parts.next() != Some(VENDOR)
}

/// Every file of a package with its hash.
///
/// # Errors
/// A file or folder cannot be read, such as a link; or it is too much.
pub fn hashes(files: &dyn FileSystem, folder: &str) -> Result<BTreeMap<Name, Name>, ProjectError> {
    let mut all = BTreeMap::new();
    walk(files, folder, &mut |path, bytes| {
        all.insert(path.into(), Name::new(blake3::hash(&bytes).to_hex()));
        Ok(())
    })?;
    Ok(all)
}

/// Goes through every file of a package.
///
/// # Errors
/// As [`hashes`], or what `each` gives.
pub fn walk(
    files: &dyn FileSystem,
    folder: &str,
    each: &mut dyn FnMut(&str, Vec<u8>) -> std::io::Result<()>,
) -> Result<(), ProjectError> {
    let unreadable = |inner: &str, source| {
        let path = joined(folder, inner);
        ProjectError::Unreadable { path, source }
    };
    let too_much = |what: String| std::io::Error::new(std::io::ErrorKind::FileTooLarge, what);
    let (mut open, mut count, mut together) = (vec![String::new()], 0_usize, 0_u64);
    while let Some(inner) = open.pop() {
        let names = files.list(folder, &inner).map_err(|source| unreadable(&inner, source))?;
        for name in names.unwrap_or_default() {
            let below = joined(&inner, name.trim_end_matches('/'));
            if !is_part(&below) {
                continue;
            }
            count += 1;
            if count > MOST_FILES || below.split('/').count() > MOST_DEEP {
                let what = format!("packages have at most {MOST_FILES} files, {MOST_DEEP} deep");
                return Err(unreadable(&below, too_much(what)));
            }
            if name.ends_with('/') {
                open.push(below);
                continue;
            }
            let bytes = files.read(folder, &below).map_err(|source| unreadable(&below, source))?;
            let Some(bytes) = bytes else { continue };
            together += bytes.len() as u64;
            if together > MOST_BYTES {
                let what = format!("packages have at most {} MiB", MOST_BYTES >> 20);
                return Err(unreadable(&below, too_much(what)));
            }
            each(&below, bytes).map_err(|source| unreadable(&below, source))?;
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

/// Holds every package against the lock; the first file that is not what it says is named, and the
/// package is not used.
pub(crate) fn verify(
    files: &dyn FileSystem,
    reader: &mut Reader<'_>,
    packages: &mut [Package],
    lock: &BTreeMap<Name, Locked>,
    problems: &mut Vec<Diagnostic>,
) {
    for package in packages.iter_mut().filter(|package| !package.folder.is_empty()) {
        let Some(at) = at(&package.source) else { continue };
        let Some(locked) = lock.get(&package.name).filter(|locked| locked.at == at) else {
            let detail = format!("`{}` at {at} is not in {LOCK}", package.name);
            problems.push(
                Diagnostic::new(NOT_LOCKED, package.span, detail)
                    .help("look at what it brings, then `dax vendor`"),
            );
            package.folder.clear();
            continue;
        };
        let Some(what) = difference(files, package, locked) else {
            reader.lock(&package.folder, locked);
            continue;
        };
        let help =
            "somebody changed the package: restore it, or look at the change and run `dax vendor`";
        problems.push(Diagnostic::new(TAMPERED, package.span, what).help(help));
        package.folder.clear();
    }
}

/// The first file by which a package is not what was locked.
fn difference(files: &dyn FileSystem, package: &Package, locked: &Locked) -> Option<String> {
    let found = match hashes(files, &package.folder) {
        Ok(found) => found,
        Err(ProjectError::Unreadable { path, source }) => {
            return Some(format!("`{path}`: {source}"));
        }
        Err(error) => return Some(error.to_string()),
    };
    let folder = &package.folder;
    let changed = locked
        .files
        .iter()
        .find(|(path, hash)| found.get(*path) != Some(*hash))
        .map(|(path, _)| path);
    let added = found.keys().find(|path| !locked.files.contains_key(*path));
    match (changed, added) {
        (Some(path), _) if found.contains_key(path) => {
            Some(format!("`{folder}/{path}` is not what was locked"))
        }
        (Some(path), _) => Some(format!("`{folder}/{path}` is gone")),
        (None, Some(path)) => Some(format!("`{folder}/{path}` was not there when it was locked")),
        (None, None) => None,
    }
}
