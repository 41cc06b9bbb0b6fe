//! Texts of a certain form: the conditions behind `Url`, `ImageRef`, `Cron` and their like.

use super::{Outcome, bad, record, text, time};
use dax_core::{Name, Value};

pub(super) fn find(name: &str) -> Option<fn(&[Value]) -> Outcome> {
    Some(match name {
        "is_url" => |a| Ok(Value::Bool(url(text(a, 0)).is_ok())),
        "is_image_ref" => |a| Ok(Value::Bool(image(text(a, 0)).is_ok())),
        "is_cron" => |a| Ok(Value::Bool(cron(text(a, 0)).is_ok())),
        "is_regex" => |a| Ok(Value::Bool(regex_lite::Regex::new(text(a, 0)).is_ok())),
        "is_version" => |a| Ok(Value::Bool(semver::Version::parse(text(a, 0)).is_ok())),
        "is_instant" => |a| Ok(Value::Bool(time::moment(text(a, 0)).is_ok())),
        "is_time_zone" => |a| Ok(Value::Bool(time::zone(text(a, 0)).is_some())),
        "url_parts" => url_parts,
        "image_parts" => image_parts,
        _ => return None,
    })
}

/// Why one of these conditions does not hold for a text; nothing for other functions.
pub(crate) fn why_not(function: &str, value: &str) -> Option<String> {
    match function {
        "is_url" => url(value).err(),
        "is_image_ref" => image(value).err(),
        "is_cron" => cron(value).err(),
        "is_regex" => regex_lite::Regex::new(value).err().map(|error| error.to_string()),
        "is_version" => semver::Version::parse(value).err().map(|error| error.to_string()),
        "is_instant" => time::moment(value).err(),
        "is_time_zone" => {
            time::zone(value).is_none().then(|| "the IANA database has no such zone".to_owned())
        }
        _ => None,
    }
}

/// A URL with a scheme and a host.
fn url(value: &str) -> Result<&iri_string::types::UriStr, String> {
    let parsed =
        iri_string::types::UriStr::new(value).map_err(|_| match value.contains("://") {
            false => "the scheme is missing, as in `https://…`".to_owned(),
            true => "RFC 3986 does not allow one of its characters".to_owned(),
        })?;
    let host = parsed.authority_components().map_or("", |authority| authority.host());
    if host.is_empty() { Err("the host is missing".to_owned()) } else { Ok(parsed) }
}

fn url_parts(args: &[Value]) -> Outcome {
    let Ok(url) = url(text(args, 0)) else { return bad("this is no URL") };
    let authority = url.authority_components();
    let port = authority
        .and_then(|authority| authority.port()?.parse().ok())
        .map_or(Value::None, Value::Int);
    Ok(record([
        ("scheme", Value::str(url.scheme_str())),
        ("host", Value::str(authority.map_or("", |authority| authority.host()))),
        ("port", port),
        ("path", Value::str(url.path_str())),
    ]))
}

/// The parts of an image's name, as the Distribution reference grammar has them.
struct Image<'t> {
    registry: &'t str,
    repository: &'t str,
    tag: Option<&'t str>,
    digest: Option<&'t str>,
}

fn image(value: &str) -> Result<Image<'_>, String> {
    let (rest, digest) = match value.split_once('@') {
        Some((rest, digest)) => (rest, Some(digest)),
        None => (value, None),
    };
    if let Some(digest) = digest {
        let hex = digest.strip_prefix("sha256:").unwrap_or("");
        if hex.len() != 64 || !hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            return Err("the digest is not `sha256:` and 64 hexadecimal digits".to_owned());
        }
    }
    let slash = rest.rfind('/').map_or(0, |at| at + 1);
    let (rest, tag) = match rest[slash..].split_once(':') {
        Some((name, tag)) => (&rest[..slash + name.len()], Some(tag)),
        None => (rest, None),
    };
    if let Some(tag) = tag {
        let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-');
        if tag.is_empty()
            || tag.len() > 128
            || !tag.bytes().all(fits)
            || tag.starts_with(['.', '-'])
        {
            return Err(format!(
                "`{tag}` is no tag: letters, digits, `_`, `.` and `-`, at most 128"
            ));
        }
    }
    let (registry, repository) = match rest.split_once('/') {
        Some((first, others)) if first.contains(['.', ':']) || first == "localhost" => {
            (first, others)
        }
        _ => ("", rest),
    };
    let part_fits = |part: &str| {
        let ends = |b: Option<u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        ends(part.bytes().next())
            && ends(part.bytes().last())
            && part.bytes().all(|b| {
                b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'.' | b'-')
            })
    };
    match repository.split('/').find(|part| !part_fits(part)) {
        Some(part) if part.bytes().any(|b| b.is_ascii_uppercase()) => {
            Err(format!("`{part}` has large letters"))
        }
        Some("") => Err("a part of the name is empty".to_owned()),
        Some(part) => Err(format!(
            "`{part}` is no part of a name: small letters, digits, `.`, `_` and `-` in between"
        )),
        None => Ok(Image { registry, repository, tag, digest }),
    }
}

fn image_parts(args: &[Value]) -> Outcome {
    let image = match image(text(args, 0)) {
        Ok(image) => image,
        Err(why) => return bad(why),
    };
    let optional =
        |part: Option<&str>| part.map_or(Value::None, |part| Value::Str(Name::new(part)));
    Ok(record([
        ("registry", Value::str(image.registry)),
        ("repository", Value::str(image.repository)),
        ("tag", optional(image.tag)),
        ("digest", optional(image.digest)),
    ]))
}

/// A schedule in five fields; other forms that the library knows are refused.
fn cron(value: &str) -> Result<(), String> {
    let fields = value.split_whitespace().count();
    if fields != 5 {
        return Err(format!("a schedule has five fields, here are {fields}"));
    }
    let mut options = cronexpr::ParseOptions::default();
    options.fallback_timezone_option = cronexpr::FallbackTimezoneOption::UTC;
    match cronexpr::parse_crontab_with(value, options) {
        Ok(_) => Ok(()),
        Err(error) => Err(error
            .to_string()
            .lines()
            .last()
            .unwrap_or("")
            .trim_start_matches([' ', '|', '^', '='])
            .to_owned()),
    }
}
