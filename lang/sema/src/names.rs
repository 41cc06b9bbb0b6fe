//! Which item each name stands for, module by module.

use crate::codes;
use crate::program::{ModuleId, Program};
use dax_core::{Code, Diagnostic, Name, Span, suggest};
use dax_syntax::ast::{Arg, Command, Expr, ExprKind, Field, FnItem, Ident, ItemKind, Member, TypeExpr, TypeItem};
use indexmap::IndexMap;
use std::collections::BTreeMap;

/// The words that start an item.
pub(crate) const ITEM_WORDS: &[&str] =
    &["import", "param", "let", "fn", "type", "secret", "provider", "service", "strategy", "environment"];

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
                        ItemKind::Broken(name) => add.names.broken.extend(name.iter().map(|name| name.name.clone())),
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
}

struct Adder<'n, 'a> {
    names: &'n mut ModuleNames<'a>,
    diagnostics: &'n mut Vec<Diagnostic>,
}

fn name_arg(arg: Option<&Arg>) -> Option<(&Name, Span)> {
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
        if let Some((_, first)) = self.names.values.get(&name.name) {
            let detail = format!("`{}` is declared twice", name.name);
            let diagnostic = Diagnostic::new(codes::DUPLICATE, name.span, detail).related(*first, "the first one is here");
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
                let param = Param { name: name.clone(), ty: field.ty.as_ref(), default: Some(&field.value) };
                self.value(name, Symbol::Param(param));
            }
            (None, [name, ..]) => {
                let detail = format!("`{}` stands outside of any item", name.name);
                self.report(codes::UNKNOWN_ITEM, field.span, detail, "write `let name = value` for a value of your own");
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
            Diagnostic::new(codes::MALFORMED_ITEM, span, format!("`{word}` is not written like this")).help(form(word))
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
        let (Some((name, span)), Some(path)) = (name_arg(command.args.first()), crate::names::import_path(command)) else {
            return self.unknown_item("import", command.word.span);
        };
        // A path that leads nowhere was reported by whoever loads files.
        if let Some(module) = imports.get(&path.0) {
            self.value(&Ident { name: name.clone(), span }, Symbol::Import(*module));
        }
    }

    fn command(&mut self, command: &'a Command) {
        let word = command.word.name.as_str();
        let body = command.body.as_deref().unwrap_or(&[]);
        match (word, command.args.as_slice()) {
            ("param", [Arg::Expr(Expr { kind: ExprKind::Name(name), span }), Arg::Type(ty)]) if command.body.is_none() => {
                let name = Ident { name: name.clone(), span: *span };
                self.value(&name.clone(), Symbol::Param(Param { name, ty: Some(ty), default: None }));
            }
            ("secret", [Arg::Expr(name), rest @ ..]) if command.body.is_none() => {
                let (ty, rest) = match rest {
                    [Arg::Type(ty), rest @ ..] => (Some(ty), rest),
                    rest => (None, rest),
                };
                match (&name.kind, rest) {
                    (ExprKind::Name(text), [Arg::Expr(Expr { kind: ExprKind::Name(from), .. }), Arg::Expr(source)]) if from == "from" => {
                        let name = Ident { name: text.clone(), span: name.span };
                        self.value(&name.clone(), Symbol::Secret(Secret { name, ty, source }));
                    }
                    _ => self.unknown_item(word, command.word.span),
                }
            }
            ("service" | "environment", [Arg::Expr(Expr { kind: ExprKind::Name(name), span })]) if command.body.is_some() => {
                let name = Ident { name: name.clone(), span: *span };
                let head = command.word.span.to(name.span);
                let block = Block { name: name.clone(), ty: None, body, span: head };
                let symbol = if word == "service" { Symbol::Service(block) } else { Symbol::Environment(block) };
                self.value(&name, symbol);
            }
            ("strategy", [Arg::Expr(Expr { kind: ExprKind::Name(name), span }), Arg::Type(ty)]) => {
                let name = Ident { name: name.clone(), span: *span };
                let head = command.word.span.to(name.span);
                let block = Block { name: name.clone(), ty: Some(ty), body, span: head };
                self.value(&name, Symbol::Strategy(block));
            }
            ("provider", [Arg::Expr(Expr { kind: ExprKind::Get(alias, kind), span })]) => {
                let ExprKind::Name(alias_name) = &alias.kind else {
                    return self.unknown_item(word, command.word.span);
                };
                let key = Name::new(format!("{alias_name}.{}", kind.name));
                let alias = Ident { name: alias_name.clone(), span: alias.span };
                let item = ProviderItem { alias, kind: kind.clone(), body, span: *span };
                if let Some(first) = self.names.providers.get(&key) {
                    let detail = format!("the provider `{key}` is declared twice");
                    let diagnostic = Diagnostic::new(codes::DUPLICATE, *span, detail);
                    self.diagnostics.push(diagnostic.related(first.span, "the first one is here"));
                } else {
                    self.names.providers.insert(key, item);
                }
            }
            _ => self.unknown_item(word, command.word.span),
        }
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
fn form(word: &str) -> &'static str {
    match word {
        "import" => "write `import name from \"path\"`",
        "param" => "write `param name: type` or `param name: type = value`",
        "let" => "write `let name = value`",
        "fn" => "write `fn name(a: int) -> int = …`",
        "type" => "write `type Name = { field: string }`",
        "secret" => "write `secret name: string from env(\"VARIABLE\")`",
        "provider" => "write `provider local.machine { … }`",
        "service" => "write `service name { … }`",
        "strategy" => "write `strategy name: canary { … }`",
        _ => "write `environment name { … }`",
    }
}
