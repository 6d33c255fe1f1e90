//! Draws QR codes, for a terminal and as a PNG file (spec, qr).

use std::io;
use std::path::Path;

use handfast::SystemError;
use handfast_programs::{Destination, write_file};
use qrcode::{EcLevel, QrCode};

/// The width of the quiet zone, in modules.
const QUIET_ZONE: usize = 4;
/// The side of a module of the code in a PNG, in pixels.
const MODULE_LEN: usize = 8;
/// The grey values of a code's modules in a PNG.
const DARK: u8 = 0;
const LIGHT: u8 = 255;

/// The reason why a code could not be drawn.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DrawError {
    /// The text is too long for a QR code.
    #[error("the text does not fit a QR code")]
    TooLong,
    /// The destination of the picture is not usable.
    #[error(transparent)]
    Place(handfast_programs::UserFileError),
    /// The picture file cannot be written.
    #[error("cannot write {path} ({reason}): choose another file with --qr-png")]
    File {
        /// The path of the picture file.
        path: String,
        /// The operating system's reason.
        reason: SystemError,
    },
}

/// A QR code as dark and light modules, including the quiet zone.
#[derive(Debug)]
pub struct Drawing {
    width: usize,
    dark: Vec<bool>,
}

impl Drawing {
    /// Encodes a text at error correction level M.
    ///
    /// # Errors
    ///
    /// [`DrawError::TooLong`] if the text does not fit.
    pub fn new(text: &str) -> Result<Self, DrawError> {
        // req: QRP-007
        let code = QrCode::with_error_correction_level(text, EcLevel::M).map_err(|_| DrawError::TooLong)?;
        let inner = code.width();
        let width = inner.saturating_add(2 * QUIET_ZONE);
        let mut dark = vec![false; width.saturating_mul(width)];
        for (index, color) in code.to_colors().into_iter().enumerate() {
            let (x, y) = (index % inner + QUIET_ZONE, index / inner + QUIET_ZONE);
            dark[y * width + x] = color == qrcode::Color::Dark;
        }
        Ok(Self { width, dark })
    }

    /// Returns the number of modules on a side of the code, including the quiet zone.
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    fn is_dark(&self, x: usize, y: usize) -> bool {
        x < self.width && self.dark.get(y * self.width + x).copied().unwrap_or(false)
    }

    /// Returns the code as text for a terminal, with two modules in each character. With colours the code is
    /// black on white on any terminal. Without colours only the light modules are drawn. That is right on a
    /// dark terminal; on a light one the code is inverted, which most phones can read.
    #[must_use]
    pub fn to_terminal(&self, colours: bool) -> String {
        let (before, behind) = if colours { ("\x1b[30;107m", "\x1b[0m") } else { ("", "") };
        let mut out = String::new();
        for y in (0..self.width).step_by(2) {
            out.push_str(before);
            for x in 0..self.width {
                let is_drawn = |y| y < self.width && self.is_dark(x, y) == colours;
                out.push(match (is_drawn(y), is_drawn(y + 1)) {
                    (true, true) => '█',
                    (true, false) => '▀',
                    (false, true) => '▄',
                    (false, false) => ' ',
                });
            }
            out.push_str(behind);
            out.push('\n');
        }
        out
    }

    /// Returns the code as a PNG: 8-bit greyscale, eight pixels for the side of a module.
    ///
    /// # Errors
    ///
    /// [`png::EncodingError`] if memory or the size limit does not suffice.
    pub fn to_png(&self) -> Result<Vec<u8>, png::EncodingError> {
        let side = self.width.saturating_mul(MODULE_LEN);
        let side_u32 = u32::try_from(side).map_err(|_| png::EncodingError::LimitsExceeded)?;
        let mut pixels = Vec::with_capacity(side.saturating_mul(side));
        for y in 0..side {
            for x in 0..side {
                pixels.push(if self.is_dark(x / MODULE_LEN, y / MODULE_LEN) { DARK } else { LIGHT });
            }
        }
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, side_u32, side_u32);
        encoder.set_color(png::ColorType::Grayscale);
        encoder.set_depth(png::BitDepth::Eight);
        let mut writer = encoder.write_header()?;
        writer.write_image_data(&pixels)?;
        writer.finish()?;
        Ok(bytes)
    }

    /// Writes the code's PNG in one step. Only this user can read the file, because the code contains a
    /// secret.
    ///
    /// # Errors
    ///
    /// [`DrawError::Place`] or [`DrawError::File`].
    pub fn write_png(&self, path: &Path) -> Result<(), DrawError> {
        let failed =
            |reason: io::Error| DrawError::File { path: path.display().to_string(), reason: reason.into() };
        let bytes = self.to_png().map_err(|error| failed(io::Error::other(error)))?;
        let _ = Destination::look(path, None).map_err(DrawError::Place)?;
        write_file(path, &bytes).map_err(failed)
    }
}

#[cfg(test)]
mod tests {
    use handfast::RelayName;
    use handfast::codec::ids::DhPublic;
    use handfast::codec::qr::{QrOffer, RelayRef};
    use rand_core::Rng;

    use super::*;

    /// Returns what a camera would read: the text, and the version of the code.
    fn scan(png: &[u8]) -> (String, usize) {
        let mut reader = png::Decoder::new(io::Cursor::new(png)).read_info().expect("a PNG");
        let mut pixels = vec![0; reader.output_buffer_size().expect("a size")];
        let info = reader.next_frame(&mut pixels).expect("a picture");
        assert_eq!((info.color_type, info.bit_depth), (png::ColorType::Grayscale, png::BitDepth::Eight));
        let (width, height) = (info.width as usize, info.height as usize);
        let mut image =
            rqrr::PreparedImage::prepare_from_greyscale(width, height, |x, y| pixels[y * width + x]);
        let grids = image.detect_grids();
        assert_eq!(grids.len(), 1, "one code");
        let (meta, text) = grids[0].decode().expect("it decodes");
        assert_eq!(meta.ecc_level, 0, "level M is 0 in the format bits");
        (text, meta.version.0)
    }

    fn offer(host: &str) -> QrOffer {
        let mut rng = handfast::driver::os_rng().expect("a seed");
        let (mut key, mut secret) = ([0; 32], [0; 32]);
        rng.fill_bytes(&mut key);
        rng.fill_bytes(&mut secret);
        key[31] &= 0x7f;
        let relay = RelayRef::Host(RelayName::parse(host).expect("a name"));
        QrOffer::new(DhPublic::from_bytes(key), secret, relay).expect("it fits")
    }

    #[test]
    fn a_code_of_every_length_is_read_again() {
        // req: QRP-007
        for len in 1..=40 {
            let host: String = "a".repeat(len);
            let text = offer(&host).encode();
            let drawing = Drawing::new(&text).expect("it fits");
            let (read, version) = scan(&drawing.to_png().expect("drawn"));
            assert_eq!(read, *text, "host of {len}");
            let payload = 68 + len;
            let expected = match payload {
                ..=73 => 5,
                74..=93 => 6,
                _ => 7,
            };
            assert_eq!(version, expected, "payload of {payload} bytes");
            assert!(QrOffer::decode(&read).is_ok());
        }
        let text = QrOffer::new(DhPublic::from_bytes([1; 32]), [2; 32], RelayRef::Private(240))
            .expect("fits")
            .encode();
        assert_eq!(scan(&Drawing::new(&text).expect("fits").to_png().expect("drawn")).1, 5, "67 bytes");
    }

    #[test]
    fn the_quiet_zone_is_four_light_modules() {
        // req: QRP-007
        let drawing = Drawing::new(&offer("127.0.0.1:8787").encode()).expect("it fits");
        let width = drawing.width();
        for outer in 0..width {
            for inner in (0..QUIET_ZONE).chain(width - QUIET_ZONE..width) {
                assert!(!drawing.is_dark(outer, inner) && !drawing.is_dark(inner, outer));
            }
        }
        assert!(drawing.is_dark(QUIET_ZONE, QUIET_ZONE), "the finder begins behind it");
    }

    #[test]
    fn the_terminal_shows_the_same_modules() {
        let drawing = Drawing::new(&offer("relay.example").encode()).expect("it fits");
        let text = drawing.to_terminal(true);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), drawing.width().div_ceil(2));
        for (row, line) in lines.iter().enumerate() {
            let body =
                line.strip_prefix("\x1b[30;107m").and_then(|l| l.strip_suffix("\x1b[0m")).expect("colours");
            let halves: Vec<_> = body.chars().collect();
            assert_eq!(halves.len(), drawing.width());
            for (x, half) in halves.into_iter().enumerate() {
                let (top, bottom) = (matches!(half, '█' | '▀'), matches!(half, '█' | '▄'));
                assert_eq!((top, bottom), (drawing.is_dark(x, 2 * row), drawing.is_dark(x, 2 * row + 1)));
            }
        }
        // Without colours: the light modules, and nothing that a terminal would have to understand.
        let plain = drawing.to_terminal(false);
        assert!(!plain.contains('\x1b'));
        for (row, line) in plain.lines().enumerate() {
            for (x, half) in line.chars().enumerate() {
                assert_eq!(matches!(half, '█' | '▀'), !drawing.is_dark(x, 2 * row), "{x}, {row}");
            }
        }
    }

    #[test]
    fn files_are_private_and_a_bad_path_says_what_to_do() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("code.png");
        let drawing = Drawing::new(&offer("relay.example").encode()).expect("it fits");
        drawing.write_png(&path).expect("written");
        assert_eq!(std::fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600);
        let error = drawing.write_png(&dir.path().join("no/code.png")).expect_err("no directory");
        assert!(error.to_string().contains("there is no directory"), "{error}");
        let target = dir.path().join("theirs");
        std::fs::write(&target, b"x").expect("written");
        let link = dir.path().join("link.png");
        std::os::unix::fs::symlink(&target, &link).expect("planted");
        let error = drawing.write_png(&link).expect_err("a link");
        assert!(error.to_string().contains("is a symbolic link"), "{error}");
        assert_eq!(std::fs::read(&target).expect("read"), b"x", "the secret is not written through it");
    }
}
