//! Amounts of processor time and memory as Kubernetes writes them.
//!
//! Source: <https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/>.

use dax_core::{Quantity, Unit, Value};

/// Binary suffixes, largest first.
const BINARY: [(&str, i128); 4] =
    [("Ti", 1 << 40), ("Gi", 1 << 30), ("Mi", 1 << 20), ("Ki", 1 << 10)];
/// Decimal suffixes, and `m` for a thousandth.
const DECIMAL: [(&str, i128); 4] =
    [("T", 1_000_000_000_000), ("G", 1_000_000_000), ("M", 1_000_000), ("k", 1_000)];

/// An amount in the form that the server would give back.
pub(crate) fn write(value: &Value) -> Option<String> {
    let Value::Quantity(quantity) = value else { return None };
    let base: i128 = quantity.base.ceil().try_into().ok()?;
    match quantity.unit {
        Unit::Cpu if base % 1000 == 0 => Some((base / 1000).to_string()),
        Unit::Cpu => Some(format!("{base}m")),
        Unit::Bytes => {
            // 512 MB are 500,000 KiB, too, but nobody would say so.
            let fits = |(_, size): &&(&str, i128)| base > 0 && base % size == 0;
            let suffix = BINARY[..3].iter().chain(&DECIMAL).chain(&BINARY[3..]).find(fits);
            Some(suffix.map_or_else(
                || base.to_string(),
                |(suffix, size)| format!("{}{suffix}", base / size),
            ))
        }
        _ => None,
    }
}

/// Thousandths of the unit that a text says; nothing where it is no amount.
fn thousandths(text: &str) -> Option<i128> {
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, suffix) = text.split_at(split);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let padded: String = fraction.chars().chain("000".chars()).take(3).collect();
    let number = whole.parse::<i128>().ok()? * 1000 + padded.parse::<i128>().ok()?;
    match suffix {
        "" => Some(number),
        "m" => Some(number / 1000),
        _ => BINARY
            .iter()
            .chain(&DECIMAL)
            .find(|(name, _)| *name == suffix)
            .map(|(_, size)| number * size),
    }
}

/// Whether two texts say the same amount.
pub(crate) fn same(a: &str, b: &str) -> bool {
    a == b || thousandths(a).is_some_and(|a| Some(a) == thousandths(b))
}

/// What a text says, as a value of the language.
pub(crate) fn read(text: &str, unit: Unit) -> Option<Value> {
    let thousandths = thousandths(text)?;
    let base = if unit == Unit::Cpu { thousandths } else { thousandths / 1000 };
    Some(Value::Quantity(Quantity::new(unit, i64::try_from(base).ok()?.into())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(number: i64) -> Value {
        Value::Quantity(Quantity::new(Unit::Bytes, number.into()))
    }

    #[test]
    fn amounts_are_written_as_the_server_gives_them_back() {
        let cpu =
            |milli: i64| write(&Value::Quantity(Quantity::new(Unit::Cpu, milli.into()))).unwrap();
        assert_eq!((cpu(250), cpu(2000)), ("250m".to_owned(), "2".to_owned()));
        let shown: Vec<String> = [512 << 20, 1 << 30, 512_000_000, 1536, 7]
            .iter()
            .map(|n| write(&bytes(*n)).unwrap())
            .collect();
        assert_eq!(shown, ["512Mi", "1Gi", "512M", "1536", "7"]);
    }

    #[test]
    fn equal_amounts_are_equal_however_they_are_written() {
        assert!(same("0.5", "500m") && same("1024Mi", "1Gi") && same("1000m", "1"));
        assert!(!same("1G", "1Gi") && !same("latest", "1"));
        assert_eq!(read("1536Mi", Unit::Bytes), Some(bytes(1536 << 20)));
    }
}
