//! Which item each name stands for, module by module.

use crate::codes;
use crate::program::{ModuleId, Program};
use dax_core::{Code, Diagnostic, Name, Span, suggest};
use dax_syntax::ast::{
    Arg, BinaryOp, Command, Expr, ExprKind, Field, FnItem, Ident, ItemKind, Member, TypeExpr,
    TypeItem,
};
use dax_syntax::split::ITEM_WORDS;
use indexmap::IndexMap;
use std::collections::BTreeMap;

pub use dax_syntax::RESERVED;

/// `param name: type = default`.
#[derive(Clone, Debug)]
pub(crate) struct Param<'a> {
    pub(crate) name: Ident,
    pub(crate) ty: Option<&'a TypeExpr>,
    pub(crate) default: Option<&'a Expr>,
}

/// `word name: type { body }`, the form of services, strategies and environments.
#[derive(Clone, Debug)]
pub(crate) struct Block<'a> {
    pub(crate) name: Ident,
    pub(crate) ty: Option<&'a TypeExpr>,
    pub(crate) body: &'a [Member],
    pub(crate) span: Span,
    /// For what is no service: the kind of object that it is, `kubernetes.object`.
    pub(crate) resource: Option<(Ident, Ident)>,
    /// For a service: it runs elsewhere and is only named here.
    pub(crate) external: bool,
    /// For an environment: what it builds upon.
    pub(crate) extends: Option<Ident>,
    /// For an environment: the name of its key, where there is one for each.
    pub(crate) keyed: Option<Ident>,
}

/// `patch module.service { … }`.
#[derive(Clone, Debug)]
pub(crate) struct Patch<'a> {
    pub(crate) target: &'a Expr,
    pub(crate) body: &'a [Member],
}

/// `moved old to new`: what an address was called before.
#[derive(Clone, Debug)]
pub(crate) struct MovedItem<'a> {
    pub(crate) from: &'a Expr,
    pub(crate) to: &'a Expr,
    pub(crate) span: Span,
}

/// `removed name { keep }` or `{ destroy }`: what becomes of a service that the program no longer has.
#[derive(Clone, Debug)]
pub(crate) struct RemovedItem<'a> {
    pub(crate) target: &'a Expr,
    pub(crate) keep: bool,
    pub(crate) span: Span,
}

/// `policy name on plan of environment.production { … }`.
#[derive(Clone, Debug)]
pub(crate) struct PolicyItem<'a> {
    pub(crate) name: Ident,
    /// `check`, `plan` or `apply`.
    pub(crate) on: Ident,
    /// The environments that it holds for; none for all.
    pub(crate) of: Option<&'a Expr>,
    pub(crate) body: &'a [Member],
}

/// `test "title" { … }`.
#[derive(Clone, Debug)]
pub(crate) struct TestItem<'a> {
    pub(crate) title: Name,
    pub(crate) body: &'a [Member],
    pub(crate) span: Span,
}

/// `secret name: type from source("key")`.
#[derive(Clone, Debug)]
pub(crate) struct Secret<'a> {
    pub(crate) name: Ident,
    pub(crate) ty: Option<&'a TypeExpr>,
    pub(crate) source: &'a Expr,
}

/// `provider alias.kind { body }`.
#[derive(Clone, Debug)]
pub(crate) struct ProviderItem<'a> {
    pub(crate) alias: Ident,
    pub(crate) kind: Ident,
    /// `keyed region in […]`: one instance for each key.
    pub(crate) keyed: Option<(Ident, &'a Expr)>,
    pub(crate) body: &'a [Member],
    pub(crate) span: Span,
}

/// What a name in an expression stands for.
#[derive(Clone, Debug)]
pub(crate) enum Symbol<'a> {
    Param(Param<'a>),
    Let(&'a Field),
    Fn(&'a FnItem),
    Secret(Secret<'a>),
    Service(Block<'a>),
    Strategy(Block<'a>),
    Environment(Block<'a>),
    Import(ModuleId),
}

/// The names of one module.
#[derive(Default)]
pub(crate) struct ModuleNames<'a> {
    pub(crate) values: IndexMap<Name, (Symbol<'a>, Span)>,
    pub(crate) types: IndexMap<Name, &'a TypeItem>,
    /// Names of items with faults that were reported.
    pub(crate) broken: Vec<Name>,
    /// By `alias.kind`.
    pub(crate) providers: IndexMap<Name, ProviderItem<'a>>,
    pub(crate) patches: Vec<Patch<'a>>,
    pub(crate) moved: Vec<MovedItem<'a>>,
    pub(crate) removed: Vec<RemovedItem<'a>>,
    pub(crate) policies: Vec<PolicyItem<'a>>,
    pub(crate) tests: Vec<TestItem<'a>>,
}

/// The names of all modules.
pub(crate) struct Names<'a> {
    modules: Vec<ModuleNames<'a>>,
}

impl<'a> Names<'a> {
    pub(crate) fn collect(program: &'a Program, diagnostics: &mut Vec<Diagnostic>) -> Self {
        let modules = program
            .modules
            .iter()
            .map(|module| {
                let mut names = ModuleNames::default();
                for item in module.files.iter().flat_map(|file| &file.items) {
                    let mut add = Adder { names: &mut names, diagnostics };
                    match &item.kind {
                        ItemKind::Field(field) => add.field(field),
                        ItemKind::Broken(name) => {
                            add.names.broken.extend(name.iter().map(|name| name.name.clone()))
                        }
                        ItemKind::Fn(function) => add.value(&function.name, Symbol::Fn(function)),
                        ItemKind::Type(ty) => add.ty(ty),
                        ItemKind::Command(command) if command.word.name == "import" => {
                            add.import(command, &module.imports);
                        }
                        ItemKind::Command(command) => add.command(command),
                    }
                }
                names
            })
            .collect();
        Self { modules }
    }

    pub(crate) fn module(&self, id: ModuleId) -> &ModuleNames<'a> {
        &self.modules[id.0]
    }

    pub(crate) fn value(&self, module: ModuleId, name: &str) -> Option<&Symbol<'a>> {
        self.modules[module.0].values.get(name).map(|(symbol, _)| symbol)
    }

    /// Where a module declares a name; nowhere when it does not.
    pub(crate) fn declared(&self, module: ModuleId, name: &str) -> Span {
        self.modules[module.0].values.get(name).map(|(_, span)| *span).unwrap_or_default()
    }
}

struct Adder<'n, 'a> {
    names: &'n mut ModuleNames<'a>,
    diagnostics: &'n mut Vec<Diagnostic>,
}

pub(crate) fn name_arg(arg: Option<&Arg>) -> Option<(&Name, Span)> {
    match arg {
        Some(Arg::Expr(Expr { kind: ExprKind::Name(name), span })) => Some((name, *span)),
        _ => None,
    }
}

impl<'a> Adder<'_, 'a> {
    fn report(&mut self, code: Code, span: Span, detail: String, help: &str) {
        self.diagnostics.push(Diagnostic::new(code, span, detail).help(help));
    }

    fn value(&mut self, name: &Ident, symbol: Symbol<'a>) {
        if RESERVED.contains(&name.name.as_str()) {
            let diagnostic = Diagnostic::new(
                codes::RESERVED,
                name.span,
                format!("`{}` means something in expressions", name.name),
            );
            self.diagnostics.push(diagnostic.help("choose another name"));
            return;
        }
        if let Some((_, first)) = self.names.values.get(&name.name) {
            let detail = format!("`{}` is declared twice", name.name);
            let diagnostic = Diagnostic::new(codes::DUPLICATE, name.span, detail)
                .related(*first, "the first one is here");
            self.diagnostics.push(diagnostic.help("give one of the two another name"));
        } else {
            self.names.values.insert(name.name.clone(), (symbol, name.span));
        }
    }

    fn ty(&mut self, item: &'a TypeItem) {
        let name = &item.name;
        if let Some(first) = self.names.types.get(&name.name) {
            let detail = format!("the type `{}` is declared twice", name.name);
            let diagnostic = Diagnostic::new(codes::DUPLICATE, name.span, detail);
            self.diagnostics.push(diagnostic.related(first.name.span, "the first one is here"));
        } else {
            self.names.types.insert(name.name.clone(), item);
        }
    }

    fn field(&mut self, field: &'a Field) {
        let word = field.lead.as_ref().map(|lead| lead.name.as_str());
        match (word, field.path.as_slice()) {
            (Some("let"), [name]) => self.value(name, Symbol::Let(field)),
            (Some("param"), [name]) => {
                let param = Param {
                    name: name.clone(),
                    ty: field.ty.as_ref(),
                    default: Some(&field.value),
                };
                self.value(name, Symbol::Param(param));
            }
            (None, [name, ..]) => {
                let detail = format!("`{}` stands outside of any item", name.name);
                self.report(
                    codes::UNKNOWN_ITEM,
                    field.span,
                    detail,
                    "write `let name = value` for a value of your own",
                );
            }
            (Some(word), _) => {
                let lead = field.lead.as_ref().map_or(field.span, |lead| lead.span);
                self.unknown_item(word, lead);
            }
            (None, []) => {}
        }
    }

    fn unknown_item(&mut self, word: &str, span: Span) {
        let mut diagnostic = if ITEM_WORDS.contains(&word) {
            Diagnostic::new(
                codes::MALFORMED_ITEM,
                span,
                format!("`{word}` is not written like this"),
            )
            .help(form(word))
        } else {
            Diagnostic::new(codes::UNKNOWN_ITEM, span, format!("there are no `{word}` items"))
                .help(format!("items are {}", ITEM_WORDS.join(", ")))
        };
        if let Some(meant) = suggest::nearest(word, ITEM_WORDS.iter().copied())
            && meant != word
        {
            diagnostic = diagnostic.help(format!("did you mean `{meant}`?")).fix(span, meant);
        }
        self.diagnostics.push(diagnostic);
    }

    fn import(&mut self, command: &'a Command, imports: &BTreeMap<Name, ModuleId>) {
        let (Some((name, span)), Some(path)) =
            (name_arg(command.args.first()), crate::names::import_path(command))
        else {
            return self.unknown_item("import", command.word.span);
        };
        // A path that leads nowhere was reported by whoever loads files.
        if let Some(module) = imports.get(&path.0) {
            self.value(&Ident { name: name.clone(), span }, Symbol::Import(*module));
        } else {
            self.names.broken.push(name.clone());
        }
    }

    fn command(&mut self, command: &'a Command) {
        let word = command.word.name.as_str();
        let body = command.body.as_deref().unwrap_or(&[]);
        match (word, command.args.as_slice()) {
            ("param", [Arg::Expr(Expr { kind: ExprKind::Name(name), span }), Arg::Type(ty)])
                if command.body.is_none() =>
            {
                let name = Ident { name: name.clone(), span: *span };
                self.value(
                    &name.clone(),
                    Symbol::Param(Param { name, ty: Some(ty), default: None }),
                );
            }
            ("secret", [Arg::Expr(name), rest @ ..]) if command.body.is_none() => {
                let (ty, rest) = match rest {
                    [Arg::Type(ty), rest @ ..] => (Some(ty), rest),
                    rest => (None, rest),
                };
                match (&name.kind, rest) {
                    (
                        ExprKind::Name(text),
                        [Arg::Expr(Expr { kind: ExprKind::Name(from), .. }), Arg::Expr(source)],
                    ) if from == "from" => {
                        let name = Ident { name: text.clone(), span: name.span };
                        self.value(&name.clone(), Symbol::Secret(Secret { name, ty, source }));
                    }
                    _ => self.unknown_item(word, command.word.span),
                }
            }
            ("service", [name]) if command.body.is_some() => {
                self.block(command, Some(name), None, Symbol::Service)
            }
            ("service", [name, external])
                if command.body.is_some() && is_word(external, "external") =>
            {
                self.block(command, Some(name), None, |block| {
                    Symbol::Service(Block { external: true, ..block })
                });
            }
            ("resource", [Arg::Expr(of), name, rest @ ..])
                if command.body.is_some() && rest.len() < 2 =>
            {
                let ty = match rest.first() {
                    Some(Arg::Type(ty)) => Some(ty),
                    _ => None,
                };
                let Some(of) = kind_of(of).filter(|_| rest.len() == usize::from(ty.is_some()))
                else {
                    return self.unknown_item(word, command.word.span);
                };
                self.block(command, Some(name), ty, |block| {
                    Symbol::Service(Block { resource: Some(of), ..block })
                });
            }
            ("environment", [name, rest @ ..]) if command.body.is_some() => {
                let ident = |arg| {
                    name_arg(Some(arg)).map(|(name, span)| Ident { name: name.clone(), span })
                };
                let (keyed, rest) = match rest {
                    [word, key, rest @ ..] if is_word(word, "keyed") => (Some(ident(key)), rest),
                    rest => (None, rest),
                };
                let extends = match rest {
                    [] => None,
                    [word, base] if is_word(word, "extends") => Some(ident(base)),
                    _ => Some(None),
                };
                // What stands there and is no name.
                if matches!(keyed, Some(None)) || matches!(extends, Some(None)) {
                    return self.unknown_item(word, command.word.span);
                }
                let (keyed, extends) = (keyed.flatten(), extends.flatten());
                self.block(command, Some(name), None, |block| {
                    Symbol::Environment(Block { extends, keyed, ..block })
                });
            }
            ("strategy", [name, Arg::Type(ty)]) => {
                self.block(command, Some(name), Some(ty), Symbol::Strategy)
            }
            ("provider", [Arg::Expr(target), rest @ ..]) => self.provider(command, target, rest),
            ("patch", [Arg::Expr(target)]) if command.body.is_some() => {
                self.names.patches.push(Patch { target, body })
            }
            ("moved", [Arg::Expr(from), to, Arg::Expr(target)])
                if is_word(to, "to") && command.body.is_none() =>
            {
                self.names.moved.push(MovedItem { from, to: target, span: command.span });
            }
            ("removed", [Arg::Expr(target)]) => match body {
                [Member::Command(what)]
                    if what.args.is_empty()
                        && what.body.is_none()
                        && matches!(what.word.name.as_str(), "keep" | "destroy") =>
                {
                    self.names.removed.push(RemovedItem {
                        target,
                        keep: what.word.name == "keep",
                        span: command.span,
                    });
                }
                _ => self.unknown_item(word, command.word.span),
            },
            ("policy", [name, on, phase, rest @ ..])
                if command.body.is_some() && is_word(on, "on") =>
            {
                let (Some((name, span)), Some((phase, phase_span))) =
                    (name_arg(Some(name)), name_arg(Some(phase)))
                else {
                    return self.unknown_item(word, command.word.span);
                };
                let of = match rest {
                    [] => None,
                    [of, Arg::Expr(environments)] if is_word(of, "of") => Some(environments),
                    _ => return self.unknown_item(word, command.word.span),
                };
                let (name, on) = (
                    Ident { name: name.clone(), span },
                    Ident { name: phase.clone(), span: phase_span },
                );
                self.names.policies.push(PolicyItem { name, on, of, body });
            }
            (
                "test",
                [Arg::Expr(Expr { kind: ExprKind::Literal(dax_core::Value::Str(title)), span })],
            ) if command.body.is_some() => {
                self.names.tests.push(TestItem {
                    title: title.clone(),
                    body,
                    span: command.word.span.to(*span),
                });
            }
            _ => self.unknown_item(word, command.word.span),
        }
    }

    /// Adds an item of the form `word name { body }`.
    fn block(
        &mut self,
        command: &'a Command,
        name: Option<&'a Arg>,
        ty: Option<&'a TypeExpr>,
        make: impl FnOnce(Block<'a>) -> Symbol<'a>,
    ) {
        let Some((name, span)) = name_arg(name) else {
            return self.unknown_item(&command.word.name, command.word.span);
        };
        let name = Ident { name: name.clone(), span };
        let head = command.word.span.to(span);
        let body = command.body.as_deref().unwrap_or(&[]);
        self.value(
            &name,
            make(Block {
                name: name.clone(),
                ty,
                body,
                span: head,
                resource: None,
                external: false,
                extends: None,
                keyed: None,
            }),
        );
    }

    fn provider(&mut self, command: &'a Command, target: &'a Expr, rest: &'a [Arg]) {
        let wrong = |adder: &mut Self| adder.unknown_item("provider", command.word.span);
        let ExprKind::Get(alias, kind) = &target.kind else { return wrong(self) };
        let ExprKind::Name(alias_name) = &alias.kind else { return wrong(self) };
        let keyed = match rest {
            [] => None,
            [word, Arg::Expr(Expr { kind: ExprKind::Binary(BinaryOp::In, key, keys), .. })]
                if is_word(word, "keyed") =>
            {
                let ExprKind::Name(name) = &key.kind else { return wrong(self) };
                Some((Ident { name: name.clone(), span: key.span }, &**keys))
            }
            _ => return wrong(self),
        };
        let address = Name::new(format!("{alias_name}.{}", kind.name));
        let alias = Ident { name: alias_name.clone(), span: alias.span };
        let body = command.body.as_deref().unwrap_or(&[]);
        let item = ProviderItem { alias, kind: kind.clone(), keyed, body, span: target.span };
        if let Some(first) = self.names.providers.get(&address) {
            let detail = format!("the provider `{address}` is declared twice");
            let diagnostic = Diagnostic::new(codes::DUPLICATE, target.span, detail);
            self.diagnostics.push(diagnostic.related(first.span, "the first one is here"));
        } else {
            self.names.providers.insert(address, item);
        }
    }
}

/// Whether an argument is this word.
pub(crate) fn is_word(arg: &Arg, word: &str) -> bool {
    name_arg(Some(arg)).is_some_and(|(name, _)| name == word)
}

/// A service by the text of its address, whether the program has it or not: `web`, `shop.web`, `web["eu"]`.
pub(crate) fn address_text(expr: &Expr) -> Option<Name> {
    match &expr.kind {
        ExprKind::Name(name) => Some(name.clone()),
        ExprKind::Get(base, name) => {
            Some(Name::new(format!("{}.{}", address_text(base)?, name.name)))
        }
        ExprKind::Index(base, key) => {
            let ExprKind::Literal(dax_core::Value::Str(key)) = &key.kind else { return None };
            let text = format!("{}[{key}]", address_text(base)?);
            dax_core::ResourceAddr::parse(&format!("service.{text}")).ok()?;
            Some(Name::new(text))
        }
        _ => None,
    }
}

/// The path of `import name from "path"` with its place.
pub fn import_path(command: &Command) -> Option<(Name, Span)> {
    match command.args.as_slice() {
        [
            Arg::Expr(Expr { kind: ExprKind::Name(_), .. }),
            Arg::Expr(Expr { kind: ExprKind::Name(from), .. }),
            Arg::Expr(Expr { kind: ExprKind::Literal(dax_core::Value::Str(path)), span }),
        ] if from == "from" => Some((path.clone(), *span)),
        _ => None,
    }
}

/// How an item is written.
/// The module and the kind that `kubernetes.object` names.
fn kind_of(expr: &Expr) -> Option<(Ident, Ident)> {
    let ExprKind::Get(alias, kind) = &expr.kind else { return None };
    let ExprKind::Name(name) = &alias.kind else { return None };
    Some((
        Ident { name: name.clone(), span: alias.span },
        Ident { name: kind.name.clone(), span: kind.span },
    ))
}

fn form(word: &str) -> &'static str {
    match word {
        "import" => "write `import name from \"path\"`",
        "param" => "write `param name: type` or `param name: type = value`",
        "let" => "write `let name = value`",
        "fn" => "write `fn name(a: int) -> int = …`",
        "type" => "write `type Name = { field: string }`",
        "secret" => "write `secret name: string from env(\"VARIABLE\")`",
        "provider" => "write `provider local.machine { … }`",
        "service" => {
            "write `service name { … }`, or `service name external { … }` for one that runs elsewhere"
        }
        "resource" => {
            "write `resource kubernetes.object name { … }`, with `: Type` behind the name where there is one"
        }
        "patch" => "write `patch module.service { … }`",
        "moved" => {
            "write `moved old_name to new_name`, or `moved name[\"key\"] to name[\"other\"]`"
        }
        "removed" => "write `removed name { keep }` or `removed name { destroy }`",
        "policy" => {
            "write `policy name on check { … }`, `on plan of environment.name { … }` or `on apply { … }`"
        }
        "test" => "write `test \"what holds\" { assert … }`",
        "strategy" => "write `strategy name: canary { … }`",
        _ => {
            "write `environment name { … }`, `environment name extends other { … }` or `environment name keyed key { … }`"
        }
    }
}
