//! The real binary and what it says when it is used wrongly.

use std::path::Path;
use std::process::{Command, Output, Stdio};

fn phone(dir: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_handfast-phone"))
        .arg("--data")
        .arg(dir)
        .args(args)
        .stdin(Stdio::null())
        .output()
        .expect("the binary runs")
}

/// It fails with this code, one clear line, and these words in it.
fn fails(output: &Output, code: i32, words: &str) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert!(said.contains(words), "{said}");
    if code == 1 {
        assert_eq!(said.trim_end().lines().count(), 1, "{said}");
    }
}

#[test]
fn wrong_use_is_two() {
    let dir = tempfile::tempdir().expect("a directory");
    fails(&phone(dir.path(), &["--bogus"]), 2, "--bogus");
    fails(&phone(dir.path(), &["scan"]), 2, "--image");
    fails(&phone(dir.path(), &["history", "x"]), 2, "invalid");
    assert_eq!(phone(dir.path(), &["--help"]).status.code(), Some(0));
}

#[test]
fn what_is_not_there_is_said() {
    let dir = tempfile::tempdir().expect("a directory");
    fails(&phone(&dir.path().join("none"), &["chats"]), 1, "`run`");
    fails(&phone(dir.path(), &["chats"]), 1, "`run`");
    fails(&phone(dir.path(), &["--allow-relay", "a b", "chats"]), 1, "--allow-relay");
}

#[test]
fn pictures_that_give_no_code_are_told_apart() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("p.png");
    let shown = path.to_str().expect("text");
    fails(&phone(dir.path(), &["scan", "--image", shown]), 1, "cannot be read");
    std::fs::write(&path, b"no picture").expect("written");
    fails(&phone(dir.path(), &["scan", "--image", shown]), 1, "not a readable PNG");
    image::GrayImage::from_pixel(300, 300, image::Luma([255])).save(&path).expect("saved");
    fails(&phone(dir.path(), &["scan", "--image", shown]), 1, "no QR code");
    image::GrayImage::new(8_000, 5_001).save(&path).expect("saved");
    fails(&phone(dir.path(), &["scan", "--image", shown]), 1, "too large");
}

#[test]
fn a_directory_has_one_phone() {
    let dir = tempfile::tempdir().expect("a directory");
    let _held = handfast::program::DirLock::acquire(dir.path()).expect("free");
    fails(&phone(dir.path(), &["run"]), 1, "another process uses");
}
