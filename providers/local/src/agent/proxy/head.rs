//! Heads of requests and answers: what is refused, and what belongs to one connection only.

use hyper::header::{
    CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue, TE,
    TRANSFER_ENCODING, UPGRADE,
};
use hyper::http::request::Parts;
use hyper::http::uri::{Authority, PathAndQuery};
use hyper::{Method, StatusCode, Uri, Version};

/// Why dax does not pass a request on.
pub(super) type Refusal = (StatusCode, &'static str);

/// Headers that belong to one connection and are not passed on. Source: RFC 9110, section 7.6.1.
static HOP_BY_HOP: [HeaderName; 6] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    TE,
    TRANSFER_ENCODING,
    UPGRADE,
];
/// Headers that are meant for whoever answers; nobody may have them removed on the way.
static END_TO_END: [HeaderName; 2] = [HOST, CONTENT_LENGTH];
static X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Refuses what is no request to a service, and makes the rest one; says which protocol the client wants instead
/// of HTTP, if any.
pub(super) fn admit(
    head: &mut Parts,
    forwarded_for: &HeaderValue,
) -> Result<Option<HeaderValue>, Refusal> {
    if head.method == Method::CONNECT {
        return Err((StatusCode::NOT_IMPLEMENTED, "CONNECT is not for services: this is no proxy"));
    }
    host(head)?;
    target(head)?;
    let upgrade = upgrade(head);
    let trailers = names(&head.headers, TE).any(|name| name.eq_ignore_ascii_case("trailers"));
    strip(&mut head.headers);
    if trailers {
        head.headers.insert(TE, HeaderValue::from_static("trailers"));
        head.headers.append(CONNECTION, HeaderValue::from_static("te"));
    }
    if let Some(protocol) = &upgrade {
        head.headers.insert(UPGRADE, protocol.clone());
        head.headers.append(CONNECTION, HeaderValue::from_static("upgrade"));
    }
    // The length is that of the body which is sent.
    head.headers.remove(CONTENT_LENGTH);
    head.headers.append(&X_FORWARDED_FOR, forwarded_for.clone());
    Ok(upgrade)
}

/// One host, and that of the target where it names one. Source: RFC 9112, section 3.2.
fn host(head: &mut Parts) -> Result<(), Refusal> {
    let bad = |message| Err((StatusCode::BAD_REQUEST, message));
    let mut hosts = head.headers.get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(_), Some(_)) => return bad("the request has more than one Host"),
        (None, _) if head.version >= Version::HTTP_11 => return bad("the request has no Host"),
        (None, _) => {
            head.headers.insert(HOST, HeaderValue::from_static("127.0.0.1"));
        }
        (Some(host), None) => {
            let fine = |text: &str| {
                text.is_empty() || (!text.contains('@') && text.parse::<Authority>().is_ok())
            };
            if !host.to_str().is_ok_and(fine) {
                return bad("the request's Host is none");
            }
        }
    }
    if let Some(authority) = head.uri.authority() {
        let Ok(host) = HeaderValue::from_str(authority.as_str()) else {
            return bad("the request's target has no valid host");
        };
        if authority.as_str().contains('@') {
            return bad("the request's target names a user");
        }
        head.headers.insert(HOST, host);
    }
    Ok(())
}

/// The target as a server wants it: a path, or `*` with OPTIONS. Source: RFC 9112, section 3.2.
fn target(head: &mut Parts) -> Result<(), Refusal> {
    let bad = Err((StatusCode::BAD_REQUEST, "the request's target is no path"));
    if head.uri.scheme().is_none() && head.uri.authority().is_some() {
        return bad;
    }
    match head.uri.path_and_query() {
        Some(path) if path.as_str() == "*" && head.method != Method::OPTIONS => return bad,
        Some(_) if head.uri.authority().is_none() => {}
        Some(path) => head.uri = Uri::from(path.clone()),
        None => head.uri = Uri::from(PathAndQuery::from_static("/")),
    }
    Ok(())
}

/// The protocol that the client wants; HTTP/2 is none, as every request of it would go to one replica.
fn upgrade(head: &Parts) -> Option<HeaderValue> {
    let wants = names(&head.headers, CONNECTION).any(|name| name.eq_ignore_ascii_case("upgrade"));
    let protocol = head.headers.get(UPGRADE).filter(|_| wants)?;
    let is_http = names(&head.headers, UPGRADE).any(|name| {
        let name = name.split('/').next().unwrap_or(name);
        name.eq_ignore_ascii_case("h2c") || name.eq_ignore_ascii_case("http")
    });
    (head.version == Version::HTTP_11 && !is_http).then(|| protocol.clone())
}

/// The words of a header that is a list.
fn names(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &str> {
    let values = headers.get_all(name).into_iter();
    values.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(',')).map(str::trim)
}

/// Removes what belongs to one connection: by its name, and what `Connection` names.
pub(super) fn strip(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> =
        names(headers, CONNECTION).filter_map(|name| name.parse().ok()).collect();
    for name in named.iter().filter(|name| !END_TO_END.contains(name)) {
        headers.remove(name);
    }
    for name in &HOP_BY_HOP {
        headers.remove(name);
    }
}

/// Whether an answer is a stream that has no end: its client leaves when it has had enough. One that says how long
/// it is has one.
pub(super) fn is_stream(headers: &HeaderMap) -> bool {
    const STREAMS: [&str; 3] =
        ["text/event-stream", "application/x-ndjson", "multipart/x-mixed-replace"];
    if headers.contains_key(CONTENT_LENGTH) {
        return false;
    }
    let ty = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let ty = ty.split(';').next().unwrap_or_default().trim();
    STREAMS.iter().any(|stream| ty.eq_ignore_ascii_case(stream))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::Request;

    /// What becomes of a request with this target and these headers.
    fn admitted(method: &str, target: &str, headers: &[(&str, &str)]) -> String {
        let mut request = Request::builder().method(method).uri(target);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut head = request.body(()).expect("a request").into_parts().0;
        match admit(&mut head, &HeaderValue::from_static("::1")) {
            Err((status, _)) => status.as_str().to_owned(),
            Ok(_) => {
                let mut lines: Vec<String> = head
                    .headers
                    .iter()
                    .map(|(name, value)| format!(" {name}={}", value.to_str().expect("text")))
                    .collect();
                lines.sort();
                format!("{}{}", head.uri, lines.concat())
            }
        }
    }

    #[test]
    fn only_requests_to_a_service_are_admitted() {
        let host = ("host", "a:1");
        assert_eq!(admitted("GET", "/x?y", &[host]), "/x?y host=a:1 x-forwarded-for=::1");
        assert_eq!(admitted("OPTIONS", "*", &[host]), "* host=a:1 x-forwarded-for=::1");
        assert_eq!(admitted("GET", "http://b/x", &[host]), "/x host=b x-forwarded-for=::1");
        assert_eq!(admitted("GET", "http://b", &[host]), "/ host=b x-forwarded-for=::1");
        assert_eq!(admitted("GET", "/", &[("host", "")]), "/ host= x-forwarded-for=::1");
        assert_eq!(admitted("CONNECT", "a:1", &[host]), "501");
        for (method, target, headers) in [
            ("GET", "/", &[][..]),
            ("GET", "/", &[host, host]),
            ("GET", "/", &[("host", "a b")]),
            ("GET", "/", &[("host", "u@a")]),
            ("GET", "*", &[host]),
            ("GET", "a:1", &[host]),
            ("GET", "http://u@b/", &[host]),
        ] {
            assert_eq!(admitted(method, target, headers), "400", "{method} {target} {headers:?}");
        }
    }

    #[test]
    fn a_stream_has_the_type_of_one_and_no_length() {
        let is_stream = |ty: &'static str, length: Option<&'static str>| {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(ty));
            if let Some(length) = length {
                headers.insert(CONTENT_LENGTH, HeaderValue::from_static(length));
            }
            is_stream(&headers)
        };
        assert!(is_stream("text/event-stream; charset=utf-8", None));
        assert!(!is_stream("text/event-stream", Some("100")));
        assert!(!is_stream("text/html", None));
    }

    #[test]
    fn what_belongs_to_one_connection_is_not_passed_on() {
        let headers = [
            ("host", "a"),
            ("connection", "X-One, close ,host"),
            ("connection", "content-length, x-two"),
            ("x-one", "1"),
            ("x-two", "2"),
            ("x-three", "3"),
            ("keep-alive", "timeout=5"),
            ("te", "trailers, deflate"),
            ("upgrade", "websocket"),
        ];
        assert_eq!(
            admitted("GET", "/", &headers),
            "/ connection=te host=a te=trailers x-forwarded-for=::1 x-three=3"
        );
        let wants = |protocol| {
            let headers = [("host", "a"), ("connection", "Upgrade"), ("upgrade", protocol)];
            admitted("GET", "/", &headers)
        };
        assert_eq!(
            wants("websocket"),
            "/ connection=upgrade host=a upgrade=websocket x-forwarded-for=::1"
        );
        assert_eq!(wants("h2c"), "/ host=a x-forwarded-for=::1");
    }
}
