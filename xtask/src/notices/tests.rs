use super::*;

/// The engine of the page, as `cargo xtask wasm` builds it.
fn engine() -> Options {
    Options::of("reference-web-wasm", Some("wasm32-unknown-unknown"))
}

#[test]
fn the_engine_names_what_is_in_it_and_nothing_else() {
    let text = make(&engine()).unwrap();
    let list = text.split(RULE).next().unwrap();
    for inside in ["curve25519-dalek ", "chacha20poly1305 ", "wasm-bindgen ", "qrcode "] {
        assert!(list.contains(&format!("\n    {inside}")), "{inside} is compiled in:\n{list}");
    }
    for outside in ["tokio ", "syn ", "thiserror-impl ", "proptest ", "handfast-codec ", "rusqlite "] {
        assert!(!list.contains(&format!("\n    {outside}")), "{outside} is not compiled in:\n{list}");
    }
    for copyright in
        ["Isis Agora Lovecruft", "Copyright (c) 2014 Alex Crichton", "The Rust Project Developers"]
    {
        assert!(text.contains(copyright), "{copyright}");
    }
    let long = text.matches("TERMS AND CONDITIONS FOR USE").count();
    assert!(
        long <= 1,
        "the text of Apache-2.0 stands there {long} times, and is asked for where MIT is no choice alone"
    );
    assert_eq!(text, make(&engine()).unwrap());
}

#[test]
fn features_and_targets_decide_what_is_in_a_package() {
    let of = |features: &[&str]| {
        let features = features.iter().map(|&feature| feature.to_owned()).collect();
        compiled(&Options { features, ..Options::of("handfast", None) }).unwrap()
    };
    let has = |found: &[(String, String)], name: &str| found.iter().any(|(found, _)| found == name);
    assert!(!has(&of(&[]), "rusqlite") && has(&of(&["sqlite"]), "rusqlite"));
    assert!(!has(&of(&["sqlite"]), "tokio") && has(&of(&["sqlite", "tokio"]), "ring"));
}

#[test]
fn every_program_has_its_texts() {
    for package in ["reference-relay", "reference-phone", "reference-web", "handfast-conformance"] {
        let text = make(&Options::of(package, None)).unwrap_or_else(|error| panic!("{package}: {error:#}"));
        assert!(text.contains("memchr"), "{package}");
    }
}

#[test]
fn packages_without_a_text_are_named() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("Cargo.toml"), "").unwrap();
    let part = |name: &str| Part {
        name: name.to_owned(),
        version: "1.0.0".to_owned(),
        licence: "MIT".to_owned(),
        folder: folder.path().to_owned(),
    };
    let said = by_text(&[part("first"), part("second")]).unwrap_err().to_string();
    assert!(said.contains("first 1.0.0, second 1.0.0"), "{said}");
    std::fs::write(folder.path().join("LICENSE"), "words").unwrap();
    let texts = by_text(&[part("first"), part("second")]).unwrap();
    assert_eq!(texts, [("words".to_owned(), vec!["first 1.0.0".to_owned(), "second 1.0.0".to_owned()])]);
}

#[test]
fn a_package_that_is_none_is_an_error() {
    assert!(make(&Options::of("no-such-package", None)).is_err());
    assert!(name_and_version("words").is_err());
    let read = name_and_version("ring v0.17.14 (proc-macro)").unwrap();
    assert_eq!(read, ("ring".to_owned(), "0.17.14".to_owned()));
}

/// Each crate of which the toolchain's standard library is made.
#[test]
fn std_is_named() {
    // For tests, for the compiler and for its other tools: in no program.
    const ELSEWHERE: [&str; 7] = [
        "getopts",
        "proc_macro",
        "profiler_builtins",
        "rustc_literal_escaper",
        "sysroot",
        "test",
        "rustc_std_workspace",
    ];
    let mut rustc = command::program("rustc", ["--print", "target-libdir"]);
    let folder = PathBuf::from(command::output(&mut rustc).unwrap().trim());
    let mut seen = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        let name = entry.unwrap().file_name().to_string_lossy().into_owned();
        let Some(name) = name.strip_prefix("lib").and_then(|name| name.strip_suffix(".rlib")) else {
            continue;
        };
        let name = name.rsplit_once('-').map_or(name, |(name, _)| name);
        if !ELSEWHERE.iter().any(|other| name.starts_with(other)) {
            let is_named =
                STANDARD_LIBRARY.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == name);
            assert!(
                is_named,
                "{name} is a part of the standard library: name it in notices/standard_library.txt"
            );
            seen += 1;
        }
    }
    assert!(seen > 10, "{} holds {seen} parts of the standard library", folder.display());
}
