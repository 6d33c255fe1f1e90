//! The documentation of the crate `handfast` as docs.rs builds it: with the features of its manifest, and with the notes
//! that say which feature an item needs, which only an unstable rustdoc can write.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use anyhow::{Context as _, Result, ensure};

use super::Done;
use crate::{command, packages, workspace};

/// A rustdoc that takes unstable features. The compiler does not: the packages that are built already stay as they are.
const RUSTDOC: &str = "#!/bin/sh\nRUSTC_BOOTSTRAP=1 exec rustdoc \"$@\"\n";

/// Pages that exist with a feature alone, and that feature.
const NOTED: [(&str, &str); 4] = [
    ("tether/index.html", "sqlite"),
    ("driver/index.html", "tokio"),
    ("tether/fn.open_phone.html", "tokio"),
    ("wasm/index.html", "wasm"),
];

/// Builds it, and looks whether pages say which feature they need.
///
/// # Errors
/// It does not build without a warning, or a page does not say it.
pub(crate) fn check() -> Result<Done> {
    let folder = tempfile::tempdir()?;
    let rustdoc = folder.path().join("rustdoc");
    fs::write(&rustdoc, RUSTDOC)?;
    fs::set_permissions(&rustdoc, fs::Permissions::from_mode(0o755))?;
    let package = packages::find("handfast")?;
    let stated = &package["metadata"]["docs"]["rs"];
    let list = |field: &str| -> Vec<String> {
        let values = stated[field].as_array().into_iter().flatten();
        values.filter_map(|value| value.as_str().map(str::to_owned)).collect()
    };
    let mut words =
        vec!["rustdoc".to_owned(), "--locked".to_owned(), "--package".to_owned(), "handfast".to_owned()];
    words.extend(["--lib".to_owned(), "--features".to_owned(), list("features").join(","), "--".to_owned()]);
    words.extend(list("rustdoc-args"));
    words.extend(["-D".to_owned(), "warnings".to_owned()]);
    command::run(command::cargo(&words).env("RUSTDOC", &rustdoc))?;
    for (page, feature) in NOTED {
        let path = workspace::target().join("doc/handfast").join(page);
        let text = fs::read_to_string(&path).with_context(|| format!("no page {}", path.display()))?;
        let note = format!("<strong>crate feature <code>{feature}</code>");
        let notes = format!("<code>{feature}</code>");
        ensure!(
            text.contains("Available on ") && (text.contains(&note) || text.contains(&notes)),
            "{page} does not say that it needs the feature {feature}: is `doc_cfg` on in handfast/src/lib.rs?"
        );
    }
    Ok(Done::Passed)
}
