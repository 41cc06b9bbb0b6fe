//! What an editor shows between the characters: types that nobody wrote, and the values that environments give.

use crate::project::{Project, params};
use dax_core::{FileId, Name, Value};
use dax_ir::{Data, Node, Via};
use dax_sema::Naming;
use dax_syntax::ast::{Arg, Expr, ExprKind, ItemKind, Member};

/// Something that is shown behind a byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hint {
    /// Behind which byte.
    pub at: usize,
    /// What is shown.
    pub label: String,
    /// Whether it is a type; else it is a value.
    pub is_type: bool,
}

/// A hint is cut behind so many characters.
const LONGEST: usize = 40;

impl Project {
    /// What is shown in some bytes of a file.
    pub fn hints(&self, file: FileId, range: &std::ops::Range<usize>) -> Vec<Hint> {
        let mut all = self.types_in(file, range);
        all.extend(self.values_in(file, range));
        all.sort_by_key(|hint| hint.at);
        all
    }

    fn types_in(&self, file: FileId, range: &std::ops::Range<usize>) -> Vec<Hint> {
        let Some(known) = self.known.get(&file) else { return Vec::new() };
        let inside = known.types.iter().filter(|typed| {
            range.contains(&(typed.span.start as usize)) && !typed.ty.is_empty() && typed.ty != "?"
        });
        let written = |typed: &&dax_sema::Typed| {
            let behind =
                self.text(file).get(typed.span.end as usize..).unwrap_or_default().trim_start();
            let literal = behind.strip_prefix('=').is_some_and(|value| {
                let value = value.trim();
                value.starts_with(|c: char| c == '"' || c.is_ascii_digit())
                    && !value.lines().next().unwrap_or_default().contains([' ', '('])
            });
            behind.starts_with(':') && self.declares_its_type(file, typed.span.start) || literal
        };
        let shown = inside.filter(|typed| !written(typed)).map(|typed| Hint {
            at: typed.span.end as usize,
            label: format!(": {}", cut(&typed.ty)),
            is_type: true,
        });
        shown.collect()
    }

    /// Whether a colon behind a name begins its type; behind the variable of a comprehension it does not.
    fn declares_its_type(&self, file: FileId, start: u32) -> bool {
        let line = self.text(file)[..start as usize].rsplit('\n').next().unwrap_or_default();
        !line.split_whitespace().any(|word| word.trim_start_matches(['[', '{']) == "for")
    }

    /// Fields of services that an environment sets: behind each what it is there.
    fn values_in(&self, file: FileId, range: &std::ops::Range<usize>) -> Vec<Hint> {
        let Some((module, ast)) = self.loaded.file(file) else { return Vec::new() };
        let mut services: Vec<(&Name, &[Member])> = Vec::new();
        for item in ast.items.iter().filter(|item| {
            (item.span.start as usize) < range.end && range.start < item.span.end as usize
        }) {
            if let ItemKind::Command(command) = &item.kind
                && command.word.name == "service"
                && let Some(Arg::Expr(Expr { kind: ExprKind::Name(name), .. })) =
                    command.args.first()
            {
                services.push((name, command.body.as_deref().unwrap_or(&[])));
            }
        }
        if services.is_empty() {
            return Vec::new();
        }
        let namings: Vec<Naming<'_>> =
            services.iter().map(|(name, _)| Naming::Item(name)).collect();
        let values = dax_sema::effective(&self.loaded.program, &params(), module, &namings);
        let mut all = Vec::new();
        for ((_, body), environments) in services.iter().zip(&values) {
            for member in *body {
                let Member::Field(field) = member else { continue };
                let path: Vec<&Name> = field.path.iter().map(|part| &part.name).collect();
                let at = field.span.end as usize;
                if let Some(label) = label(environments, &path)
                    .filter(|_| field.lead.is_none() && range.contains(&at))
                {
                    all.push(Hint { at, label, is_type: false });
                }
            }
        }
        all
    }
}

/// `dev 4, production 9`, where an environment says something else than the service itself.
fn label(environments: &[(Name, Node)], path: &[&Name]) -> Option<String> {
    let value = |node: &Node| -> Option<(Value, Via)> {
        let at = path.iter().try_fold(node, |node, key| node.get(key.as_str()))?;
        matches!(at.data, Data::Leaf(_)).then(|| (at.value(), at.origin.via))
    };
    let said: Vec<(&Name, Value, Via)> = environments
        .iter()
        .filter_map(|(name, node)| value(node).map(|(value, via)| (name, value, via)))
        .collect();
    let shown: Vec<String> = said
        .iter()
        .filter(|(_, _, via)| matches!(via, Via::Set | Via::Patch))
        .map(|(name, value, _)| format!("{name} {}", cut(&value.to_string())))
        .collect();
    (!shown.is_empty()).then(|| format!("  {}", shown.join(", ")))
}

fn cut(text: &str) -> String {
    if text.chars().count() <= LONGEST {
        text.to_owned()
    } else {
        text.chars().take(LONGEST).chain(['…']).collect()
    }
}
