//! `xtask-bindgen MODULE.wasm FOLDER NAME [script]`: the JavaScript and TypeScript around a module, as an ES module for
//! browsers or, with `script`, as a plain script.
//!
//! A program of its own, since what it is made of is long to build and only `cargo xtask wasm` needs it.

use anyhow::{Context as _, Result, bail};
use wasm_bindgen_cli_support::Bindgen;

fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let (module, folder, name, is_script) = match words.as_slice() {
        [module, folder, name] => (module, folder, name, false),
        [module, folder, name, kind] if kind == "script" => (module, folder, name, true),
        _ => bail!("usage: xtask-bindgen MODULE.wasm FOLDER NAME [script]"),
    };
    let mut bindgen = Bindgen::new();
    let bindgen = if is_script { bindgen.no_modules(true)? } else { bindgen.web(true)? };
    let _ = bindgen
        .typescript(true)
        .omit_default_module_path(false)
        .remove_name_section(true)
        .remove_producers_section(true)
        .input_path(module)
        .out_name(name);
    bindgen.generate(folder).with_context(|| format!("{module} cannot be bound"))
}
