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
        let refused = |_| ProviderError::Refused {
            message: "the token has characters that no header can have".to_owned(),
        };
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

#[cfg(test)]
mod tests {
    use super::*;
    use dax_provider_api::{BoxFuture, Endpoint};
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::Duration;

    /// A cloud that counts the tokens that it gives.
    struct Cloud(AtomicU32, Duration);

    impl Locator for Cloud {
        fn locate(&self) -> BoxFuture<'_, Result<Endpoint, ProviderError>> {
            Box::pin(std::future::ready(Ok(Endpoint { url: String::new(), authority: None })))
        }

        fn bearer(&self) -> BoxFuture<'_, Result<Bearer, ProviderError>> {
            let token = format!("token-{}", self.0.fetch_add(1, Ordering::Relaxed));
            Box::pin(std::future::ready(Ok(Bearer { token, lasts: self.1 })))
        }
    }

    async fn headers(lasts: Duration) -> Vec<String> {
        let keys = Keys::of(Arc::new(Cloud(AtomicU32::new(1), lasts)));
        let mut seen = Vec::new();
        for forgets in [false, false, true] {
            if forgets {
                keys.forget().await;
            }
            let header = keys.header().await.unwrap();
            assert!(header.is_sensitive());
            seen.push(header.to_str().unwrap().to_owned());
        }
        seen
    }

    #[tokio::test]
    async fn a_token_is_used_as_long_as_it_lasts_and_never_once_it_was_refused() {
        assert_eq!(
            headers(Duration::from_secs(60)).await,
            ["Bearer token-1", "Bearer token-1", "Bearer token-2"]
        );
        assert_eq!(
            headers(Duration::ZERO).await,
            ["Bearer token-1", "Bearer token-2", "Bearer token-3"]
        );
    }
}
