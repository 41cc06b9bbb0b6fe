//! Amounts of manifests: read into numbers, written from numbers; what is no amount is none.

use dax_core::Decimal;
use dax_syntax::write::{Amount, Expr, decimal};
use serde_json::Value as Json;

/// Suffixes of quantities in powers of ten and of two, and what they stand for.
///
/// Source: <https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/>.
const SUFFIXES: [(&str, i64, u32); 15] = [
    ("n", 1, 9),
    ("u", 1, 6),
    ("m", 1, 3),
    ("", 1, 0),
    ("k", 1_000, 0),
    ("M", 1_000_000, 0),
    ("G", 1_000_000_000, 0),
    ("T", 1_000_000_000_000, 0),
    ("P", 1_000_000_000_000_000, 0),
    ("E", 1_000_000_000_000_000_000, 0),
    ("Ki", 1 << 10, 0),
    ("Mi", 1 << 20, 0),
    ("Gi", 1 << 30, 0),
    ("Ti", 1 << 40, 0),
    ("Pi", 1 << 50, 0),
];
/// How dax writes the suffixes that it has as well.
const UNITS: [(&str, &str); 9] = [
    ("", "B"),
    ("k", "KB"),
    ("M", "MB"),
    ("G", "GB"),
    ("T", "TB"),
    ("Ki", "KiB"),
    ("Mi", "MiB"),
    ("Gi", "GiB"),
    ("Ti", "TiB"),
];

/// A number of JSON as the language writes it; nothing for more than it can hold.
pub(crate) fn number(number: &serde_json::Number) -> Option<Expr> {
    decimal(&number.to_string()).map(Expr::Number)
}

/// What is written for a value that is a number or a text.
pub(crate) fn scalar(json: &Json) -> Option<String> {
    match json {
        Json::String(text) => Some(text.clone()),
        Json::Number(number) => Some(number.to_string()),
        Json::Bool(value) => Some(value.to_string()),
        Json::Null | Json::Array(_) | Json::Object(_) => None,
    }
}

/// A whole number, also where it is written as a text.
pub(crate) fn whole(json: &Json) -> Option<u64> {
    match json {
        Json::String(text) if text.bytes().all(|b| b.is_ascii_digit()) => text.parse().ok(),
        other => other.as_u64(),
    }
}

/// A quantity of Kubernetes: its number and the suffix.
fn quantity(json: &Json) -> Option<(Decimal, &'static str)> {
    let text = scalar(json)?;
    let (suffix, ..) = SUFFIXES.iter().rev().find(|(suffix, ..)| {
        text.strip_suffix(suffix).is_some_and(|rest| decimal(rest).is_some())
    })?;
    let number = decimal(text.strip_suffix(suffix)?)?;
    (!number.is_sign_negative()).then_some((number, suffix))
}

/// The number in the base unit.
fn base(number: Decimal, suffix: &str) -> Option<Decimal> {
    let (_, mantissa, scale) = SUFFIXES.iter().find(|(known, ..)| *known == suffix)?;
    let base = number.checked_mul(Decimal::from(*mantissa))?;
    base.checked_div(Decimal::from(10_i64.checked_pow(*scale)?))
}

/// Processor time: `250m` is `250mcpu`, `2` is `2cpu`; nothing for finer amounts.
pub(crate) fn cpu(json: &Json) -> Option<Amount> {
    let (number, suffix) = quantity(json)?;
    let milli = base(number, suffix)?.checked_mul(Decimal::from(1000))?;
    if !milli.fract().is_zero() {
        return None;
    }
    match suffix {
        "m" => Amount::new(number, "mcpu"),
        "" => Amount::new(number, "cpu"),
        _ => Amount::new(milli.normalize(), "mcpu"),
    }
}

/// Memory and storage: `128Mi` is `128MiB`; nothing for parts of a byte.
pub(crate) fn bytes(json: &Json) -> Option<Amount> {
    let (number, suffix) = quantity(json)?;
    let whole = base(number, suffix)?;
    if !whole.fract().is_zero() {
        return None;
    }
    match UNITS.iter().find(|(known, _)| *known == suffix) {
        Some((_, unit)) => Amount::new(number, unit),
        None => Amount::new(whole.normalize(), "B"),
    }
}

/// Milliseconds of a duration in Go's form, such as `1m30s`; nothing for what is none or too long.
pub(crate) fn millis(text: &str) -> Option<u64> {
    let mut rest = text.trim();
    let mut sum = Decimal::ZERO;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let (number, tail) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit() && c != '.')?);
        let end = tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len());
        let size = match &tail[..end] {
            "us" | "µs" => Decimal::new(1, 3),
            "ms" => Decimal::ONE,
            "s" => Decimal::from(1_000),
            "m" => Decimal::from(60_000),
            "h" => Decimal::from(3_600_000),
            _ => return None,
        };
        sum = sum.checked_add(decimal(number)?.checked_mul(size)?)?;
        rest = &tail[end..];
    }
    sum.fract().is_zero().then(|| u64::try_from(sum).ok())?
}

/// Milliseconds as dax writes a duration.
pub(crate) fn duration(ms: u64) -> Amount {
    let units = [(3_600_000, "h"), (60_000, "m"), (1000, "s"), (1, "ms")];
    let (size, unit) = units
        .into_iter()
        .find(|(size, _)| ms.is_multiple_of(*size) && ms > 0)
        .unwrap_or((1000, "s"));
    fits(ms / size, unit)
}

/// Seconds.
pub(crate) fn seconds(number: u64) -> Amount {
    fits(number, "s")
}

/// An amount of a unit in which every number of 64 bits can be held.
fn fits(number: u64, unit: &'static str) -> Amount {
    Amount::new(number, unit).expect("times and shares hold any number of 64 bits")
}

/// A number of pods, or a share of them: `1`, `"25%"`.
pub(crate) fn share(json: &Json) -> Option<Expr> {
    match json.as_str().and_then(|text| text.strip_suffix('%')) {
        Some(number) => whole(&Json::from(number)).map(percent),
        None => whole(json).map(Expr::number),
    }
}

/// A share in percent.
pub(crate) fn percent(number: u64) -> Expr {
    Expr::Amount(fits(number, "%"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn shown(amount: Option<Amount>) -> String {
        amount.map_or_else(|| "none".to_owned(), |amount| amount.to_string())
    }

    #[test]
    fn amounts_are_read_as_kubernetes_reads_them() {
        let cpus = [
            json!("250m"),
            json!(2),
            json!("0.5"),
            json!(1.5),
            json!("1e3m"),
            json!("1500000u"),
            json!("100n"),
        ];
        assert_eq!(
            cpus.map(|json| shown(cpu(&json))).join(" "),
            "250mcpu 2cpu 0.5cpu 1.5cpu 1000mcpu 1500mcpu none"
        );
        let sizes = [
            json!("128Mi"),
            json!("1.5Gi"),
            json!(268_435_456),
            json!("1e3"),
            json!("2P"),
            json!("1.3Gi"),
        ];
        assert_eq!(
            sizes.map(|json| shown(bytes(&json))).join(" "),
            "128MiB 1.5GiB 268435456B 1000B 2000000000000000B none"
        );
    }

    #[test]
    fn what_is_no_amount_is_none_and_nothing_wraps() {
        for text in [
            "",
            "1\nlet evil = 1\n#",
            "-1",
            "+1",
            "1 Gi",
            "Gi",
            ".5",
            "1.",
            "1_0",
            "0x1",
            "1e",
            "inf",
            "NaN",
            "٣",
            "99999999999999999999999999999999",
            "1e40",
            "9e28Ti",
        ] {
            assert_eq!((cpu(&json!(text)), bytes(&json!(text))), (None, None), "{text:?}");
            assert_eq!((share(&json!(text)), whole(&json!(text))), (None, None), "{text:?}");
        }
        for text in [
            "",
            "1",
            "s",
            "1.5",
            "-1s",
            "1s\n",
            "1d",
            "99999999999999999999h",
            "18446744073709551615h",
            "1.0001ms",
        ] {
            assert_eq!(
                millis(text.trim_end_matches('\n')).filter(|_| text != "1s\n"),
                None,
                "{text:?}"
            );
        }
        assert_eq!(
            ["1.5m", "1h30m", "300us", "2000us", "0s"].map(millis),
            [Some(90_000), Some(5_400_000), None, Some(2), Some(0)]
        );
        assert_eq!(decimal("1e-7").map(|found| found.to_string()).as_deref(), Some("0.0000001"));
    }
}
