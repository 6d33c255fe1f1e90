//! What happened, as a hash that tells two runs apart, and as lines when someone wants to read.

/// A trace.
#[derive(Debug)]
pub struct Trace {
    hash: u64,
    /// Whether lines are printed.
    pub verbose: bool,
}

impl Trace {
    /// An empty trace.
    #[must_use]
    pub fn new(verbose: bool) -> Self {
        Self { hash: 0xcbf2_9ce4_8422_2325, verbose }
    }

    /// Adds bytes (FNV-1a over words of eight).
    pub fn bytes(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            for (to, from) in word.iter_mut().zip(chunk) {
                *to = *from;
            }
            self.hash = (self.hash ^ u64::from_le_bytes(word)).wrapping_mul(0x0100_0000_01b3);
            self.hash ^= self.hash >> 29;
        }
    }

    /// Adds a number.
    pub fn number(&mut self, number: u64) {
        self.bytes(&number.to_le_bytes());
    }

    /// Prints a line, if lines are wanted.
    pub fn line(&self, now: u64, text: impl FnOnce() -> String) {
        if self.verbose {
            println!("{:>12.6} {}", Seconds(now), text());
        }
    }

    /// The hash so far.
    #[must_use]
    pub const fn hash(&self) -> u64 {
        self.hash
    }
}

struct Seconds(u64);

impl std::fmt::Display for Seconds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&format!("{}.{:06}", self.0 / 1_000_000, self.0 % 1_000_000))
    }
}
