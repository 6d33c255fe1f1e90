//! `cargo xtask npm`: the package `@handfast/companion`, laid out and packed in `target/npm`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use handfast_e2e::engine::compressed_len;
use handfast_e2e::npm::{self, TARBALL};
use serde_json::Value;

use crate::{command, notices, packages, slim, wasm, workspace};

/// The most that a page may load of the package, the module and the scripts each compressed by `gzip -9`, in bytes.
const PAGE_COMPRESSED_MAX: usize = 260 * 1024;
/// Where a page begins.
const ENTRIES: [&str; 2] = ["index.js", "chat.js"];
/// The scripts for Node lie in a folder of their own, in the source and in the package.
const NODE: &str = "node";

/// What to do besides packing.
#[derive(clap::Args, Debug)]
#[group(id = "npm")]
pub(crate) struct Options {
    #[command(flatten)]
    wasm: wasm::Options,
    /// Installs the packed file into Node and into a project of Vite and TypeScript, and tries it with the real phone and relay
    #[arg(long)]
    test: bool,
    /// Also tries the example with React in Chromium
    #[arg(long, requires = "test")]
    browser: bool,
    /// Takes the programs that `cargo xtask test` has built and kept
    #[arg(long, hide = true, requires = "test")]
    kept: bool,
}

/// Packs the package, prints its sizes, and tries it if that is asked for.
///
/// # Errors
/// Something cannot be built or packed, or a trial fails.
pub(crate) fn run(options: &Options) -> Result<bool> {
    let folder = workspace::target().join("npm").join("package");
    lay_out(&options.wasm, &folder)?;
    let tarball = pack(&folder)?;
    let fits = measure(&folder, &tarball)?;
    let good = !options.test || npm::run(&tarball, options.kept, options.browser)?;
    Ok(fits && good)
}

/// Writes all that the package holds into a folder.
fn lay_out(options: &wasm::Options, folder: &Path) -> Result<()> {
    wasm::bind(options, folder)?;
    let source = workspace::root().join(wasm::SOURCE);
    std::fs::create_dir_all(folder.join(NODE))?;
    let of_node = wasm::scripts(&source.join(NODE))?.into_iter().map(|name| format!("{NODE}/{name}"));
    for name in wasm::scripts(&source)?.into_iter().chain(of_node) {
        wasm::copy(&source.join(&name), &folder.join(&name))?;
    }
    for name in ["README.md", "package.json"] {
        wasm::copy(&source.join(name), &folder.join(name))?;
    }
    for name in ["LICENSE-MIT", "LICENSE-APACHE"] {
        wasm::copy(&workspace::root().join(name), &folder.join(name))?;
    }
    ensure!(folder.join(notices::FILE).is_file(), "the module was built without its notices");
    check_version(folder)
}

/// The package has the version of the crate that it is made of.
fn check_version(folder: &Path) -> Result<()> {
    let manifest: Value = serde_json::from_str(&std::fs::read_to_string(folder.join("package.json"))?)?;
    let own = packages::find("handfast")?;
    ensure!(
        manifest["version"] == own["version"],
        "{}/package.json has version {}, and the crate handfast {}",
        wasm::SOURCE,
        manifest["version"],
        own["version"]
    );
    Ok(())
}

/// Packs the folder as `npm publish` does, under a name without a version.
fn pack(folder: &Path) -> Result<PathBuf> {
    let beside = folder.parent().context("a folder above")?;
    let mut pack = command::program("npm", ["pack", "--json", "--ignore-scripts", "--pack-destination"]);
    let told = command::output(pack.arg(beside).current_dir(folder))
        .context("npm is missing: it comes with Node")?;
    let told: Value = serde_json::from_str(&told).context("npm pack says no JSON")?;
    // Older versions of npm give a list, newer ones an object by the name of the package.
    let one = told.get(0).or_else(|| told.as_object()?.values().next()).context("npm pack says nothing")?;
    let name = one["filename"].as_str().context("npm pack names no file")?;
    let tarball = beside.join(TARBALL);
    std::fs::rename(beside.join(name), &tarball).context("npm has packed no file")?;
    let files = one["files"].as_array().context("npm pack lists no files")?;
    let packed: BTreeSet<String> =
        files.iter().filter_map(|file| file["path"].as_str().map(str::to_owned)).collect();
    ensure!(
        packed == all_files(folder, "")?,
        "npm packs other files than those of {}: {packed:?}",
        folder.display()
    );
    let sizes = [&one["size"], &one["unpackedSize"]].map(|size| size.as_u64().unwrap_or_default());
    println!(
        "\n{}: {} bytes packed, {} unpacked, {} files",
        tarball.display(),
        sizes[0],
        sizes[1],
        packed.len()
    );
    Ok(tarball)
}

fn all_files(folder: &Path, prefix: &str) -> Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).context("a name that is no UTF-8")?;
        if path.is_dir() {
            names.extend(all_files(&path, &format!("{prefix}{name}/"))?);
        } else {
            let _ = names.insert(format!("{prefix}{name}"));
        }
    }
    Ok(names)
}

/// Says what a page loads: the module, and the scripts that its entries import, without comments as a bundler leaves them.
fn measure(folder: &Path, tarball: &Path) -> Result<bool> {
    let module = compressed_len(&std::fs::read(folder.join("handfast_bg.wasm"))?)?;
    let (mut text_of_all, mut seen) = (String::new(), BTreeSet::new());
    let mut waiting: Vec<String> = ENTRIES.map(str::to_owned).into();
    while let Some(name) = waiting.pop() {
        if seen.insert(name.clone()) {
            let text = std::fs::read_to_string(folder.join(&name)).with_context(|| name.clone())?;
            text_of_all.push_str(&slim::slim(&text));
            waiting.extend(imports(&text));
        }
    }
    // A bundler makes one file of them, and makes it smaller than this.
    let scripts = compressed_len(text_of_all.as_bytes())?;
    let all = module + scripts;
    let fits = all <= PAGE_COMPRESSED_MAX;
    println!(
        "what a page loads, with gzip -9: {all} bytes (module {module}, {} scripts {scripts}), {} % of the {PAGE_COMPRESSED_MAX} \
         that are allowed{}",
        seen.len(),
        100 * all / PAGE_COMPRESSED_MAX,
        if fits { "" } else { ": TOO LARGE" },
    );
    println!("npm install {}", tarball.display());
    Ok(fits)
}

/// The scripts beside this one that it imports, or exports from.
fn imports(text: &str) -> impl Iterator<Item = String> {
    text.lines().filter_map(|line| {
        let is_one = line.starts_with("import ") || line.starts_with("export ");
        let (_, from) = line.split_once(" from \"./")?;
        is_one.then(|| from.trim_end_matches("\";").to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scripts_of_a_page_are_found_by_their_imports() {
        let text = "import a, * as b from \"./handfast.js\";\nexport { c } from \"./rows.js\";\n// from \"./not.js\";\nimport d from \"ws\";\n";
        assert_eq!(imports(text).collect::<Vec<_>>(), ["handfast.js", "rows.js"]);
    }

    #[test]
    fn nothing_of_node_is_among_the_scripts_of_a_page() {
        let source = workspace::root().join(wasm::SOURCE);
        for name in wasm::scripts(&source).unwrap() {
            let text = std::fs::read_to_string(source.join(&name)).unwrap();
            assert!(
                !text.contains("from \"node:") && !text.contains("./node/"),
                "{name} imports something of Node"
            );
        }
    }
}
