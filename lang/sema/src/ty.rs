//! Types: what they are, how written types denote them, and when a value of one fits another.

use crate::codes;
use crate::context::{Context, ModuleId};
use dax_core::{Diagnostic, Name, Span, Unit, Value, suggest};
use dax_syntax::ast::{Expr, Ident, TypeExpr, TypeKind};
use indexmap::IndexMap;
use std::sync::Arc;

/// A type. `Error` stands for one that was already reported and fits everything.
#[derive(Clone, Debug)]
pub(crate) enum Type<'a> {
    Error,
    Any,
    None,
    Bool,
    Int,
    Number,
    String,
    Unit(Unit),
    Literal(Name),
    Union(Arc<[Type<'a>]>),
    Optional(Arc<Type<'a>>),
    List(Arc<Type<'a>>),
    Map(Arc<Type<'a>>),
    Record(Arc<Record<'a>>),
    Secret(Arc<Type<'a>>),
    Range(Arc<Type<'a>>, Value, Value),
    Where(Arc<Type<'a>>, &'a Expr, ModuleId),
    /// A reference to an item: `service`, `provider`, `strategy` or `environment`.
    Ref(RefKind),
    /// A tagged text that a metrics source understands.
    Query,
    /// A comparison of metrics.
    Condition,
}

/// What a reference leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RefKind {
    Service,
    Provider,
    Strategy,
    Environment,
}

impl RefKind {
    const ALL: [Self; 4] = [Self::Service, Self::Provider, Self::Strategy, Self::Environment];

    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Service => "service",
            Self::Provider => "provider",
            Self::Strategy => "strategy",
            Self::Environment => "environment",
        }
    }
}

/// A record type.
#[derive(Debug)]
pub(crate) struct Record<'a> {
    pub(crate) name: Option<Name>,
    pub(crate) fields: IndexMap<Name, FieldType<'a>>,
    pub(crate) open: bool,
    /// The module in which defaults are evaluated.
    pub(crate) module: ModuleId,
}

/// A field of a record type.
#[derive(Debug)]
pub(crate) struct FieldType<'a> {
    pub(crate) ty: Type<'a>,
    pub(crate) optional: bool,
    pub(crate) default: Option<&'a Expr>,
    pub(crate) span: Span,
}

impl<'a> Type<'a> {
    /// The type without refinement and optionality.
    pub(crate) fn core(&self) -> &Self {
        match self {
            Self::Optional(inner) | Self::Range(inner, ..) | Self::Where(inner, ..) => inner.core(),
            other => other,
        }
    }

    pub(crate) fn record(&self) -> Option<&Arc<Record<'a>>> {
        match self.core() {
            Self::Record(record) => Some(record),
            _ => None,
        }
    }

    /// Whether a value of this type may stand where `expected` is wanted; refinements are checked on values.
    pub(crate) fn fits(&self, expected: &Self) -> bool {
        match (self, expected) {
            (Self::Error, _) | (_, Self::Error | Self::Any) => true,
            (Self::Union(all), _) => all.iter().all(|one| one.fits(expected)),
            (_, Self::Union(any)) => any.iter().any(|one| self.fits(one)),
            (Self::None, Self::Optional(_)) => true,
            (Self::Optional(a), Self::Optional(b)) => a.fits(b),
            (Self::Optional(_), _) => false,
            (_, Self::Optional(inner) | Self::Range(inner, ..) | Self::Where(inner, ..)) => self.fits(inner),
            (Self::Range(inner, ..) | Self::Where(inner, ..), _) => inner.fits(expected),
            (Self::Literal(_), Self::String) | (Self::Int, Self::Number) => true,
            (Self::Literal(a), Self::Literal(b)) => a == b,
            (Self::Unit(a), Self::Unit(b)) => a == b,
            (Self::List(a), Self::List(b)) | (Self::Map(a), Self::Map(b)) | (Self::Secret(a), Self::Secret(b)) => a.fits(b),
            (Self::Record(a), Self::Record(b)) => Arc::ptr_eq(a, b) || record_fits(a, b),
            (Self::Record(a), Self::Map(element)) => a.fields.values().all(|field| field.ty.fits(element)),
            (Self::Ref(a), Self::Ref(b)) => a == b,
            _ => std::mem::discriminant(self) == std::mem::discriminant(expected),
        }
    }

    /// The smallest type that both fit, as far as there is one.
    pub(crate) fn join(self, other: Self) -> Self {
        if self.fits(&other) {
            other
        } else if other.fits(&self) {
            self
        } else if matches!((&self, &other), (Self::Literal(_), Self::Literal(_))) {
            Self::String
        } else {
            Self::Union(Arc::from([self, other]))
        }
    }
}

fn record_fits(a: &Record<'_>, b: &Record<'_>) -> bool {
    let wanted = b.fields.iter().all(|(name, field)| match a.fields.get(name) {
        Some(have) => have.ty.fits(&field.ty),
        None => field.optional || field.default.is_some(),
    });
    wanted && (b.open || a.fields.keys().all(|name| b.fields.contains_key(name)))
}

impl std::fmt::Display for Type<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Error => f.write_str("?"),
            Self::Any => f.write_str("any"),
            Self::None => f.write_str("none"),
            Self::Bool => f.write_str("bool"),
            Self::Int => f.write_str("int"),
            Self::Number => f.write_str("number"),
            Self::String => f.write_str("string"),
            Self::Unit(unit) => f.write_str(unit.type_name()),
            Self::Literal(text) => write!(f, "{text:?}"),
            Self::Union(all) => {
                for (i, one) in all.iter().enumerate() {
                    write!(f, "{}{one}", if i == 0 { "" } else { " | " })?;
                }
                Ok(())
            }
            Self::Optional(inner) => write!(f, "{inner}?"),
            Self::List(inner) => write!(f, "List<{inner}>"),
            Self::Map(inner) => write!(f, "Map<{inner}>"),
            Self::Record(record) => match &record.name {
                Some(name) => f.write_str(name),
                None => {
                    f.write_str("{ ")?;
                    for (i, (name, field)) in record.fields.iter().enumerate() {
                        write!(f, "{}{name}: {}", if i == 0 { "" } else { ", " }, field.ty)?;
                    }
                    f.write_str(" }")
                }
            },
            Self::Secret(inner) => write!(f, "Secret<{inner}>"),
            Self::Range(inner, low, high) => write!(f, "{inner} {low}..{high}"),
            Self::Where(inner, ..) => write!(f, "{inner} where …"),
            Self::Ref(kind) => write!(f, "Ref<{}>", kind.word()),
            Self::Query => f.write_str("Query"),
            Self::Condition => f.write_str("Condition"),
        }
    }
}

impl<'a> Context<'a> {
    /// The type named `name` in a module, or nothing when there is none.
    pub(crate) fn named_type(&self, module: ModuleId, name: &str) -> Option<Type<'a>> {
        let key = (module, Name::new(name));
        if let Some(known) = self.types.borrow().get(&key) {
            return Some(known.clone().unwrap_or(Type::Error));
        }
        let item = *self.names.module(module).types.get(name)?;
        self.types.borrow_mut().insert(key.clone(), None);
        let mut ty = self.resolve(module, &item.ty, true);
        if let Type::Record(record) = &mut ty
            && let Some(record) = Arc::get_mut(record)
        {
            record.name = Some(item.name.name.clone());
        }
        self.types.borrow_mut().insert(key, Some(ty.clone()));
        Some(ty)
    }

    /// The type that a written type denotes; what is wrong with it is reported when `report` is set.
    pub(crate) fn resolve(&self, module: ModuleId, written: &'a TypeExpr, report: bool) -> Type<'a> {
        let inner = |ty: &'a TypeExpr| Arc::new(self.resolve(module, ty, report));
        match &written.kind {
            TypeKind::Literal(text) => Type::Literal(text.clone()),
            TypeKind::Union(all) => Type::Union(all.iter().map(|one| self.resolve(module, one, report)).collect()),
            TypeKind::Optional(one) => Type::Optional(inner(one)),
            TypeKind::Where(base, condition) => Type::Where(inner(base), condition, module),
            TypeKind::Record { fields, open } => {
                let mut record = Record { name: None, fields: IndexMap::new(), open: *open, module };
                for field in fields {
                    let ty = self.resolve(module, &field.ty, report);
                    let default = field.default.as_ref();
                    let ty = FieldType { ty, optional: field.optional, default, span: field.name.span };
                    if record.fields.insert(field.name.name.clone(), ty).is_some() && report {
                        let detail = format!("the field `{}` is declared twice", field.name.name);
                        self.error(codes::DUPLICATE, field.name.span, detail);
                    }
                }
                Type::Record(Arc::new(record))
            }
            TypeKind::Name { path, args, range } => {
                let base = self.named(module, written, path, args, report);
                match range.as_deref() {
                    Some((low, high)) => self.ranged(base, low, high, written.span, report),
                    None => base,
                }
            }
        }
    }

    fn ranged(&self, base: Type<'a>, low: &Value, high: &Value, span: Span, report: bool) -> Type<'a> {
        let fits = |bound: &Value| match (&base, bound) {
            (Type::Int | Type::Number, Value::Int(_)) | (Type::Number, Value::Decimal(_)) | (Type::Error, _) => true,
            (Type::Unit(unit), Value::Quantity(quantity)) => quantity.unit == *unit,
            _ => false,
        };
        if !fits(low) || !fits(high) || low > high {
            if report {
                let detail = format!("`{low}..{high}` is no range of `{base}`");
                self.error(codes::BAD_TYPE, span, detail);
            }
            return base;
        }
        Type::Range(Arc::new(base), low.clone(), high.clone())
    }

    fn named(&self, module: ModuleId, written: &'a TypeExpr, path: &'a [Ident], args: &'a [TypeExpr], report: bool) -> Type<'a> {
        let [name] = path else {
            return self.imported(module, written, path, report);
        };
        let one = |make: fn(Arc<Type<'a>>) -> Type<'a>| match args {
            [arg] => make(Arc::new(self.resolve(module, arg, report))),
            _ => {
                if report {
                    let detail = format!("`{0}` takes one type, as in `{0}<string>`", name.name);
                    self.error(codes::BAD_TYPE, written.span, detail);
                }
                Type::Error
            }
        };
        match name.name.as_str() {
            "any" => return Type::Any,
            "bool" => return Type::Bool,
            "int" => return Type::Int,
            "number" => return Type::Number,
            "string" => return Type::String,
            "Query" => return Type::Query,
            "Condition" => return Type::Condition,
            "List" => return one(Type::List),
            "Map" => return one(Type::Map),
            "Secret" => return one(Type::Secret),
            "Ref" => {
                if let [TypeExpr { kind: TypeKind::Name { path, .. }, .. }] = args
                    && let Some(kind) = RefKind::ALL.into_iter().find(|k| path.first().is_some_and(|p| p.name == k.word()))
                {
                    return Type::Ref(kind);
                }
            }
            other => {
                if let Some(unit) = Unit::from_type_name(other) {
                    return Type::Unit(unit);
                }
            }
        }
        let own = self.named_type(module, &name.name);
        let prelude = || self.program.prelude.iter().find_map(|m| self.named_type(*m, &name.name));
        own.or_else(prelude).unwrap_or_else(|| {
            if report {
                self.unknown_type(module, name);
            }
            Type::Error
        })
    }

    fn imported(&self, module: ModuleId, written: &TypeExpr, path: &[Ident], report: bool) -> Type<'a> {
        if let [alias, name] = path
            && let Some(crate::names::Symbol::Import(target)) = self.names.value(module, &alias.name)
            && let Some(ty) = self.named_type(*target, &name.name)
        {
            return ty;
        }
        if report {
            let text: Vec<&str> = path.iter().map(|part| part.name.as_str()).collect();
            self.error(codes::UNKNOWN_TYPE, written.span, format!("there is no type `{}`", text.join(".")));
        }
        Type::Error
    }

    fn unknown_type(&self, module: ModuleId, name: &Ident) {
        if self.is_broken(module, &name.name) {
            return;
        }
        const BUILT_IN: &[&str] =
            &["any", "bool", "int", "number", "string", "List", "Map", "Secret", "Duration", "Bytes", "Percent", "Cpu", "Rate"];
        let mut diagnostic = Diagnostic::new(codes::UNKNOWN_TYPE, name.span, format!("there is no type `{}`", name.name));
        let modules = self.program.prelude.iter().chain([&module]);
        let named = modules.flat_map(|m| self.names.module(*m).types.keys()).map(Name::as_str);
        if let Some(meant) = suggest::nearest(&name.name, BUILT_IN.iter().copied().chain(named)) {
            diagnostic = diagnostic.help(format!("did you mean `{meant}`?")).fix(name.span, meant);
        }
        self.report(diagnostic);
    }
}
