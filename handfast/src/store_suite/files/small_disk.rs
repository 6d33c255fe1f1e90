//! A real file system that is full after a few MiB.

extern crate std;

use std::path::Path;
use std::process::Command;
use std::string::{String, ToString};
use std::{eprintln, format};

/// A file system in memory, mounted in a temporary directory for as long as this lives.
#[derive(Debug)]
pub struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    /// Mounts one of so many MiB, or says on standard error why this machine cannot: then the test is skipped.
    ///
    /// # Panics
    ///
    /// When there is no temporary directory.
    #[must_use]
    pub fn mount(mib: u32) -> Option<Self> {
        let dir = tempfile::tempdir().expect("a directory");
        let size = format!("size={mib}m,mode=700");
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(dir.path()).output();
        let why = match mounted {
            Ok(output) if output.status.success() => return Some(Self(dir)),
            Ok(output) => String::from_utf8_lossy(&output.stderr).trim().to_string(),
            Err(error) => error.to_string(),
        };
        eprintln!("skipped: no small file system can be mounted here, root may ({why})");
        None
    }

    /// Where it is mounted.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // What is still open in it keeps it alive, unseen, until it is closed.
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).output();
    }
}
