//! Whether a time depends on a secret (FAULTS.md, XC02 and XC03): Welch's t between the times of two kinds of input,
//! which take turns at random. Under 4.5 no difference was found; a comparison that stops at the first byte that
//! differs is measured too, to show that one would be.

use std::hint::black_box;
use std::time::Instant;

use handfast_handshake::secret::{DhSecret, Psk};
use subtle::ConstantTimeEq;

/// Measured calls of each kind.
const SAMPLES: usize = 200_000;
/// Calls of a curve are slower.
const CURVE_SAMPLES: usize = 20_000;
/// Calls in one measurement: a single one is shorter than the clock's step.
const REPEAT: usize = 16;

/// Prints what was found.
pub fn compare() {
    let known = [7; 32];
    let mut first = known;
    first[0] ^= 1;
    let mut last = known;
    last[31] ^= 1;
    let psk = Psk::from_bytes(known);
    let others = [Psk::from_bytes(first), Psk::from_bytes(last)];
    let t = measure(SAMPLES, REPEAT, |kind| {
        let _ = black_box(psk.ct_eq(black_box(&others[kind])));
    });
    println!("timing: a secret compared with one that differs first or last: t {t:.1}");
    let bytes = [first, last];
    let t = measure(SAMPLES, REPEAT, |kind| {
        let same = black_box(&known).iter().zip(black_box(&bytes[kind])).all(|(one, other)| one == other);
        let _ = black_box(same);
    });
    println!("timing: the same by a loop that stops early, as a check of the measurement: t {t:.1}");
    // Few bits that are set, and many.
    let scalars = [[0x80; 32], [0x6b; 32]];
    let t = measure(CURVE_SAMPLES, 1, |kind| {
        let _ = black_box(DhSecret::from_bytes(black_box(scalars[kind])).public());
    });
    println!("timing: a public key of a scalar with few bits set or many: t {t:.1}");
}

/// Welch's t of two kinds of call; the slowest tenth of all is left out, which other work of the machine made slow.
fn measure(samples: usize, repeat: usize, call: impl Fn(usize)) -> f64 {
    let mut times = [Vec::with_capacity(samples), Vec::with_capacity(samples)];
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    while times.iter().any(|of| of.len() < samples) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let kind = usize::from(random.is_multiple_of(2));
        let began = Instant::now();
        for _ in 0..repeat {
            call(kind);
        }
        times[kind].push(began.elapsed().as_nanos());
    }
    let mut all: Vec<u128> = times.iter().flatten().copied().collect();
    all.sort_unstable();
    let longest = all[all.len() * 9 / 10];
    let [one, other] = times.map(|of| moments(of.into_iter().filter(|time| *time <= longest)));
    (one.0 - other.0).abs() / (one.1 + other.1).sqrt()
}

/// The mean, and the variance divided by the number.
#[expect(clippy::cast_precision_loss, clippy::as_conversions, reason = "nanoseconds, far below 2^53")]
fn moments(times: impl Iterator<Item = u128>) -> (f64, f64) {
    let times: Vec<f64> = times.map(|time| time as f64).collect();
    let count = times.len() as f64;
    let mean = times.iter().sum::<f64>() / count;
    let variance = times.iter().map(|time| (time - mean).powi(2)).sum::<f64>() / count;
    (mean, variance / count)
}
