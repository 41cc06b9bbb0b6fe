//! Addresses: the names that join configuration, live state and plans.
//!
//! An address survives edits to the block that it names, so every map in the planner is keyed by it.

use crate::Name;
use serde::{Deserialize, Serialize};

/// `kind.name` within one environment, for example `service.web`. Well formed by construction.
///
/// The name of an imported module's service starts with the module's: `service.shop.web`. An instance of a
/// keyed binding ends with its key: `service.web[eu-west-1]`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "Name", into = "Name")]
pub struct ResourceAddr(Name);

/// Why a text is no address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddrError {
    /// Byte offset of the first character that does not fit.
    pub offset: usize,
}

impl std::fmt::Display for AddrError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "not an address of the form `kind.name` (at byte {})", self.offset)
    }
}

impl std::error::Error for AddrError {}

impl ResourceAddr {
    /// The address of a service.
    pub fn service(name: &str) -> Self {
        Self(smol_str::format_smolstr!("service.{name}"))
    }

    /// The address of an object that runs nothing.
    pub fn object(name: &str) -> Self {
        Self(smol_str::format_smolstr!("object.{name}"))
    }

    /// Parses `kind.name` or `kind.name[key]`, the parts of letters, digits, `_` and `-`, the name with dots.
    ///
    /// # Errors
    /// [`AddrError`] holds the byte offset of the first character that does not fit.
    pub fn parse(text: &str) -> Result<Self, AddrError> {
        let part_ok = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        let whole = match text.split_once('[') {
            Some((whole, key)) => {
                let end = key.find(|c| !part_ok(c)).unwrap_or(key.len());
                if end == 0 || &key[end..] != "]" {
                    return Err(AddrError { offset: whole.len() + 1 + end });
                }
                whole
            }
            None => text,
        };
        if !whole.contains('.') {
            return Err(AddrError { offset: whole.len() });
        }
        let mut base = 0;
        for part in whole.split('.') {
            if part.is_empty() {
                return Err(AddrError { offset: base });
            }
            if let Some(offset) = part.find(|c| !part_ok(c)) {
                return Err(AddrError { offset: base + offset });
            }
            base += part.len() + 1;
        }
        Ok(Self(Name::new(text)))
    }

    /// The part before the dot.
    pub fn kind(&self) -> &str {
        self.0.split_once('.').map_or("", |(kind, _)| kind)
    }

    /// The part after the dot.
    pub fn name(&self) -> &str {
        self.0.split_once('.').map_or(self.0.as_str(), |(_, name)| name)
    }

    /// The name without the key of an instance.
    pub fn base(&self) -> &str {
        self.name().split_once('[').map_or(self.name(), |(base, _)| base)
    }

    /// The key of an instance.
    pub fn key(&self) -> Option<&str> {
        self.name().split_once('[').map(|(_, key)| key.trim_end_matches(']'))
    }

    /// The whole address.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A name and its key, where it names one of many: `preview` and `12` for `preview[12]`.
pub fn keyed(name: &str) -> (&str, Option<&str>) {
    match name.strip_suffix(']').and_then(|name| name.split_once('[')) {
        Some((name, key)) => (name, Some(key)),
        None => (name, None),
    }
}

impl std::fmt::Display for ResourceAddr {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<Name> for ResourceAddr {
    type Error = AddrError;
    fn try_from(text: Name) -> Result<Self, AddrError> {
        Self::parse(&text)
    }
}

impl From<ResourceAddr> for Name {
    fn from(addr: ResourceAddr) -> Self {
        addr.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_names_the_first_byte_that_does_not_fit() {
        assert_eq!(
            ResourceAddr::parse("service.web").map(|a| a.name().to_owned()),
            Ok("web".to_owned())
        );
        assert_eq!(ResourceAddr::parse("service.w b"), Err(AddrError { offset: 9 }));
        assert_eq!(ResourceAddr::parse("service."), Err(AddrError { offset: 8 }));
        assert_eq!(ResourceAddr::parse("service"), Err(AddrError { offset: 7 }));
        let keyed = ResourceAddr::parse("service.shop.web[eu-1]").expect("an address");
        assert_eq!(
            (keyed.name(), keyed.base(), keyed.key()),
            ("shop.web[eu-1]", "shop.web", Some("eu-1"))
        );
        assert_eq!(ResourceAddr::parse("service.web[eu"), Err(AddrError { offset: 14 }));
    }
}
