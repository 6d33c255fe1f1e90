//! Versions of dependencies below which a known flaw lies, whatever the lock file says.
//!
//! By hand, for machines without cargo-deny or without its database: the newest advisory about each crate of the
//! programs. `deny.rs` asks for all.

use anyhow::{Context as _, Result, bail};

use crate::packages;

/// Crate, first good version, and what was wrong before.
const FLOORS: [(&str, [u64; 3], &str); 20] = [
    ("anyhow", [1, 0, 103], "RUSTSEC-2026-0190: an unsound downcast"),
    ("axum-core", [0, 2, 8], "RUSTSEC-2022-0055: bodies without a limit"),
    ("bytes", [1, 11, 1], "RUSTSEC-2026-0007: an overflow in reserve"),
    ("curve25519-dalek", [4, 1, 3], "RUSTSEC-2024-0344: timing of scalar arithmetic"),
    ("ed25519-dalek", [2, 0, 0], "RUSTSEC-2022-0093: signing with a foreign public key"),
    ("hyper", [0, 14, 12], "RUSTSEC-2022-0022: a value that was never set"),
    ("image", [0, 23, 12], "RUSTSEC-2020-0073: a reference that may not be written"),
    ("libsqlite3-sys", [0, 25, 1], "RUSTSEC-2022-0090: an overflow in SQLite"),
    ("lru", [0, 18, 2], "RUSTSEC-2026-0253: memory used after a panic"),
    ("mio", [0, 8, 11], "RUSTSEC-2024-0019: events after their end"),
    ("ring", [0, 17, 12], "RUSTSEC-2025-0009: a panic of AES with overflow checks"),
    ("rusqlite", [0, 26, 2], "RUSTSEC-2021-0128: closures that outlive their data"),
    ("rustls", [0, 23, 18], "RUSTSEC-2024-0399: a panic that the network can reach"),
    ("rustls-webpki", [0, 103, 13], "RUSTSEC-2026-0104: a panic that a revocation list can reach"),
    ("slab", [0, 4, 11], "RUSTSEC-2025-0047: reading past the end"),
    ("smallvec", [1, 6, 1], "RUSTSEC-2021-0003: writing past the end"),
    ("tokio", [1, 44, 2], "RUSTSEC-2025-0023: cloning without Sync in broadcast channels"),
    ("tracing-subscriber", [0, 3, 20], "RUSTSEC-2025-0055: a terminal's escape sequences in a log"),
    ("tungstenite", [0, 20, 1], "RUSTSEC-2023-0065: headers without end at the upgrade"),
    ("zlib-rs", [0, 4, 0], "RUSTSEC-2024-0401: a stack without end"),
];

/// Checks every version that Cargo resolves.
///
/// # Errors
/// One is below its floor.
pub(crate) fn check() -> Result<()> {
    let metadata = packages::metadata()?;
    let packages = metadata["packages"].as_array().context("no packages")?;
    for package in packages {
        let (name, version) = (package["name"].as_str(), package["version"].as_str());
        let (name, version) = (name.context("no name")?, version.context("no version")?);
        if let Some(flaw) = below_floor(name, version) {
            bail!("{name} {version} has a known flaw: {flaw}; run `cargo update --package {name}`");
        }
    }
    println!("{} versions, none below its floor", packages.len());
    Ok(())
}

/// What is wrong with this version, if anything is known.
fn below_floor(name: &str, version: &str) -> Option<&'static str> {
    let (_, floor, flaw) = FLOORS.iter().find(|(floored, ..)| *floored == name)?;
    let numbers: Vec<u64> =
        version.split(['.', '-', '+']).take(3).map_while(|part| part.parse().ok()).collect();
    // What cannot be read is not known to be good.
    (numbers.len() < 3 || numbers.as_slice() < floor.as_slice()).then_some(flaw)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_below_their_floor_are_refused() {
        assert!(below_floor("tokio", "1.44.1").is_some_and(|flaw| flaw.contains("RUSTSEC-2025-0023")));
        assert!(below_floor("slab", "0.4.10").is_some());
        assert!(below_floor("slab", "odd").is_some());
        for good in [("tokio", "1.44.2"), ("tokio", "1.54.0"), ("slab", "0.5.0-rc.1"), ("other", "0.0.1")] {
            assert_eq!(below_floor(good.0, good.1), None, "{good:?}");
        }
    }
}
