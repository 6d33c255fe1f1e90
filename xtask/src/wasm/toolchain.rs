//! A compiler that knows the target of pages: rustup's, or else the one that Debian has for it.
//!
//! Debian's is older than the one that the workspace asks for. What it lacks it has as unstable features, which are
//! switched on for every crate but its own standard library: this program puts itself in front of each call of `rustc`
//! ([`wrap`]). What it lacks altogether the crates of the page do without; `clippy.toml` refuses it.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Result, bail};

use super::TARGET;
use crate::{command, debian, workspace};

/// Set while this program stands in front of `rustc`.
const WRAPPER: &str = "HANDFAST_XTASK_WRAPS_RUSTC";
/// What the compiler needs switched on that Debian's has as unstable, and newer ones as stable.
const FEATURES: &str = "-Zcrate-attr=feature(let_chains,integer_sign_cast,const_black_box,unsigned_is_multiple_of,\
                        duration_constructors,slice_as_chunks)";
/// The mark of a crate of the standard library, which names its features itself.
const OF_STD: &str = "force-unstable-if-unmarked";
/// Debian's packages: compiler, Cargo, the library's source, the linker.
const DEBIAN: [&str; 4] = ["rustc-web", "cargo-web", "rust-web-src", "lld-16"];
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const DEBIAN_CARGO: &str = "/usr/bin/cargo";
const DEBIAN_LINKER: &str = "wasm-ld-16";

/// How the module is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Toolchain {
    /// The toolchain of the workspace has the target.
    Rustup,
    /// Debian's compiler builds the target's library from its source.
    Debian,
}

impl Toolchain {
    /// Finds one, or installs it if that is allowed and possible.
    ///
    /// # Errors
    /// There is none. The message names the command that brings one.
    pub(super) fn find(may_install: bool) -> Result<Self> {
        if has_target() {
            return Ok(Self::Rustup);
        }
        if has_debian() {
            return Ok(Self::Debian);
        }
        if may_install {
            println!("This toolchain has no {TARGET}: asking rustup, then Debian.");
            if command::succeeds(&mut command::program("rustup", ["target", "add", TARGET])) && has_target() {
                return Ok(Self::Rustup);
            }
            if debian::ensure_installed(&DEBIAN, has_debian).is_ok() {
                return Ok(Self::Debian);
            }
        }
        bail!(
            "no compiler here knows {TARGET}. Run `rustup target add {TARGET}`, or on Debian \
             `sudo apt-get install --no-install-recommends {}`",
            DEBIAN.join(" ")
        )
    }

    /// The command that builds a package.
    pub(super) fn build(self, package: &str) -> Command {
        let words = ["build", "--locked", "--profile", "wasm", "--target", TARGET, "--package", package];
        let mut build = match self {
            Self::Rustup => command::cargo(words),
            Self::Debian => {
                let extra = ["-Zbuild-std=std,panic_abort", "--ignore-rust-version"];
                let mut cargo = command::program(DEBIAN_CARGO, words.into_iter().chain(extra));
                let this = std::env::current_exe().unwrap_or_else(|_| "xtask".into());
                let _ = cargo
                    .env("RUSTC", DEBIAN_RUSTC)
                    .env("RUSTC_BOOTSTRAP", "1")
                    .env("RUSTC_WRAPPER", this)
                    .env(WRAPPER, "1")
                    .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", DEBIAN_LINKER)
                    .env("CARGO_TARGET_DIR", self.target());
                // What Cargo told this program about the toolchain of the workspace is not for the other one.
                for name in ["CARGO", "RUSTUP_TOOLCHAIN", "RUSTDOC"] {
                    let _ = cargo.env_remove(name);
                }
                cargo
            }
        };
        let _ = build.env("CARGO_ENCODED_RUSTFLAGS", path_flags());
        build
    }

    /// Where Cargo puts what it builds: apart for Debian's, so that the two do not build each other's things anew.
    fn target(self) -> PathBuf {
        match self {
            Self::Rustup => workspace::target(),
            Self::Debian => workspace::target().join("debian"),
        }
    }

    /// The folder of the target.
    pub(super) fn folder(self) -> PathBuf {
        self.target().join(TARGET)
    }
}

/// Flags that take the paths of this machine out of the module.
fn path_flags() -> OsString {
    let home = std::env::var_os("HOME").unwrap_or_default();
    let cargo = std::env::var_os("CARGO_HOME").map_or_else(|| Path::new(&home).join(".cargo"), PathBuf::from);
    let mut flags = OsString::new();
    for (path, name) in [(cargo, "=cargo"), (workspace::root(), "=handfast")] {
        if !flags.is_empty() {
            flags.push("\u{1f}");
        }
        flags.push("--remap-path-prefix=");
        flags.push(path);
        flags.push(name);
    }
    flags
}

fn has_target() -> bool {
    let sysroot = command::output(&mut command::program("rustc", ["--print", "sysroot"])).unwrap_or_default();
    Path::new(sysroot.trim()).join("lib/rustlib").join(TARGET).is_dir()
}

fn has_debian() -> bool {
    let linker = ["/usr/bin", "/usr/lib/llvm-16/bin"].map(|folder| Path::new(folder).join(DEBIAN_LINKER));
    [DEBIAN_RUSTC, DEBIAN_CARGO, "/usr/lib/rustlib/src/rust/library/std"]
        .iter()
        .all(|path| Path::new(path).exists())
        && linker.iter().any(|path| path.exists())
}

/// Returns whether this program is called in the place of `rustc`.
pub(crate) fn is_wrapper() -> bool {
    std::env::var_os(WRAPPER).is_some()
}

/// Calls `rustc`, with the features switched on where they are needed.
pub(crate) fn wrap() -> ExitCode {
    let words: Vec<OsString> = std::env::args_os().skip(1).collect();
    let Some((rustc, words)) = words.split_first() else { return ExitCode::FAILURE };
    let mut call = Command::new(rustc);
    let _ = call.args(words);
    if wants_features(words) {
        let _ = call.arg(FEATURES);
    }
    match call.status() {
        Ok(status) => {
            status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, Into::into)
        }
        Err(error) => {
            eprintln!("xtask: {} cannot be started: {error}", rustc.display());
            ExitCode::FAILURE
        }
    }
}

/// Whether this call compiles a crate for pages that is not of the standard library.
fn wants_features(words: &[OsString]) -> bool {
    let has = |word: &str| words.iter().any(|given| given == OsStr::new(word));
    has("--crate-name") && has(TARGET) && !has(OF_STD) && !has("___")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<OsString> {
        line.split_whitespace().map(OsString::from).collect()
    }

    #[test]
    fn only_crates_of_the_page_get_the_features() {
        assert!(wants_features(&words("--crate-name bytes --target wasm32-unknown-unknown")));
        assert!(!wants_features(&words("--crate-name syn --crate-type lib")), "what runs here");
        assert!(!wants_features(&words(&format!("--crate-name core -Z {OF_STD} --target {TARGET}"))));
        assert!(
            !wants_features(&words(&format!("- --crate-name ___ --target {TARGET}"))),
            "a question of Cargo"
        );
    }

    #[test]
    fn the_commands_name_the_target_and_the_profile() {
        for toolchain in [Toolchain::Rustup, Toolchain::Debian] {
            let build = toolchain.build("x");
            let words: Vec<_> = build.get_args().map(|word| word.to_string_lossy().into_owned()).collect();
            assert!(words.windows(2).any(|pair| pair == ["--target", TARGET]), "{words:?}");
            assert!(words.windows(2).any(|pair| pair == ["--profile", "wasm"]), "{words:?}");
        }
        let debian = Toolchain::Debian.build("x");
        let bootstrap = debian.get_envs().find(|(name, _)| *name == "RUSTC_BOOTSTRAP");
        assert_eq!(bootstrap.and_then(|(_, value)| value), Some(OsStr::new("1")));
    }
}
