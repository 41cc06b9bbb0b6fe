//! Addresses that a program names: credentials of the surroundings go to the system itself, or where a person says.

/// The variable in which a person names addresses, as `https://host:port`, that programs may send credentials to.
pub const VARIABLE: &str = "DAX_TRUST";

/// Whether credentials may be sent to an address: to a host of the system over TLS, or to one that a person named.
pub fn is_trusted(url: &str, is_system: &dyn Fn(&str) -> bool) -> bool {
    let named = std::env::var(VARIABLE).unwrap_or_default();
    is_one_of(url, is_system, &named)
}

fn is_one_of(url: &str, is_system: &dyn Fn(&str) -> bool, named: &str) -> bool {
    let Some(origin) = origin(url) else { return false };
    let system = origin.strip_prefix("https://").is_some_and(|authority| {
        let host = authority.strip_suffix(":443").unwrap_or(authority);
        is_system(host)
    });
    let mut named = named.split([',', ' ', '\n']).filter(|one| !one.is_empty());
    system || named.any(|one| self::origin(one).as_ref() == Some(&origin))
}

/// Scheme, host and port of an address; nothing of one in which two readers may see two hosts.
fn origin(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let plain = |c: char| c.is_ascii_alphanumeric() || ".-:[]".contains(c);
    if authority.is_empty() || !authority.chars().all(plain) {
        return None;
    }
    Some(format!("{}://{}", scheme.to_lowercase(), authority.to_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_system_and_what_a_person_names_is_trusted() {
        let system = |host: &str| host == "api.example.com";
        let is = |url: &str, named: &str| is_one_of(url, &system, named);
        assert!(is("https://api.example.com", "") && is("https://API.example.com:443/x", ""));
        for url in [
            "http://api.example.com",
            "https://api.example.com.evil.org",
            "https://api.example.com@evil.org",
            "https://evil.org\\@api.example.com",
            "https://evil.org/https://api.example.com",
            "https://api.example.com:8443",
            "https://evil.org#api.example.com",
            "api.example.com",
            "",
        ] {
            assert!(!is(url, ""), "{url}");
        }
        let named = "http://127.0.0.1:99, https://vpc.internal";
        assert!(is("http://127.0.0.1:99/", named) && is("https://vpc.internal", named));
        assert!(!is("http://127.0.0.1:98", named) && !is("http://vpc.internal", named));
    }
}
