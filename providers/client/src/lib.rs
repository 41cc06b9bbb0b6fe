//! The shared edge of providers that speak HTTP: tries again, keeps to limits, tells of each call, holds back what
//! would change something when nothing is to be changed.
//!
//! Invariant: what a [`Sent`] holds has no secret in it, because credentials travel in headers and headers are not told.

pub mod retry;
pub mod time;

use dax_provider_api::review::{Sent, Watch};
use dax_provider_api::{ProviderError, encode};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use retry::{Next, Seen};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long one try may take.
const TIMEOUT: Duration = Duration::from_secs(30);
/// So many times a place may send us on.
const REDIRECTS: usize = 5;
/// Changes a minute, as GitHub's secondary limit has it for what makes content.
/// Source: <https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#about-secondary-rate-limits>.
const CHANGES: NonZeroU32 = NonZeroU32::new(80).expect("not zero");

/// How a system is reached.
pub struct Settings {
    /// What people call it, for messages.
    pub name: &'static str,
    /// Headers of each call, credentials among them.
    pub headers: Vec<(&'static str, String)>,
    /// Whether calls that change something are held back.
    pub dry: bool,
    /// How long to wait in all when the other side says that it is too busy.
    pub patience: Duration,
    /// Is told of every call.
    pub watch: Watch,
}

/// A client of one system.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
}

struct Shared {
    settings: Settings,
    http: reqwest::Client,
    changes: DefaultDirectRateLimiter,
}

/// A call.
#[derive(Clone, Debug)]
pub struct Request {
    /// `GET`.
    pub method: String,
    /// Where to, whole.
    pub url: String,
    /// Headers of its own.
    pub headers: Vec<(String, String)>,
    /// JSON.
    pub body: Option<Vec<u8>>,
    /// Whether it changes nothing, whatever its method is.
    pub reads: bool,
}

impl Request {
    /// A call that reads.
    fn get(url: &str) -> Self {
        Self {
            method: "GET".to_owned(),
            url: url.to_owned(),
            headers: Vec::new(),
            body: None,
            reads: true,
        }
    }

    /// A call that sends JSON.
    fn json(method: &str, url: &str, body: &impl Serialize) -> Self {
        let body = serde_json::to_vec(body).expect("what is sent has texts for keys");
        Self {
            method: method.to_owned(),
            url: url.to_owned(),
            headers: Vec::new(),
            body: Some(body),
            reads: false,
        }
    }
}

/// A no for want of a permission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denied {
    /// 403 or 404; the last where a place does not even say that there is something. 401 where what
    /// was to be seen is not for credentials of this kind.
    pub status: u16,
    /// What the other side says.
    pub message: String,
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its headers, with small names.
    pub headers: Vec<(String, String)>,
    /// Its body.
    pub body: Vec<u8>,
}

impl Answer {
    /// A header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Whether it says yes.
    pub const fn good(&self) -> bool {
        matches!(self.status, 200..=299)
    }

    /// What the other side says is wrong, in one line.
    pub fn message(&self) -> String {
        let json: serde_json::Value = serde_json::from_slice(&self.body).unwrap_or_default();
        let known = ["/message", "/error/message", "/error_description", "/error"];
        let text = known
            .iter()
            .find_map(|path| json.pointer(path))
            .map(|text| text.as_str().map_or_else(|| text.to_string(), str::to_owned));
        let text =
            text.unwrap_or_else(|| String::from_utf8_lossy(&self.body).chars().take(200).collect());
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

impl Client {
    /// A client.
    ///
    /// # Errors
    /// The certificates of this machine cannot be read.
    pub fn new(settings: Settings) -> Result<Self, ProviderError> {
        let refused = |error: reqwest::Error| ProviderError::Refused {
            message: format!("{}: {error}", settings.name),
        };
        // A place that has moved may send us on, but not with our credentials to somebody else.
        let home = reqwest::redirect::Policy::custom(|attempt| {
            let from = attempt.previous().last().map(|url| {
                (url.scheme().to_owned(), url.host_str().map(str::to_owned), url.port())
            });
            let to = (
                attempt.url().scheme().to_owned(),
                attempt.url().host_str().map(str::to_owned),
                attempt.url().port(),
            );
            if from == Some(to) && attempt.previous().len() <= REDIRECTS {
                attempt.follow()
            } else {
                attempt.stop()
            }
        });
        let http = reqwest::Client::builder()
            .timeout(TIMEOUT)
            .redirect(home)
            .user_agent(concat!("dax/", env!("CARGO_PKG_VERSION")))
            .build();
        let http = http.map_err(refused)?;
        let changes = RateLimiter::direct(Quota::per_minute(CHANGES));
        Ok(Self { shared: Arc::new(Shared { settings, http, changes }) })
    }

    /// What people call the system.
    pub fn name(&self) -> &'static str {
        self.shared.settings.name
    }

    /// Makes a call; what comes back is the last answer, whatever it says.
    ///
    /// # Errors
    /// [`ProviderError::Unreachable`] when none came, [`ProviderError::Busy`] when a limit lasts longer than there is patience.
    pub async fn send(&self, request: &Request) -> Result<Answer, ProviderError> {
        let settings = &self.shared.settings;
        let changes = !request.reads && request.method != "GET";
        let mut sent = Sent {
            method: request.method.clone(),
            url: request.url.clone(),
            body: if changes {
                String::from_utf8_lossy(request.body.as_deref().unwrap_or_default()).into_owned()
            } else {
                String::new()
            },
            status: None,
            held_back: changes && settings.dry,
            took: Duration::ZERO,
            waited: Duration::ZERO,
        };
        if sent.held_back {
            (settings.watch)(&sent);
            return Ok(Answer { status: 200, headers: Vec::new(), body: b"{}".to_vec() });
        }
        if changes {
            self.shared.changes.until_ready().await;
        }
        let begun = Instant::now();
        let result = self.try_until_it_holds(request, &mut sent).await;
        sent.took = begun.elapsed();
        (settings.watch)(&sent);
        result
    }

    async fn try_until_it_holds(
        &self,
        request: &Request,
        sent: &mut Sent,
    ) -> Result<Answer, ProviderError> {
        let settings = &self.shared.settings;
        let repeatable = request.method != "POST" || request.reads;
        let mut tried = 0;
        loop {
            let answer = self.once(request).await;
            let body = answer.as_ref().map_or_else(
                |_| String::new(),
                |answer| String::from_utf8_lossy(&answer.body).into_owned(),
            );
            let header = |names: &[&str]| {
                answer
                    .as_ref()
                    .ok()
                    .and_then(|answer| names.iter().find_map(|name| answer.header(name)))
            };
            let seen = Seen {
                status: answer.as_ref().ok().map(|answer| answer.status),
                retry_after: header(&["retry-after"]),
                remaining: header(&["x-ratelimit-remaining", "ratelimit-remaining"]),
                reset: header(&["x-ratelimit-reset", "ratelimit-reset"]),
                body: &body,
            };
            sent.status = seen.status;
            let now = u64::try_from(jiff::Timestamp::now().as_second()).unwrap_or(0);
            let wait = match retry::next(&seen, tried, repeatable, now) {
                Next::Take => return answer,
                Next::Again(wait) => wait,
                Next::Limited(wait) => {
                    if sent.waited + wait > settings.patience {
                        let message = format!(
                            "{} has too much to do and says to come back in {} s",
                            settings.name,
                            wait.as_secs()
                        );
                        return Err(ProviderError::Busy { retry_after: Some(wait), message });
                    }
                    sent.waited += wait;
                    wait
                }
            };
            tokio::time::sleep(wait).await;
            tried += 1;
        }
    }

    async fn once(&self, request: &Request) -> Result<Answer, ProviderError> {
        let settings = &self.shared.settings;
        let refused = |message: String| ProviderError::Refused {
            message: format!("{}: {message}", settings.name),
        };
        let method = request
            .method
            .parse()
            .map_err(|_| refused(format!("`{}` is no method", request.method)))?;
        let mut call = self.shared.http.request(method, &request.url);
        for (name, value) in &settings.headers {
            call = call.header(*name, value);
        }
        for (name, value) in &request.headers {
            call = call.header(name, value);
        }
        if let Some(body) = &request.body {
            call = call.header("content-type", "application/json").body(body.clone());
        }
        let response = call.send().await.map_err(|error| self.unreachable(request, error))?;
        let status = response.status().as_u16();
        let text =
            |value: &reqwest::header::HeaderValue| value.to_str().unwrap_or_default().to_owned();
        let headers = response
            .headers()
            .iter()
            .map(|(name, value)| (name.to_string(), text(value)))
            .collect();
        let body = response.bytes().await.map_err(|error| self.unreachable(request, error))?;
        Ok(Answer { status, headers, body: body.to_vec() })
    }

    fn unreachable(&self, request: &Request, error: reqwest::Error) -> ProviderError {
        let error = error.without_url();
        let mut message =
            format!("{} did not answer {} {}", self.name(), request.method, request.url);
        let mut source: Option<&dyn std::error::Error> = std::error::Error::source(&error);
        while let Some(error) = source {
            message = format!("{message}: {error}");
            source = error.source();
        }
        ProviderError::Unreachable { message }
    }

    /// Makes a call that reads; what comes back is the last answer, whatever it says.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub async fn get(&self, url: &str) -> Result<Answer, ProviderError> {
        self.send(&Request::get(url)).await
    }

    /// The time of the other side when it answered, in milliseconds since 1970.
    ///
    /// # Errors
    /// As [`Self::send`]; [`ProviderError::Refused`] where its answer holds no time.
    pub async fn clock(&self, url: &str) -> Result<u64, ProviderError> {
        let answer = self.get(url).await?;
        let time = answer.header("date").and_then(time::http_date);
        match answer.status {
            500.. => Err(self.refused(&Request::get(url), &answer)),
            _ => time.ok_or_else(|| self.timeless()),
        }
    }

    /// An answer without a time.
    fn timeless(&self) -> ProviderError {
        ProviderError::Refused {
            message: format!(
                "{} does not say what time it is: its answers have no `Date` header; let the \
                 proxy in front of it pass that header on",
                self.name()
            ),
        }
    }

    /// Makes a call with JSON, and reads the JSON that comes back.
    ///
    /// # Errors
    /// [`ProviderError::Refused`] with what the other side says where it is no yes; that of [`Self::send`].
    pub async fn json<T: DeserializeOwned>(
        &self,
        method: &str,
        url: &str,
        body: &impl Serialize,
    ) -> Result<T, ProviderError> {
        let request = Request::json(method, url, body);
        let answer = self.send(&request).await?;
        self.read(&request, &answer)
    }

    /// What is there; nothing where there is nothing.
    ///
    /// # Errors
    /// As [`Self::json`].
    pub async fn find<T: DeserializeOwned>(&self, url: &str) -> Result<Option<T>, ProviderError> {
        let request = Request::get(url);
        let answer = self.send(&request).await?;
        if answer.status == 404 { Ok(None) } else { self.read(&request, &answer).map(Some) }
    }

    /// What is there, where this credential may see it: says what the other side says to that, too.
    ///
    /// # Errors
    /// As [`Self::json`], but for a no for want of a permission, which is `Ok(Err(…))`.
    pub async fn look<T: DeserializeOwned>(
        &self,
        url: &str,
    ) -> Result<Result<T, Denied>, ProviderError> {
        let request = Request::get(url);
        let answer = self.send(&request).await?;
        match answer.status {
            401 | 403 | 404 => Ok(Err(Denied { status: answer.status, message: answer.message() })),
            _ => self.read(&request, &answer).map(Ok),
        }
    }

    /// Makes a call with JSON that this credential may not be allowed to make: says what the other side says to that, too.
    ///
    /// # Errors
    /// As [`Self::json`], but for a no for want of a permission, which is `Ok(Err(…))`.
    pub async fn allowed<T: DeserializeOwned>(
        &self,
        method: &str,
        url: &str,
        body: &impl Serialize,
    ) -> Result<Result<T, Denied>, ProviderError> {
        let request = Request::json(method, url, body);
        let answer = self.send(&request).await?;
        match answer.status {
            403 | 404 => Ok(Err(Denied { status: answer.status, message: answer.message() })),
            _ => self.read(&request, &answer).map(Ok),
        }
    }

    /// The JSON of an answer that says yes.
    fn read<T: DeserializeOwned>(
        &self,
        request: &Request,
        answer: &Answer,
    ) -> Result<T, ProviderError> {
        if !answer.good() {
            return Err(self.refused(request, answer));
        }
        let body: &[u8] = if answer.body.is_empty() { b"{}" } else { &answer.body };
        serde_json::from_slice(body).map_err(|error| ProviderError::Refused {
            message: format!(
                "{} answers {} {} with what dax does not understand: {error}",
                self.name(),
                request.method,
                request.url
            ),
        })
    }

    /// An answer that is no yes, as an error.
    fn refused(&self, request: &Request, answer: &Answer) -> ProviderError {
        let message = format!(
            "{} answers {} to {} {}: {}",
            self.name(),
            answer.status,
            request.method,
            request.url,
            answer.message()
        );
        match answer.status {
            409 => ProviderError::Conflict { message },
            500..=599 => ProviderError::Unreachable { message },
            _ => ProviderError::Refused { message },
        }
    }
}

/// A name and a password as a header. Source: RFC 7617.
pub fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", data_encoding::BASE64.encode(format!("{user}:{password}").as_bytes()))
}

/// A text as one segment of the path of a URL.
///
/// # Errors
/// [`ProviderError::Refused`]: it is empty or one of dots, which no encoding keeps from leading
/// elsewhere. Source: <https://url.spec.whatwg.org/#double-dot-path-segment>.
pub fn segment(text: &str) -> Result<String, ProviderError> {
    if matches!(text, "" | "." | "..") {
        return Err(ProviderError::Refused {
            message: format!("`{text}` cannot be part of an address"),
        });
    }
    Ok(encode(text))
}

/// A text of so many characters at most.
pub fn short(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}
