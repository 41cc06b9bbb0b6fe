//! Values that only apply will know, which plans do not hold yet.

use crate::Diagnostic;
use dax_core::{Code, Value};
use dax_ir::{Data, Environment, Node};

/// A value that only apply will know. Explained in docs/diagnostics/DAX5005.md.
pub const NOT_YET_KNOWN: Code = Code::error(5005, "the value is known only after apply");

/// Values of an environment that only apply will know; a plan holds none of them yet.
pub(crate) fn not_yet_known(environment: &Environment) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for service in environment.services.values() {
        collect_unknown(&service.desired, &mut found);
    }
    found
}

fn collect_unknown(node: &Node, found: &mut Vec<Diagnostic>) {
    match &node.data {
        Data::Leaf(Value::Unknown(unknown)) => {
            let detail = format!("it waits for `{}`", unknown.cause);
            let help = "plans hold known values only so far: give the value as a parameter or a constant";
            found.push(Diagnostic::new(NOT_YET_KNOWN, node.origin.span, detail).help(help));
        }
        Data::Leaf(_) => {}
        Data::List(items) => items.iter().for_each(|item| collect_unknown(item, found)),
        Data::Map(map) => map.values().for_each(|item| collect_unknown(item, found)),
    }
}
