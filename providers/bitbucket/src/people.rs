//! Accounts: whose they are, and which one asks.
//!
//! Nicknames and names are neither unique nor fixed, so they identify nobody.
//! Source: <https://developer.atlassian.com/cloud/bitbucket/rest/api-group-users/>.

use crate::Bitbucket;
use dax_provider_api::review::Person;
use dax_provider_api::{ProviderError, encode};
use serde::Deserialize;

/// An account as Bitbucket tells of it.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct User {
    /// `user`, where it is that of a person; `app_user` and others.
    #[serde(default, rename = "type")]
    kind: String,
    #[serde(default)]
    uuid: Option<String>,
    #[serde(default)]
    account_id: Option<String>,
    #[serde(default)]
    nickname: Option<String>,
    #[serde(default)]
    display_name: Option<String>,
}

impl User {
    /// Its id: the UUID in braces, and the account's id where there is none.
    pub(crate) fn id(&self) -> Option<&str> {
        let given = |text: &'_ Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
        [&self.uuid, &self.account_id].into_iter().find(|text| given(text))?.as_deref()
    }

    /// Whether it is known to be a person's.
    pub(crate) fn is_person(&self) -> bool {
        self.kind == "user" && self.id().is_some()
    }

    pub(crate) fn person(&self) -> Person {
        let shown = self.display_name.as_ref().or(self.nickname.as_ref());
        Person {
            id: self.id().unwrap_or_default().to_owned(),
            login: None,
            shown: shown.cloned().unwrap_or_default(),
        }
    }
}

/// The id of the account that asks, which is asked for once; nothing where Bitbucket does not tell:
/// an access token of a repository is an account that no call shows.
pub(crate) async fn asks(bitbucket: &Bitbucket) -> Result<Option<String>, ProviderError> {
    let known = bitbucket.account.lock().expect("nobody fails with this lock").clone();
    if known.is_some() {
        return Ok(known);
    }
    let found = bitbucket.client.look::<User>(&format!("{}/user", bitbucket.api)).await?;
    let account = found.ok().and_then(|user| user.id().map(str::to_owned));
    known_as(bitbucket, account.as_deref());
    Ok(account)
}

/// Keeps the account that asks.
pub(crate) fn known_as(bitbucket: &Bitbucket, account: Option<&str>) {
    *bitbucket.account.lock().expect("nobody fails with this lock") = account.map(str::to_owned);
}

#[derive(Deserialize)]
struct Permissions {
    values: Vec<Permission>,
}

#[derive(Deserialize)]
struct Permission {
    permission: String,
}

/// Whether an account may write to the repository; nothing where Bitbucket does not tell: only
/// administrators may ask.
/// Source: <https://developer.atlassian.com/cloud/bitbucket/rest/api-group-workspaces/>.
pub(crate) async fn writes(
    bitbucket: &Bitbucket,
    person: &Person,
) -> Result<Option<bool>, ProviderError> {
    let (workspace, name) = &bitbucket.name;
    let url = format!(
        "{}/workspaces/{workspace}/permissions/repositories/{name}?q={}",
        bitbucket.api,
        encode(&format!("user.uuid=\"{}\"", person.id.replace(['"', '\\'], "")))
    );
    let found = bitbucket.client.look::<Permissions>(&url).await?;
    let may = |one: &Permission| matches!(one.permission.as_str(), "write" | "admin");
    Ok(found.ok().map(|found| found.values.iter().any(may)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_nickname_identifies_nobody() {
        let person = |user: serde_json::Value| {
            serde_json::from_value::<User>(user).expect("an account").person()
        };
        let ann = person(json!({ "uuid": "{a}", "account_id": "1", "nickname": "ann" }));
        let other = person(json!({ "uuid": "{b}", "account_id": "2", "nickname": "ann" }));
        assert_eq!(
            (ann.id.as_str(), ann.login.as_deref(), ann.shown.as_str()),
            ("{a}", None, "ann")
        );
        assert!(!ann.is("ann") && ann.is("id:{a}") && ann.id != other.id);
        assert_eq!(person(json!({ "account_id": "3", "display_name": "Ann" })).id, "3");
        assert!(!person(json!({ "nickname": "ann" })).is("id:"));
    }
}
