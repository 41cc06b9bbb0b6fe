//! The time of an object storage: every answer says it in its `Date`, to the second.
//!
//! The library shows no headers, so they are read where its requests go out.

use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpRequest, HttpResponse, HttpService, ReqwestConnector,
};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A date is cut to the second, so it is half of one behind on the average: in milliseconds.
const CUT_MS: u64 = 500;

/// The date of the newest answer, and when that came.
#[derive(Clone, Debug, Default)]
pub(crate) struct Dates(Arc<Mutex<Option<(u64, Instant)>>>);

impl Dates {
    /// The time by an answer that is no older than `age`, in milliseconds since 1970.
    pub(crate) fn now_ms(&self, age: Duration) -> Option<u64> {
        let (date_ms, came) = (*self.0.lock().unwrap_or_else(PoisonError::into_inner))?;
        let since = Some(came.elapsed()).filter(|since| *since <= age)?;
        Some(date_ms + CUT_MS + u64::try_from(since.as_millis()).unwrap_or(0))
    }

    fn note(&self, response: &HttpResponse) {
        let date = response.headers().get("date").and_then(|date| date.to_str().ok());
        if let Some(date_ms) = date.and_then(millis) {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) =
                Some((date_ms, Instant::now()));
        }
    }
}

/// A date of HTTP, in milliseconds since 1970. Source: RFC 9110, section 5.6.7.
fn millis(date: &str) -> Option<u64> {
    let date = jiff::fmt::rfc2822::parse(date).ok()?;
    u64::try_from(date.timestamp().as_millisecond()).ok()
}

/// Connects as the library does by itself, and notes dates.
#[derive(Debug)]
pub(crate) struct Connector(pub(crate) Dates);

impl HttpConnector for Connector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let inner = ReqwestConnector::default().connect(options)?;
        Ok(HttpClient::new(Dated { inner, dates: self.0.clone() }))
    }
}

#[derive(Debug)]
struct Dated {
    inner: HttpClient,
    dates: Dates,
}

type Answering<'a> = Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'a>>;

impl HttpService for Dated {
    fn call<'s, 'a>(&'s self, request: HttpRequest) -> Answering<'a>
    where
        's: 'a,
        Self: 'a,
    {
        Box::pin(async move {
            let response = self.inner.execute(request).await?;
            self.dates.note(&response);
            Ok(response)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_of_http_is_a_time() {
        assert_eq!(millis("Sun, 06 Nov 1994 08:49:37 GMT"), Some(784_111_777_000));
        assert_eq!(millis("yesterday"), None);
    }
}
