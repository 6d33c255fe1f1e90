//! Embeds the page, if `cargo xtask wasm` has built its engine: every file plain and compressed.

#[path = "build/pack.rs"]
mod pack;
#[path = "build/slim.rs"]
mod slim;

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::{env, fs};

use flate2::Compression;
use flate2::write::GzEncoder;
use pack::{ENGINE, Packed, pack};

/// The page's folder, from this package.
const PAGE: &str = "../reference-web/page";

fn main() -> io::Result<()> {
    let package = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    let page = package.join(PAGE);
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=build");
    if page.is_dir() {
        println!("cargo::rerun-if-changed={PAGE}");
    }
    let code = if page.join(ENGINE).is_file() { embed(&pack(&page)?, &out)? } else { "None".to_owned() };
    fs::write(out.join("page.rs"), code)
}

/// The expression of the embedded page.
fn embed(page: &Packed, out: &Path) -> io::Result<String> {
    let mut files = String::new();
    let index = page.index.replace("{assets}", &format!("/{}", page.folder)).into_bytes();
    let all = page.files.iter().map(|(name, bytes)| (format!("{}/{name}", page.folder), bytes));
    for (number, (path, bytes)) in all.chain([("index.html".to_owned(), &index)]).enumerate() {
        let (plain, packed) = store(out, number, bytes)?;
        let _ = writeln!(
            files,
            "Embedded {{ path: {path:?}, plain: include_bytes!({plain:?}), gzip: include_bytes!({packed:?}) }},"
        );
    }
    Ok(format!("Some(&[\n{files}])"))
}

/// Writes a file plain and compressed to where the code includes it from.
fn store(out: &Path, number: usize, bytes: &[u8]) -> io::Result<(String, String)> {
    let (plain, packed) = (out.join(format!("page-{number}")), out.join(format!("page-{number}.gz")));
    fs::write(&plain, bytes)?;
    let mut encoder = GzEncoder::new(fs::File::create(&packed)?, Compression::best());
    encoder.write_all(bytes)?;
    encoder.finish()?.flush()?;
    Ok((plain.display().to_string(), packed.display().to_string()))
}
