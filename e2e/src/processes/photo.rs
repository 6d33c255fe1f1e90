//! Makes a real PNG of a wanted size: a made-up evening, with noise, so that no two are the same.

use std::io::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use flate2::Compression;
use flate2::write::ZlibEncoder;
use sha2::{Digest as _, Sha256};

use super::random;

/// Pixels of one row, and the bytes that they take: a filter byte, then red, green and blue of each.
const WIDTH: usize = 1024;
const ROW_LEN: usize = 1 + 3 * WIDTH;
/// The most bytes in one stored block of a zlib stream.
const STORED_LEN_MAX: usize = 65_535;

/// A file with its hash.
#[derive(Clone, Debug)]
pub(crate) struct Photo {
    /// The size in bytes.
    pub(crate) size: u64,
    /// The SHA-256 of the file, hex.
    pub(crate) sha256: String,
}

/// Writes a PNG of at least `size` bytes and less than 4 KiB more to `path`.
///
/// # Errors
/// The file cannot be written.
pub(crate) fn write(path: &Path, size: usize) -> Result<Photo> {
    let bytes = png(size / ROW_LEN + 1)?;
    ensure!(bytes.len() >= size, "the picture came out too small");
    std::fs::write(path, &bytes).with_context(|| format!("{} cannot be written", path.display()))?;
    Ok(Photo { size: u64::try_from(bytes.len())?, sha256: random::to_hex(&Sha256::digest(&bytes)) })
}

/// Writes a PNG of `side` by `side` pixels of one bit, which takes a few kilobytes, and a gigabyte when it is decoded. `mark` makes it
/// another one. Returns its length.
///
/// # Errors
/// The file cannot be written.
pub(crate) fn write_bomb(path: &Path, side: u32, mark: u8) -> Result<usize> {
    let row = usize::try_from(side)? / 8 + 1;
    let mut pixels = vec![0; row * usize::try_from(side)?];
    if let Some(first) = pixels.get_mut(1) {
        *first = mark;
    }
    let mut packed = ZlibEncoder::new(Vec::new(), Compression::best());
    packed.write_all(&pixels)?;
    let mut header = [side.to_be_bytes(), side.to_be_bytes()].concat();
    // One bit of grey, the only methods there are, not interlaced.
    header.extend([1, 0, 0, 0, 0]);
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    let table = crc_table();
    chunk(&mut png, &table, *b"IHDR", &header)?;
    chunk(&mut png, &table, *b"IDAT", &packed.finish()?)?;
    chunk(&mut png, &table, *b"IEND", &[])?;
    std::fs::write(path, &png).with_context(|| format!("{} cannot be written", path.display()))?;
    Ok(png.len())
}

fn png(rows: usize) -> Result<Vec<u8>> {
    let mut pixels = vec![0; rows * ROW_LEN];
    random::fill(&mut pixels)?;
    paint(&mut pixels, rows);
    let mut header = u32::try_from(WIDTH)?.to_be_bytes().to_vec();
    header.extend(u32::try_from(rows)?.to_be_bytes());
    // Eight bits a colour, the only methods there are, not interlaced.
    header.extend([8, 2, 0, 0, 0]);
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    let table = crc_table();
    chunk(&mut png, &table, *b"IHDR", &header)?;
    chunk(&mut png, &table, *b"IDAT", &zlib_stored(&pixels)?)?;
    chunk(&mut png, &table, *b"IEND", &[])?;
    Ok(png)
}

/// Paints over random bytes, and leaves the lowest bits of them: hills in front of an evening's sky.
fn paint(pixels: &mut [u8], rows: usize) {
    for (y, row) in pixels.chunks_mut(ROW_LEN).enumerate() {
        let Some((filter, colours)) = row.split_first_mut() else { continue };
        *filter = 0;
        for (x, pixel) in colours.chunks_mut(3).enumerate() {
            for (value, colour) in pixel.iter_mut().zip(evening(x, y, rows)) {
                *value = colour.saturating_add(*value & 3);
            }
        }
    }
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "places and colours, all small and not negative"
)]
fn evening(x: usize, y: usize, rows: usize) -> [u8; 3] {
    let (across, down) = (x as f32 / WIDTH as f32, y as f32 / rows as f32);
    let hill = |height: f32, waves: f32, start: f32| down > height + 0.07 * (across * waves + start).sin();
    let from_sun = (across - 0.68).hypot((down - 0.4) * rows as f32 / WIDTH as f32);
    if hill(0.82, 7.0, 0.4) {
        [24, 48, 56]
    } else if hill(0.7, 5.0, 2.0) {
        [42, 78, 84]
    } else if hill(0.58, 9.0, 4.0) {
        [74, 112, 116]
    } else if from_sun < 0.06 {
        [250, 226, 160]
    } else {
        let mix = |above: f32, below: f32| (above + (below - above) * (down / 0.65).min(1.0)) as u8;
        [mix(70.0, 246.0), mix(98.0, 178.0), mix(150.0, 120.0)]
    }
}

fn chunk(png: &mut Vec<u8>, table: &[u32; 256], kind: [u8; 4], body: &[u8]) -> Result<()> {
    png.extend(u32::try_from(body.len())?.to_be_bytes());
    let start = png.len();
    png.extend(kind);
    png.extend(body);
    let crc = png[start..].iter().fold(u32::MAX, |crc, byte| {
        let [low, ..] = crc.to_le_bytes();
        table[usize::from(low ^ byte)] ^ (crc >> 8)
    });
    png.extend((!crc).to_be_bytes());
    Ok(())
}

fn crc_table() -> [u32; 256] {
    let mut table = [0; 256];
    for (entry, index) in table.iter_mut().zip(0_u32..) {
        *entry = (0..8).fold(index, |crc, _| if crc & 1 == 1 { 0xedb8_8320 ^ (crc >> 1) } else { crc >> 1 });
    }
    table
}

/// A zlib stream without compression: the size is what is wanted.
fn zlib_stored(data: &[u8]) -> Result<Vec<u8>> {
    let mut stream = vec![0x78, 0x01];
    let mut blocks = data.chunks(STORED_LEN_MAX).peekable();
    while let Some(block) = blocks.next() {
        stream.push(u8::from(blocks.peek().is_none()));
        let len = u16::try_from(block.len())?;
        stream.extend(len.to_le_bytes());
        stream.extend((!len).to_le_bytes());
        stream.extend(block);
    }
    let (mut low, mut high) = (1_u32, 0_u32);
    for byte in data {
        low = (low + u32::from(*byte)) % 65_521;
        high = (high + low) % 65_521;
    }
    stream.extend(((high << 16) | low).to_be_bytes());
    Ok(stream)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_program_can_read_the_picture() {
        let bytes = png(70).unwrap();
        let path = std::env::temp_dir().join(format!("handfast-xtask-{}.png", random::hex(8).unwrap()));
        std::fs::write(&path, &bytes).unwrap();
        let script = "
import struct, sys, zlib
data = open(sys.argv[1], 'rb').read()
assert data[:8] == b'\\x89PNG\\r\\n\\x1a\\n'
at, kinds, body = 8, [], b''
while at < len(data):
    n, kind = struct.unpack('>I4s', data[at:at + 8])
    part = data[at + 8:at + 8 + n]
    assert struct.unpack('>I', data[at + 8 + n:at + 12 + n])[0] == zlib.crc32(kind + part)
    kinds.append(kind)
    body += part if kind == b'IDAT' else b''
    at += 12 + n
assert kinds == [b'IHDR', b'IDAT', b'IEND'], kinds
assert len(zlib.decompress(body)) == 70 * 3073
";
        let status = std::process::Command::new("python3").args(["-c", script]).arg(&path).status().unwrap();
        assert!(status.success());
        std::fs::remove_file(path).unwrap();
    }
}
