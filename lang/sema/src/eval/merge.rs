//! How values of different strength become one.
//!
//! `default` < plain < `override` < `sealed`; two different values of one strength are an error that shows both.
//! Maps join by key, lists by the field that their type is keyed by, everything else is replaced.

use super::{Eval, Evaluator, Stop};
use crate::block::field_of;
use crate::codes;
use crate::ty::Type;
use dax_core::{Diagnostic, Name, Span};
use dax_ir::{Data, Layer, Node, Origin, Via};

impl<'a> Evaluator<'_, 'a> {
    /// Joins a value with the one that is there.
    pub(super) fn merge(&self, old: &mut Node, new: Node, ty: &Type<'a>) -> Eval<()> {
        let sealed = old.origin.layer == Layer::Sealed || new.origin.layer == Layer::Sealed;
        if sealed && old.value() != new.value() {
            return self.sealed(old, &new);
        }
        match (&mut old.data, new.data) {
            (Data::Map(map), Data::Map(entries)) => {
                let mut result = Ok(());
                for (key, item) in entries {
                    match map.get_mut(&key) {
                        Some(there) => {
                            let inner = field_of(ty, &key).unwrap_or(Type::Any);
                            result = result.and(self.merge(there, item, &inner));
                        }
                        None => {
                            map.insert(key, item);
                        }
                    }
                }
                result
            }
            (Data::List(items), Data::List(more)) if ty.keyed_by().is_some() => {
                let (Some(field), Some(element)) = (ty.keyed_by(), ty.element()) else {
                    return Err(Stop);
                };
                self.merge_keyed(items, more, field, element)
            }
            (_, data) => self.settle(old, Node { data, origin: new.origin }),
        }
    }

    /// Elements with the same key are joined, others are added.
    fn merge_keyed(
        &self,
        items: &mut Vec<Node>,
        more: Vec<Node>,
        field: &Name,
        element: &Type<'a>,
    ) -> Eval<()> {
        let mut result = Ok(());
        for item in more {
            let key = item.get(field).map(Node::value);
            let same = items
                .iter_mut()
                .find(|there| key.is_some() && there.get(field).map(Node::value) == key);
            match same {
                Some(there) => result = result.and(self.merge(there, item, element)),
                None => items.push(item),
            }
        }
        result
    }

    /// The stronger of two values that do not join.
    fn settle(&self, old: &mut Node, new: Node) -> Eval<()> {
        match new.origin.layer.cmp(&old.origin.layer) {
            std::cmp::Ordering::Greater => *old = new,
            std::cmp::Ordering::Less => {}
            std::cmp::Ordering::Equal if old.value() == new.value() => {}
            std::cmp::Ordering::Equal => {
                let detail =
                    format!("`{}` and `{}` are both wanted here", old.value(), new.value());
                let start = Span { end: new.origin.span.start, ..new.origin.span };
                let mut diagnostic = Diagnostic::new(codes::CONFLICT, new.origin.span, detail)
                    .related(old.origin.span, format!("`{}` comes from here", old.value()));
                diagnostic = if new.origin.layer == Layer::Override {
                    diagnostic.help("keep one of the two")
                } else {
                    diagnostic
                        .help("mark the first one `default`, or this one `override`")
                        .fix(start, "override ")
                };
                self.report(diagnostic);
                return Err(Stop);
            }
        }
        Ok(())
    }

    /// Says that a value may not be changed.
    pub(super) fn sealed(&self, old: &Node, new: &Node) -> Eval<()> {
        let (seal, other) = if old.origin.layer == Layer::Sealed { (old, new) } else { (new, old) };
        let detail = format!("`{}` is wanted here, but the value is sealed", other.value());
        let diagnostic = Diagnostic::new(codes::SEALED, other.origin.span, detail)
            .related(seal.origin.span, format!("`{}` is sealed here", seal.value()))
            .help("leave it as it is, or ask who sealed it to open it");
        self.report(diagnostic);
        Err(Stop)
    }
}

/// Gives every value without a mark of its own the strength of the field that it stands in.
pub(super) fn stamp(node: &mut Node, layer: Layer) {
    if node.origin.layer == Layer::Plain {
        node.origin.layer = layer;
    }
    match &mut node.data {
        Data::Leaf(_) => {}
        Data::List(items) => items.iter_mut().for_each(|item| stamp(item, layer)),
        Data::Map(map) => map.values_mut().for_each(|item| stamp(item, layer)),
    }
}

pub(super) fn set_via(node: &mut Node, via: Via) {
    node.origin = Origin { via, ..node.origin };
    match &mut node.data {
        Data::Leaf(_) => {}
        Data::List(items) => items.iter_mut().for_each(|item| set_via(item, via)),
        Data::Map(map) => map.values_mut().for_each(|item| set_via(item, via)),
    }
}
