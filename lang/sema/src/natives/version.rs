//! Versions (Semantic Versioning 2.0.0).

use super::{Outcome, bad, record, text};
use dax_core::{Code, Value};
use semver::{Version, VersionReq};

pub(super) fn find(name: &str) -> Option<fn(&[Value]) -> Outcome> {
    Some(match name {
        "version_parts" => parts,
        "version_compare" => |a| Ok(Value::Int(version(a, 0)?.cmp(&version(a, 1)?) as i64)),
        "version_matches" => |a| match VersionReq::parse(text(a, 1)) {
            Ok(range) => Ok(Value::Bool(range.matches(&version(a, 0)?))),
            Err(error) => bad(format!("`{}` is no range of versions: {error}", text(a, 1))),
        },
        _ => return None,
    })
}

fn version(args: &[Value], at: usize) -> Result<Version, (Code, String)> {
    Version::parse(text(args, at)).map_err(|error| {
        (crate::codes::BAD_ARGUMENT, format!("`{}` is no version: {error}", text(args, at)))
    })
}

fn parts(args: &[Value]) -> Outcome {
    let version = version(args, 0)?;
    let whole = |number: u64| Value::Int(i64::try_from(number).unwrap_or(i64::MAX));
    Ok(record([
        ("major", whole(version.major)),
        ("minor", whole(version.minor)),
        ("patch", whole(version.patch)),
        ("pre", Value::str(version.pre.as_str())),
    ]))
}
