//! `dax.mod`: the name of the project and the edition of the language, written in dax itself.

use dax_core::{Code, Diagnostic, FileId, Name, Span, Value};
use dax_syntax::ast::{ExprKind, ItemKind};

/// `dax.mod` is malformed. Explained in docs/diagnostics/DAX8001.md.
pub const MANIFEST: Code = Code::error(8001, "dax.mod is malformed");

/// The newest edition that this version of dax reads.
pub const EDITION: i64 = 2026;

/// What `dax.mod` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// The project's name: letters, digits, `-` and `_`.
    pub project: Name,
    /// The edition of the language.
    pub edition: i64,
}

/// Reads `dax.mod`; what is wrong with it is reported and replaced by a default.
pub(crate) fn parse(file: FileId, text: &str, problems: &mut Vec<Diagnostic>) -> Manifest {
    let (ast, faults) = dax_syntax::parse(file, text);
    let parsed = faults.is_empty();
    problems.extend(faults);
    let mut manifest = Manifest { project: Name::default(), edition: EDITION };
    for item in &ast.items {
        let ItemKind::Field(field) = &item.kind else {
            problems.push(Diagnostic::new(MANIFEST, item.span, "only `project` and `edition` stand here"));
            continue;
        };
        let key = field.path.first().map_or("", |part| part.name.as_str());
        match (key, &field.value.kind) {
            ("project", ExprKind::Literal(Value::Str(name))) if well_formed(name) => manifest.project = name.clone(),
            ("project", _) => {
                let detail = "the name is a text of letters, digits, `-` and `_`";
                problems.push(Diagnostic::new(MANIFEST, field.value.span, detail));
                manifest.project = "project".into();
            }
            ("edition", ExprKind::Literal(Value::Int(edition))) if (2026..=EDITION).contains(edition) => manifest.edition = *edition,
            ("edition", _) => {
                let detail = format!("this dax reads edition {EDITION}");
                problems.push(Diagnostic::new(MANIFEST, field.value.span, detail));
            }
            _ => problems.push(Diagnostic::new(MANIFEST, field.path_span(), format!("there is no setting `{key}`"))),
        }
    }
    if manifest.project.is_empty() && parsed {
        let diagnostic = Diagnostic::new(MANIFEST, Span { file, start: 0, end: 0 }, "`project` is missing");
        problems.push(diagnostic.help("write `project = \"name\"`"));
    }
    manifest
}

fn well_formed(name: &str) -> bool {
    !name.is_empty() && name.len() <= 100 && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
}
