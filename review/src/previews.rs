//! Preview environments: one for each change request, where the program says `preview`.

use crate::place::{Event, Place};
use dax_engine::{Declared, Name};
use std::collections::BTreeMap;

/// The declaration that an environment's name belongs to: `preview` for `preview[12]`.
pub(crate) fn template(name: &str) -> &str {
    dax_engine::keyed(name).0
}

/// The key of an environment as the number of a change request: 12 for `preview[12]`.
pub(crate) fn number(name: &str) -> Option<u64> {
    let key = dax_engine::keyed(name).1?;
    let number: u64 = key.parse().ok()?;
    // `preview[012]` is another environment than `preview[12]`.
    (number.to_string() == key).then_some(number)
}

/// Puts the preview of this change request in the place of its declaration, and leaves out keyed
/// environments, of which `dax ci` cannot know the keys. A declaration counts when the base has
/// it too: what a change declares itself is made by nobody before it is merged.
pub(crate) fn choose<T>(
    environments: &mut BTreeMap<Name, T>,
    declared: &BTreeMap<Name, Declared>,
    at_base: &BTreeMap<Name, Declared>,
    place: Option<&Place>,
) -> Vec<String> {
    let mut remarks = Vec::new();
    let number = match place.map(|place| &place.event) {
        Some(Event::Change { number, fork: false, .. } | Event::Button { number, .. }) => {
            Some(*number)
        }
        _ => None,
    };
    for (name, _) in declared.iter().filter(|(_, declared)| declared.keyed) {
        let Some(touched) = environments.remove(name) else { continue };
        let is_preview = |side: &BTreeMap<Name, Declared>| {
            side.get(name).is_some_and(|declared| declared.preview)
        };
        match number {
            Some(number) if is_preview(declared) && is_preview(at_base) => {
                environments.insert(Name::from(format!("{name}[{number}]")), touched);
            }
            Some(_) if is_preview(declared) => remarks.push(format!(
                "`{name}` is a preview environment of this change alone: it is made for change \
                 requests once it is merged"
            )),
            _ if is_preview(declared) => {}
            _ => remarks.push(format!(
                "`{name}` has an environment for each key, and `dax ci` knows no keys: plan and \
                 apply each of them by name, such as `dax plan -e '{name}[KEY]'`"
            )),
        }
    }
    remarks
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn a_key_is_the_number_of_a_change_request_only_in_its_own_spelling() {
        assert_eq!(number("preview[12]"), Some(12));
        assert_eq!(number("preview[012]"), None);
        assert_eq!(number("preview[+12]"), None);
        assert_eq!(number("tenant[acme]"), None);
        assert_eq!(number("staging"), None);
    }
}
