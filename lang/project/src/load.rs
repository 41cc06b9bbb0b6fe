//! Loading: every file once, every import to its module.

use crate::codes::{BAD_FILE, CIRCULAR_IMPORT, NO_MODULE, NOT_TEXT, UNREADABLE};
use crate::packages::{self, Locked, Package};
use crate::reading::{At, Reader, joined};
use crate::{FileSystem, Manifest, ProjectError, manifest, text};
use dax_core::{Diagnostic, FileId, Name, Sources, Span};
use dax_ir::Node;
use dax_sema::walk::walk_item;
use dax_sema::{ModuleId, ModuleSource, Program, import_path};
use dax_syntax::ast::{ExprKind, File, ItemKind};
use std::collections::{BTreeMap, BTreeSet};

/// A loaded project.
#[derive(Debug)]
pub struct Loaded {
    /// What `dax.mod` says.
    pub manifest: Manifest,
    /// The texts, for messages.
    pub sources: Sources,
    /// The packages that it uses.
    pub packages: Vec<Package>,
    /// The parsed modules.
    pub program: Program,
    /// What loading and parsing found.
    pub diagnostics: Vec<Diagnostic>,
}

/// Loads the project whose `dax.mod` lies at the root of `files`.
///
/// # Errors
/// [`ProjectError`] when there is no project or a file cannot be read; faults in files are
/// diagnostics.
pub fn load(files: &dyn FileSystem) -> Result<Loaded, ProjectError> {
    load_with(files, &[])
}

/// The same, with the modules of further files that nothing imports yet: somebody is writing them.
///
/// # Errors
/// As [`load`].
pub fn load_with(files: &dyn FileSystem, further: &[String]) -> Result<Loaded, ProjectError> {
    let mut loader = Loader {
        reader: Reader::new(files),
        sources: Sources::default(),
        diagnostics: Vec::new(),
        modules: Vec::new(),
        known: BTreeMap::new(),
        path: Vec::new(),
        packages: Vec::new(),
        own_requires: BTreeSet::new(),
        base: String::new(),
    };
    let bytes = loader.reader.own("dax.mod")?.ok_or(ProjectError::NoManifest)?;
    let manifest = manifest::read("dax.mod", bytes, &mut loader.sources, &mut loader.diagnostics);
    let Loader { reader, sources, diagnostics, .. } = &mut loader;
    let mut packages = packages::choose(reader, &manifest, sources, diagnostics);
    loader.own_requires = manifest.requires.iter().map(|require| require.name.clone()).collect();
    if !packages.is_empty() {
        let lock = loader.lock()?;
        let Loader { reader, diagnostics, .. } = &mut loader;
        packages::verify(files, reader, &mut packages, &lock, diagnostics);
    }
    loader.packages = packages;
    let root = loader.open("")?.unwrap_or(ModuleId(0));
    for name in further.iter().filter(|name| name.ends_with(".dax")) {
        if loader.sources.find(name).is_none() {
            loader.open(name.rsplit_once('/').map_or("", |(folder, _)| folder))?;
        }
    }
    let mut prelude = Vec::new();
    for path in dax_stdlib::PRELUDE {
        prelude.extend(loader.std(path));
    }
    let faulty = dax_core::diagnostic::has_errors(&loader.diagnostics);
    let program = Program {
        project: manifest.project.clone(),
        modules: loader.modules,
        root,
        faulty,
        prelude,
    };
    Ok(Loaded {
        manifest,
        sources: loader.sources,
        packages: loader.packages,
        program,
        diagnostics: loader.diagnostics,
    })
}

/// What `dax.mod` says alone, for what needs no program.
///
/// # Errors
/// [`ProjectError`] when there is no project or its `dax.mod` cannot be read.
pub fn manifest(files: &dyn FileSystem) -> Result<Manifest, ProjectError> {
    let bytes = Reader::new(files).own("dax.mod")?.ok_or(ProjectError::NoManifest)?;
    let text = text::decode(bytes).map_err(|found| {
        let source = std::io::Error::new(std::io::ErrorKind::InvalidData, found.why);
        ProjectError::Unreadable { path: "dax.mod".to_owned(), source }
    })?;
    Ok(manifest::parse(FileId::default(), &text, &mut Vec::new()))
}

struct Loader<'f> {
    reader: Reader<'f>,
    sources: Sources,
    diagnostics: Vec<Diagnostic>,
    modules: Vec<ModuleSource>,
    known: BTreeMap<String, ModuleId>,
    /// Modules being loaded, outermost first.
    path: Vec<String>,
    packages: Vec<Package>,
    /// What the project itself requires.
    own_requires: BTreeSet<Name>,
    /// The folder of the package that is being loaded; empty for the project.
    base: String,
}

impl Loader<'_> {
    /// The module of a standard library path.
    fn std(&mut self, path: &str) -> Option<ModuleId> {
        if let Some(known) = self.known.get(path) {
            return Some(*known);
        }
        let text = dax_stdlib::module(path)?;
        let file = self.sources.add(&format!("{path}.dax"), text.into());
        let (ast, faults) = dax_syntax::parse(file, text);
        self.diagnostics.extend(faults);
        let id = ModuleId(self.modules.len());
        self.modules.push(ModuleSource {
            path: path.into(),
            files: vec![ast],
            ..ModuleSource::default()
        });
        self.known.insert(path.to_owned(), id);
        Some(id)
    }

    /// What `dax.lock` says.
    fn lock(&mut self) -> Result<BTreeMap<Name, Locked>, ProjectError> {
        let Some(bytes) = self.reader.own(packages::LOCK)? else { return Ok(BTreeMap::new()) };
        let Some((file, text)) = self.text(packages::LOCK, bytes) else {
            return Ok(BTreeMap::new());
        };
        Ok(packages::parse_lock(file, &text, &mut self.diagnostics))
    }

    /// The text of a file, which is kept for messages; nothing, and a finding, where it is none.
    fn text(&mut self, path: &str, bytes: Vec<u8>) -> Option<(FileId, String)> {
        let lossy = || String::from_utf8_lossy(&bytes).into_owned();
        match text::decode(bytes.clone()) {
            Ok(text) => Some((self.sources.add(path, text.as_str().into()), text)),
            Err(found) => {
                let file = self.sources.add(path, lossy().into());
                let start = u32::try_from(found.at).unwrap_or(u32::MAX);
                let span = Span { file, start, end: start };
                self.diagnostics.push(Diagnostic::new(NOT_TEXT, span, found.why));
                None
            }
        }
    }

    /// A folder's module that no import asks for.
    fn open(&mut self, folder: &str) -> Result<Option<ModuleId>, ProjectError> {
        let shown = if folder.is_empty() { "." } else { folder };
        self.folder(folder)
            .map_err(|source| ProjectError::Unreadable { path: shown.to_owned(), source })
    }

    /// A path of the project, or of the package that is being loaded.
    fn at(&self, path: &str) -> At {
        At { within: self.base.clone(), path: path.to_owned() }
    }

    /// Says that a file or folder cannot be read, where it was asked for.
    fn unreadable(&mut self, at: &At, span: Option<Span>, error: &std::io::Error) {
        let span = span.unwrap_or_else(|| {
            let file = self.sources.add(&at.shown(), "".into());
            Span { file, start: 0, end: 0 }
        });
        let detail = format!("`{}`: {error}", at.shown());
        self.diagnostics.push(Diagnostic::new(UNREADABLE, span, detail));
    }

    /// The module made of a folder's files, or nothing when there is no such folder.
    fn folder(&mut self, folder: &str) -> std::io::Result<Option<ModuleId>> {
        let at = self.at(folder);
        let Some(names) = self.reader.programs(&at)? else { return Ok(None) };
        let paths: Vec<String> = names.iter().map(|name| joined(folder, name)).collect();
        Ok(Some(self.module(&at, &paths)))
    }

    /// The module made of files of the project, or of the package that is being loaded.
    fn module(&mut self, key: &At, paths: &[String]) -> ModuleId {
        let (id, key) = (ModuleId(self.modules.len()), key.shown());
        self.known.insert(key.clone(), id);
        let foreign = !self.base.is_empty();
        self.modules.push(ModuleSource {
            path: key.as_str().into(),
            foreign,
            ..ModuleSource::default()
        });
        self.path.push(key);
        let mut files = Vec::new();
        let mut imports = BTreeMap::new();
        let mut data = BTreeMap::new();
        for path in paths {
            let at = self.at(path);
            let bytes = match self.reader.read(&at) {
                Ok(Some(bytes)) => bytes,
                Ok(None) => continue,
                Err(error) => {
                    self.unreadable(&at, None, &error);
                    continue;
                }
            };
            let Some((file, text)) = self.text(&at.shown(), bytes) else { continue };
            let (ast, faults) = dax_syntax::parse(file, &text);
            self.diagnostics.extend(faults);
            let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
            self.imports(&ast, folder, &mut imports);
            self.data(&ast, folder, &mut data);
            files.push(ast);
        }
        self.path.pop();
        self.modules[id.0].files = files;
        self.modules[id.0].imports = imports;
        self.modules[id.0].data = data;
        id
    }

    fn imports(&mut self, ast: &File, folder: &str, into: &mut BTreeMap<Name, ModuleId>) {
        for item in &ast.items {
            let ItemKind::Command(command) = &item.kind else { continue };
            if command.word.name != "import" {
                continue;
            }
            // An import of the wrong form is reported where names are collected.
            let Some((path, span)) = import_path(command) else { continue };
            if let Some(module) = self.resolve(&path, span, folder) {
                into.insert(path, module);
            }
        }
    }

    /// Reads the files that `data "…"` names.
    fn data(&mut self, ast: &File, folder: &str, into: &mut BTreeMap<Name, Node>) {
        let mut wanted: BTreeMap<Name, Span> = BTreeMap::new();
        for item in &ast.items {
            walk_item(item, &mut |expr| {
                if let ExprKind::Data(path) = &expr.kind {
                    wanted.entry(path.clone()).or_insert(expr.span);
                }
            });
        }
        for (path, span) in wanted {
            if into.contains_key(&path) {
                continue;
            }
            if let Some(node) = self.data_file(&path, span, folder) {
                into.insert(path, node);
            }
        }
    }

    /// The content of a data file; nothing, and a finding, where there is none.
    fn data_file(&mut self, path: &str, span: Span, folder: &str) -> Option<Node> {
        let climbs = path.starts_with("./") || path.starts_with("../");
        let written = if climbs { path.to_owned() } else { format!("./{path}") };
        let Some(target) = relative(folder, &written).filter(|_| !path.starts_with('/')) else {
            let detail = format!("`{path}` leads out of the {}", self.root_name());
            self.diagnostics.push(Diagnostic::new(BAD_FILE, span, detail));
            return None;
        };
        let at = self.at(&target);
        let bytes = match self.reader.read(&at) {
            Ok(Some(bytes)) => bytes,
            Ok(None) => {
                let detail = format!("there is no file `{}`", at.shown());
                let diagnostic = Diagnostic::new(BAD_FILE, span, detail);
                self.diagnostics
                    .push(diagnostic.help("the path counts from the folder of this file"));
                return None;
            }
            Err(error) => {
                self.unreadable(&at, Some(span), &error);
                return None;
            }
        };
        let text = match text::decode(bytes) {
            Ok(text) => text,
            Err(found) => {
                let detail = format!("`{}`: {found}", at.shown());
                self.diagnostics.push(Diagnostic::new(BAD_FILE, span, detail));
                return None;
            }
        };
        let file = self.sources.add(&at.shown(), text.as_str().into());
        match crate::data::read(&target, file, &text) {
            Ok(node) => Some(node),
            Err(fault) => {
                self.diagnostics.push(fault.related(span, "it is read here"));
                None
            }
        }
    }

    /// What the root of the file that is being loaded is called.
    fn root_name(&self) -> &'static str {
        if self.base.is_empty() { "project" } else { "package" }
    }

    fn resolve(&mut self, path: &str, span: Span, folder: &str) -> Option<ModuleId> {
        if path.starts_with("std/") {
            let module = self.std(path);
            if module.is_none() {
                let known: Vec<&str> = dax_stdlib::paths().collect();
                let mut diagnostic = Diagnostic::new(
                    NO_MODULE,
                    span,
                    format!("the standard library has no `{path}`"),
                );
                diagnostic = match dax_core::suggest::nearest(path, known.iter().copied()) {
                    Some(meant) => diagnostic
                        .help(format!("did you mean \"{meant}\"?"))
                        .fix(span, format!("{meant:?}")),
                    None => diagnostic.help(format!("it has {}", known.join(", "))),
                };
                self.diagnostics.push(diagnostic);
            }
            return module;
        }
        if !path.starts_with('.') {
            return self.package(path, span);
        }
        let Some(target) = relative(folder, path) else {
            let detail = format!("`{path}` leads out of the {}", self.root_name());
            let diagnostic = Diagnostic::new(NO_MODULE, span, detail);
            self.diagnostics
                .push(diagnostic.help("what lies elsewhere is a package: `require` it in dax.mod"));
            return None;
        };
        self.load_at(&target, span)
    }

    /// A module of a required package.
    fn package(&mut self, path: &str, span: Span) -> Option<ModuleId> {
        let named = |name: &Name| {
            path.strip_prefix(name.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let allowed = match self
            .packages
            .iter()
            .find(|package| !self.base.is_empty() && package.folder == self.base)
        {
            Some(package) => &package.requires,
            None => &self.own_requires,
        };
        let found = self
            .packages
            .iter()
            .filter(|package| named(&package.name) && allowed.contains(&package.name))
            .max_by_key(|p| p.name.len());
        let Some(package) = found.cloned() else {
            let mut diagnostic =
                Diagnostic::new(NO_MODULE, span, format!("`{path}` is not required"));
            let std: Vec<&str> = dax_stdlib::paths().collect();
            let close = dax_core::suggest::nearest(
                path,
                std.iter().copied().chain(allowed.iter().map(Name::as_str)),
            );
            diagnostic = match close {
                Some(meant) => diagnostic.help(format!("did you mean \"{meant}\"?")).fix(span, format!("{meant:?}")),
                None => diagnostic.help(format!(
                    "files of the project start with `./`; a package is required in dax.mod: `require {path:?} {{ version = \"…\" }}`"
                )),
            };
            self.diagnostics.push(diagnostic);
            return None;
        };
        if package.folder.is_empty() {
            return None; // that it is not here was reported
        }
        let inner = format!(".{}", &path[package.name.len()..]);
        let Some(target) = relative("", &inner).or_else(|| (inner == ".").then(String::new)) else {
            let detail = format!("`{path}` leads out of the package");
            self.diagnostics.push(Diagnostic::new(NO_MODULE, span, detail));
            return None;
        };
        let outer = std::mem::replace(&mut self.base, package.folder);
        let module = self.load_at(&target, span);
        self.base = outer;
        module
    }

    fn load_at(&mut self, target: &str, span: Span) -> Option<ModuleId> {
        let at = self.at(target);
        let key = at.shown();
        if let Some(open) = self.path.iter().position(|open| *open == key) {
            let shown = |p: &String| if p.is_empty() { ".".to_owned() } else { p.clone() };
            let circle: Vec<String> = self.path[open..].iter().map(shown).collect();
            let detail = format!("{} → {}", circle.join(" → "), shown(&key));
            self.diagnostics.push(
                Diagnostic::new(CIRCULAR_IMPORT, span, detail)
                    .help("move what both need into a third module"),
            );
            return None;
        }
        if let Some(known) = self.known.get(&key) {
            return Some(*known);
        }
        let found = if target.ends_with(".dax") {
            let found = self.reader.read(&at);
            found.map(|found| found.map(|_| self.module(&at, &[target.to_owned()])))
        } else {
            self.folder(target)
        };
        match found {
            Ok(Some(module)) => Some(module),
            Ok(None) => {
                let detail = format!("there is no file or folder `{key}`");
                self.diagnostics.push(Diagnostic::new(NO_MODULE, span, detail));
                None
            }
            Err(error) => {
                self.unreadable(&at, Some(span), &error);
                None
            }
        }
    }
}

/// A relative import path from a folder, or nothing when it leaves the project.
fn relative(folder: &str, path: &str) -> Option<String> {
    if !(path.starts_with("./") || path.starts_with("../")) {
        return None;
    }
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "." | "" => {}
            // A package that lies beside the project keeps the way that leads there.
            ".." if parts.last().is_none_or(|last| *last == "..") => return None,
            ".." => {
                parts.pop();
            }
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}
