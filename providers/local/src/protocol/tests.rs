//! Any bytes are a request, or are refused in words.

use super::*;

/// Numbers that look random and are the same each time. Source: xorshift64, Marsaglia 2003.
pub(crate) fn numbers(mut seed: u64) -> impl FnMut(usize) -> usize {
    move |limit| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        usize::try_from(seed % limit.max(1) as u64).unwrap()
    }
}

/// Each seed changed in many ways: bytes replaced, taken out, written twice, and seeds joined.
pub(crate) fn changed(seeds: &[Vec<u8>], rounds: usize, each: impl Fn(&[u8])) {
    let mut below = numbers(0x9e37_79b9_7f4a_7c15);
    for round in 0..rounds {
        let mut bytes = seeds[round % seeds.len()].clone();
        for _ in 0..=below(4) {
            let (at, to) = (below(bytes.len()), below(bytes.len()));
            let (from, to) = (at.min(to), at.max(to));
            match below(6) {
                0 => bytes[at] = u8::try_from(below(256)).unwrap(),
                1 => bytes[at] = b"{}[]\",:0123456789-eEnull"[below(24)],
                2 => drop(bytes.drain(from..to)),
                3 => bytes.extend_from_within(from..to),
                4 => bytes.truncate(to),
                _ => {
                    let other = &seeds[below(seeds.len())];
                    bytes.extend(&other[below(other.len())..]);
                }
            }
            if bytes.is_empty() {
                bytes.push(b'{');
            }
        }
        each(&bytes);
    }
}

pub(crate) fn seeds(folder: &str) -> Vec<Vec<u8>> {
    let folder = format!("{}/../../tests/fuzz/seeds/{folder}", env!("CARGO_MANIFEST_DIR"));
    let mut paths: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.into_iter().map(|path| std::fs::read(path).unwrap()).collect()
}

#[test]
fn the_seeds_are_requests_and_what_is_made_of_them_does_no_harm() {
    let seeds = seeds("agent_request");
    for seed in &seeds {
        request(seed).unwrap();
    }
    changed(&seeds, 40_000, any_request);
}

#[tokio::test]
async fn a_line_is_bounded_and_whole() {
    let read = |bytes: &'static [u8]| line(bytes);
    assert_eq!(read(b"a\nb\n").await.unwrap().unwrap(), b"a\n");
    assert!(read(b"").await.unwrap().is_none());
    assert!(read(b"no end").await.is_err());
    assert!(line(tokio::io::repeat(b'x')).await.unwrap_err().to_string().contains("too long"));
}
