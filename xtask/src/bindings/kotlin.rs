//! The phone in Kotlin: compiled with what was generated, and tried on the JVM with companions of other languages.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use handfast_e2e::debian;
use sha2::{Digest as _, Sha256};

use super::python::Examples;
use super::story::play;
use super::{Programs, print_size, root};
use crate::{command, workspace};

/// The compiler, as npm has it: that of Debian is older than what is generated.
const COMPILER: &str = "kotlin-compiler@2.4.20";
const COMPILER_CLASS: &str = "org.jetbrains.kotlin.cli.jvm.K2JVMCompiler";
/// What runs for seconds is not worth much optimization by the JVM.
const JAVA_WORDS: [&str; 1] = ["-XX:TieredStopAtLevel=1"];
/// What calls the library from the JVM.
const JNA: &str = "/usr/share/java/jna.jar";
/// The packages of Debian without which nothing of this runs.
const DEBIAN: [&str; 2] = ["libjna-java", "default-jdk-headless"];

/// How often each side is killed.
const KILLS: &str = "2";

/// Says what is missing here, if it cannot be installed either.
pub(super) fn missing() -> Option<String> {
    if !command::succeeds(&mut command::program("npm", ["--version"])) {
        return Some("npm, which brings the compiler".to_owned());
    }
    let is_there =
        || Path::new(JNA).is_file() && command::succeeds(&mut command::program("java", ["-version"]));
    debian::ensure_installed(&DEBIAN, is_there).err().map(|error| error.to_string())
}

/// Compiles the phone, and plays stories with it: with the companions in Rust, the reference's too, and with files with that in Python.
///
/// # Errors
/// It does not compile, or a story fails.
pub(super) fn test(
    library: &Path,
    generated: &Path,
    in_python: &Examples,
    programs: &Programs,
) -> Result<()> {
    let jar = compile(generated)?;
    let folder = library.parent().context("a library without a folder")?;
    let phone = format!(
        "java {} -Djna.library.path={} -cp {}:{JNA} handfast.example.MainKt",
        JAVA_WORDS.join(" "),
        folder.display(),
        jar.display()
    );
    let Programs { relay, companion, reference, .. } = programs;
    play(relay, &["list"], &phone, companion)?;
    play(relay, &["kills", KILLS], &phone, companion)?;
    play(relay, &["reference"], &phone, reference)?;
    play(relay, &["files"], &phone, &in_python.companion)
}

/// Compiles all sources into one file that runs, unless that was done with the same sources. Returns its path.
///
/// # Errors
/// The compiler cannot be fetched, or refuses a source.
fn compile(generated: &Path) -> Result<PathBuf> {
    let own = workspace::root().join("bindings/kotlin/src");
    let mut sources = files(&own)?;
    sources.extend(files(&generated.join("handfast"))?);
    let mut hash = Sha256::new();
    hash.update(COMPILER);
    for source in &sources {
        hash.update(std::fs::read(source).with_context(|| source.display().to_string())?);
    }
    let start = hash.finalize().first_chunk().map_or(0, |start| u64::from_be_bytes(*start));
    let folder = root().join("kotlin-jar");
    let jar = folder.join(format!("{start:016x}.jar"));
    if !jar.is_file() {
        workspace::make_empty(&folder)?;
        let compiler = compiler()?;
        let mut compile = command::program("java", JAVA_WORDS);
        let _ = compile.arg("-cp").arg(compiler.join("lib/kotlin-compiler.jar")).arg(COMPILER_CLASS);
        let _ = compile.arg("-kotlin-home").arg(&compiler);
        let _ = compile.args(["-nowarn", "-include-runtime", "-cp", JNA, "-d"]).arg(&jar).args(sources);
        command::run(&mut compile)?;
    }
    print_size(&jar)?;
    Ok(jar)
}

fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder)?.collect::<Result<Vec<_>, _>>()?;
    let mut paths: Vec<PathBuf> = entries.iter().map(std::fs::DirEntry::path).collect();
    paths.sort();
    Ok(paths)
}

/// Returns the folder of the compiler, which is fetched the first time.
fn compiler() -> Result<PathBuf> {
    let folder = root().join("kotlin-compiler");
    let compiler = folder.join("node_modules/kotlin-compiler");
    if !compiler.is_dir() {
        std::fs::create_dir_all(&folder)?;
        let mut install = command::program("npm", ["install", "--silent", "--no-save", "--prefix"]);
        command::run(install.arg(&folder).arg(COMPILER))?;
    }
    Ok(compiler)
}
