//! Failed calls, and what can be done about them.

use dax_provider_api::ProviderError;
use serde_json::Value as Json;

/// A failed call.
#[derive(Debug)]
pub(crate) struct Fault {
    /// What GitHub answered; nothing when it did not.
    pub(crate) status: Option<u16>,
    /// What it said.
    pub(crate) message: String,
    /// What the applier can act on.
    error: Option<ProviderError>,
}

impl Fault {
    /// An answer that dax does not understand.
    pub(crate) fn unread(what: &str, error: &serde_json::Error) -> Self {
        Self {
            status: None,
            message: format!("{what} is answered with what dax does not understand: {error}"),
            error: None,
        }
    }

    pub(crate) fn of(error: octocrab::Error, what: &str) -> Self {
        match error {
            octocrab::Error::GitHub { source, .. } => {
                let status = source.status_code.as_u16();
                let more: Vec<String> = source.errors.iter().flatten().map(reason).collect();
                let more =
                    if more.is_empty() { String::new() } else { format!(" ({})", more.join("; ")) };
                Self {
                    status: Some(status),
                    message: format!("{}{more}", source.message),
                    error: None,
                }
            }
            octocrab::Error::Service { source, .. } => match source.downcast::<ProviderError>() {
                Ok(error) => Self { status: None, message: error.to_string(), error: Some(*error) },
                Err(source) => {
                    Self { status: None, message: format!("{what}: {source}"), error: None }
                }
            },
            octocrab::Error::Json { source, .. } => Self {
                status: None,
                message: format!("{what} is answered with what dax does not understand: {source}"),
                error: None,
            },
            other => Self { status: None, message: format!("{what}: {other}"), error: None },
        }
    }

    /// Whether it is a no for want of a permission; 401 says that nobody is known by this credential.
    pub(crate) const fn forbidden(&self) -> bool {
        matches!(self.status, Some(403))
    }

    /// Whether it is a no to a token that lacks a permission, in one of the ways that GitHub has.
    pub(crate) const fn refused(&self) -> bool {
        matches!(self.status, Some(403 | 404 | 422))
    }

    /// Whether no answer came that anything can be made of.
    pub(crate) fn unreachable(&self) -> bool {
        self.error.is_some() || self.status.is_some_and(|status| status >= 500)
    }

    /// Whether something answered that does not speak as GitHub does.
    pub(crate) const fn senseless(&self) -> bool {
        self.status.is_none() && self.error.is_none()
    }

    /// Whether it may have been done all the same.
    pub(crate) fn unknown(&self) -> bool {
        self.status.is_some_and(|status| status >= 500)
            || self.error.as_ref().is_some_and(ProviderError::is_unknown)
    }

    /// As an error of a provider.
    pub(crate) fn error(self, doing: &str) -> ProviderError {
        if let Some(error) = self.error {
            return error;
        }
        let message = match self.status {
            Some(401) => format!(
                "GitHub knows nobody by this credential, answering 401 when dax wants to {doing}: {}",
                self.message
            ),
            Some(status) => {
                format!("GitHub answers {status} when dax wants to {doing}: {}", self.message)
            }
            None => {
                // No permission is lacking where something answered.
                let doing = doing.split(", for which").next().unwrap_or(doing);
                format!("dax cannot {doing}: {}", self.message)
            }
        };
        match self.status {
            Some(409) => ProviderError::Conflict { message },
            Some(500..) => ProviderError::Unreachable { message },
            _ => ProviderError::Refused { message },
        }
    }
}

/// What GitHub says of one field: either a text or an object with a code.
fn reason(error: &Json) -> String {
    let text = |name: &str| error.get(name).and_then(Json::as_str);
    match (error.as_str(), text("message"), text("field"), text("code")) {
        (Some(whole), ..) => whole.to_owned(),
        (_, Some(message), ..) => message.to_owned(),
        (_, _, Some(field), Some(code)) => format!("{field}: {code}"),
        _ => error.to_string(),
    }
}
