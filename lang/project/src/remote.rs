//! Addresses of git repositories: those that are handed to git, and those that never are.
//!
//! Git knows more transports than a package needs: `ext::` runs a command, `fd::` reads from an
//! open descriptor, and any other `NAME::` starts a program `git-remote-NAME`. `git://` and
//! `http://` are neither encrypted nor authenticated.

/// Where a repository is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remote<'u> {
    /// `https://…`.
    Https,
    /// `ssh://…`, or `user@host:path`.
    Ssh,
    /// `file:///…`, or a path that starts with `/`, `./` or `../`; counted from the project's
    /// folder.
    Local(&'u str),
}

/// The forms that are taken, for messages.
pub const FORMS: &str =
    "write `https://…`, `ssh://…`, `user@host:path`, or a path that starts with `/`, `./` or `../`";

/// Longest address, in bytes.
const LONGEST: usize = 2048;

/// Reads the address of a repository.
///
/// # Errors
/// Why it is refused.
pub fn parse(url: &str) -> Result<Remote<'_>, String> {
    if let Some((name, _)) = url.split_once("::")
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '+' | '.' | '_'))
    {
        return Err(format!("`{name}::` makes git run a program of its own"));
    }
    if url.len() > LONGEST || url.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err("it is too long, or has blanks or control characters".to_owned());
    }
    if let Some(path) = url.strip_prefix("file://") {
        let whole = path.starts_with('/') && !path.contains(['%', '?', '#']);
        return if whole {
            Ok(Remote::Local(path))
        } else {
            Err("`file://` is followed by a whole path".to_owned())
        };
    }
    if let Some((scheme, rest)) = url.split_once("://") {
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        if !is_host(host.split_once(':').map_or(host, |(name, _)| name)) && !is_bracketed(host) {
            return Err("it names no host".to_owned());
        }
        if authority.starts_with('-') {
            return Err("what starts with `-` is an option".to_owned());
        }
        return match scheme {
            "https" => Ok(Remote::Https),
            "ssh" => Ok(Remote::Ssh),
            "http" | "git" => Err(format!("`{scheme}://` is neither encrypted nor authenticated")),
            _ => Err(format!("`{scheme}://` is not fetched from")),
        };
    }
    if ["/", "./", "../"].iter().any(|start| url.starts_with(start)) {
        return Ok(Remote::Local(url));
    }
    let host = url.split_once(':').and_then(|(place, path)| {
        let (user, host) = place.split_once('@').unwrap_or(("git", place));
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let is_user = !user.is_empty() && !user.starts_with('-') && user.chars().all(plain);
        (is_user && !path.is_empty() && !path.starts_with('-')).then_some(host)
    });
    match host {
        Some(host) if is_host(host) => Ok(Remote::Ssh),
        _ => Err("it is no address of a repository".to_owned()),
    }
}

/// Whether a repository lies on this machine.
pub fn is_local(url: &str) -> bool {
    matches!(parse(url), Ok(Remote::Local(_)))
}

fn is_host(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(['-', '.'])
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_'))
}

/// An IPv6 address in brackets, perhaps with a port.
fn is_bracketed(host: &str) -> bool {
    let inner = host.strip_prefix('[').and_then(|rest| rest.split_once(']'));
    inner.is_some_and(|(address, port)| {
        address.parse::<std::net::Ipv6Addr>().is_ok() && (port.is_empty() || port.starts_with(':'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repositories_are_reached_by_https_ssh_or_path() {
        assert_eq!(parse("https://github.com/acme/base"), Ok(Remote::Https));
        assert_eq!(parse("https://git.acme.test:8443/base.git"), Ok(Remote::Https));
        for ssh in ["ssh://git@github.com/acme/base", "ssh://[::1]:22/x", "git@github.com:a/b"] {
            assert_eq!(parse(ssh), Ok(Remote::Ssh), "{ssh}");
        }
        assert_eq!(parse("file:///srv/base.git"), Ok(Remote::Local("/srv/base.git")));
        for local in ["/srv/base.git", "./base", "../base"] {
            assert_eq!(parse(local), Ok(Remote::Local(local)));
        }
    }

    #[test]
    fn what_would_start_a_program_or_is_an_option_is_refused() {
        let refused = [
            "fd::17/x",
            "ext::sh -c id",
            "ext::id",
            "foo::bar",
            "::x",
            "http://github.com/acme/base",
            "git://github.com/acme/base",
            "ftp://host/x",
            "transport://host/x",
            "-oProxyCommand=id",
            "--upload-pack=id",
            "ssh://-oProxyCommand=id/x",
            "ssh://git@-oProxyCommand=id/x",
            "git@-oProxyCommand=id:x",
            "-user@host:x",
            "-host:x",
            "host:-x",
            "https://",
            "https:///x",
            "file://relative",
            "file://host/x",
            "base",
            "",
            "a b",
            "https://host/\nx",
            "https://host/\u{202e}x\u{1b}",
        ];
        for url in refused {
            assert!(parse(url).is_err(), "{url:?} is taken: {:?}", parse(url));
        }
    }
}
