//! Ports of this machine for tests: no two programs that run at one time are given the same one.
//!
//! A program locks blocks of ports by files that it holds open, so that the kernel gives them back when it ends. The
//! ports lie below those that the system hands out by itself, and below those that local agents give to replicas: an
//! agent knows of no lock, and takes whatever nobody listens on at the moment.

use std::fs::File;
use std::net::TcpListener;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

/// The ports that are shared out; replicas get theirs from 16,384 on.
const ALL: Range<u16> = 8_000..16_350;
/// The ports of one block.
const BLOCK: u16 = 50;

/// What this program holds.
#[derive(Default)]
struct Held {
    /// Locks, as long as the program runs.
    locks: Vec<File>,
    /// Ports of the last block that were not given away yet.
    rest: Range<u16>,
}

/// Returns a port that nobody listens on and that no other program of the tests is given meanwhile.
///
/// # Panics
/// There is none.
pub fn free_port() -> u16 {
    static HELD: Mutex<Held> = Mutex::new(Held { locks: Vec::new(), rest: 0..0 });
    let mut held = HELD.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        let free = held.rest.find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok());
        match free {
            Some(port) => return port,
            None => {
                let (lock, block) = block();
                held.locks.push(lock);
                held.rest = block;
            }
        }
    }
}

/// A block that no program holds.
fn block() -> (File, Range<u16>) {
    let folder = folder();
    let blocks: Vec<u16> = ALL.step_by(usize::from(BLOCK)).collect();
    // Programs that run at one time begin at different places, and go on from where the others are.
    let begin = std::process::id() as usize * 7 % blocks.len();
    let free = blocks.iter().cycle().skip(begin).take(blocks.len()).find_map(|first| {
        let path = folder.join(first.to_string());
        let file = File::options().create(true).truncate(false).write(true).open(path);
        let file = file.expect("a lock file");
        file.try_lock().ok().map(|()| (file, *first..*first + BLOCK))
    });
    free.expect("a block of ports that no other program of the tests holds")
}

/// The folder of the locks, one for each user.
fn folder() -> PathBuf {
    use std::os::unix::fs::DirBuilderExt;
    let user = rustix::process::geteuid().as_raw();
    let folder = std::env::temp_dir().join(format!("dax-test-ports-{user}"));
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder);
    made.expect("a folder for the locks of ports");
    folder
}
