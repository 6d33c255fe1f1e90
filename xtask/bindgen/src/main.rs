//! `xtask-bindgen MODULE.wasm FOLDER NAME`: the JavaScript and TypeScript around a module, as an ES module for browsers.
//!
//! A program of its own, since what it is made of is long to build and only `cargo xtask wasm` needs it.

use anyhow::{Context as _, Result, bail};
use wasm_bindgen_cli_support::Bindgen;

fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [module, folder, name] = words.as_slice() else {
        bail!("usage: xtask-bindgen MODULE.wasm FOLDER NAME");
    };
    let mut bindgen = Bindgen::new();
    let _ = bindgen
        .web(true)?
        .typescript(true)
        .omit_default_module_path(false)
        .remove_name_section(true)
        .remove_producers_section(true)
        .input_path(module)
        .out_name(name);
    bindgen.generate(folder).with_context(|| format!("{module} cannot be bound"))
}
