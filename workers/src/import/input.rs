//! Where the bytes of a file come from.

use std::{
    fs::File,
    io::{self, Read, Seek as _, Write as _},
};

use super::{
    ImportError,
    source::{BUFFER_BYTES, Excess, MOST_BYTES, unreadable},
};

/// What is read. Not to be read on a thread of the runtime.
pub enum Input<'a> {
    /// A file of a disk, from its beginning: it can be read twice, and from its end.
    File(File),
    /// Bytes that come once.
    Stream(Box<dyn Read + Send + 'a>),
}

impl Input<'_> {
    /// Bytes that come once.
    pub fn stream<'a>(bytes: impl Read + Send + 'a) -> Input<'a> {
        Input::Stream(Box::new(bytes))
    }

    /// The file; of what comes once, a copy in the folder for temporary files: without a name, and gone with this
    /// process.
    ///
    /// # Errors
    /// [`ImportError::Unreadable`], also for more than one import may have.
    pub(super) fn into_file(self) -> Result<File, ImportError> {
        match self {
            Input::File(file) => check_size(file).map_err(|source| unreadable(0, source)),
            Input::Stream(bytes) => spool(bytes),
        }
    }
}

impl<'a> From<&'a [u8]> for Input<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Input::stream(bytes)
    }
}

impl From<File> for Input<'_> {
    /// A pipe can have a name too, and comes once all the same.
    fn from(file: File) -> Self {
        match file.metadata() {
            Ok(metadata) if metadata.is_file() => Input::File(file),
            _ => Input::stream(file),
        }
    }
}

fn check_size(file: File) -> io::Result<File> {
    let bytes = file.metadata()?.len();
    if bytes > MOST_BYTES { Err(Excess::Data { bytes }.into()) } else { Ok(file) }
}

/// A file without a name with these bytes: Parquet is read from its end, and what nobody has described is read
/// twice.
pub(super) fn spool(input: impl Read) -> Result<File, ImportError> {
    copy(input).map_err(|source| unreadable(0, source))
}

fn copy(mut input: impl Read) -> io::Result<File> {
    let mut file = tempfile::tempfile()?;
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut bytes = 0;
    loop {
        match input.read(&mut buffer)? {
            0 => break,
            read => {
                bytes += read as u64;
                if bytes > MOST_BYTES {
                    return Err(Excess::Data { bytes }.into());
                }
                file.write_all(&buffer[..read])?;
            }
        }
    }
    file.rewind()?;
    Ok(file)
}
