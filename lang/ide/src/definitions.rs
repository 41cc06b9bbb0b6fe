//! What a file declares: items, the fields of its types, the parameters of its functions.

use dax_core::{Name, Span};
use dax_syntax::ast::{
    Arg, Command, Expr, ExprKind, Field, File, Ident, Item, ItemKind, TypeExpr, TypeKind,
};
use std::hash::{DefaultHasher, Hash, Hasher};

/// What is declared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the names are the words of the language")]
pub enum Kind {
    Import,
    Param,
    Let,
    Fn,
    /// A parameter of a function.
    Parameter,
    Type,
    /// A field of a type.
    Field,
    Secret,
    Provider,
    Service,
    Resource,
    Strategy,
    Environment,
    Policy,
    Test,
}

impl Kind {
    /// The word that declares it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Import => "import",
            Self::Param => "param",
            Self::Let => "let",
            Self::Fn => "fn",
            Self::Parameter => "parameter",
            Self::Type => "type",
            Self::Field => "field",
            Self::Secret => "secret",
            Self::Provider => "provider",
            Self::Service => "service",
            Self::Resource => "resource",
            Self::Strategy => "strategy",
            Self::Environment => "environment",
            Self::Policy => "policy",
            Self::Test => "test",
        }
    }
}

/// Which declaration: the same for as long as it keeps its name, wherever in its file it moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(u64);

impl Key {
    pub(crate) fn of(parts: impl Hash) -> Self {
        let mut hasher = DefaultHasher::new();
        parts.hash(&mut hasher);
        Self(hasher.finish())
    }
}

/// Something that a file declares.
#[derive(Clone, Debug)]
pub struct Definition {
    /// What it is.
    pub kind: Kind,
    /// Its name.
    pub name: Name,
    /// The name in its declaration.
    pub span: Span,
    /// All of its declaration.
    pub whole: Span,
    /// What it is a part of: the type of a field, the function of a parameter.
    pub of: Option<Name>,
    /// The comment above it.
    pub doc: Option<Box<str>>,
    pub(crate) key: Key,
}

/// Everything that a file of a module declares, in the order of the text.
pub(crate) fn definitions(module: &str, file: &File) -> Vec<Definition> {
    let mut all = Collect { module, found: Vec::new() };
    file.items.iter().for_each(|item| all.item(item));
    all.found.sort_by_key(|definition| definition.span.start);
    all.found
}

struct Collect<'m> {
    module: &'m str,
    found: Vec<Definition>,
}

impl Collect<'_> {
    fn add(&mut self, kind: Kind, name: &Ident, whole: Span, of: Option<&str>, doc: Option<&str>) {
        // Types have names of their own.
        let space = match kind {
            Kind::Type => 't',
            Kind::Field => 'f',
            Kind::Parameter => 'a',
            Kind::Provider => 'p',
            _ => 'v',
        };
        let same = |other: &Definition| {
            other.kind == kind && other.name == name.name && other.of.as_deref() == of
        };
        let nth = if kind == Kind::Field {
            self.found.iter().filter(|other| same(other)).count()
        } else {
            0
        };
        let key = Key::of((self.module, space, of, name.name.as_str(), nth));
        let (name, span) = (name.name.clone(), name.span);
        self.found.push(Definition {
            kind,
            name,
            span,
            whole,
            of: of.map(Name::new),
            doc: doc.map(Into::into),
            key,
        });
    }

    fn item(&mut self, item: &Item) {
        let doc = item.doc.as_deref();
        match &item.kind {
            ItemKind::Field(field) => self.field(field, item.span, doc),
            ItemKind::Fn(function) => {
                self.add(Kind::Fn, &function.name, item.span, None, doc);
                for (param, ty) in &function.params {
                    let whole = param.span.to(ty.span);
                    self.add(Kind::Parameter, param, whole, Some(&function.name.name), None);
                    self.fields(&function.name.name, ty);
                }
                self.fields(&function.name.name, &function.result);
            }
            ItemKind::Type(ty) => {
                self.add(Kind::Type, &ty.name, item.span, None, doc);
                self.fields(&ty.name.name, &ty.ty);
            }
            ItemKind::Command(command) => self.command(command, item.span, doc),
            ItemKind::Broken(_) => {}
        }
    }

    fn field(&mut self, field: &Field, whole: Span, doc: Option<&str>) {
        let kind = match field.lead.as_ref().map(|lead| lead.name.as_str()) {
            Some("let") => Kind::Let,
            Some("param") => Kind::Param,
            _ => return,
        };
        let Some(name) = field.path.first() else { return };
        self.add(kind, name, whole, None, doc);
        field.ty.iter().for_each(|ty| self.fields(&name.name, ty));
    }

    fn command(&mut self, command: &Command, whole: Span, doc: Option<&str>) {
        let named = |at: usize| match command.args.get(at) {
            Some(Arg::Expr(Expr { kind: ExprKind::Name(name), span })) => {
                Some(Ident { name: name.clone(), span: *span })
            }
            _ => None,
        };
        let (kind, name) = match command.word.name.as_str() {
            "import" => (Kind::Import, named(0)),
            "param" => (Kind::Param, named(0)),
            "secret" => (Kind::Secret, named(0)),
            "service" => (Kind::Service, named(0)),
            "resource" => (Kind::Resource, named(1)),
            "strategy" => (Kind::Strategy, named(0)),
            "environment" => (Kind::Environment, named(0)),
            "policy" => (Kind::Policy, named(0)),
            "provider" => match command.args.first() {
                Some(Arg::Expr(Expr { kind: ExprKind::Get(alias, kind), .. })) => {
                    let alias = if let ExprKind::Name(alias) = &alias.kind {
                        Some(alias.as_str())
                    } else {
                        None
                    };
                    return self.add(Kind::Provider, kind, whole, alias, doc);
                }
                _ => return,
            },
            _ => return,
        };
        if let Some(name) = name {
            self.add(kind, &name, whole, None, doc);
        }
    }

    /// The fields of the record types that a written type holds.
    fn fields(&mut self, of: &str, ty: &TypeExpr) {
        match &ty.kind {
            TypeKind::Record { fields, .. } => {
                for field in fields {
                    let end = field.default.as_ref().map_or(field.ty.span, |default| default.span);
                    self.add(
                        Kind::Field,
                        &field.name,
                        field.name.span.to(end),
                        Some(of),
                        field.doc.as_deref(),
                    );
                    self.fields(&format!("{of}.{}", field.name.name), &field.ty);
                }
            }
            TypeKind::Name { args, .. } | TypeKind::Union(args) => {
                args.iter().for_each(|arg| self.fields(of, arg))
            }
            TypeKind::Optional(inner) | TypeKind::Keyed(inner, _) | TypeKind::Where(inner, _) => {
                self.fields(of, inner)
            }
            TypeKind::Literal(_) => {}
        }
    }
}
