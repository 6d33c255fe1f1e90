//! Embeds the page, if `cargo xtask wasm` has built its engine: every file plain and compressed, scripts and styles without their
//! comments, under a path that changes with the content of any of them.

#[path = "build/slim.rs"]
mod slim;

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::{env, fs};

use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};

/// The page's folder, from this package.
const PAGE: &str = "../reference-web/page";
/// The one file that the page cannot do without and that is not in the repository.
const ENGINE: &str = "pkg/handfast_bg.wasm";
/// The files that are served, by their endings.
const KINDS: [(&str, &str); 4] = [
    ("js", "text/javascript; charset=utf-8"),
    ("css", "text/css; charset=utf-8"),
    ("svg", "image/svg+xml"),
    ("wasm", "application/wasm"),
];

fn main() -> io::Result<()> {
    let package = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    let page = package.join(PAGE);
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=build");
    if page.is_dir() {
        println!("cargo::rerun-if-changed={PAGE}");
    }
    let code = if page.join(ENGINE).is_file() { embed(&page, &out)? } else { "None".to_owned() };
    fs::write(out.join("page.rs"), code)
}

/// The expression of the embedded page.
fn embed(page: &Path, out: &Path) -> io::Result<String> {
    let mut files = Vec::new();
    list(page, "", &mut files)?;
    files.sort();
    let mut hash = Sha256::new();
    for (name, bytes) in &files {
        hash.update(Sha256::digest(name));
        hash.update(Sha256::digest(bytes));
    }
    let version = hash.finalize().iter().take(10).fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    });
    let mut assets = String::new();
    for (index, (name, bytes)) in files.iter().enumerate() {
        let kind = KINDS.iter().find(|(ending, _)| has_ending(name, ending)).map_or("", |(_, kind)| kind);
        let (plain, packed) = store(out, index, bytes)?;
        let _ = writeln!(
            assets,
            "Asset {{ path: {:?}, kind: {kind:?}, plain: include_bytes!({plain:?}), gzip: include_bytes!({packed:?}) }},",
            format!("{version}/{name}"),
        );
    }
    let index =
        fs::read_to_string(page.join("index.html"))?.replace("{assets}", &format!("/assets/{version}"));
    let (plain, packed) = store(out, files.len(), index.as_bytes())?;
    Ok(format!(
        "Some(Page {{ index: Asset {{ path: \"\", kind: \"text/html; charset=utf-8\", plain: include_bytes!({plain:?}), \
         gzip: include_bytes!({packed:?}) }}, assets: &[\n{assets}] }})"
    ))
}

/// The files below a folder that are served, with their contents; names are paths with `/`.
fn list(folder: &Path, prefix: &str, files: &mut Vec<(String, Vec<u8>)>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        if path.is_dir() {
            list(&path, &format!("{prefix}{name}/"), files)?;
        } else if KINDS.iter().any(|(ending, _)| has_ending(&name, ending)) {
            let is_text = ["js", "css"].iter().any(|ending| has_ending(&name, ending));
            let bytes =
                if is_text { slim::slim(&fs::read_to_string(&path)?).into_bytes() } else { fs::read(&path)? };
            files.push((format!("{prefix}{name}"), bytes));
        }
    }
    Ok(())
}

fn has_ending(name: &str, ending: &str) -> bool {
    name.rsplit_once('.').is_some_and(|(_, last)| last == ending)
}

/// Writes a file plain and compressed to where the code includes it from.
fn store(out: &Path, index: usize, bytes: &[u8]) -> io::Result<(String, String)> {
    let (plain, packed) = (out.join(format!("page-{index}")), out.join(format!("page-{index}.gz")));
    fs::write(&plain, bytes)?;
    let mut encoder = GzEncoder::new(fs::File::create(&packed)?, Compression::best());
    encoder.write_all(bytes)?;
    encoder.finish()?.flush()?;
    Ok((plain.display().to_string(), packed.display().to_string()))
}
