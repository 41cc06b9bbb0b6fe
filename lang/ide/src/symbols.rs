//! Everything that a project declares, by a part of its name; and where its texts lead.

use crate::definitions::{Definition, Kind};
use crate::project::Project;
use dax_core::{FileId, Span, Value};
use dax_sema::walk::walk_item;
use dax_syntax::ast::{Arg, Expr, ExprKind, ItemKind};

/// So many are told at most.
const MOST: usize = 256;

impl Project {
    /// What the project declares whose name has the letters of a query in their order, the nearest first.
    pub fn search(&self, query: &str) -> Vec<&Definition> {
        let files = self.known.values().filter(|known| self.loaded.program.is_own(known.module));
        let all = files.flat_map(|known| &known.definitions);
        let all = all.filter(|definition| {
            !matches!(definition.kind, Kind::Parameter | Kind::Field | Kind::Import)
        });
        let mut found: Vec<(u8, &Definition)> = all
            .filter_map(|definition| Some((nearness(query, &definition.name)?, definition)))
            .collect();
        found.sort_by(|a, b| (a.0, &a.1.name, a.1.span).cmp(&(b.0, &b.1.name, b.1.span)));
        found.into_iter().take(MOST).map(|(_, definition)| definition).collect()
    }

    /// Texts of a file that name other files, each with the file: by its id, or by its name where it is no program.
    pub fn links(&self, file: FileId) -> Vec<(Span, Link)> {
        let Some((module, ast)) = self.loaded.file(file) else { return Vec::new() };
        let imports = &self.loaded.program.modules[module.0].imports;
        let folder = self.name(file).rsplit_once('/').map_or("", |(folder, _)| folder);
        let mut all = Vec::new();
        for item in &ast.items {
            if let ItemKind::Command(command) = &item.kind
                && command.word.name == "import"
                && let Some(Arg::Expr(Expr { kind: ExprKind::Literal(Value::Str(path)), span })) =
                    command.args.last()
                && let Some(target) = imports.get(path.as_str())
                && let Some(first) = self.loaded.program.modules[target.0].files.first()
            {
                all.push((*span, Link::File(first.id)));
            }
            walk_item(item, &mut |expr| {
                if let ExprKind::Data(path) = &expr.kind {
                    let name = if folder.is_empty() {
                        path.to_string()
                    } else {
                        format!("{folder}/{path}")
                    };
                    all.push((
                        expr.span,
                        Link::Name(name.replace("/./", "/").trim_start_matches("./").to_owned()),
                    ));
                }
            });
        }
        all
    }
}

/// Where a text leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Link {
    /// A file of the program.
    File(FileId),
    /// Another file, from the project's folder.
    Name(String),
}

/// How well a name answers a query: as it is, as its beginning, somewhere in it, or letter by letter.
fn nearness(query: &str, name: &str) -> Option<u8> {
    let (query, name) = (query.to_lowercase(), name.to_lowercase());
    if name == query {
        return Some(0);
    }
    if name.starts_with(&query) {
        return Some(1);
    }
    if name.contains(&query) {
        return Some(2);
    }
    let mut letters = name.chars();
    query.chars().all(|wanted| letters.any(|letter| letter == wanted)).then_some(3)
}
