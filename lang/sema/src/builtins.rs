//! Functions that dax cannot express in itself. All are pure and total.
//!
//! Each row is a name, the types it takes, what it gives, and how; the checker and the evaluator read the
//! same table.

use crate::codes;
use crate::ty::Type;
use dax_core::{Code, Name, Value};
use std::collections::BTreeMap;

/// Longest text that a function may make, in bytes.
pub(crate) const MAX_TEXT: usize = 1 << 20;

/// Types as the table writes them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Any,
    Bool,
    Int,
    Text,
    /// A map of anything.
    Map,
    /// Text, list or map.
    Sized,
    /// Text or list.
    Holder,
    /// The element type of the first argument.
    Element,
    /// The type of the first argument.
    Same,
    TextList,
}

/// What a function makes of its arguments, or why it cannot.
type Run = fn(&[Value]) -> Result<Value, (Code, String)>;

/// A row of the table.
pub(crate) struct Builtin {
    pub(crate) name: &'static str,
    pub(crate) takes: &'static [Kind],
    pub(crate) gives: Kind,
    pub(crate) run: Run,
}

/// Every built-in function.
pub(crate) const BUILTINS: &[Builtin] = &[
    Builtin { name: "contains", takes: &[Kind::Holder, Kind::Element], gives: Kind::Bool, run: contains },
    Builtin {
        name: "ends_with",
        takes: &[Kind::Text, Kind::Text],
        gives: Kind::Bool,
        run: |a| Ok(Value::Bool(text(a, 0).ends_with(text(a, 1)))),
    },
    Builtin { name: "join", takes: &[Kind::TextList, Kind::Text], gives: Kind::Text, run: join },
    Builtin {
        name: "keys",
        takes: &[Kind::Map],
        gives: Kind::TextList,
        run: |a| Ok(Value::List(a[0].entries().map(|(k, _)| Value::Str(k.clone())).collect())),
    },
    Builtin { name: "length", takes: &[Kind::Sized], gives: Kind::Int, run: length },
    Builtin { name: "lower", takes: &[Kind::Text], gives: Kind::Text, run: |a| Ok(Value::str(text(a, 0).to_lowercase())) },
    Builtin { name: "matches", takes: &[Kind::Text, Kind::Text], gives: Kind::Bool, run: matches },
    Builtin {
        name: "max",
        takes: &[Kind::Any, Kind::Same],
        gives: Kind::Same,
        run: |a| Ok(a.iter().max().cloned().unwrap_or(Value::None)),
    },
    Builtin { name: "merge", takes: &[Kind::Map, Kind::Same], gives: Kind::Same, run: merge },
    Builtin {
        name: "min",
        takes: &[Kind::Any, Kind::Same],
        gives: Kind::Same,
        run: |a| Ok(a.iter().min().cloned().unwrap_or(Value::None)),
    },
    Builtin { name: "replace", takes: &[Kind::Text, Kind::Text, Kind::Text], gives: Kind::Text, run: replace },
    Builtin {
        name: "split",
        takes: &[Kind::Text, Kind::Text],
        gives: Kind::TextList,
        run: |a| Ok(Value::List(text(a, 0).split(text(a, 1)).map(Value::str).collect())),
    },
    Builtin {
        name: "starts_with",
        takes: &[Kind::Text, Kind::Text],
        gives: Kind::Bool,
        run: |a| Ok(Value::Bool(text(a, 0).starts_with(text(a, 1)))),
    },
    Builtin { name: "string", takes: &[Kind::Any], gives: Kind::Text, run: |a| Ok(Value::str(display(&a[0]))) },
    Builtin { name: "trim", takes: &[Kind::Text], gives: Kind::Text, run: |a| Ok(Value::str(text(a, 0).trim())) },
    Builtin { name: "upper", takes: &[Kind::Text], gives: Kind::Text, run: |a| Ok(Value::str(text(a, 0).to_uppercase())) },
];

/// The function of this name.
pub(crate) fn find(name: &str) -> Option<&'static Builtin> {
    BUILTINS.iter().find(|b| b.name == name)
}

/// A value inside a text: strings without quotes, everything else as it is written.
pub(crate) fn display(value: &Value) -> String {
    match value {
        Value::Str(text) => text.to_string(),
        other => other.to_string(),
    }
}

impl Kind {
    /// The type that an argument in this place must fit, given the type of the first argument.
    pub(crate) fn ty<'a>(self, first: Option<&Type<'a>>) -> Type<'a> {
        let any = || std::sync::Arc::new(Type::Any);
        match self {
            Self::Any => Type::Any,
            Self::Bool => Type::Bool,
            Self::Int => Type::Int,
            Self::Text => Type::String,
            Self::Map => Type::Map(any()),
            Self::Sized => Type::Union([Type::String, Type::List(any()), Type::Map(any())].into()),
            Self::Holder => Type::Union([Type::String, Type::List(any())].into()),
            Self::TextList => Type::List(std::sync::Arc::new(Type::String)),
            Self::Same => first.map_or(Type::Any, |ty| ty.core().clone().widened()),
            Self::Element => match first.map(Type::core) {
                Some(Type::List(element)) => (**element).clone().widened(),
                _ => Type::String,
            },
        }
    }
}

impl Type<'_> {
    /// A literal's type without its one value.
    pub(crate) fn widened(self) -> Self {
        if matches!(self, Self::Literal(_)) { Self::String } else { self }
    }
}

fn text(args: &[Value], at: usize) -> &str {
    args.get(at).and_then(Value::as_str).unwrap_or("")
}

fn bounded(text: String) -> Result<Value, (Code, String)> {
    if text.len() > MAX_TEXT {
        return Err((codes::OUT_OF_FUEL, format!("the text would be longer than {MAX_TEXT} bytes")));
    }
    Ok(Value::str(text))
}

fn contains(args: &[Value]) -> Result<Value, (Code, String)> {
    Ok(Value::Bool(match &args[0] {
        Value::List(items) => items.contains(&args[1]),
        _ => text(args, 0).contains(text(args, 1)),
    }))
}

fn join(args: &[Value]) -> Result<Value, (Code, String)> {
    bounded(args[0].items().iter().map(display).collect::<Vec<_>>().join(text(args, 1)))
}

fn length(args: &[Value]) -> Result<Value, (Code, String)> {
    let length = match &args[0] {
        Value::List(items) => items.len(),
        Value::Map(map) => map.len(),
        other => other.as_str().unwrap_or("").chars().count(),
    };
    Ok(Value::Int(i64::try_from(length).unwrap_or(i64::MAX)))
}

fn matches(args: &[Value]) -> Result<Value, (Code, String)> {
    match regex_lite::Regex::new(text(args, 1)) {
        Ok(regex) => Ok(Value::Bool(regex.is_match(text(args, 0)))),
        Err(error) => Err((codes::BAD_REGEX, format!("`{}`: {error}", text(args, 1)))),
    }
}

fn merge(args: &[Value]) -> Result<Value, (Code, String)> {
    let entries = args.iter().flat_map(Value::entries).map(|(k, v)| (k.clone(), v.clone()));
    Ok(Value::Map(entries.collect::<BTreeMap<Name, Value>>()))
}

fn replace(args: &[Value]) -> Result<Value, (Code, String)> {
    let (whole, from, to) = (text(args, 0), text(args, 1), text(args, 2));
    let count = whole.matches(from).count();
    if whole.len().saturating_add(count.saturating_mul(to.len())) > MAX_TEXT {
        return Err((codes::OUT_OF_FUEL, format!("the text would be longer than {MAX_TEXT} bytes")));
    }
    bounded(whole.replace(from, to))
}
