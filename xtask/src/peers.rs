//! `cargo xtask peers`: installs the test services that are not there, each whole or not at all.

mod debian;
mod github;
mod go;
mod install;
mod node;

use anyhow::{Result, anyhow, bail};
use dax_peers::{Gap, PEERS, Peer, Recipe, Source, peer};

/// Test services that are absent, each with its reason.
pub(crate) fn missing() -> Vec<Gap> {
    let absent =
        |peer: &Peer| peer.find().err().map(|reason| Gap { name: peer.name.to_owned(), reason });
    PEERS.iter().filter_map(absent).collect()
}

/// Installs those of `names` that are absent, or all; fails when one of them is absent in the end.
pub(crate) fn run(names: &[String]) -> Result<()> {
    let chosen = chosen(names)?;
    let mut failures = Vec::new();
    for peer in &chosen {
        if peer.find().is_ok() {
            continue;
        }
        // Once more, for a registry that was away for a moment; what was downloaded is not fetched again.
        let installed = install(peer).or_else(|error| {
            println!("{}: {error:#}; it is tried once more", peer.name);
            install(peer)
        });
        if let Err(error) = installed {
            println!("{}: {error:#}", peer.name);
            failures.push(format!("{}: {error:#}", peer.name));
        }
    }
    println!();
    let mut absent = Vec::new();
    for peer in &chosen {
        match peer.find() {
            Ok(path) => println!("{:<14} {}", peer.name, path.display()),
            Err(reason) => {
                println!("{:<14} NOT INSTALLED: {reason}", peer.name);
                absent.push(peer.name);
            }
        }
    }
    if absent.is_empty() {
        return Ok(());
    }
    bail!("not installed: {}\n{}", absent.join(", "), failures.join("\n"))
}

/// The services that are named, with those that they are made with; all of them where none is named.
fn chosen(names: &[String]) -> Result<Vec<&'static Peer>> {
    for name in names {
        if peer(name).is_none() {
            let known: Vec<&str> = PEERS.iter().map(|peer| peer.name).collect();
            bail!("there is no test service `{name}`; there are {}", known.join(", "));
        }
    }
    let named = |peer: &Peer| names.iter().any(|name| name.eq_ignore_ascii_case(peer.name));
    let needed = |peer: &Peer| {
        // npm fetches what stands in for GitHub, and Node.js runs it.
        peer.name == "Node.js" && names.iter().any(|name| name.eq_ignore_ascii_case("GitHub"))
    };
    static ALL: [Peer; PEERS.len()] = PEERS;
    Ok(ALL.iter().filter(|peer| names.is_empty() || named(peer) || needed(peer)).collect())
}

fn install(peer: &Peer) -> Result<()> {
    let kit = match peer.source {
        Source::Debian(debian) => return debian::install(peer.name, debian),
        Source::Kit(kit) => kit,
    };
    let cache = dax_peers::cache().map_err(|error| anyhow!(error))?;
    install::whole(kit, &cache, |part| match kit.recipe {
        Recipe::Go(go) => go::make(kit, &go, part),
        Recipe::Node { wheel } => node::make(wheel, part),
        Recipe::GitHub { wheel } => github::make(wheel, part),
    })
}
