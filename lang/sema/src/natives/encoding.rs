//! Values as texts of other formats, and back.

use super::{Outcome, bad, bounded, text};
use data_encoding::{BASE64, BASE64URL_NOPAD, HEXLOWER};
use dax_core::{Decimal, Name, Value};
use serde_json::Value as Json;
use sha2::Digest;
use std::fmt::Write;

pub(super) fn find(name: &str) -> Option<fn(&[Value]) -> Outcome> {
    Some(match name {
        "json" => |a| bounded(Json::to_string(&to_json(&a[0]))),
        "json_pretty" => |a| bounded(format!("{:#}", to_json(&a[0]))),
        "yaml" => |a| {
            serde_saphyr::to_string(&to_json(&a[0]))
                .map_or_else(|error| bad(error.to_string()), bounded)
        },
        "from_json" => |a| match serde_json::from_str(text(a, 0)) {
            Ok(json) => from_json(&json),
            Err(error) => bad(format!("this is no JSON: {error}")),
        },
        "from_yaml" => |a| match serde_saphyr::from_str::<Json>(text(a, 0)) {
            Ok(json) => from_json(&json),
            Err(error) => bad(format!("this is no YAML: {}", first_line(&error.to_string()))),
        },
        "base64" => |a| bounded(BASE64.encode(text(a, 0).as_bytes())),
        "base64url" => |a| bounded(BASE64URL_NOPAD.encode(text(a, 0).as_bytes())),
        "from_base64" => from_base64,
        "hex" => |a| bounded(HEXLOWER.encode(text(a, 0).as_bytes())),
        "sha256" => |a| bounded(HEXLOWER.encode(&sha2::Sha256::digest(text(a, 0).as_bytes()))),
        "url_encode" => |a| bounded(url_encode(text(a, 0))),
        _ => return None,
    })
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or("")
}

/// Numbers stay numbers, quantities become texts.
fn to_json(value: &Value) -> Json {
    match value {
        Value::Decimal(number) => number
            .to_string()
            .parse()
            .map_or_else(|_| Json::String(number.to_string()), Json::Number),
        Value::List(items) => Json::Array(items.iter().map(to_json).collect()),
        Value::Map(map) => {
            Json::Object(map.iter().map(|(key, item)| (key.to_string(), to_json(item))).collect())
        }
        other => serde_json::to_value(other.shape()).unwrap_or(Json::Null),
    }
}

fn from_json(json: &Json) -> Outcome {
    Ok(match json {
        Json::Null => Value::None,
        Json::Bool(value) => Value::Bool(*value),
        Json::Number(number) => {
            match (number.as_i64(), Decimal::from_scientific(&number.to_string())) {
                (Some(whole), _) => Value::Int(whole),
                (None, Ok(decimal)) => Value::Decimal(decimal.normalize()),
                (None, Err(_)) => match Decimal::from_str_exact(&number.to_string()) {
                    Ok(decimal) => Value::Decimal(decimal.normalize()),
                    Err(_) => return bad(format!("the number {number} is too large")),
                },
            }
        }
        Json::String(text) => Value::str(text),
        Json::Array(items) => Value::List(items.iter().map(from_json).collect::<Result<_, _>>()?),
        Json::Object(map) => Value::Map(
            map.iter()
                .map(|(key, item)| Ok((Name::new(key), from_json(item)?)))
                .collect::<Result<_, (dax_core::Code, String)>>()?,
        ),
    })
}

fn from_base64(args: &[Value]) -> Outcome {
    match BASE64.decode(text(args, 0).as_bytes()) {
        Ok(bytes) => {
            String::from_utf8(bytes).map_or_else(|_| bad("the bytes are no text"), bounded)
        }
        Err(error) => bad(format!("this is no base64: {error}")),
    }
}

fn url_encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}
