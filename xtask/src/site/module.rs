//! The module that recomputes the worked example, as one script.
//!
//! A page that is opened as a file may load scripts, but neither import modules nor fetch: so the module's bytes stand in the
//! script, compressed, in base 64.

use std::io::Write as _;

use anyhow::{Context as _, Result};
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::{wasm, workspace};

/// The script.
pub(super) const FILE: &str = "module.js";
/// What it says where the module was not built.
pub(super) const WITHOUT: &str = "self.handfastModule = null;\n";
/// The crate that is built.
const PACKAGE: &str = "handfast-site-wasm";
const NAME: &str = "site";

/// Builds the module and returns the script.
///
/// # Errors
/// A tool is missing and may not be installed, or the build fails.
pub(super) fn build() -> Result<String> {
    let folder = workspace::target().join("site-module");
    wasm::build_script(PACKAGE, &folder, NAME)?;
    let read = |name: &str| std::fs::read(folder.join(name)).with_context(|| format!("no {name}"));
    let glue = String::from_utf8(read(&format!("{NAME}.js"))?).context("the script is no UTF-8")?;
    let module = read(&format!("{NAME}_bg.wasm"))?;
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(&module)?;
    let packed = encoder.finish()?;
    println!("the module: {} bytes, {} compressed", module.len(), packed.len());
    Ok(format!("{glue}\nself.handfastModule = \"{}\";\n", base64(&packed)))
}

/// Bytes in base 64, with padding.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let group =
            (0..3).fold(0_usize, |group, at| group << 8 | usize::from(chunk.get(at).copied().unwrap_or(0)));
        for at in 0..4 {
            let letter = ALPHABET[group >> (18 - 6 * at) & 0x3f];
            out.push(if at <= chunk.len() { char::from(letter) } else { '=' });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_64_is_that_of_rfc_4648() {
        for (bytes, text) in
            [(&b""[..], ""), (b"f", "Zg=="), (b"fo", "Zm8="), (b"foobar", "Zm9vYmFy"), (b"\xfb\xff", "+/8=")]
        {
            assert_eq!(base64(bytes), text);
        }
    }
}
