//! The files of content that is received or sent over a stream.
//!
//! May touch: the files that are passed in.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};

use bytes::Bytes;
use handfast_codec::ErrorCode;
use handfast_media::{Source, Storage};

use crate::sqlite::{SqliteError, file};

/// Returns the error code for a file that cannot be written. If the disk is full the user must free space;
/// any other failure may pass by itself.
fn code(error: &io::Error) -> ErrorCode {
    use io::ErrorKind;
    if matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded) {
        ErrorCode::FULL
    } else {
        ErrorCode::IO
    }
}

/// Returns the error code for a file that cannot be opened, renamed or removed.
#[must_use]
pub fn file_code(_: SqliteError) -> ErrorCode {
    ErrorCode::IO
}

/// A file of content that is received. The content's chunk list is stored elsewhere once that list is
/// complete.
#[derive(Debug)]
pub struct PartFile(pub File);

impl Storage for PartFile {
    const KEEPS_LIST: bool = false;

    fn write_list(&mut self, _: &[u8]) -> Result<(), ErrorCode> {
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), ErrorCode> {
        // The disk may become full during the put.
        // req: STR-032
        self.0.write_all(bytes).map_err(|error| code(&error))
    }

    fn sync(&mut self) -> Result<(), ErrorCode> {
        file::sync(&self.0).map_err(|error| code(&error))
    }
}

/// The file of content that is received, and beside it the file of its chunk list. There is no list file when
/// an earlier stream has stored the list already.
#[derive(Debug)]
pub struct PartAndList {
    part: PartFile,
    list: Option<PartFile>,
}

impl PartAndList {
    /// Creates the pair of files. The position of each is at its next byte to write.
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

/// A file of content that is sent.
#[derive(Debug)]
pub struct ContentFile(pub File);

impl Source for ContentFile {
    fn read_at(&mut self, offset: u64, len: usize) -> Result<Bytes, ErrorCode> {
        let mut bytes = vec![0; len];
        let read = self.0.seek(SeekFrom::Start(offset)).and_then(|_| self.0.read_exact(&mut bytes));
        // The file was shortened after it was offered, so it no longer contains the content.
        read.map(|()| bytes.into()).map_err(|_| ErrorCode::GONE)
    }
}
