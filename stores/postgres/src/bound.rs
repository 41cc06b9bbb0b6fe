//! Which credentials of the surroundings would go to a database that only a program names.
//!
//! Source: <https://www.postgresql.org/docs/current/libpq-envars.html>,
//! <https://www.postgresql.org/docs/current/libpq-pgpass.html>.

use sqlx::postgres::PgConnectOptions;
use std::path::PathBuf;

/// Variables that hold a credential or name one.
const VARIABLES: [&str; 3] = ["PGPASSWORD", "PGSSLCERT", "PGSSLKEY"];
/// Parameters of an address that name a file of this machine.
const FILES: [&str; 6] =
    ["sslcert", "ssl-cert", "sslkey", "ssl-key", "sslrootcert", "ssl-root-cert"];
/// More than any password file has.
const LONGEST: u64 = 1 << 20;

/// What a machine would lend to a connection.
#[derive(Default)]
pub(crate) struct Surroundings {
    /// Variables of a credential that are set.
    pub(crate) variables: Vec<&'static str>,
    /// The texts of the password files.
    pub(crate) passwords: Vec<String>,
}

impl Surroundings {
    /// Those of this process.
    pub(crate) fn here() -> Self {
        let variables = VARIABLES.into_iter().filter(|name| std::env::var_os(name).is_some());
        let named = std::env::var_os("PGPASSFILE").map(PathBuf::from);
        let own = std::env::home_dir().map(|home| home.join(".pgpass"));
        let files = named.into_iter().chain(own);
        Self { variables: variables.collect(), passwords: files.filter_map(text).collect() }
    }
}

/// The text of a password file; nothing of what is none.
fn text(path: PathBuf) -> Option<String> {
    use std::io::Read;
    if !std::fs::metadata(&path).ok()?.is_file() {
        return None;
    }
    let mut text = String::new();
    std::fs::File::open(path).ok()?.take(LONGEST).read_to_string(&mut text).ok()?;
    Some(text)
}

/// What would go there that nobody bound to the place; nothing where all is well.
pub(crate) fn strays(
    url: &str,
    options: &PgConnectOptions,
    around: &Surroundings,
) -> Option<String> {
    let host = options.get_host();
    if options.get_socket().is_some() || host.starts_with('/') {
        return Some("you would be known there by your account on this machine".to_owned());
    }
    let (address, query) = url.split_once('?').unwrap_or((url, ""));
    let parameter = |pair: &str| pair.split('=').next().unwrap_or("").to_lowercase();
    let names_file = |name: &String| FILES.contains(&name.as_str()) || name.contains('%');
    if let Some(name) = query.split('&').map(parameter).find(names_file) {
        return Some(format!("its `{name}` names a file of this machine"));
    }
    // Without a host of its own it leads where the variables of this machine do.
    let own_host = address.split_once("://").is_some_and(|(_, rest)| {
        let rest = rest.split('/').next().unwrap_or("");
        !rest.rsplit('@').next().unwrap_or("").is_empty()
    });
    let own_host = own_host || query.split('&').map(parameter).any(|name| name.starts_with("host"));
    if !own_host {
        return Some("that leads to the database of your own variables".to_owned());
    }
    if let Some(name) = around.variables.first() {
        return Some(format!("what {name} of this machine holds would be sent there"));
    }
    let wanted = [host, options.get_database().unwrap_or(""), options.get_username()];
    let port = options.get_port().to_string();
    let any = around.passwords.iter().flat_map(|text| text.lines()).any(|line| {
        let found = fields(line);
        let [for_host, for_port, database, user, _] = found.as_slice() else { return false };
        let fits = |field: &str, value: &str| field == "*" || field == value;
        // An entry for this very host is bound to it; one for all hosts goes wherever a program says.
        for_host == "*"
            && fits(for_port, &port)
            && fits(database, wanted[1])
            && fits(user, wanted[2])
    });
    any.then(|| {
        "a password that your password file has for all hosts would be sent there".to_owned()
    })
}

/// The fields of an entry of a password file.
fn fields(line: &str) -> Vec<String> {
    let (mut all, mut field) = (Vec::new(), String::new());
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => field.extend(characters.next()),
            ':' if all.len() < 4 => all.push(std::mem::take(&mut field)),
            other => field.push(other),
        }
    }
    all.push(field);
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::str::FromStr;

    fn of(url: &str, variables: &[&'static str], passwords: &str) -> Option<String> {
        let options = PgConnectOptions::from_str(url).unwrap();
        let around =
            Surroundings { variables: variables.to_vec(), passwords: vec![passwords.to_owned()] };
        strays(url, &options, &around)
    }

    #[test]
    fn what_nobody_bound_to_a_host_does_not_go_there() {
        let url = "postgres://dax@evil.example/db";
        assert_eq!(of(url, &[], ""), None);
        assert!(of(url, &["PGPASSWORD"], "").unwrap().contains("PGPASSWORD"));
        assert!(of(url, &["PGSSLKEY"], "").unwrap().contains("PGSSLKEY"));
        assert_eq!(of(url, &[], "evil.example:*:*:*:pw\n"), None);
        assert_eq!(of(url, &[], "good.example:*:*:*:pw\n"), None);
        for entry in ["*:*:*:*:pw", "*:5432:db:dax:pw", "# all\n*:*:db:*:a\\:b"] {
            assert!(of(url, &[], entry).unwrap().contains("for all hosts"), "{entry}");
        }
        assert_eq!(of(url, &[], "*:5433:*:*:pw\n*:*:other:*:pw\n"), None);
        assert!(of("postgres://a.example/db?ssl%6bey=/k", &[], "").is_some());
    }

    #[test]
    fn a_program_leads_to_no_socket_no_file_and_no_default_of_this_machine() {
        for url in ["postgres://%2Fvar%2Frun%2Fpostgresql/db", "postgres:///db?host=/var/run"] {
            assert!(of(url, &[], "").unwrap().contains("your account"), "{url}");
        }
        assert!(of("postgres:///db", &[], "").is_some());
        for name in FILES {
            let url = format!("postgres://a.example/db?{name}=/home/me/key");
            assert!(of(&url, &[], "").unwrap().contains(name), "{url}");
        }
        assert!(of("postgres://a.example/db?host=b.example", &["PGPASSWORD"], "").is_some());
    }
}
