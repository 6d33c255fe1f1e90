//! The search for QR codes in a picture: with the decoder's own threshold of brightness, then with a local
//! one, in several sizes, and inverted.
//!
//! Some pictures make the decoder (a crate of others) panic, so each attempt runs in a thread of its own. A
//! thread that ends without a result has found no code.

use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Once};
use std::thread;
use std::time::Duration;

/// The name of the threads in which the decoder runs. Panics of these threads are not printed.
const THREAD: &str = "picture";
/// The longest time for one attempt to decode.
const LOOK_MAX: Duration = Duration::from_secs(20);
/// The width or height, in pixels, below which a picture is also tried enlarged.
const SMALL: usize = 700;
/// The width or height, in pixels, above which a picture is also tried reduced.
const LARGE: usize = 1_400;
/// The width and height of a block, in pixels. Each block has its own threshold of brightness.
const BLOCK: usize = 8;
/// The least difference in brightness within a block that counts as contrast, and not as noise of the paper.
const CONTRAST_MIN: u8 = 24;

/// The brightness of a picture's pixels, row by row.
#[derive(Clone, Debug)]
pub(super) struct Luma {
    width: usize,
    height: usize,
    pixels: Vec<u8>,
}

impl Luma {
    pub(super) fn new(width: usize, height: usize, pixels: Vec<u8>) -> Self {
        Self { width, height, pixels }
    }

    fn at(&self, x: usize, y: usize) -> u8 {
        self.pixels.get(y.saturating_mul(self.width).saturating_add(x)).copied().unwrap_or(0)
    }

    /// Returns a picture of another size, whose pixels the function `of` computes.
    fn resized(width: usize, height: usize, of: impl Fn(usize, usize) -> u8) -> Self {
        let pixels = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
        Self { width, height, pixels: pixels.map(|(x, y)| of(x, y)).collect() }
    }

    /// Returns the picture at half its width and height. Each pixel is the mean of four.
    fn halved(&self) -> Self {
        Self::resized(self.width / 2, self.height / 2, |x, y| {
            self.mean([(2 * x, 2 * y), (2 * x + 1, 2 * y), (2 * x, 2 * y + 1), (2 * x + 1, 2 * y + 1)])
        })
    }

    /// Returns the picture at twice its width and height, with interpolated edges.
    fn doubled(&self) -> Self {
        Self::resized(2 * self.width, 2 * self.height, |x, y| {
            let (left, top) = (x / 2, y / 2);
            let right = (left + x % 2).min(self.width.saturating_sub(1));
            let low = (top + y % 2).min(self.height.saturating_sub(1));
            self.mean([(left, top), (right, top), (left, low), (right, low)])
        })
    }

    fn mean(&self, of: [(usize, usize); 4]) -> u8 {
        let sum: u16 = of.iter().map(|(x, y)| u16::from(self.at(*x, *y))).sum();
        u8::try_from(sum / 4).unwrap_or(u8::MAX)
    }
}

/// Returns the texts of the codes in a picture. They are those of the first attempt whose texts satisfy
/// `is_enough`. If there is none, they are those of the first attempt that finds any.
pub(super) fn texts(luma: Luma, is_enough: impl Fn(&[String]) -> bool) -> Vec<String> {
    let mut sizes = vec![luma];
    while let Some(next) = sizes.last().filter(|luma| luma.width.max(luma.height) > LARGE).map(Luma::halved) {
        sizes.push(next);
    }
    if let Some(small) = sizes.first().filter(|luma| luma.width.max(luma.height) < SMALL).map(Luma::doubled) {
        sizes.push(small);
    }
    let mut found = Vec::new();
    for luma in sizes.into_iter().map(Arc::new) {
        for is_inverse in [false, true] {
            for look in [by_own_threshold, by_local_threshold] {
                let luma = Arc::clone(&luma);
                let texts = apart(move || look(&luma, is_inverse));
                if is_enough(&texts) {
                    return texts;
                }
                if found.is_empty() {
                    found = texts;
                }
            }
        }
    }
    found
}

/// Runs one attempt to decode in a thread of its own. Returns no texts if the thread panics or takes too
/// long.
pub(super) fn apart(look: impl FnOnce() -> Vec<String> + Send + 'static) -> Vec<String> {
    static QUIET: Once = Once::new();
    QUIET.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if thread::current().name() != Some(THREAD) {
                usual(panic);
            }
        }));
    });
    let (sender, result) = channel();
    let started = thread::Builder::new().name(THREAD.to_owned()).spawn(move || drop(sender.send(look())));
    match (started, result.recv_timeout(LOOK_MAX)) {
        (Ok(_), Ok(texts)) => texts,
        (Ok(_), Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected)) | (Err(_), _) => Vec::new(),
    }
}

fn by_own_threshold(luma: &Luma, is_inverse: bool) -> Vec<String> {
    let shade = |x, y| if is_inverse { u8::MAX - luma.at(x, y) } else { luma.at(x, y) };
    let mut image = rqrr::PreparedImage::prepare_from_greyscale(luma.width, luma.height, shade);
    decoded(&image.detect_grids())
}

fn by_local_threshold(luma: &Luma, is_inverse: bool) -> Vec<String> {
    let levels = levels(luma);
    let columns = luma.width.div_ceil(BLOCK);
    let is_dark = |x: usize, y: usize| {
        let level = levels.get(y / BLOCK * columns + x / BLOCK).copied().unwrap_or(0);
        (luma.at(x, y) <= level) != is_inverse
    };
    let mut image = rqrr::PreparedImage::prepare_from_bitmap(luma.width, luma.height, is_dark);
    decoded(&image.detect_grids())
}

fn decoded<G: rqrr::BitGrid>(grids: &[rqrr::Grid<G>]) -> Vec<String> {
    grids.iter().filter_map(|grid| grid.decode().ok()).map(|(_, text)| text).collect()
}

/// Returns for each block the threshold below which a pixel is dark: the mean over the block's neighbourhood,
/// which compensates for shade and uneven light.
fn levels(luma: &Luma) -> Vec<u8> {
    let (columns, rows) = (luma.width.div_ceil(BLOCK), luma.height.div_ceil(BLOCK));
    let mut middles: Vec<u8> = Vec::with_capacity(columns.saturating_mul(rows));
    for row in 0..rows {
        for column in 0..columns {
            let middle = middle(luma, &middles, columns, column, row);
            middles.push(middle);
        }
    }
    let around = |at: usize, end: usize| at.saturating_sub(2)..(at + 3).min(end);
    let level = |column: usize, row: usize| {
        let near = around(row, rows).flat_map(|y| around(column, columns).map(move |x| y * columns + x));
        let (sum, count) = near
            .filter_map(|at| middles.get(at))
            .fold((0_u32, 0_u32), |(sum, n), middle| (sum + u32::from(*middle), n + 1));
        u8::try_from(sum / count.max(1)).unwrap_or(u8::MAX)
    };
    (0..rows)
        .flat_map(|row| (0..columns).map(move |column| (column, row)))
        .map(|(c, r)| level(c, r))
        .collect()
}

/// Returns the middle brightness of a block. A block without contrast is all paper or all ink. If it is as
/// dark as its neighbours it takes their value, else it counts as paper.
fn middle(luma: &Luma, middles: &[u8], columns: usize, column: usize, row: usize) -> u8 {
    let (mut sum, mut count, mut min, mut max) = (0_u32, 0_u32, u8::MAX, 0);
    for y in row * BLOCK..((row + 1) * BLOCK).min(luma.height) {
        for x in column * BLOCK..((column + 1) * BLOCK).min(luma.width) {
            let light = luma.at(x, y);
            (sum, count, min, max) = (sum + u32::from(light), count + 1, light.min(min), light.max(max));
        }
    }
    if max.saturating_sub(min) > CONTRAST_MIN {
        return u8::try_from(sum / count.max(1)).unwrap_or(u8::MAX);
    }
    if column > 0 && row > 0 {
        let at = row * columns + column;
        let near = |at: usize| u16::from(middles.get(at).copied().unwrap_or(0));
        let before = (near(at - columns) + 2 * near(at - 1) + near(at - columns - 1)) / 4;
        if u16::from(min) < before {
            return u8::try_from(before).unwrap_or(u8::MAX);
        }
    }
    min / 2
}
