//! The media type of a file, recognised by the file's content.

/// Returns the media type that the first bytes of a file indicate. File names are ignored, because anybody
/// can choose them.
#[must_use]
pub fn media_type(head: &[u8]) -> &'static str {
    match head {
        [0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, ..] => "image/png",
        [0xff, 0xd8, 0xff, ..] => "image/jpeg",
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => "image/gif",
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => "image/webp",
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'A', b'V', b'E', ..] => "audio/wav",
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => "video/mp4",
        [0x1a, 0x45, 0xdf, 0xa3, ..] => "video/webm",
        [b'I', b'D', b'3', ..] => "audio/mpeg",
        [b'O', b'g', b'g', b'S', ..] => "audio/ogg",
        [b'%', b'P', b'D', b'F', b'-', ..] => "application/pdf",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_type_is_what_the_first_bytes_say() {
        let known: [(&[u8], &str); 9] = [
            (b"\x89PNG\r\n\x1a\n", "image/png"),
            (b"\xff\xd8\xff\xe0", "image/jpeg"),
            (b"GIF89a", "image/gif"),
            (b"RIFF\x10\0\0\0WEBPVP8 ", "image/webp"),
            (b"RIFF\x10\0\0\0WAVEfmt ", "audio/wav"),
            (b"\0\0\0\x18ftypmp42", "video/mp4"),
            (b"\x1a\x45\xdf\xa3\x9f", "video/webm"),
            (b"OggS\0", "audio/ogg"),
            (b"%PDF-1.7", "application/pdf"),
        ];
        for (head, expected) in known {
            assert_eq!(media_type(head), expected);
            assert_eq!(media_type(&head[..3]), if expected == "image/jpeg" { expected } else { OTHER });
        }
        // A file that could run, as a program or in a page, is called plain bytes.
        for head in [
            &b"MZ\x90\0"[..],
            b"\x7fELF",
            b"#!/bin/sh",
            b"<html><script>",
            b"<?xml",
            b"{\\rtf",
            b"PK\x03\x04",
            b"",
        ] {
            assert_eq!(media_type(head), OTHER);
        }
    }

    const OTHER: &str = "application/octet-stream";
}
