//! Leaves of a program: names and amounts, well formed by construction.

use crate::RESERVED;
use dax_core::{Decimal, Quantity};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// Longest name that is made of a text from outside.
const LONGEST: usize = 200;

/// A word of the program.
///
/// Words that dax itself chooses come from literals; those of others come through [`Ident::word`]
/// or [`Names`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ident(Cow<'static, str>);

impl Ident {
    /// The text as a word, if it is one.
    pub fn word(text: &str) -> Option<Self> {
        let starts = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        let whole = text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        (starts && whole).then(|| Self(Cow::Owned(text.to_owned())))
    }

    /// A word made of any text: what stands in no word becomes an underscore.
    pub fn made_of(text: &str) -> Self {
        let mapped: String = text
            .chars()
            .take(LONGEST)
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
            .collect();
        let starts = mapped.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        let mut word = if starts { mapped } else { format!("s{mapped}") };
        if RESERVED.contains(&word.as_str()) {
            word.push_str("_item");
        }
        Self(Cow::Owned(word))
    }

    /// The word.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A word that dax chooses; that it is one is proved when the program is written.
impl From<&'static str> for Ident {
    fn from(word: &'static str) -> Self {
        Self(Cow::Borrowed(word))
    }
}

impl std::fmt::Display for Ident {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Names of the items of a program, each given once.
///
/// Two names are one when they differ in case alone, because what runs has names without upper
/// case.
#[derive(Debug, Default)]
pub struct Names {
    taken: BTreeSet<String>,
    /// The last number that was given to a name.
    numbers: BTreeMap<String, u32>,
}

impl Names {
    /// Names of which these are taken.
    pub fn without(taken: &[&str]) -> Self {
        let taken = taken.iter().map(|name| name.to_lowercase()).collect();
        Self { taken, numbers: BTreeMap::new() }
    }

    /// The first wish that is free as a name, else the last one with a number.
    pub fn claim(&mut self, wishes: &[&str]) -> Ident {
        let mut last = Ident::from("s");
        for wish in wishes {
            last = Ident::made_of(wish);
            if self.take(&last) {
                return last;
            }
        }
        loop {
            let number = self.numbers.entry(last.0.to_lowercase()).or_insert(1);
            *number = number.saturating_add(1);
            let numbered = Ident(Cow::Owned(format!("{last}_{number}")));
            if self.take(&numbered) {
                return numbered;
            }
        }
    }

    fn take(&mut self, name: &Ident) -> bool {
        self.taken.insert(name.0.to_lowercase())
    }
}

/// A number with a unit, such as `128MiB`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Amount {
    number: Decimal,
    unit: &'static str,
}

impl Amount {
    /// An amount that the language can hold; the unit is a suffix of [`dax_core::quantity`].
    pub fn new(number: impl Into<Decimal>, unit: &'static str) -> Option<Self> {
        let amount = Self { number: number.into(), unit };
        (!amount.number.is_sign_negative() && amount.quantity().is_some()).then_some(amount)
    }

    /// The amount as values hold it.
    pub(super) fn quantity(&self) -> Option<Quantity> {
        Quantity::from_suffix(self.number, self.unit)
    }
}

impl std::fmt::Display for Amount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}{}", self.number, self.unit)
    }
}

/// A number in decimal or scientific notation, if it can be held exactly.
pub fn decimal(text: &str) -> Option<Decimal> {
    let plain = text.strip_prefix('-').unwrap_or(text);
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let (mantissa, exponent) =
        plain.split_once(['e', 'E']).map_or((plain, None), |(m, e)| (m, Some(e)));
    let (whole, fraction) =
        mantissa.split_once('.').map_or((mantissa, None), |(w, f)| (w, Some(f)));
    if !digits(whole) || fraction.is_some_and(|fraction| !digits(fraction)) {
        return None;
    }
    let Some(exponent) = exponent else { return Decimal::from_str_exact(text).ok() };
    let found = Decimal::from_scientific(text).ok()?;
    // The exponent may have cost digits.
    let lost = exponent.starts_with('-')
        && found.to_string().parse::<f64>().ok() != text.parse::<f64>().ok();
    (!lost).then_some(found)
}
