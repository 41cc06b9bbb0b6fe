//! The OAuth device flow: a person types a code into a browser, and this machine gets a token.
//!
//! Source: <https://docs.github.com/en/apps/oauth-apps/building-oauth-apps/authorizing-oauth-apps#device-flow>.

use dax_provider_api::ProviderError;
use octocrab::Octocrab;
use octocrab::auth::{Continue, OAuth, TokenResponse};
use octocrab::secrecy::{ExposeSecret, SecretString};
use std::time::{Duration, Instant};

/// Who logs in where.
pub struct Login<'l> {
    /// `https://github.com`, or where an Enterprise Server is.
    pub web: &'l str,
    /// The OAuth App or GitHub App that asks.
    pub client: &'l str,
    /// What the token may do; none for a GitHub App, which has its own.
    pub scopes: &'l [String],
    /// Is told the code and where to type it.
    pub show: &'l dyn Fn(&str, &str),
}

/// Waits until somebody has typed the code; gives the token.
///
/// # Errors
/// The server cannot be reached, the person says no, or the code is too old.
pub async fn login(request: &Login<'_>) -> Result<String, ProviderError> {
    let refused =
        |message: String| ProviderError::Refused { message: format!("{}: {message}", request.web) };
    let builder =
        Octocrab::builder().base_uri(request.web).map_err(|error| refused(error.to_string()))?;
    let crab = builder
        .add_header(http::header::ACCEPT, "application/json".to_owned())
        .build()
        .map_err(|error| refused(error.to_string()))?;
    let client = SecretString::from(request.client.to_owned());
    let codes = crab
        .authenticate_as_device(&client, request.scopes)
        .await
        .map_err(|error| refused(said(error)))?;
    (request.show)(&codes.user_code, &codes.verification_uri);
    let (begun, mut wait) = (Instant::now(), Duration::from_secs(codes.interval));
    while begun.elapsed() < Duration::from_secs(codes.expires_in) {
        tokio::time::sleep(wait).await;
        match codes.poll_once(&crab, &client).await.map_err(|error| refused(said(error)))? {
            TokenResponse::Ok(OAuth { access_token, .. }) => {
                return Ok(access_token.expose_secret().to_owned());
            }
            TokenResponse::Continue { error: Continue::AuthorizationPending } => {}
            TokenResponse::Continue { error: Continue::SlowDown } => wait += Duration::from_secs(5),
        }
    }
    Err(refused("nobody typed the code in time: log in again".to_owned()))
}

/// What went wrong, without where in the library.
fn said(error: octocrab::Error) -> String {
    match error {
        octocrab::Error::GitHub { source, .. } => source.message.clone(),
        octocrab::Error::Json { source, .. } => {
            format!("it gives no token: the code was refused or is too old ({})", source.inner())
        }
        other => other.to_string(),
    }
}
