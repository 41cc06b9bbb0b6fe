//! Preview environments: one for each change request, where the program says `preview`.

use crate::comment::{request, short};
use crate::place::{Event, Place, same_commit};
use crate::scope::{Options, Touched};
use crate::{Forge, ReviewError, scope};
use dax_engine::{Declared, Engine, EngineError, Name};
use std::collections::BTreeMap;

/// The newest commit of the branch that a change request goes to.
#[derive(Clone, Debug)]
pub(crate) struct Tip {
    /// The branch.
    pub(crate) branch: String,
    /// The commit.
    pub(crate) commit: String,
}

/// The declarations of previews at the newest commit of that branch.
#[derive(Default)]
pub(crate) struct Target {
    /// The commit; nothing where nobody asks for it.
    pub(crate) tip: Option<Tip>,
    /// The preview environments that its program declares.
    pub(crate) declared: BTreeMap<Name, Declared>,
}

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

/// The change request that previews are made for; nothing for one of another repository.
fn change(place: Option<&Place>) -> Option<u64> {
    match place.map(|place| &place.event) {
        Some(Event::Change { number, fork: false, .. } | Event::Button { number, .. }) => {
            Some(*number)
        }
        _ => None,
    }
}

/// The newest commit of the branch that the code host says a change request goes to; a remark where
/// the job is of an earlier commit of it than its newest.
///
/// It is not the commit that the change was cut from, nor what a job was told when it was made
/// first: the author of a change chooses the one, and whoever runs an old job again the other.
pub(crate) fn tip(
    options: &Options,
    place: Option<&Place>,
    forge: &Forge,
    number: u64,
) -> Result<Result<Tip, String>, ReviewError> {
    let folder = &options.folder;
    let change = forge.ask(|remote| remote.change(number))?;
    if !place.is_none_or(|place| same_commit(&change.head, &place.commit)) {
        return Ok(Err(format!(
            "{} {number} is at commit {} by now: its preview environment is left to the run for \
             that",
            forge.request(),
            short(&change.head)
        )));
    }
    if let (None, Some(place)) = (&options.base, place)
        && place.main.as_ref() != Some(&change.base)
        && !forge.ask(|remote| remote.protected(&change.base))?
    {
        return Ok(Err(format!(
            "{} {number} goes to `{}`, which is neither the default branch nor protected: whoever \
             may push there would say who approves its preview environment, so there is none",
            forge.request(),
            change.base
        )));
    }
    let (branch, name) = match &options.base {
        Some(base) => (base.clone(), base.clone()),
        // The whole name: a tag or a branch may be called `origin/main`.
        None => (change.base.clone(), scope::tracked(&change.base)),
    };
    match dax_engine::revision(folder, &name)? {
        Some(found) => Ok(Ok(Tip { branch, commit: found.id })),
        None => Err(ReviewError::Place(format!(
            "this clone does not have the branch `{branch}`, by whose rules previews are made: {}",
            scope::WHOLE
        ))),
    }
}

/// The change request, where a preview of it is wanted.
pub(crate) fn wanted(
    options: &Options,
    environments: &BTreeMap<Name, Touched>,
    declared: &BTreeMap<Name, Declared>,
    place: Option<&Place>,
) -> Option<u64> {
    let number = change(place)?;
    let is_wanted = |name: &Name| {
        declared.get(name).is_some_and(is_preview) && scope::covers(options, &own(name, number))
    };
    environments.keys().any(is_wanted).then_some(number)
}

fn is_preview(declared: &Declared) -> bool {
    declared.keyed && declared.preview
}

/// The preview of a change request by its declaration.
fn own(name: &str, number: u64) -> Name {
    Name::from(format!("{name}[{number}]"))
}

impl Target {
    /// The words of a commit about the previews of a change request, as far as they can be read; of
    /// what cannot, a remark each.
    pub(crate) fn read(
        engine: &Engine,
        options: &Options,
        tip: Tip,
        number: u64,
    ) -> Result<(Self, Vec<String>), ReviewError> {
        let mut remarks = Vec::new();
        let mut declared = match engine.declared_at(&tip.commit) {
            Ok(declared) => declared,
            Err(error @ EngineError::MissingCommit { .. }) => return Err(error.into()),
            Err(error) => {
                remarks.push(format!("the program of `{}` cannot be read: {error}", tip.branch));
                BTreeMap::new()
            }
        };
        declared.retain(|_, one| is_preview(one));
        let mut found = BTreeMap::new();
        for (name, one) in declared {
            // Rules that cannot be read are not taken for none.
            match engine.base(&tip.commit, &own(&name, number), &options.params) {
                Ok(Some(_)) => drop(found.insert(name, one)),
                Err(error) if !error.is_of_program() => return Err(error.into()),
                Ok(None) | Err(_) => remarks.push(format!(
                    "the rules of `{name}` on `{}` cannot be read: its program has errors there",
                    tip.branch
                )),
            }
        }
        Ok((Self { tip: Some(tip), declared: found }, remarks))
    }
}

/// Puts the preview of this change request in the place of its declaration, and leaves out keyed
/// environments, of which `dax ci` cannot know the keys. A declaration counts when the target
/// branch has it too, and by the rules of that branch: what a change declares itself is made by
/// nobody before it is merged.
pub(crate) fn choose(
    environments: &mut BTreeMap<Name, Touched>,
    declared: &BTreeMap<Name, Declared>,
    target: &Target,
    place: Option<&Place>,
) -> Vec<String> {
    let mut remarks = Vec::new();
    for (name, one) in declared.iter().filter(|(_, declared)| declared.keyed) {
        let Some(touched) = environments.remove(name) else { continue };
        match (change(place), &target.tip) {
            (Some(number), Some(tip)) if one.preview && target.declared.contains_key(name) => {
                let touched = Touched { base: Some(tip.commit.clone()), ..touched };
                environments.insert(own(name, number), touched);
            }
            (Some(_), Some(tip)) if one.preview => remarks.push(format!(
                "`{name}` is no preview environment of `{}`, which this change goes to: it is made \
                 for {}s once it is one there",
                tip.branch,
                request(scope::flavour(place))
            )),
            _ if one.preview => {}
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
