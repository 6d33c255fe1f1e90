//! The page as it is served: scripts and styles without their comments, under a path that changes with the content of any file.
//! The same sources make the same bytes, wherever and whenever they are packed.

use std::fmt::Write as _;
use std::path::Path;
use std::{fs, io};

use sha2::{Digest, Sha256};

use crate::slim::slim;

/// The one file that the page cannot do without and that is not in the repository.
pub(crate) const ENGINE: &str = "pkg/handfast_bg.wasm";
/// Of these endings are the files that are served.
const ENDINGS: [&str; 5] = ["js", "css", "svg", "wasm", "txt"];

/// What a server needs to serve the page.
#[derive(Debug)]
pub(crate) struct Packed {
    /// The first file, in which `{assets}` stands for the folder of the others.
    pub(crate) index: String,
    /// The folder of the others, `assets/` and a hash over all of them.
    pub(crate) folder: String,
    /// Their paths in that folder, in order, and what they hold.
    pub(crate) files: Vec<(String, Vec<u8>)>,
}

/// Packs the page that lies in this folder.
pub(crate) fn pack(page: &Path) -> io::Result<Packed> {
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
    Ok(Packed {
        index: fs::read_to_string(page.join("index.html"))?,
        folder: format!("assets/{version}"),
        files,
    })
}

/// The files below a folder that are served, with their contents; names are paths with `/`.
fn list(folder: &Path, prefix: &str, files: &mut Vec<(String, Vec<u8>)>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        if path.is_dir() {
            list(&path, &format!("{prefix}{name}/"), files)?;
        } else if ENDINGS.iter().any(|ending| has_ending(&name, ending)) {
            let is_text = ["js", "css"].iter().any(|ending| has_ending(&name, ending));
            let bytes =
                if is_text { slim(&fs::read_to_string(&path)?).into_bytes() } else { fs::read(&path)? };
            files.push((format!("{prefix}{name}"), bytes));
        }
    }
    Ok(())
}

pub(crate) fn has_ending(name: &str, ending: &str) -> bool {
    name.rsplit_once('.').is_some_and(|(_, last)| last == ending)
}
