//! Lists that come in pages.

use crate::Bitbucket;
use dax_provider_api::ProviderError;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeSet;

#[derive(Deserialize)]
struct Page<T> {
    values: Vec<T>,
    #[serde(default)]
    next: Option<String>,
}

/// All pages of a list; nothing where there is none.
///
/// Of the address of the next page only the query is taken: credentials go with the call.
pub(crate) async fn all<T: DeserializeOwned>(
    bitbucket: &Bitbucket,
    url: &str,
) -> Result<Option<Vec<T>>, ProviderError> {
    let path = url.split('?').next().unwrap_or(url);
    let (mut whole, mut seen) = (Vec::new(), BTreeSet::new());
    let mut next = Some(url.to_owned());
    while let Some(page) = next.take() {
        let Some(mut found) = bitbucket.client.find::<Page<T>>(&page).await? else {
            return Ok(None);
        };
        whole.append(&mut found.values);
        let query = found.next.as_deref().and_then(|next| next.split_once('?'));
        next = query
            .map(|(_, query)| format!("{path}?{query}"))
            .filter(|next| seen.insert(next.clone()));
    }
    Ok(Some(whole))
}
