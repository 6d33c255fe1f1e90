//! Reading a QR code from a picture, which replaces the phone's camera.

mod scan;

use std::io::Cursor;
use std::path::Path;

use handfast::codec::qr::PREFIX;
use handfast_programs::{UserFile, UserFileError};
use image::{DynamicImage, ImageFormat, ImageReader, Limits};

use scan::Luma;

/// The largest picture file, in bytes.
const FILE_LEN_MAX: u64 = 16 * 1024 * 1024;
/// The most pixels of a picture. The number in the file's header is checked before anything is decoded.
const PIXELS_MAX: u64 = 40_000_000;
/// The brightness of white. Transparent parts of a picture are laid over white.
const WHITE: u16 = 255;

/// The reason why no code was read from a picture.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PictureError {
    /// The file cannot be opened, or is not a regular file.
    #[error(transparent)]
    Open(#[from] UserFileError),
    /// The file or its picture is too large.
    #[error("{0} is too large; a picture has at most 16 MiB and 40 million pixels")]
    TooLarge(String),
    /// The file is not a PNG or JPEG picture that can be decoded.
    #[error("{0} is not a readable PNG or JPEG picture; save the code as one of these")]
    Unreadable(String),
    /// The picture contains no QR code.
    #[error("there is no QR code in {0}; take the picture again, closer and whole")]
    NoCode(String),
    /// The picture contains several different Handfast codes.
    #[error("there is more than one Handfast code in {0}; show only the one to be linked")]
    Several(String),
}

/// Returns the text of the Handfast code in a picture. The picture may contain that code more than once. If
/// there is no Handfast code, returns the text of another code, so that the caller can say what it is.
///
/// # Errors
///
/// [`PictureError`] if there is no code or the picture cannot be read.
pub fn read_code(path: &Path) -> Result<String, PictureError> {
    let name = || path.display().to_string();
    let bytes = UserFile::read_all(path, FILE_LEN_MAX).map_err(|error| match error {
        UserFileError::TooLarge { .. } => PictureError::TooLarge(name()),
        other => other.into(),
    })?;
    let unreadable = |_| PictureError::Unreadable(name());
    let format = image::guess_format(&bytes).map_err(unreadable)?;
    if !matches!(format, ImageFormat::Png | ImageFormat::Jpeg) {
        return Err(PictureError::Unreadable(name()));
    }
    let reader = || ImageReader::with_format(Cursor::new(&bytes), format);
    let (width, height) = reader().into_dimensions().map_err(unreadable)?;
    if u64::from(width).saturating_mul(u64::from(height)) > PIXELS_MAX {
        return Err(PictureError::TooLarge(name()));
    }
    let mut reader = reader();
    reader.limits(Limits::default());
    let luma = on_white(reader.decode().map_err(unreadable)?);
    let texts = scan::texts(luma, |texts| texts.iter().any(|text| text.starts_with(PREFIX)));
    let mut ours: Vec<&String> = texts.iter().filter(|text| text.starts_with(PREFIX)).collect();
    ours.sort();
    ours.dedup();
    match (ours.as_slice(), texts.first()) {
        ([one], _) => Ok((*one).clone()),
        ([], Some(other)) => Ok(other.clone()),
        ([], None) => Err(PictureError::NoCode(name())),
        _ => Err(PictureError::Several(name())),
    }
}

/// Returns the brightness of each pixel, with transparent parts laid over white.
fn on_white(picture: DynamicImage) -> Luma {
    let (width, height) = (picture.width(), picture.height());
    let size = |length| usize::try_from(length).unwrap_or(0);
    let pixels = if picture.color().has_alpha() {
        let blend = |[light, alpha]: [u8; 2]| {
            let alpha = u16::from(alpha);
            let over = (u16::from(light) * alpha + WHITE * (WHITE - alpha)) / WHITE;
            u8::try_from(over).unwrap_or(u8::MAX)
        };
        picture.into_luma_alpha8().pixels().map(|pixel| blend(pixel.0)).collect()
    } else {
        picture.into_luma8().into_raw()
    };
    Luma::new(size(width), size(height), pixels)
}

#[cfg(test)]
mod tests;
