//! Types: what they are, and when a value of one fits another.
//!
//! A type without a phase is known before anything is read when it is what a value has, and takes any phase
//! when it is what a place wants; only `Static<T>` and `Plan<T>` demand one.

mod show;
mod vars;

use crate::program::ModuleId;
use dax_core::{Name, Span, Unit, Value};
use dax_syntax::ast::Expr;
use indexmap::IndexMap;
use std::sync::Arc;

pub(crate) use vars::{Vars, infer_vars};

/// A type. `Error` stands for one that was already reported and fits everything.
#[derive(Clone, Debug)]
pub(crate) enum Type<'a> {
    Error,
    /// Anything; checked when the value is there.
    Any,
    None,
    Unset,
    Bool,
    Int,
    Number,
    String,
    Unit(Unit),
    Literal(Name),
    Union(Arc<[Type<'a>]>),
    Optional(Arc<Type<'a>>),
    List(Arc<Type<'a>>),
    Set(Arc<Type<'a>>),
    Map(Arc<Type<'a>>),
    Record(Arc<Record<'a>>),
    Secret(Arc<Type<'a>>),
    Range(Arc<Type<'a>>, Value, Value),
    Where(Arc<Type<'a>>, &'a Expr, ModuleId),
    /// A named type that is no record.
    Named(Name, Arc<Type<'a>>),
    /// A list whose elements are told apart by a field.
    Keyed(Arc<Type<'a>>, Name),
    /// Known by then.
    Phase(Phase, Arc<Type<'a>>),
    /// A type parameter.
    Var(Name),
    /// A reference to an item: `service`, `provider`, `strategy` or `environment`.
    Ref(RefKind),
    /// A tagged text that a metrics source understands.
    Query,
    /// A comparison of metrics.
    Condition,
}

/// When a value is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// From the program and its parameters.
    Static,
    /// When the state and the world were read.
    Plan,
    /// While the plan is carried out.
    Apply,
}

impl Phase {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Static => "Static",
            Self::Plan => "Plan",
            Self::Apply => "Apply",
        }
    }
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
    pub(crate) const ALL: [Self; 4] =
        [Self::Service, Self::Provider, Self::Strategy, Self::Environment];

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
#[derive(Clone, Debug)]
pub(crate) struct Record<'a> {
    pub(crate) name: Option<Name>,
    pub(crate) fields: IndexMap<Name, FieldType<'a>>,
    pub(crate) open: bool,
    /// The module in which defaults are evaluated.
    pub(crate) module: ModuleId,
}

/// A field of a record type.
#[derive(Clone, Debug)]
pub(crate) struct FieldType<'a> {
    pub(crate) ty: Type<'a>,
    pub(crate) optional: bool,
    pub(crate) default: Option<&'a Expr>,
    pub(crate) span: Span,
}

impl<'a> FieldType<'a> {
    pub(crate) fn plain(ty: Type<'a>, span: Span) -> Self {
        Self { ty, optional: false, default: None, span }
    }

    /// Whether a value may leave it out.
    pub(crate) fn may_lack(&self) -> bool {
        self.optional || self.default.is_some() || self.ty.optional().is_some()
    }

    /// The type that reading the field gives.
    pub(crate) fn read(&self) -> Type<'a> {
        if self.optional && self.ty.optional().is_none() {
            Type::Optional(Arc::new(self.ty.clone()))
        } else {
            self.ty.clone()
        }
    }
}

impl<'a> Type<'a> {
    /// The type without name, phase, refinement and optionality.
    pub(crate) fn core(&self) -> &Self {
        match self {
            Self::Optional(inner)
            | Self::Range(inner, ..)
            | Self::Where(inner, ..)
            | Self::Named(_, inner)
            | Self::Keyed(inner, _)
            | Self::Phase(_, inner) => inner.core(),
            other => other,
        }
    }

    /// What is inside of an optional.
    pub(crate) fn optional(&self) -> Option<&Self> {
        match self {
            Self::Optional(inner) => Some(inner),
            Self::Named(_, inner) | Self::Phase(_, inner) | Self::Where(inner, ..) => {
                inner.optional()
            }
            _ => None,
        }
    }

    /// The field by which lists of this type join.
    pub(crate) fn keyed_by(&self) -> Option<&Name> {
        match self {
            Self::Keyed(_, field) => Some(field),
            Self::Optional(inner)
            | Self::Named(_, inner)
            | Self::Phase(_, inner)
            | Self::Where(inner, ..) => inner.keyed_by(),
            _ => None,
        }
    }

    pub(crate) fn record(&self) -> Option<&Arc<Record<'a>>> {
        match self.core() {
            Self::Record(record) => Some(record),
            _ => None,
        }
    }

    /// The type of the elements of a list or set, or of a map's values.
    pub(crate) fn element(&self) -> Option<&Self> {
        match self.core() {
            Self::List(element) | Self::Set(element) | Self::Map(element) => Some(element),
            _ => None,
        }
    }

    /// When the value itself is known; its parts may be known later.
    pub(crate) fn phase(&self) -> Phase {
        match self {
            Self::Phase(phase, inner) => (*phase).max(inner.phase()),
            Self::Named(_, inner)
            | Self::Optional(inner)
            | Self::Range(inner, ..)
            | Self::Where(inner, ..)
            | Self::Keyed(inner, _) => inner.phase(),
            _ => Phase::Static,
        }
    }

    /// When the last part of the value is known.
    pub(crate) fn deep_phase(&self) -> Phase {
        match self {
            Self::Phase(phase, inner) => (*phase).max(inner.deep_phase()),
            Self::Named(_, inner)
            | Self::Optional(inner)
            | Self::Range(inner, ..)
            | Self::Where(inner, ..)
            | Self::Keyed(inner, _)
            | Self::List(inner)
            | Self::Set(inner)
            | Self::Map(inner)
            | Self::Secret(inner) => inner.deep_phase(),
            Self::Union(all) => all.iter().map(Self::deep_phase).max().unwrap_or(Phase::Static),
            Self::Record(record) if record.name.is_none() => record
                .fields
                .values()
                .map(|field| field.ty.deep_phase())
                .max()
                .unwrap_or(Phase::Static),
            _ => Phase::Static,
        }
    }

    /// The type, known at a phase.
    pub(crate) fn at(self, phase: Phase) -> Self {
        if phase == Phase::Static || self.phase() >= phase || matches!(self, Self::Error) {
            self
        } else {
            Self::Phase(phase, Arc::new(self))
        }
    }

    /// Whether a secret is in it, and so may not be shown.
    pub(crate) fn has_secret(&self) -> bool {
        match self.core() {
            Self::Secret(_) => true,
            Self::List(inner) | Self::Set(inner) | Self::Map(inner) => inner.has_secret(),
            Self::Union(all) => all.iter().any(Self::has_secret),
            Self::Record(record) => record.fields.values().any(|field| field.ty.has_secret()),
            _ => false,
        }
    }

    /// A literal's type without its one value.
    pub(crate) fn widened(self) -> Self {
        match self {
            Self::Literal(_) => Self::String,
            Self::Phase(phase, inner) => (*inner).clone().widened().at(phase),
            other => other,
        }
    }

    /// Whether every value of this type is or holds a secret; of some, only the value tells.
    pub(crate) fn is_secret(&self) -> bool {
        match self.core() {
            Self::Union(all) => all.iter().all(Self::is_secret),
            Self::Record(record) => record.fields.values().any(|field| field.ty.is_secret()),
            Self::List(inner) | Self::Set(inner) | Self::Map(inner) => inner.is_secret(),
            other => matches!(other, Self::Secret(_)),
        }
    }

    /// Whether a value of this type may stand where `expected` is wanted; refinements are checked on values.
    pub(crate) fn fits(&self, expected: &Self) -> bool {
        match (self, expected) {
            (Self::Error | Self::Any, _) | (_, Self::Error | Self::Any) => true,
            (_, Self::Phase(by, inner)) => self.deep_phase() <= *by && self.fits(inner),
            (Self::Phase(_, inner) | Self::Named(_, inner), _) => inner.fits(expected),
            (_, Self::Named(_, inner)) => self.fits(inner),
            (Self::Union(all), _) => all.iter().all(|one| one.fits(expected)),
            (Self::None, Self::Optional(_)) => true,
            (Self::Optional(a), _) if expected.optional().is_some() => {
                expected.optional().is_some_and(|b| a.fits(b))
            }
            (_, Self::Union(any)) => any.iter().any(|one| self.fits(one)),
            (Self::Optional(_), _) => false,
            (
                _,
                Self::Optional(inner)
                | Self::Range(inner, ..)
                | Self::Where(inner, ..)
                | Self::Keyed(inner, _),
            ) => self.fits(inner),
            (Self::Range(inner, ..) | Self::Where(inner, ..) | Self::Keyed(inner, _), _) => {
                inner.fits(expected)
            }
            (Self::Literal(_), Self::String) | (Self::Int, Self::Number) => true,
            (Self::Literal(a), Self::Literal(b)) => a == b,
            (Self::Unit(a), Self::Unit(b)) => a == b,
            (Self::List(a), Self::List(b))
            | (Self::Set(a), Self::Set(b))
            | (Self::Map(a), Self::Map(b))
            | (Self::Secret(a), Self::Secret(b)) => a.fits(b),
            (Self::Record(a), Self::Record(b)) => Arc::ptr_eq(a, b) || record_fits(a, b),
            (Self::Record(a), Self::Map(element)) => {
                a.fields.values().all(|field| field.ty.fits(element))
            }
            (Self::Ref(a), Self::Ref(b)) => a == b,
            (Self::Var(a), Self::Var(b)) => a == b,
            _ => std::mem::discriminant(self) == std::mem::discriminant(expected),
        }
    }

    /// The smallest type that both fit, as far as there is one.
    pub(crate) fn join(self, other: Self) -> Self {
        let phase = self.phase().max(other.phase());
        if self.fits(&other) {
            other.at(phase)
        } else if other.fits(&self) {
            self.at(phase)
        } else if matches!(
            (self.core(), other.core()),
            (Self::Literal(_), Self::Literal(_) | Self::String)
        ) {
            Self::String.at(phase)
        } else if matches!(other, Self::None) || matches!(self, Self::None) {
            let inner = if matches!(other, Self::None) { self } else { other };
            Self::Optional(Arc::new(inner))
        } else {
            Self::Union(Arc::from([self, other]))
        }
    }

    /// The alternatives of a union of records that one literal field tells apart, with that field.
    pub(crate) fn tagged(&self) -> Option<(Name, Vec<Arc<Record<'a>>>)> {
        let Self::Union(all) = self.core() else { return None };
        let records: Vec<Arc<Record<'a>>> =
            all.iter().map(|one| one.record().cloned()).collect::<Option<_>>()?;
        let is_tag = |name: &Name| {
            let mut seen = Vec::new();
            records.iter().all(|record| {
                match record.fields.get(name).map(|field| field.ty.core()) {
                    Some(Type::Literal(text)) if !seen.contains(&text) => {
                        seen.push(text);
                        true
                    }
                    _ => false,
                }
            })
        };
        let tag = records.first()?.fields.keys().find(|name| is_tag(name)).cloned()?;
        Some((tag, records))
    }
}

fn record_fits(a: &Record<'_>, b: &Record<'_>) -> bool {
    let wanted = b.fields.iter().all(|(name, field)| match a.fields.get(name) {
        Some(have) => have.read().fits(&field.read()),
        None => field.may_lack(),
    });
    wanted && (b.open || a.fields.keys().all(|name| b.fields.contains_key(name)))
}
