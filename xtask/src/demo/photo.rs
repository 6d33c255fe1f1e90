//! Makes a real PNG of random pixels and a wanted size.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use sha2::{Digest as _, Sha256};

use super::random;

/// What the pixels of one row take: a filter byte and 1,024 grey pixels.
const ROW_LEN: usize = 1025;
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

/// Writes a PNG of at least `size` bytes and less than 3 KiB more to `path`.
///
/// # Errors
/// The file cannot be written.
pub(crate) fn write(path: &Path, size: usize) -> Result<Photo> {
    let bytes = png(size / ROW_LEN + 1)?;
    ensure!(bytes.len() >= size, "the picture came out too small");
    std::fs::write(path, &bytes).with_context(|| format!("{} cannot be written", path.display()))?;
    Ok(Photo { size: u64::try_from(bytes.len())?, sha256: random::to_hex(&Sha256::digest(&bytes)) })
}

fn png(rows: usize) -> Result<Vec<u8>> {
    let mut pixels = vec![0; rows * ROW_LEN];
    random::fill(&mut pixels)?;
    pixels.iter_mut().step_by(ROW_LEN).for_each(|filter| *filter = 0);
    let mut header = u32::try_from(ROW_LEN - 1)?.to_be_bytes().to_vec();
    header.extend(u32::try_from(rows)?.to_be_bytes());
    // Eight bits of grey a pixel, the only methods there are, not interlaced.
    header.extend([8, 0, 0, 0, 0]);
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    let table = crc_table();
    chunk(&mut png, &table, *b"IHDR", &header)?;
    chunk(&mut png, &table, *b"IDAT", &zlib_stored(&pixels)?)?;
    chunk(&mut png, &table, *b"IEND", &[])?;
    Ok(png)
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

/// A zlib stream without compression: random pixels have none to give.
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
assert len(zlib.decompress(body)) == 70 * 1025
";
        let status = std::process::Command::new("python3").args(["-c", script]).arg(&path).status().unwrap();
        assert!(status.success());
        std::fs::remove_file(path).unwrap();
    }
}
