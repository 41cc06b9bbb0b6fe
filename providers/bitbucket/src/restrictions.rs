//! Branch restrictions, and the branches that they cover.
//!
//! Source: <https://developer.atlassian.com/cloud/bitbucket/rest/api-group-branch-restrictions/>,
//! <https://developer.atlassian.com/cloud/bitbucket/rest/api-group-branching-model/>.

use crate::Bitbucket;
use crate::pages::all;
use dax_provider_api::{ProviderError, encode};
use serde::Deserialize;

/// Takes approvals away when the source branch of a pull request changes.
pub(crate) const RESETS: &str = "reset_pullrequest_approvals_on_change";
/// Says who may push.
pub(crate) const PUSH: &str = "push";

#[derive(Deserialize)]
struct Restriction {
    #[serde(default)]
    kind: String,
    /// `glob`, with a pattern, or `branching_model`, with a type.
    #[serde(default)]
    branch_match_kind: String,
    #[serde(default)]
    pattern: String,
    #[serde(default)]
    branch_type: Option<String>,
}

#[derive(Default, Deserialize)]
struct Model {
    #[serde(default)]
    branch_types: Vec<Type>,
    #[serde(default)]
    development: Option<Line>,
    #[serde(default)]
    production: Option<Line>,
}

#[derive(Deserialize)]
struct Type {
    kind: String,
    prefix: String,
}

#[derive(Deserialize)]
struct Line {
    #[serde(default)]
    name: Option<String>,
}

/// Whether a restriction of a kind covers a branch.
pub(crate) async fn covers(
    bitbucket: &Bitbucket,
    kind: &str,
    branch: &str,
) -> Result<bool, ProviderError> {
    let url = format!("{}/branch-restrictions?kind={}", bitbucket.repo, encode(kind));
    if let Err(denied) = bitbucket.client.look::<serde_json::Value>(&url).await? {
        return Err(ProviderError::Refused {
            message: format!(
                "Bitbucket does not show this token the branch restrictions ({}), so it is not \
                 known what they say of `{branch}`: give BITBUCKET_TOKEN the scope \
                 `repository:admin`",
                denied.message
            ),
        });
    }
    let found: Vec<Restriction> = all(bitbucket, &url).await?.unwrap_or_default();
    let found: Vec<Restriction> = found.into_iter().filter(|one| one.kind == kind).collect();
    if found.iter().any(|one| one.branch_match_kind == "glob" && fits(&one.pattern, branch)) {
        return Ok(true);
    }
    if !found.iter().any(|one| one.branch_match_kind == "branching_model") {
        return Ok(false);
    }
    let model: Option<Model> =
        bitbucket.client.find(&format!("{}/branching-model", bitbucket.repo)).await?;
    let model = model.unwrap_or_default();
    let of = |one: &Restriction| {
        one.branch_match_kind == "branching_model"
            && one.branch_type.as_deref().is_some_and(|kind| typed(&model, kind, branch))
    };
    Ok(found.iter().any(of))
}

/// Whether a branch is of a type of the branching model.
fn typed(model: &Model, kind: &str, branch: &str) -> bool {
    let line = |line: &Option<Line>| {
        line.as_ref().and_then(|line| line.name.as_deref()).is_some_and(|name| name == branch)
    };
    match kind {
        "development" => line(&model.development),
        "production" => line(&model.production),
        kind => model.branch_types.iter().any(|one| {
            let more = branch.strip_prefix(&one.prefix);
            one.kind == kind && !one.prefix.is_empty() && more.is_some_and(|more| !more.is_empty())
        }),
    }
}

/// Whether a pattern covers a branch: `*` stands for anything but a slash, `**` for anything, `?`
/// for one character.
fn fits(pattern: &str, branch: &str) -> bool {
    let (pattern, branch): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), branch.chars().collect());
    // For each place in the branch, whether the pattern so far may end there.
    let mut ends = vec![false; branch.len() + 1];
    ends[0] = true;
    let mut at = 0;
    while at < pattern.len() {
        let any = pattern[at] == '*';
        let deep = any && pattern.get(at + 1) == Some(&'*');
        let mut next = vec![false; branch.len() + 1];
        for place in 0..=branch.len() {
            if any {
                let before = place.checked_sub(1).filter(|last| deep || branch[*last] != '/');
                next[place] = ends[place] || before.is_some_and(|last| next[last]);
            } else if let Some(last) = place.checked_sub(1) {
                let same =
                    branch[last] == pattern[at] || (pattern[at] == '?' && branch[last] != '/');
                next[place] = ends[last] && same;
            }
        }
        ends = next;
        at += if deep { 2 } else { 1 };
    }
    ends[branch.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_pattern_covers_what_it_says() {
        let cases = [
            ("main", "main", true),
            ("main", "mainline", false),
            ("main", "a/main", false),
            ("docs/*", "main", false),
            ("docs/*", "docs/a", true),
            ("docs/*", "docs/a/b", false),
            ("docs/**", "docs/a/b", true),
            ("*", "main", true),
            ("*", "release/1", false),
            ("**", "release/1", true),
            ("re*se/?", "release/1", true),
            ("re*se/?", "release/10", false),
            ("*a*b*", "xaybz", true),
            ("", "main", false),
        ];
        for (pattern, branch, covered) in cases {
            assert_eq!(fits(pattern, branch), covered, "{pattern} {branch}");
        }
    }

    #[test]
    fn a_type_covers_the_branches_of_the_branching_model() {
        let model: Model = serde_json::from_value(json!({
            "branch_types": [{ "kind": "release", "prefix": "release/" }],
            "development": { "name": "develop" },
            "production": { "name": "main" },
        }))
        .expect("a branching model");
        let cases = [
            ("production", "main", true),
            ("production", "develop", false),
            ("development", "develop", true),
            ("release", "release/1", true),
            ("release", "release/", false),
            ("release", "main", false),
            ("hotfix", "hotfix/1", false),
        ];
        for (kind, branch, covered) in cases {
            assert_eq!(typed(&model, kind, branch), covered, "{kind} {branch}");
        }
    }
}
