//! The files of content that comes or goes over a stream.
//!
//! May touch: the files that it is given.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};

use handfast_codec::ErrorCode;
use handfast_media::{Source, Storage};

use crate::sqlite::{SqliteError, file};

/// The code for a file that cannot be written: a disk without room is for the user to mend, anything else may be over by
/// itself.
fn code(error: &io::Error) -> ErrorCode {
    use io::ErrorKind;
    if matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded) {
        ErrorCode::FULL
    } else {
        ErrorCode::IO
    }
}

/// The code for a file that cannot be opened, renamed or removed.
#[must_use]
pub fn file_code(_: SqliteError) -> ErrorCode {
    ErrorCode::IO
}

/// Content that comes in; its chunk list is stored elsewhere once it is whole.
#[derive(Debug)]
pub struct PartFile(pub File);

impl Storage for PartFile {
    const KEEPS_LIST: bool = false;

    fn write_list(&mut self, _: &[u8]) -> Result<(), ErrorCode> {
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), ErrorCode> {
        // req: STR-032
        self.0.write_all(bytes).map_err(|error| code(&error))
    }

    fn sync(&mut self) -> Result<(), ErrorCode> {
        file::sync(&self.0).map_err(|error| code(&error))
    }
}

/// Content that comes in, with its chunk list in a file beside it; without one, the list is there since an earlier stream.
#[derive(Debug)]
pub struct PartAndList {
    part: PartFile,
    list: Option<PartFile>,
}

impl PartAndList {
    /// Both files, opened where the stream goes on.
    #[must_use]
    pub fn new(part: File, list: Option<File>) -> Self {
        Self { part: PartFile(part), list: list.map(PartFile) }
    }
}

impl Storage for PartAndList {
    const KEEPS_LIST: bool = true;

    fn write_list(&mut self, bytes: &[u8]) -> Result<(), ErrorCode> {
        self.list.as_mut().map_or(Ok(()), |list| list.write(bytes))
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), ErrorCode> {
        self.part.write(bytes)
    }

    fn sync(&mut self) -> Result<(), ErrorCode> {
        self.list.as_mut().map_or(Ok(()), Storage::sync)?;
        self.part.sync()
    }
}

/// Content that goes out.
#[derive(Debug)]
pub struct ContentFile(pub File);

impl Source for ContentFile {
    fn read_at(&mut self, offset: u64, out: &mut [u8]) -> Result<(), ErrorCode> {
        let read = self.0.seek(SeekFrom::Start(offset)).and_then(|_| self.0.read_exact(out));
        // Someone shortened the file: it is not the content any more.
        read.map_err(|_| ErrorCode::GONE)
    }
}
