//! Regular expressions, in linear time.

use super::{Outcome, bounded, text, texts};
use crate::codes;
use dax_core::{Code, Name, Value};
use regex_lite::Regex;

pub(super) fn find(name: &str) -> Option<fn(&[Value]) -> Outcome> {
    Some(match name {
        "matches" => |a| Ok(Value::Bool(regex(a)?.is_match(text(a, 0)))),
        "find" => |a| {
            Ok(regex(a)?.find(text(a, 0)).map_or(Value::None, |found| Value::str(found.as_str())))
        },
        "find_all" => |a| Ok(texts(regex(a)?.find_iter(text(a, 0)).map(|found| found.as_str()))),
        "captures" => captures,
        "replace_matches" => {
            |a| bounded(regex(a)?.replace_all(text(a, 0), text(a, 2)).into_owned())
        }
        _ => return None,
    })
}

fn regex(args: &[Value]) -> Result<Regex, (Code, String)> {
    Regex::new(text(args, 1))
        .map_err(|error| (codes::BAD_REGEX, format!("`{}`: {error}", text(args, 1))))
}

fn captures(args: &[Value]) -> Outcome {
    let regex = regex(args)?;
    let Some(found) = regex.captures(text(args, 0)) else {
        return Ok(Value::Map(Default::default()));
    };
    let named = regex
        .capture_names()
        .flatten()
        .filter_map(|name| Some((Name::new(name), Value::str(found.name(name)?.as_str()))));
    Ok(Value::Map(named.collect()))
}
