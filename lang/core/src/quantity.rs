//! Quantities: numbers with a unit, in exact decimals.
//!
//! Each unit family has one base (milliseconds, bytes, percent, millicores, per second), so equal
//! amounts are equal values however they were written. No binary floating point occurs.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

/// A family of units that may be added and compared with one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Unit {
    /// Time; base: milliseconds.
    Duration,
    /// Storage; base: bytes.
    Bytes,
    /// Shares; base: percent.
    Percent,
    /// Processor share; base: thousandths of a core.
    Cpu,
    /// Events over time; base: per second.
    Rate,
}

/// A suffix, its family and how many base units it stands for (as mantissa and decimal places).
type Suffix = (&'static str, Unit, i64, u32);

/// Every suffix of the language, largest first within its family so that printing takes the largest that fits.
const SUFFIXES: &[Suffix] = &[
    ("d", Unit::Duration, 86_400_000, 0),
    ("h", Unit::Duration, 3_600_000, 0),
    ("m", Unit::Duration, 60_000, 0),
    ("s", Unit::Duration, 1_000, 0),
    ("ms", Unit::Duration, 1, 0),
    ("us", Unit::Duration, 1, 3),
    ("TiB", Unit::Bytes, 1 << 40, 0),
    ("GiB", Unit::Bytes, 1 << 30, 0),
    ("MiB", Unit::Bytes, 1 << 20, 0),
    ("KiB", Unit::Bytes, 1 << 10, 0),
    ("TB", Unit::Bytes, 1_000_000_000_000, 0),
    ("GB", Unit::Bytes, 1_000_000_000, 0),
    ("MB", Unit::Bytes, 1_000_000, 0),
    ("KB", Unit::Bytes, 1_000, 0),
    ("B", Unit::Bytes, 1, 0),
    ("%", Unit::Percent, 1, 0),
    ("cpu", Unit::Cpu, 1_000, 0),
    ("mcpu", Unit::Cpu, 1, 0),
    ("rps", Unit::Rate, 1, 0),
];

impl Unit {
    /// The name of the family's type in the language.
    pub const fn type_name(self) -> &'static str {
        match self {
            Self::Duration => "Duration",
            Self::Bytes => "Bytes",
            Self::Percent => "Percent",
            Self::Cpu => "Cpu",
            Self::Rate => "Rate",
        }
    }

    /// Every family.
    pub const ALL: [Self; 5] = [Self::Duration, Self::Bytes, Self::Percent, Self::Cpu, Self::Rate];

    /// The family with this type name.
    pub fn from_type_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|unit| unit.type_name() == name)
    }

    /// A literal that shows how the family is written.
    pub const fn example(self) -> &'static str {
        match self {
            Self::Duration => "30s",
            Self::Bytes => "512MiB",
            Self::Percent => "25%",
            Self::Cpu => "250mcpu",
            Self::Rate => "100rps",
        }
    }
}

impl Unit {
    /// The suffixes of the family, largest first.
    pub fn suffixes(self) -> impl Iterator<Item = &'static str> {
        SUFFIXES.iter().filter(move |suffix| suffix.1 == self).map(|suffix| suffix.0)
    }
}

/// Every suffix of the language.
pub fn suffixes() -> impl Iterator<Item = &'static str> {
    SUFFIXES.iter().map(|s| s.0)
}

/// An amount of one unit family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Quantity {
    /// The family.
    pub unit: Unit,
    /// The amount in the family's base unit, normalised.
    pub base: Decimal,
}

impl Quantity {
    /// An amount in the family's base unit.
    pub fn new(unit: Unit, base: Decimal) -> Self {
        Self { unit, base: base.normalize() }
    }

    /// `number` of the unit with this suffix; nothing when the suffix is unknown or the amount too large.
    pub fn from_suffix(number: Decimal, suffix: &str) -> Option<Self> {
        let (_, unit, mantissa, scale) = SUFFIXES.iter().find(|s| s.0 == suffix)?;
        number.checked_mul(Decimal::new(*mantissa, *scale)).map(|base| Self::new(*unit, base))
    }

    /// Whole milliseconds of a duration, at least zero.
    pub fn millis(self) -> u64 {
        u64::try_from(self.base.trunc()).unwrap_or(0)
    }
}

impl std::fmt::Display for Quantity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut of_family = SUFFIXES.iter().filter(|s| s.1 == self.unit).peekable();
        let smallest =
            SUFFIXES.iter().rfind(|s| s.1 == self.unit).expect("every family has a suffix");
        let whole = of_family.find(|(_, _, mantissa, scale)| {
            !self.base.is_zero() && (self.base / Decimal::new(*mantissa, *scale)).fract().is_zero()
        });
        let base_suffix =
            SUFFIXES.iter().find(|s| s.1 == self.unit && s.2 == 1 && s.3 == 0).unwrap_or(smallest);
        // Parts of the base unit read better as its decimals: `2.5ms`, not `2500us`.
        let whole = whole.filter(|(_, _, _, scale)| *scale == 0 || self.base.abs() < Decimal::ONE);
        let (suffix, _, mantissa, scale) = whole.unwrap_or(base_suffix);
        write!(f, "{}{suffix}", (self.base / Decimal::new(*mantissa, *scale)).normalize())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(number: &str, suffix: &str) -> String {
        let number = number.parse::<Decimal>().expect("a number");
        Quantity::from_suffix(number, suffix).map_or_else(|| "none".to_owned(), |q| q.to_string())
    }

    #[test]
    fn equal_amounts_print_alike_in_the_largest_unit_that_stays_whole() {
        assert_eq!(show("90", "s"), "90s");
        assert_eq!(show("120", "s"), "2m");
        assert_eq!(show("0.5", "GiB"), "512MiB");
        assert_eq!(show("0.25", "cpu"), "250mcpu");
        assert_eq!(show("0.10", "%"), "0.1%");
        assert_eq!(show("2500", "us"), "2.5ms");
        assert_eq!(show("25", "us"), "25us");
        assert_eq!(show("0", "s"), "0ms");
        assert_eq!(show("3", "parsec"), "none");
    }
}
