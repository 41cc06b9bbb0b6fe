//! `dax.mod`: what a project is called, which edition of the language it speaks and what it
//! requires.
//!
//! It is written in dax itself.

use crate::approvals::is_person;
use crate::codes::{MANIFEST, NOBODY, NOT_TEXT};
use crate::{remote, text};
use dax_core::{Diagnostic, FileId, Name, Sources, Span, Value, people, suggest};
use dax_syntax::ast::{Arg, Command, Expr, ExprKind, Field, ItemKind, Member};
use semver::Version;
use std::collections::BTreeMap;

/// The newest edition that this version of dax reads.
pub const EDITION: i64 = 2026;

/// Settings of `dax.mod`.
const SETTINGS: [&str; 6] = ["project", "edition", "version", "packages", "state", "signers"];
/// Form of a group.
const GROUP_FORM: &str = "write `group \"team:sre\" { members = [\"ann\", \"bob\"] }`";
/// Form of a requirement.
const REQUIRE_FORM: &str = "write `require \"acme/lib\" { version = \"1.2.0\" }`, or \
                            `path = \"…\"`, or `git = \"…\"` with `rev = \"…\"`";

/// What `dax.mod` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// The project's name: letters, digits, `-` and `_`.
    pub project: Name,
    /// The edition of the language.
    pub edition: i64,
    /// Its version, where others require it.
    pub version: Option<Version>,
    /// The folder in which packages lie by name and version.
    pub packages: Option<Name>,
    /// What it requires, in source order.
    pub requires: Vec<Require>,
    /// Where its state is kept; in a file of its own folder without.
    pub state: Option<Name>,
    /// People by the group that they belong to, for approvals.
    pub groups: BTreeMap<Name, Vec<Name>>,
    /// The file of the project that lists who may sign approvals, as OpenSSH has it
    /// (`allowed_signers`, ssh-keygen(1)); approvals need no signature without.
    pub signers: Option<Name>,
    /// Where that is written.
    pub signers_span: Option<Span>,
}

/// A package that a project requires.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Require {
    /// The package, as imports name it.
    pub name: Name,
    /// Where it comes from.
    pub source: Source,
    /// Where it is written.
    pub span: Span,
}

/// Where a package comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A folder, counted from the project's.
    Path(Name),
    /// A revision of a git repository.
    Git {
        /// The repository.
        url: Name,
        /// The full hash of the commit.
        rev: Name,
    },
    /// At least this version, from the package directory.
    Version(Version),
}

impl Manifest {
    /// A manifest that says nothing.
    fn silent() -> Self {
        Self {
            project: Name::default(),
            edition: EDITION,
            version: None,
            packages: None,
            requires: Vec::new(),
            state: None,
            groups: BTreeMap::new(),
            signers: None,
            signers_span: None,
        }
    }
}

/// Reads the bytes of a `dax.mod` and keeps its text for messages.
pub(crate) fn read(
    path: &str,
    bytes: Vec<u8>,
    sources: &mut Sources,
    problems: &mut Vec<Diagnostic>,
) -> Manifest {
    match text::decode(bytes) {
        Ok(text) => {
            let file = sources.add(path, text.as_str().into());
            parse(file, &text, problems)
        }
        Err(found) => {
            let file = sources.add(path, "".into());
            problems.push(Diagnostic::new(NOT_TEXT, Span { file, start: 0, end: 0 }, found.why));
            Manifest::silent()
        }
    }
}

/// Reads `dax.mod`; what is wrong with it is reported and replaced by a default.
pub(crate) fn parse(file: FileId, text: &str, problems: &mut Vec<Diagnostic>) -> Manifest {
    let (ast, faults) = dax_syntax::parse(file, text);
    let parsed = faults.is_empty();
    problems.extend(faults);
    let mut manifest = Manifest::silent();
    for item in &ast.items {
        match &item.kind {
            ItemKind::Field(field) => setting(field, &mut manifest, problems),
            ItemKind::Command(command) if command.word.name == "require" => {
                if let Some(require) = require(command, problems) {
                    if let Some(first) = manifest.requires.iter().find(|known| known.name == require.name) {
                        let diagnostic = Diagnostic::new(MANIFEST, require.span, format!("`{}` is required twice", require.name));
                        problems.push(diagnostic.related(first.span, "the first one is here"));
                    } else {
                        manifest.requires.push(require);
                    }
                }
            }
            ItemKind::Command(command) if command.word.name == "group" => group(command, &mut manifest, problems),
            _ => problems.push(Diagnostic::new(
                MANIFEST,
                item.span,
                "only `project`, `edition`, `version`, `packages`, `state`, `signers`, `group` and `require` stand here",
            )),
        }
    }
    if manifest.project.is_empty() && parsed {
        let diagnostic =
            Diagnostic::new(MANIFEST, Span { file, start: 0, end: 0 }, "`project` is missing");
        problems.push(diagnostic.help("write `project = \"name\"`"));
    }
    manifest
}

fn setting(field: &Field, manifest: &mut Manifest, problems: &mut Vec<Diagnostic>) {
    let key = field.path.first().map_or("", |part| part.name.as_str());
    let mut wrong =
        |detail: String| problems.push(Diagnostic::new(MANIFEST, field.value.span, detail));
    match (key, &field.value.kind) {
        ("project", ExprKind::Literal(Value::Str(name))) if well_formed(name) => {
            manifest.project = name.clone()
        }
        ("project", _) => {
            wrong("the name is a text of letters, digits, `-` and `_`".to_owned());
            manifest.project = "project".into();
        }
        ("edition", ExprKind::Literal(Value::Int(edition)))
            if (2026..=EDITION).contains(edition) =>
        {
            manifest.edition = *edition
        }
        ("edition", _) => wrong(format!("this dax reads edition {EDITION}")),
        ("version", ExprKind::Literal(Value::Str(text))) => match Version::parse(text) {
            Ok(version) => manifest.version = Some(version),
            Err(error) => wrong(format!("`{text}` is no version: {error}")),
        },
        ("packages", ExprKind::Literal(Value::Str(path))) => manifest.packages = Some(path.clone()),
        ("state", ExprKind::Literal(Value::Str(url))) => manifest.state = Some(url.clone()),
        ("signers", ExprKind::Literal(Value::Str(path))) if is_beneath(path) => {
            manifest.signers = Some(path.clone());
            manifest.signers_span = Some(field.value.span);
        }
        ("signers", ExprKind::Literal(Value::Str(path))) => {
            wrong(format!("`{path}` is no file of the project: name it from the project's folder"));
        }
        ("version" | "packages" | "state" | "signers", _) => {
            wrong(format!("`{key}` must be a text"));
        }
        _ => {
            let wrong = Diagnostic::new(
                MANIFEST,
                field.path_span(),
                format!("there is no setting `{key}`"),
            );
            let help = match suggest::nearest(key, SETTINGS) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("there are {}, and `require` and `group`", SETTINGS.join(", ")),
            };
            // `group` and `require` are no settings, however near they are.
            let help = match key {
                "group" => GROUP_FORM.to_owned(),
                "require" => REQUIRE_FORM.to_owned(),
                _ => help,
            };
            problems.push(wrong.help(help));
        }
    }
}

/// `group "team:sre" { members = ["ann", "bob"] }`.
fn group(command: &Command, manifest: &mut Manifest, problems: &mut Vec<Diagnostic>) {
    let text = |expr: &Expr| match &expr.kind {
        ExprKind::Literal(Value::Str(text)) => Some(text.clone()),
        _ => None,
    };
    let name = match command.args.as_slice() {
        [Arg::Expr(expr)] => text(expr).map(|name| (name, expr.span)),
        _ => None,
    };
    let members = match command.body.as_deref() {
        Some([Member::Field(Field { path, value, .. })])
            if path.first().is_some_and(|part| part.name == "members") =>
        {
            match &value.kind {
                ExprKind::List(None, items) => {
                    items.iter().map(text).collect::<Option<Vec<Name>>>()
                }
                _ => None,
            }
        }
        _ => None,
    };
    match (name, members) {
        (Some((name, span)), Some(_)) if name.contains('/') => {
            let detail = format!(
                "`{name}` would pass for a team of a code host, whose members the code host knows"
            );
            let renamed = name.replace('/', "-");
            let wrong = Diagnostic::new(MANIFEST, span, detail);
            problems.push(wrong.help(format!(
                "name the group without `/`, as `team:{renamed}`, or take it away to mean the team"
            )));
        }
        (Some((name, span)), Some(members)) => {
            for one in std::iter::once(&name).chain(&members).filter(|one| !people::is_name(one)) {
                let shown: String = one.chars().take(40).collect();
                let wrong = Diagnostic::new(MANIFEST, span, format!("{shown:?} is nobody's name"));
                let help = format!("a person, a group or a team has {}", people::ALLOWED);
                problems.push(wrong.help(help));
            }
            let nobody = |detail: String| Diagnostic::new(NOBODY, span, detail);
            if members.is_empty() {
                problems.push(nobody(format!("the group `{name}` has no members")));
            }
            for member in members.iter().filter(|member| !is_person(member)) {
                let detail = format!("`{member}` of the group `{name}` is nobody's login");
                let help = "a group holds people by their logins, or `id:` and the id of an \
                            account, and no other group";
                problems.push(nobody(detail).help(help));
            }
            if manifest.groups.insert(name.clone(), members).is_some() {
                let detail = format!("the group `{name}` is declared twice");
                let wrong = Diagnostic::new(MANIFEST, span, detail);
                problems.push(wrong.help("write all of its members in one place"));
            }
        }
        _ => {
            let wrong = Diagnostic::new(MANIFEST, command.span, "`group` is not written like this");
            problems.push(wrong.help(GROUP_FORM));
        }
    }
}

/// `require "acme/lib" { version = "1.2.0" }`.
fn require(command: &Command, problems: &mut Vec<Diagnostic>) -> Option<Require> {
    let mut wrong = |span: Span, detail: String| {
        problems.push(Diagnostic::new(MANIFEST, span, detail).help(REQUIRE_FORM));
        None
    };
    let [Arg::Expr(Expr { kind: ExprKind::Literal(Value::Str(name)), span })] =
        command.args.as_slice()
    else {
        return wrong(command.span, "`require` is not written like this".to_owned());
    };
    let part_fits = |part: &str| {
        !part.is_empty()
            && !part.starts_with(['.', '-'])
            && part.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
    };
    if !name.split('/').all(part_fits) || name.starts_with("std/") || name == "std" {
        return wrong(
            *span,
            format!(
                "`{name}` is no name of a package: letters, digits, `-`, `_` and `.` between `/`"
            ),
        );
    }
    let mut fields: BTreeMap<&str, (&Name, Span)> = BTreeMap::new();
    for member in command.body.iter().flatten() {
        let Member::Field(field) = member else {
            return wrong(command.span, "only fields stand here".to_owned());
        };
        match (&field.value.kind, field.path.as_slice()) {
            (ExprKind::Literal(Value::Str(text)), [key]) => {
                fields.insert(key.name.as_str(), (text, field.value.span));
            }
            _ => return wrong(field.span, "this is a text".to_owned()),
        }
    }
    let source = match fields
        .iter()
        .map(|(key, value)| (*key, *value))
        .collect::<Vec<_>>()
        .as_slice()
    {
        [("path", (path, _))] => Source::Path((*path).clone()),
        [("git", (url, url_span)), ("rev", (rev, rev_span))] => {
            if let Err(why) = remote::parse(url) {
                let diagnostic = Diagnostic::new(MANIFEST, *url_span, why);
                problems.push(diagnostic.help(remote::FORMS));
                return None;
            }
            if rev.len() != 40 || !rev.bytes().all(|b| b.is_ascii_hexdigit()) {
                return wrong(
                    *rev_span,
                    format!(
                        "`{rev}` is no full hash of a commit: 40 hexadecimal digits; names of branches move"
                    ),
                );
            }
            Source::Git { url: (*url).clone(), rev: (*rev).clone() }
        }
        [("version", (text, version_span))] => match Version::parse(text) {
            Ok(version) => Source::Version(version),
            Err(error) => return wrong(*version_span, format!("`{text}` is no version: {error}")),
        },
        _ => return wrong(command.span, format!("where `{name}` comes from is not said")),
    };
    Some(Require { name: name.clone(), source, span: *span })
}

/// Whether a path leads to something beneath the folder that it starts from.
fn is_beneath(path: &str) -> bool {
    !path.is_empty() && path.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

fn well_formed(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 100
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
}
