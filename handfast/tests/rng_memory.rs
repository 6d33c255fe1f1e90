//! Whether bytes that were drawn can be found again in what this process holds in memory later: the state of a
//! generator that keeps its seed yields every earlier ephemeral key.
#![cfg(all(target_os = "linux", feature = "tokio"))]

use std::fs::{self, File};
use std::os::unix::fs::FileExt;

use chacha20::ChaCha20;
use chacha20::cipher::{KeyIvInit, StreamCipher};
use handfast::driver::os_rng;
use rand_chacha::ChaCha20Rng;
use rand_core::{CryptoRng, SeedableRng};

const KEY_LEN: usize = 32;
/// How much is read at a time.
const CHUNK: usize = 1 << 20;
/// How far the stream of each key is followed.
const STREAM_LEN: usize = 256;

/// Whether the stream of some key in the writable memory of this process holds the drawn bytes. They are kept
/// inverted, so that the search does not find itself.
fn is_in_reach(inverted: &[u8; 32]) -> bool {
    let memory = File::open("/proc/self/mem").unwrap();
    let mut buffer = vec![0; CHUNK];
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let writable = maps.lines().filter(|line| line.split_whitespace().nth(1).unwrap().starts_with("rw"));
    for line in writable {
        let (from, to) = line.split_whitespace().next().unwrap().split_once('-').unwrap();
        let (mut at, to) = (u64::from_str_radix(from, 16).unwrap(), u64::from_str_radix(to, 16).unwrap());
        while at < to {
            let want = CHUNK.min(usize::try_from(to - at).unwrap());
            let Ok(len) = memory.read_at(&mut buffer[..want], at) else { break };
            if len < KEY_LEN {
                break;
            }
            // State of a generator is aligned as numbers are.
            let windows = buffer[..len].windows(KEY_LEN).step_by(4);
            if windows.filter(|window| window.iter().any(|b| *b != 0)).any(|key| reaches(key, inverted)) {
                return true;
            }
            at += u64::try_from(len).unwrap();
        }
    }
    false
}

fn reaches(key: &[u8], inverted: &[u8; 32]) -> bool {
    let key: [u8; KEY_LEN] = key.try_into().unwrap();
    // The stream over ones is its own inverse, so that the drawn bytes themselves are never written here.
    let mut stream = [0xff; STREAM_LEN];
    ChaCha20::new(&key.into(), &[0; 12].into()).apply_keystream(&mut stream);
    stream.windows(32).any(|bytes| bytes == inverted)
}

/// Draws bytes as a handshake draws an ephemeral key, and returns them inverted.
fn draw(rng: &mut dyn CryptoRng) -> [u8; 32] {
    let mut bytes = [0; 32];
    rng.fill_bytes(&mut bytes);
    bytes.map(|byte| !byte)
}

// req: HSK-120
#[test]
fn a_drawn_key_cannot_be_reached_from_the_memory_of_its_process() {
    let mut rng = Box::new(os_rng().unwrap());
    let inverted = draw(&mut *rng);
    assert!(!is_in_reach(&inverted));
    let _ = draw(&mut *rng);
    assert!(!is_in_reach(&inverted));
}

#[test]
fn the_same_search_reaches_a_key_drawn_from_a_seed_that_is_kept() {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).unwrap();
    let mut rng = Box::new(ChaCha20Rng::from_seed(seed));
    seed.fill(0);
    let inverted = draw(&mut *rng);
    assert!(is_in_reach(&inverted));
    let _ = draw(&mut *rng);
}
