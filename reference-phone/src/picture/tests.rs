//! Pictures as people have them, and pictures in which the decoder sees what is not there.

use std::fs::{self, File};

use image::{GrayAlphaImage, GrayImage, Luma, LumaA, Rgba, RgbaImage};

use super::*;

const CODE: &str =
    "HF1*AB2CDEFGHIJKLMNOPQRSTUVWXYZ234567AB2CDEFGHIJKLMNOPQRSTUVWXYZ234567AB2CDEFGHIJKLMNOPQRSTUVWXYZ234567";
const OTHER: &str = "HF1*ZZ2CDEFGHIJKLMNOPQRSTUVWXYZ234567AB2CDEFGHIJKLMNOPQRSTUVWXYZ234567";

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
    [b"\x89PNG\r\n\x1a\n".as_slice(), &chunk(*b"IHDR", &header), &chunk(*b"IDAT", &[0x78, 1, 3, 0])].concat()
}

fn read(picture: &DynamicImage, kind: &str) -> Result<String, PictureError> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(format!("code.{kind}"));
    picture.save(&path).unwrap();
    read_code(&path)
}

/// A drawn code, with its quiet zone.
fn code(text: &str, module: u32) -> GrayImage {
    let drawn = qrcode::QrCode::with_error_correction_level(text, qrcode::EcLevel::M).unwrap();
    let (width, colours) = (u32::try_from(drawn.width()).unwrap(), drawn.to_colors());
    let side = (width + 8) * module;
    GrayImage::from_fn(side, side, |x, y| {
        let (x, y) = ((x / module).wrapping_sub(4), (y / module).wrapping_sub(4));
        let is_dark = x < width && y < width && colours[(y * width + x) as usize] == qrcode::Color::Dark;
        Luma([if is_dark { 0 } else { 255 }])
    })
}

fn beside(pictures: &[GrayImage]) -> GrayImage {
    let height = pictures.iter().map(GrayImage::height).max().unwrap();
    let mut all = GrayImage::from_pixel(pictures.iter().map(GrayImage::width).sum(), height, Luma([255]));
    let mut left = 0;
    for picture in pictures {
        image::imageops::replace(&mut all, picture, left, 0);
        left += i64::from(picture.width());
    }
    all
}

#[test]
fn a_picture_that_is_too_large_is_refused_before_it_is_decoded() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("code.png");
    let name = path.display().to_string();
    let read = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
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
    for other in
        [&b"<html>"[..], b"", b"GIF89a", b"RIFF\0\0\0\0WEBPVP8 ", b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n"]
    {
        assert_eq!(read(other), Err(PictureError::Unreadable(name.clone())), "{other:?}");
    }
    // A JPEG that claims to be of 65,535 by 65,535 pixels.
    let jpeg = b"\xff\xd8\xff\xc0\x00\x0b\x08\xff\xff\xff\xff\x01\x01\x11\x00\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00";
    assert_eq!(read(jpeg), too_large);
}

#[test]
fn one_code_is_read_however_it_is_shown() {
    let plain = code(CODE, 6);
    let (width, height) = plain.dimensions();
    let of = |f: &dyn Fn(u32, u32, u8) -> u8| {
        GrayImage::from_fn(width, height, |x, y| Luma([f(x, y, plain.get_pixel(x, y).0[0])]))
    };
    let scaled = |light: u8, percent: u32| u8::try_from(u32::from(light) * percent / 100).unwrap();
    for (name, picture) in [
        ("plain", plain.clone()),
        ("inverted", of(&|_, _, light| 255 - light)),
        ("low contrast", of(&|_, _, light| 100 + light / 8)),
        ("shade over half", of(&|x, _, light| scaled(light.max(60), if x > width / 2 { 30 } else { 100 }))),
        (
            "shade over half, inverted",
            of(&|x, _, light| scaled((255 - light).max(60), if x > width / 2 { 30 } else { 100 })),
        ),
        (
            "light falls off to a fifth",
            of(&|x, y, light| scaled(light.max(30), 100 - 80 * (x + y) / (width + height))),
        ),
        ("blurred", image::imageops::blur(&plain, 0.4 * 6.0)),
        ("2 pixels a module", code(CODE, 2)),
        ("turned", image::imageops::rotate90(&plain)),
        ("large", code(CODE, 40)),
        ("in a corner of a wall", {
            let mut wall = GrayImage::from_pixel(2_000, 1_500, Luma([140]));
            image::imageops::replace(&mut wall, &plain, 900, 700);
            wall
        }),
    ] {
        assert_eq!(read(&picture.into(), "png").as_deref(), Ok(CODE), "{name}");
    }
    assert_eq!(read(&plain.clone().into(), "jpg").as_deref(), Ok(CODE), "JPEG");
    assert_eq!(
        read(&DynamicImage::from(plain).to_rgb8().into(), "jpg").as_deref(),
        Ok(CODE),
        "JPEG in colour"
    );
}

#[test]
fn what_is_transparent_is_white() {
    let plain = code(CODE, 5);
    let (width, height) = plain.dimensions();
    let is_dark = |x, y| plain.get_pixel(x, y).0[0] == 0;
    // Light modules are transparent over black, dark ones half transparent, or both.
    for (ink, paper) in [(255, 0), (200, 0), (255, 10)] {
        let rgba = RgbaImage::from_fn(width, height, |x, y| {
            Rgba([0, 0, 0, if is_dark(x, y) { ink } else { paper }])
        });
        assert_eq!(read(&rgba.into(), "png").as_deref(), Ok(CODE), "RGBA {ink} {paper}");
        let grey = GrayAlphaImage::from_fn(width, height, |x, y| {
            LumaA([0, if is_dark(x, y) { ink } else { paper }])
        });
        assert_eq!(read(&grey.into(), "png").as_deref(), Ok(CODE), "LA {ink} {paper}");
    }
    let white = RgbaImage::from_fn(width, height, |x, y| {
        Rgba(if is_dark(x, y) { [0, 0, 0, 255] } else { [9, 9, 9, 0] })
    });
    assert_eq!(read(&white.into(), "png").as_deref(), Ok(CODE));
}

#[test]
fn of_several_codes_the_one_of_handfast_is_taken() {
    let (ours, other, url) = (code(CODE, 5), code(OTHER, 5), code("https://example.com/a/page", 5));
    let read = |pictures: &[GrayImage]| read(&beside(pictures).into(), "png");
    assert_eq!(read(&[url.clone(), ours.clone()]).as_deref(), Ok(CODE));
    assert_eq!(read(&[ours.clone(), ours.clone()]).as_deref(), Ok(CODE), "a mirrored desktop");
    assert_eq!(read(&[ours.clone(), url.clone(), ours.clone(), url.clone()]).as_deref(), Ok(CODE));
    assert!(matches!(read(&[ours.clone(), other.clone()]), Err(PictureError::Several(_))));
    assert!(matches!(read(&[ours, url.clone(), other]), Err(PictureError::Several(_))));
    // It is refused by what it says: "not a Handfast code".
    assert_eq!(read(&[url.clone(), url]).as_deref(), Ok("https://example.com/a/page"));
}

/// Numbers that look random, the same each time.
struct Seed(u64);

impl Seed {
    fn below(&mut self, end: u32) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        u32::try_from((self.0 >> 33) % u64::from(end)).unwrap()
    }

    fn between(&mut self, least: f64, most: f64) -> f64 {
        least + (most - least) * f64::from(self.below(10_000)) / 10_000.0
    }
}

/// Finder patterns without a code, each turned, stretched and sheared in its own way.
fn finders(seed: u64) -> GrayImage {
    let mut seed = Seed(seed);
    let mut picture = GrayImage::from_pixel(400, 400, Luma([255]));
    for _ in 0..3 + seed.below(4) {
        let size = [3.0, 4.0, 6.0, 8.0, 10.0][seed.below(5) as usize];
        let (x0, y0, angle) = (seed.between(0.0, 400.0), seed.between(0.0, 400.0), seed.between(0.0, 6.3));
        let (wide, high, shear) = (seed.between(0.6, 1.4), seed.between(0.6, 1.4), seed.between(-0.5, 0.5));
        for (x, y, pixel) in picture.enumerate_pixels_mut() {
            let (dx, dy) = (f64::from(x) - x0, f64::from(y) - y0);
            let (u, v) = (dx * angle.cos() + dy * angle.sin(), dy * angle.cos() - dx * angle.sin());
            let (u, v) = ((u + shear * v) / (size * wide), v / (size * high));
            let ring = u.abs().max(v.abs());
            if ring < 1.5 || (2.5..3.5).contains(&ring) {
                *pixel = Luma([0]);
            }
        }
    }
    picture
}

#[test]
fn a_picture_without_a_code_is_that_and_never_a_crash() {
    let known = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/finders.png");
    assert!(matches!(read_code(&known), Err(PictureError::NoCode(_))));
    for seed in 0..60 {
        let found = read(&finders(seed).into(), "png");
        assert!(matches!(found, Err(PictureError::NoCode(_))), "{seed}: {found:?}");
    }
    let mut seed = Seed(7);
    for (name, picture) in [
        ("noise", GrayImage::from_fn(300, 300, |_, _| Luma([u8::try_from(seed.below(256)).unwrap()]))),
        (
            "chess",
            GrayImage::from_fn(300, 300, |x, y| Luma([if (x / 5 + y / 5) % 2 == 0 { 0 } else { 255 }])),
        ),
        (
            "rings",
            GrayImage::from_fn(300, 300, |x, y| {
                Luma([if x.abs_diff(150).max(y.abs_diff(150)) / 10 % 2 == 0 { 0 } else { 255 }])
            }),
        ),
        ("black", GrayImage::new(500, 20)),
        ("one pixel", GrayImage::new(1, 1)),
        ("a line", GrayImage::from_pixel(1, 3_000, Luma([200]))),
        ("half a code", image::imageops::crop_imm(&code(CODE, 6), 0, 0, 150, 260).to_image()),
    ] {
        let found = read(&picture.into(), "png");
        assert!(matches!(found, Err(PictureError::NoCode(_))), "{name}: {found:?}");
    }
}

#[test]
fn a_look_that_panics_or_is_slow_finds_nothing() {
    assert_eq!(scan::apart(|| panic!("as the decoder does")), Vec::<String>::new());
    assert_eq!(scan::apart(|| vec!["found".to_owned()]), ["found"]);
}
