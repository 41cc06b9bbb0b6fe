//! Items that nothing uses, and names that hide others.

use crate::{Input, codes};
use dax_core::{Code, Diagnostic, Name, Span};
use dax_sema::{ModuleId, walk};
use dax_syntax::ast::{
    Arg, Command, Expr, ExprKind, FnItem, ForClause, Item, ItemKind, Member, TypeExpr, TypeKind,
};
use std::collections::{BTreeMap, BTreeSet};

/// Items whose first word is a new name.
const DECLARING: &[&str] = &[
    "import",
    "service",
    "resource",
    "strategy",
    "environment",
    "secret",
    "param",
    "policy",
    "provider",
];

/// What is named where.
#[derive(Default)]
struct Usage {
    /// Values by module and name.
    values: BTreeSet<(ModuleId, Name)>,
    types: BTreeSet<(ModuleId, Name)>,
    /// `alias.kind` of providers, in the project's own module.
    providers: BTreeSet<String>,
    imports: BTreeMap<(ModuleId, Name), ModuleId>,
}

pub(crate) fn run(input: &Input<'_>, found: &mut Vec<Diagnostic>) {
    let mut usage = Usage::default();
    for (module, item) in input.own_items() {
        if let ItemKind::Command(command) = &item.kind
            && let (Some((path, _)), Some(Arg::Expr(Expr { kind: ExprKind::Name(alias), .. }))) =
                (dax_sema::import_path(command), command.args.first())
            && let Some(target) = input.loaded.program.modules[module.0].imports.get(&path)
        {
            usage.imports.insert((module, alias.clone()), *target);
        }
    }
    for (module, item) in input.own_items() {
        usage.item(module, item);
    }
    // What a package offers is used by others.
    let offers = input.loaded.manifest.version.is_some() || input.graph.environments.is_empty();
    for (module, item) in input.own_items() {
        declared(&usage, module, item, offers, found);
        if let ItemKind::Fn(function) = &item.kind {
            hidden(input, module, function, found);
        }
        walk::walk_item(item, &mut |expr| match &expr.kind {
            ExprKind::List(Some(clause), _) | ExprKind::Map(Some(clause), _) => {
                hidden_by_clause(input, module, clause, found)
            }
            _ => {}
        });
    }
}

impl Usage {
    fn item(&mut self, module: ModuleId, item: &Item) {
        match &item.kind {
            // The first word of these declares a name; that is no use of it.
            ItemKind::Command(command) if DECLARING.contains(&command.word.name.as_str()) => {
                if let (true, Some(Arg::Expr(Expr { kind: ExprKind::Get(alias, _), .. }))) =
                    (command.word.name == "provider", command.args.first())
                {
                    self.expr(module, alias);
                }
                for arg in command.args.iter().skip(1) {
                    if let Arg::Expr(expr) = arg {
                        walk::walk(expr, &mut |expr| self.expr(module, expr));
                    }
                }
                for member in command.body.iter().flatten() {
                    match member {
                        Member::Field(field) => {
                            walk::walk(&field.value, &mut |expr| self.expr(module, expr))
                        }
                        Member::Command(command) => {
                            walk::walk_command(command, &mut |expr| self.expr(module, expr))
                        }
                    }
                }
            }
            _ => walk::walk_item(item, &mut |expr| self.expr(module, expr)),
        }
        match &item.kind {
            ItemKind::Field(field) => field.ty.iter().for_each(|ty| self.ty(module, ty)),
            ItemKind::Fn(function) => {
                function.params.iter().for_each(|(_, ty)| self.ty(module, ty));
                self.ty(module, &function.result);
            }
            ItemKind::Type(ty) => self.ty(module, &ty.ty),
            ItemKind::Command(command) => self.command(module, command),
            ItemKind::Broken(_) => {}
        }
    }

    fn command(&mut self, module: ModuleId, command: &Command) {
        if command.word.name == "import" {
            return;
        }
        for arg in &command.args {
            if let Arg::Type(ty) = arg {
                self.ty(module, ty);
            }
        }
        for member in command.body.iter().flatten() {
            match member {
                Member::Field(field) => field.ty.iter().for_each(|ty| self.ty(module, ty)),
                Member::Command(command) => self.command(module, command),
            }
        }
    }

    fn expr(&mut self, module: ModuleId, expr: &Expr) {
        match &expr.kind {
            ExprKind::Name(name) => {
                self.values.insert((module, name.clone()));
            }
            ExprKind::Tagged(tag, _) => {
                self.values.insert((module, tag.name.clone()));
            }
            ExprKind::Get(base, name) => {
                if let ExprKind::Name(alias) = &base.kind {
                    self.providers.insert(format!("{alias}.{}", name.name));
                    if let Some(target) = self.imports.get(&(module, alias.clone())) {
                        self.values.insert((*target, name.name.clone()));
                    }
                    if alias == "environment" {
                        self.values.insert((module, name.name.clone()));
                    }
                }
            }
            _ => {}
        }
    }

    fn ty(&mut self, module: ModuleId, ty: &TypeExpr) {
        match &ty.kind {
            TypeKind::Literal(_) => {}
            TypeKind::Name { path, args, .. } => {
                match path.as_slice() {
                    [name] => {
                        self.types.insert((module, name.name.clone()));
                    }
                    [alias, name] => {
                        self.values.insert((module, alias.name.clone()));
                        if let Some(target) = self.imports.get(&(module, alias.name.clone())) {
                            self.types.insert((*target, name.name.clone()));
                        }
                    }
                    _ => {}
                }
                args.iter().for_each(|arg| self.ty(module, arg));
            }
            TypeKind::Union(all) => all.iter().for_each(|one| self.ty(module, one)),
            TypeKind::Optional(one) | TypeKind::Keyed(one, _) => self.ty(module, one),
            TypeKind::Record { fields, .. } => {
                for field in fields {
                    self.ty(module, &field.ty);
                    field.default.iter().for_each(|default| {
                        walk::walk(default, &mut |expr| self.expr(module, expr))
                    });
                }
            }
            TypeKind::Where(base, condition) => {
                self.ty(module, base);
                walk::walk(condition, &mut |expr| self.expr(module, expr));
            }
        }
    }
}

fn declared(
    usage: &Usage,
    module: ModuleId,
    item: &Item,
    offers: bool,
    found: &mut Vec<Diagnostic>,
) {
    let used = |name: &Name| usage.values.contains(&(module, name.clone()));
    let mut report = |code: Code, name: &Name, span: Span, removable: bool| {
        let mut diagnostic = Diagnostic::new(code, span, format!("nothing names `{name}`"));
        diagnostic = if removable {
            diagnostic
                .help("take it away")
                .fix(Span { end: item.span.end, start: item.span.start, ..item.span }, "")
        } else {
            diagnostic.help("use it or take it away")
        };
        found.push(diagnostic);
    };
    match &item.kind {
        ItemKind::Field(field) => {
            let (Some(word), [name]) = (&field.lead, field.path.as_slice()) else { return };
            match word.name.as_str() {
                "let" if !offers && !used(&name.name) => {
                    report(codes::UNUSED_LET, &name.name, name.span, true)
                }
                "param" if !used(&name.name) => {
                    report(codes::UNUSED_PARAM, &name.name, name.span, false)
                }
                _ => {}
            }
        }
        ItemKind::Fn(function) if !offers && !used(&function.name.name) => {
            report(codes::UNUSED_FN, &function.name.name, function.name.span, true)
        }
        ItemKind::Type(ty) if !offers && !usage.types.contains(&(module, ty.name.name.clone())) => {
            report(codes::UNUSED_TYPE, &ty.name.name, ty.name.span, true);
        }
        ItemKind::Command(command) => {
            let first = match command.args.first() {
                Some(Arg::Expr(Expr { kind: ExprKind::Name(name), span })) => Some((name, *span)),
                _ => None,
            };
            match (command.word.name.as_str(), first) {
                ("import", Some((name, span))) if !used(name) => {
                    report(codes::UNUSED_IMPORT, name, span, true)
                }
                ("param", Some((name, span))) if !used(name) => {
                    report(codes::UNUSED_PARAM, name, span, false)
                }
                ("secret", Some((name, span))) if !offers && !used(name) => {
                    report(codes::UNUSED_SECRET, name, span, true);
                }
                ("provider", None) => {
                    if let Some(Arg::Expr(Expr { kind: ExprKind::Get(alias, kind), span })) =
                        command.args.first()
                        && let ExprKind::Name(alias) = &alias.kind
                        && !usage.providers.contains(&format!("{alias}.{}", kind.name))
                    {
                        report(
                            codes::UNUSED_PROVIDER,
                            &Name::new(format!("{alias}.{}", kind.name)),
                            *span,
                            false,
                        );
                    }
                }
                ("strategy", Some((name, span))) if !offers && !used(name) => {
                    report(codes::UNUSED_STRATEGY, name, span, false);
                }
                _ => {}
            }
        }
        _ => {}
    }
}

/// Parameters of a function that hide an item.
fn hidden(input: &Input<'_>, module: ModuleId, function: &FnItem, found: &mut Vec<Diagnostic>) {
    for (param, _) in &function.params {
        hides(input, module, &param.name, param.span, found);
    }
}

fn hidden_by_clause(
    input: &Input<'_>,
    module: ModuleId,
    clause: &ForClause,
    found: &mut Vec<Diagnostic>,
) {
    for name in std::iter::once(&clause.first).chain(&clause.second) {
        hides(input, module, &name.name, name.span, found);
    }
}

fn hides(
    input: &Input<'_>,
    module: ModuleId,
    name: &Name,
    span: Span,
    found: &mut Vec<Diagnostic>,
) {
    let declares = |item: &Item| match &item.kind {
        ItemKind::Field(field) => match (&field.lead, field.path.as_slice()) {
            (Some(word), [own])
                if matches!(word.name.as_str(), "let" | "param") && own.name == *name =>
            {
                Some(own.span)
            }
            _ => None,
        },
        ItemKind::Fn(function) if function.name.name == *name => Some(function.name.span),
        ItemKind::Command(command)
            if matches!(
                command.word.name.as_str(),
                "service" | "secret" | "param" | "strategy" | "import"
            ) =>
        {
            match command.args.first() {
                Some(Arg::Expr(Expr { kind: ExprKind::Name(own), span })) if own == name => {
                    Some(*span)
                }
                _ => None,
            }
        }
        _ => None,
    };
    let first = input
        .own_items()
        .filter(|(owner, _)| *owner == module)
        .find_map(|(_, item)| declares(item));
    if let Some(first) = first {
        let diagnostic = Diagnostic::new(
            codes::SHADOWED,
            span,
            format!("`{name}` means something else in this module"),
        );
        found.push(
            diagnostic.related(first, "this is hidden").help("give one of the two another name"),
        );
    }
}
