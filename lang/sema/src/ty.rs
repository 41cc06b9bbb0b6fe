//! Types: what they are, and when a value of one fits another.

use crate::program::ModuleId;
use dax_core::{Name, Span, Unit, Value};
use dax_syntax::ast::Expr;
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
    pub(crate) const ALL: [Self; 4] = [Self::Service, Self::Provider, Self::Strategy, Self::Environment];

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
