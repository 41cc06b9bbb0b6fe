//! The order in which environments come after one another.

use crate::{Engine, EngineError, Missing, Params};
use dax_core::Name;
use std::collections::{BTreeMap, BTreeSet};

/// Environments, each behind those among them that come before it, directly or through others.
///
/// Those between which nothing is said stand in the order in which they were named. Of those that
/// wait for one another in a circle, which the checker reports, the first goes on.
fn ordered(names: &[Name], before: &dyn Fn(&Name) -> Vec<Name>) -> Vec<(Name, Vec<Name>)> {
    let reached: BTreeMap<&Name, BTreeSet<Name>> = names
        .iter()
        .map(|name| {
            let (mut seen, mut open) = (BTreeSet::new(), before(name));
            while let Some(next) = open.pop() {
                if next != *name && seen.insert(next.clone()) {
                    open.extend(before(&next));
                }
            }
            (name, seen)
        })
        .collect();
    let first = |name: &Name| -> Vec<Name> {
        let known = reached.get(name);
        names.iter().filter(|one| known.is_some_and(|all| all.contains(*one))).cloned().collect()
    };
    let mut left: Vec<Name> = names.to_vec();
    let mut all = Vec::new();
    while !left.is_empty() {
        let is_free = |name: &Name| first(name).iter().all(|one| !left.contains(one));
        let name = left.remove(left.iter().position(is_free).unwrap_or(0));
        all.push((name.clone(), first(&name)));
    }
    all
}

impl Engine {
    /// Environments in the order in which they come after one another, each with those among them
    /// that come before it, directly or through others.
    ///
    /// # Errors
    /// The project cannot be loaded.
    pub fn orders(
        &self,
        params: &Params,
        names: &[Name],
    ) -> Result<Vec<(Name, Vec<Name>)>, EngineError> {
        if names.len() < 2 {
            return Ok(names.iter().map(|name| (name.clone(), Vec::new())).collect());
        }
        let checked = self.check(&Params { missing: Missing::Ignore, ..params.clone() })?;
        let environments = &checked.graph.environments;
        let before = |name: &Name| -> Vec<Name> {
            let declared = dax_core::keyed(name).0;
            let found = environments.get(name).or_else(|| environments.get(declared));
            found
                .map(|found| found.after.iter().map(|after| after.environment.clone()).collect())
                .unwrap_or_default()
        };
        Ok(ordered(names, &before))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(names: &[&str], after: &[(&str, &str)]) -> Vec<String> {
        let names: Vec<Name> = names.iter().map(|name| Name::from(*name)).collect();
        let before = |name: &Name| {
            let of = after.iter().filter(|(one, _)| one == name);
            of.map(|(_, first)| Name::from(*first)).collect()
        };
        let all = ordered(&names, &before);
        all.iter().map(|(name, first)| format!("{name} < {}", first.join(","))).collect()
    }

    #[test]
    fn environments_without_after_do_not_wait_for_each_other() {
        assert_eq!(shown(&["production", "staging"], &[]), ["production < ", "staging < "]);
    }

    #[test]
    fn an_environment_comes_behind_those_that_it_comes_after_also_through_others() {
        let after = [("production", "canary"), ("canary", "staging"), ("docs", "staging")];
        assert_eq!(
            shown(&["production", "docs", "staging"], &after),
            ["staging < ", "production < staging", "docs < staging"]
        );
    }

    #[test]
    fn a_circle_ends() {
        let after = [("a", "b"), ("b", "a")];
        assert_eq!(shown(&["a", "b"], &after), ["a < b", "b < a"]);
    }
}
