//! Replays what is committed, and mutations of it, without libFuzzer.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use handfast_fuzz::{TARGETS, Target};
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

const ITERATIONS: u64 = 20_000;
const TAPES: u64 = 200;
const INPUT_LEN_MAX: usize = 20_000;

#[test]
fn seeds_and_regressions_hold() {
    for target in TARGETS {
        let inputs = inputs(target.0);
        assert!(inputs.len() >= 3, "{} has seeds", target.0);
        for (path, input) in inputs {
            run(target, &input, &path.display().to_string());
        }
    }
}

#[test]
fn mutations_of_qr_codes_hold() {
    mutate("qr");
}

#[test]
fn mutations_of_relay_frames_hold() {
    mutate("relay_frames");
}

#[test]
fn mutations_of_record_frames_hold() {
    mutate("record_frames");
}

#[test]
fn mutations_of_handshakes_hold() {
    mutate("handshake_bytes");
}

/// Tapes are random bytes: any of them means something.
#[test]
fn random_tapes_of_two_endpoints_hold() {
    let target = TARGETS.iter().find(|target| target.0 == "endpoint_pair").unwrap();
    let seed = seed();
    for tape in 0..TAPES {
        let mut rng = ChaCha8Rng::seed_from_u64(seed.wrapping_mul(1_000_000) + tape);
        let mut input = vec![0; 40 + below(&mut rng, 400)];
        rng.fill_bytes(&mut input);
        run(target, &input, &format!("SEED={seed} tape {tape}"));
    }
}

/// Every file that is committed for a target.
fn inputs(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for folder in ["seeds", "regressions"] {
        let Ok(entries) = fs::read_dir(root.join(folder).join(target)) else { continue };
        for entry in entries {
            let path = entry.unwrap().path();
            files.push((path.clone(), fs::read(path).unwrap()));
        }
    }
    files.sort();
    files
}

/// Runs a target, and says how to see a failure again.
fn run(target: &Target, input: &[u8], from: &str) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| target.1(input))) {
        let hex = input.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
        eprintln!(
            "{} fails for {from}; put these bytes into fuzz/regressions/{}/: {hex}",
            target.0, target.0
        );
        std::panic::resume_unwind(panic);
    }
}

/// Mutates what is committed. `SEED=n` replays one run; without it the seed is always the same.
fn mutate(name: &str) {
    let target = TARGETS.iter().find(|target| target.0 == name).unwrap();
    let inputs: Vec<Vec<u8>> = inputs(name).into_iter().map(|(_, input)| input).collect();
    let seed = seed();
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    for iteration in 0..ITERATIONS {
        let mut input = pick(&mut rng, &inputs).clone();
        for _ in 0..=below(&mut rng, 4) {
            edit(&mut rng, &mut input, &inputs);
        }
        input.truncate(INPUT_LEN_MAX);
        run(target, &input, &format!("SEED={seed} iteration {iteration}"));
    }
}

fn seed() -> u64 {
    std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1)
}

fn below(rng: &mut ChaCha8Rng, bound: usize) -> usize {
    usize::try_from(rng.next_u32()).unwrap() % bound.max(1)
}

fn pick<'a, T>(rng: &mut ChaCha8Rng, of: &'a [T]) -> &'a T {
    &of[below(rng, of.len())]
}

fn byte(rng: &mut ChaCha8Rng) -> u8 {
    let interesting = [0, 1, 2, 7, 15, 16, 31, 32, 33, 58, 63, 64, 65, 127, 128, 192, 255];
    match below(rng, 3) {
        0 => *pick(rng, &interesting),
        1 => u8::try_from(below(rng, 44)).unwrap(),
        _ => rng.next_u32().to_be_bytes()[0],
    }
}

/// One small change.
fn edit(rng: &mut ChaCha8Rng, input: &mut Vec<u8>, others: &[Vec<u8>]) {
    let at = below(rng, input.len());
    let end = at + below(rng, (input.len() - at.min(input.len())).min(80) + 1);
    let end = end.min(input.len());
    match below(rng, 8) {
        0 if !input.is_empty() => input[at] ^= 1 << below(rng, 8),
        1 | 2 if !input.is_empty() => input[at] = byte(rng),
        3 => input.insert(at, byte(rng)),
        4 => drop(input.drain(at..end)),
        5 => {
            let part = input[at..end].to_vec();
            drop(input.splice(at..at, part));
        }
        6 => {
            let other = pick(rng, others);
            let from = below(rng, other.len());
            input.truncate(at);
            input.extend_from_slice(&other[from..]);
        }
        _ => input.truncate(at),
    }
}
