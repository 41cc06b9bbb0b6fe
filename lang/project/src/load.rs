//! Loading: every file once, every import to its module.

use crate::codes::{BAD_FILE, CIRCULAR_IMPORT, NO_MODULE, NOT_TEXT};
use crate::manifest;
use crate::packages::{self, Package};
use crate::{FileSystem, Manifest, ProjectError};
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
/// [`ProjectError`] when there is no project or a file cannot be read; faults in files are diagnostics.
pub fn load(files: &dyn FileSystem) -> Result<Loaded, ProjectError> {
    load_with(files, &[])
}

/// The same, with the modules of further files that nothing imports yet: somebody is writing them.
///
/// # Errors
/// As [`load`].
pub fn load_with(files: &dyn FileSystem, further: &[String]) -> Result<Loaded, ProjectError> {
    let mut loader = Loader {
        files,
        sources: Sources::default(),
        diagnostics: Vec::new(),
        modules: Vec::new(),
        known: BTreeMap::new(),
        path: Vec::new(),
        packages: Vec::new(),
        own_requires: BTreeSet::new(),
        base: String::new(),
    };
    let text = read(files, "dax.mod")?.ok_or(ProjectError::NoManifest)?;
    let text = String::from_utf8_lossy(&text);
    let file = loader.sources.add("dax.mod", text.as_ref().into());
    let manifest = manifest::parse(file, &text, &mut loader.diagnostics);
    loader.packages =
        packages::choose(files, &manifest, &mut loader.sources, &mut loader.diagnostics)?;
    loader.own_requires = manifest.requires.iter().map(|require| require.name.clone()).collect();
    if !loader.packages.is_empty() {
        let lock = match read(files, packages::LOCK)? {
            Some(bytes) => {
                let text = String::from_utf8_lossy(&bytes).into_owned();
                let file = loader.sources.add(packages::LOCK, text.as_str().into());
                packages::parse_lock(file, &text, &mut loader.diagnostics)
            }
            None => BTreeMap::new(),
        };
        packages::verify(files, &loader.packages, &lock, &mut loader.diagnostics)?;
    }
    let root = loader.folder("")?.unwrap_or(ModuleId(0));
    for name in further.iter().filter(|name| name.ends_with(".dax")) {
        if loader.sources.find(name).is_none() {
            loader.folder(name.rsplit_once('/').map_or("", |(folder, _)| folder))?;
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
    let text = read(files, "dax.mod")?.ok_or(ProjectError::NoManifest)?;
    Ok(manifest::parse(FileId::default(), &String::from_utf8_lossy(&text), &mut Vec::new()))
}

fn read(files: &dyn FileSystem, path: &str) -> Result<Option<Vec<u8>>, ProjectError> {
    files.read(path).map_err(|source| ProjectError::Unreadable { path: path.to_owned(), source })
}

struct Loader<'f> {
    files: &'f dyn FileSystem,
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

    /// The module made of a folder's files, or nothing when there is no such folder.
    fn folder(&mut self, folder: &str) -> Result<Option<ModuleId>, ProjectError> {
        let unreadable = |source| ProjectError::Unreadable { path: folder.to_owned(), source };
        let Some(mut names) = self.files.list(folder).map_err(unreadable)? else { return Ok(None) };
        names.retain(|name| name.ends_with(".dax"));
        names.sort();
        let join = |name: &String| {
            if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") }
        };
        let paths: Vec<String> = names.iter().map(join).collect();
        self.module(folder, &paths).map(Some)
    }

    fn module(&mut self, key: &str, paths: &[String]) -> Result<ModuleId, ProjectError> {
        let id = ModuleId(self.modules.len());
        self.known.insert(key.to_owned(), id);
        let foreign = !self.base.is_empty();
        self.modules.push(ModuleSource { path: key.into(), foreign, ..ModuleSource::default() });
        self.path.push(key.to_owned());
        let mut files = Vec::new();
        let mut imports = BTreeMap::new();
        let mut data = BTreeMap::new();
        for path in paths {
            let Some(bytes) = read(self.files, path)? else { continue };
            let text = match String::from_utf8(bytes) {
                Ok(text) => text,
                Err(error) => {
                    let at = error.utf8_error().valid_up_to();
                    let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
                    let file = self.sources.add(path, text.into());
                    let start = u32::try_from(at).unwrap_or(u32::MAX);
                    let detail = format!("byte {at} starts no character");
                    self.diagnostics.push(Diagnostic::new(
                        NOT_TEXT,
                        Span { file, start, end: start },
                        detail,
                    ));
                    continue;
                }
            };
            let file = self.sources.add(path, text.as_str().into());
            let (ast, faults) = dax_syntax::parse(file, &text);
            self.diagnostics.extend(faults);
            let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder).to_owned();
            self.imports(&ast, &folder, &mut imports)?;
            self.data(&ast, &folder, &mut data)?;
            files.push(ast);
        }
        self.path.pop();
        self.modules[id.0].files = files;
        self.modules[id.0].imports = imports;
        self.modules[id.0].data = data;
        Ok(id)
    }

    fn imports(
        &mut self,
        ast: &File,
        folder: &str,
        into: &mut BTreeMap<Name, ModuleId>,
    ) -> Result<(), ProjectError> {
        for item in &ast.items {
            let ItemKind::Command(command) = &item.kind else { continue };
            if command.word.name != "import" {
                continue;
            }
            // An import of the wrong form is reported where names are collected.
            let Some((path, span)) = import_path(command) else { continue };
            if let Some(module) = self.resolve(&path, span, folder)? {
                into.insert(path, module);
            }
        }
        Ok(())
    }

    /// Reads the files that `data "…"` names.
    fn data(
        &mut self,
        ast: &File,
        folder: &str,
        into: &mut BTreeMap<Name, Node>,
    ) -> Result<(), ProjectError> {
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
            let written =
                if path.starts_with('.') { path.to_string() } else { format!("./{path}") };
            let Some(target) = relative(folder, &written) else {
                self.diagnostics.push(Diagnostic::new(
                    BAD_FILE,
                    span,
                    format!("`{path}` leads out of the project"),
                ));
                continue;
            };
            let Some(bytes) = read(self.files, &target)? else {
                let diagnostic =
                    Diagnostic::new(BAD_FILE, span, format!("there is no file `{target}`"));
                self.diagnostics
                    .push(diagnostic.help("the path counts from the folder of this file"));
                continue;
            };
            match String::from_utf8(bytes) {
                Ok(text) => {
                    let file = self.sources.add(&target, text.as_str().into());
                    match crate::data::read(&target, file, &text) {
                        Ok(node) => {
                            into.insert(path, node);
                        }
                        Err(fault) => self.diagnostics.push(fault.related(span, "it is read here")),
                    }
                }
                Err(_) => self.diagnostics.push(Diagnostic::new(
                    BAD_FILE,
                    span,
                    format!("`{target}` is not UTF-8 text"),
                )),
            }
        }
        Ok(())
    }

    fn resolve(
        &mut self,
        path: &str,
        span: Span,
        folder: &str,
    ) -> Result<Option<ModuleId>, ProjectError> {
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
            return Ok(module);
        }
        if !path.starts_with('.') {
            return self.package(path, span);
        }
        let Some(target) = relative(folder, path)
            .filter(|target| self.base.is_empty() || target.starts_with(&self.base))
        else {
            let diagnostic = Diagnostic::new(
                NO_MODULE,
                span,
                format!(
                    "`{path}` leads out of the {}",
                    if self.base.is_empty() { "project" } else { "package" }
                ),
            );
            self.diagnostics
                .push(diagnostic.help("what lies elsewhere is a package: `require` it in dax.mod"));
            return Ok(None);
        };
        self.load_at(target, span)
    }

    /// A module of a required package.
    fn package(&mut self, path: &str, span: Span) -> Result<Option<ModuleId>, ProjectError> {
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
            return Ok(None);
        };
        if package.folder.is_empty() {
            return Ok(None); // that it is not here was reported
        }
        let target = format!("{}{}", package.folder, &path[package.name.len()..]);
        let outer = std::mem::replace(&mut self.base, package.folder);
        let module = self.load_at(target, span);
        self.base = outer;
        module
    }

    fn load_at(&mut self, target: String, span: Span) -> Result<Option<ModuleId>, ProjectError> {
        if self.path.contains(&target) {
            let at = self.path.iter().position(|open| *open == target).unwrap_or(0);
            let shown = |p: &String| if p.is_empty() { ".".to_owned() } else { p.clone() };
            let circle: Vec<String> = self.path[at..].iter().map(shown).collect();
            let detail = format!("{} → {}", circle.join(" → "), shown(&target));
            self.diagnostics.push(
                Diagnostic::new(CIRCULAR_IMPORT, span, detail)
                    .help("move what both need into a third module"),
            );
            return Ok(None);
        }
        if let Some(known) = self.known.get(&target) {
            return Ok(Some(*known));
        }
        let module = if target.ends_with(".dax") {
            match read(self.files, &target)? {
                Some(_) => Some(self.module(&target, std::slice::from_ref(&target))?),
                None => None,
            }
        } else {
            self.folder(&target)?
        };
        if module.is_none() {
            self.diagnostics.push(Diagnostic::new(
                NO_MODULE,
                span,
                format!("there is no file or folder `{target}`"),
            ));
        }
        Ok(module)
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
