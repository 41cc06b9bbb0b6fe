//! Written types.

use super::Lower;
use crate::ast::{TypeExpr, TypeField, TypeKind};
use crate::tree::Kind;
use dax_core::{Name, Value};

impl Lower<'_> {
    pub(super) fn ty(&mut self, node: usize) -> TypeExpr {
        let span = self.span(node);
        let mut alternatives: Vec<TypeExpr> = Vec::new();
        let mut condition = None;
        for child in self.children(node) {
            match self.kind(child) {
                Kind::ty_alt => alternatives.push(self.alternative(child)),
                _ => condition = self.child(child, Kind::expr).and_then(|expr| self.expr(expr)),
            }
        }
        let base = if alternatives.len() == 1 {
            alternatives.remove(0)
        } else {
            TypeExpr { kind: TypeKind::Union(alternatives), span }
        };
        match condition {
            Some(condition) => {
                TypeExpr { kind: TypeKind::Where(Box::new(base), Box::new(condition)), span }
            }
            None => base,
        }
    }

    fn alternative(&mut self, node: usize) -> TypeExpr {
        let span = self.span(node);
        let mut base = TypeExpr { kind: TypeKind::Union(Vec::new()), span };
        for child in self.children(node) {
            match self.kind(child) {
                Kind::optional => {
                    base = TypeExpr { kind: TypeKind::Optional(Box::new(base)), span }
                }
                Kind::keyed => {
                    if let Some(field) = self.child(child, Kind::ident) {
                        let field = self.ident(field);
                        base = TypeExpr { kind: TypeKind::Keyed(Box::new(base), field), span };
                    }
                }
                Kind::string => {
                    let text = self.plain_string(child).unwrap_or_default();
                    base = TypeExpr { kind: TypeKind::Literal(text), span: self.span(child) };
                }
                Kind::ty_record => base = self.record(child),
                Kind::ty_paren => base = self.child(child, Kind::ty).map_or(base, |ty| self.ty(ty)),
                _ => base = self.named(child),
            }
        }
        base
    }

    fn named(&mut self, node: usize) -> TypeExpr {
        let mut path = Vec::new();
        let mut args = Vec::new();
        let mut range = None;
        for child in self.children(node) {
            match self.kind(child) {
                Kind::path => path = self.path(child),
                Kind::ty_args => args = self.children(child).map(|arg| self.ty(arg)).collect(),
                _ => {
                    let bounds: Vec<Value> =
                        self.children(child).filter_map(|n| self.signed(n)).collect();
                    range = <[Value; 2]>::try_from(bounds)
                        .ok()
                        .map(|[low, high]| Box::new((low, high)));
                }
            }
        }
        TypeExpr { kind: TypeKind::Name { path, args, range }, span: self.span(node) }
    }

    fn record(&mut self, node: usize) -> TypeExpr {
        let mut fields = Vec::new();
        let mut open = false;
        for child in self.children(node) {
            match self.kind(child) {
                Kind::ty_field => fields.extend(self.record_field(child)),
                Kind::open_mark => open = true,
                Kind::no_close => self.not_closed(child, "}"),
                _ => {}
            }
        }
        TypeExpr { kind: TypeKind::Record { fields, open }, span: self.span(node) }
    }

    fn record_field(&mut self, node: usize) -> Option<TypeField> {
        let name = self.ident(self.child(node, Kind::ident)?);
        let ty = self.ty(self.child(node, Kind::ty)?);
        let default = self.child(node, Kind::expr).and_then(|expr| self.expr(expr));
        let optional = self.child(node, Kind::optional).is_some();
        Some(TypeField { doc: self.doc_above(node), name, optional, ty, default })
    }

    /// A text without interpolations.
    pub(super) fn plain_string(&mut self, node: usize) -> Option<Name> {
        match self.string(node)?.kind {
            crate::ast::ExprKind::Literal(Value::Str(text)) => Some(text),
            _ => None,
        }
    }
}
