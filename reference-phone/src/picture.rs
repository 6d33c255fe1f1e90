//! A picture as a stand-in for the camera.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use image::{ImageReader, Limits};

/// The largest picture file, in bytes.
const FILE_LEN_MAX: u64 = 16 * 1024 * 1024;
/// The most pixels, by the header, before anything is decoded.
const PIXELS_MAX: u64 = 40_000_000;

/// Why a picture gives no code.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PictureError {
    /// It cannot be opened.
    #[error("{0} cannot be read ({1}); check the path")]
    Open(String, std::io::ErrorKind),
    /// It is too large.
    #[error("{0} is too large; a picture has at most 16 MiB and 40 million pixels")]
    TooLarge(String),
    /// It is no PNG.
    #[error("{0} is not a readable PNG picture; save the code as PNG")]
    Unreadable(String),
    /// There is no code in it.
    #[error("there is no QR code in {0}; take the picture again, closer and whole")]
    NoCode(String),
    /// There are several codes in it.
    #[error("there is more than one QR code in {0}; show only the one to be linked")]
    Several(String),
}

/// The text of the one QR code in a picture.
///
/// # Errors
///
/// [`PictureError`].
pub fn read_code(path: &Path) -> Result<String, PictureError> {
    let name = || path.display().to_string();
    let failed = |error: std::io::Error| PictureError::Open(name(), error.kind());
    let file = File::open(path).map_err(failed)?;
    let mut bytes = Vec::new();
    let read =
        BufReader::new(file).take(FILE_LEN_MAX.saturating_add(1)).read_to_end(&mut bytes).map_err(failed)?;
    if u64::try_from(read).unwrap_or(u64::MAX) > FILE_LEN_MAX {
        return Err(PictureError::TooLarge(name()));
    }
    let unreadable = |_| PictureError::Unreadable(name());
    let png = || ImageReader::with_format(std::io::Cursor::new(&bytes), image::ImageFormat::Png);
    let (width, height) = png().into_dimensions().map_err(unreadable)?;
    if u64::from(width).saturating_mul(u64::from(height)) > PIXELS_MAX {
        return Err(PictureError::TooLarge(name()));
    }
    let mut reader = png();
    reader.limits(Limits::default());
    let luma = reader.decode().map_err(unreadable)?.into_luma8();
    let (w, h) = (usize::try_from(width).unwrap_or(0), usize::try_from(height).unwrap_or(0));
    let mut prepared = rqrr::PreparedImage::prepare_from_greyscale(w, h, |x, y| {
        luma.as_raw().get(y * w + x).copied().unwrap_or(0)
    });
    let mut codes = prepared.detect_grids().into_iter().filter_map(|grid| grid.decode().ok());
    let (_, text) = codes.next().ok_or_else(|| PictureError::NoCode(name()))?;
    if codes.next().is_some() { Err(PictureError::Several(name())) } else { Ok(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crc(bytes: &[u8]) -> u32 {
        !bytes.iter().fold(u32::MAX, |crc, byte| {
            (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 * (crc & 1)))
        })
    }

    fn chunk(name: [u8; 4], data: &[u8]) -> Vec<u8> {
        let checked = [name.as_slice(), data].concat();
        let len = u32::try_from(data.len()).unwrap().to_be_bytes();
        [len.as_slice(), &checked, &crc(&checked).to_be_bytes()].concat()
    }

    /// A PNG that claims a size and holds nothing.
    fn png(width: u32, height: u32) -> Vec<u8> {
        let (width, height) = (width.to_be_bytes(), height.to_be_bytes());
        let header = [width.as_slice(), &height, &[8, 0, 0, 0, 0]].concat();
        [b"\x89PNG\r\n\x1a\n".as_slice(), &chunk(*b"IHDR", &header), &chunk(*b"IDAT", &[0x78, 1, 3, 0])]
            .concat()
    }

    #[test]
    fn st18_a_picture_that_is_too_large_is_refused_before_it_is_decoded() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("code.png");
        let name = path.display().to_string();
        let read = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            read_code(&path)
        };
        let too_large = Err(PictureError::TooLarge(name.clone()));
        for (width, height) in [(65_535, 65_535), (40_000_001, 1), (1, 40_000_001), (6_325, 6_325)] {
            assert_eq!(read(&png(width, height)), too_large, "{width} by {height}");
        }
        // At the limit it is decoded, and there is nothing in it.
        assert_eq!(read(&png(8_000, 5_000)), Err(PictureError::Unreadable(name.clone())));
        File::create(&path).unwrap().set_len(FILE_LEN_MAX + 1).unwrap();
        assert_eq!(read_code(&path), too_large);
        assert_eq!(read(b"<html>"), Err(PictureError::Unreadable(name)));
    }
}
