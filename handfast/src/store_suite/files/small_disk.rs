//! A real file system that is full after a few MiB.

extern crate std;

use std::path::Path;
use std::process::Command;
use std::string::{String, ToString};
use std::{eprintln, format};

/// A file system in memory (tmpfs), mounted in a temporary directory until this is dropped.
#[derive(Debug)]
pub struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    /// Mounts a file system of `mib` MiB. If this machine cannot do that, prints why and returns `None`; the
    /// test is then skipped.
    ///
    /// # Panics
    ///
    /// If no temporary directory can be created.
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

    /// Returns the directory at which the small disk is mounted.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // A lazy unmount: the file system stays alive while files in it are still open.
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).output();
    }
}
