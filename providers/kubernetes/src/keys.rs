//! Tokens that a cloud gives: kept as long as they are good, and never shown.

use dax_provider_api::{Bearer, Locator, ProviderError};
use http::HeaderValue;
use std::sync::Arc;
use tokio::sync::Mutex;
use tokio::time::Instant;

/// Tokens of one cluster.
pub(crate) struct Keys {
    locator: Arc<dyn Locator>,
    held: Mutex<Option<(HeaderValue, Instant)>>,
}

impl Keys {
    /// None so far.
    pub(crate) fn of(locator: Arc<dyn Locator>) -> Self {
        Self { locator, held: Mutex::new(None) }
    }

    /// The header that proves who asks.
    pub(crate) async fn header(&self) -> Result<HeaderValue, ProviderError> {
        let mut held = self.held.lock().await;
        if let Some((header, until)) = &*held
            && Instant::now() < *until
        {
            return Ok(header.clone());
        }
        let Bearer { token, lasts } = self.locator.bearer().await?;
        let refused = |_| ProviderError::Refused { message: "the token has characters that no header can have".to_owned() };
        let mut header = HeaderValue::try_from(format!("Bearer {token}")).map_err(refused)?;
        header.set_sensitive(true);
        *held = Some((header.clone(), Instant::now() + lasts));
        Ok(header)
    }

    /// The next one is asked for anew.
    pub(crate) async fn forget(&self) {
        *self.held.lock().await = None;
    }
}
