//! How much the pages of a Parquet file unpack to, before any of them is unpacked.
//!
//! The reader reserves for each page what its header says, and unpacks not more than that. So the headers
//! are looked at first: a structure in Thrift's compact encoding, of which only two numbers matter here.

use std::{
    fs::File,
    io::{self, BufReader, Read, Seek as _, SeekFrom},
};

/// Writers begin another page after a megabyte or so.
const MOST_PAGE_BYTES: u64 = 64 << 20;
/// Statistics in a header are cut by every writer.
const MOST_HEADER_BYTES: u64 = 1 << 20;
const MOST_DEPTH: u8 = 8;

/// Adds up what the pages in `length` bytes from `start` unpack to.
///
/// # Errors
/// If a header cannot be read, or a page is too large or lies outside.
pub(super) fn unpacked_bytes(file: &File, start: u64, length: u64) -> io::Result<u64> {
    let mut input = BufReader::with_capacity(1 << 12, file);
    let end = start.checked_add(length).ok_or_else(damaged)?;
    let (mut at, mut unpacked) = (start, 0);
    while at < end {
        input.seek(SeekFrom::Start(at))?;
        let mut header = Header { input: input.by_ref().take(MOST_HEADER_BYTES), page: [None; 2] };
        header.structure(0)?;
        let header_bytes = MOST_HEADER_BYTES - header.input.limit();
        let [Some(unpacked_bytes), Some(packed_bytes)] = header.page else { return Err(damaged()) };
        if unpacked_bytes > MOST_PAGE_BYTES {
            let problem = format!("a page of {unpacked_bytes} bytes, at most {MOST_PAGE_BYTES} are allowed");
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, problem));
        }
        unpacked += unpacked_bytes;
        at += header_bytes + packed_bytes;
    }
    if at > end { Err(damaged()) } else { Ok(unpacked) }
}

fn damaged() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "a page header makes no sense")
}

struct Header<R> {
    input: R,
    /// Sizes of the page, unpacked and packed: fields 2 and 3 of the outermost structure.
    page: [Option<u64>; 2],
}

impl<R: Read> Header<R> {
    fn structure(&mut self, depth: u8) -> io::Result<()> {
        let mut field: i64 = 0;
        loop {
            let byte = self.byte()?;
            if byte == 0 {
                return Ok(());
            }
            field = match byte >> 4 {
                0 => self.number()?,
                delta => field + i64::from(delta),
            };
            let is_number = byte & 0x0f == 5;
            match field {
                2 | 3 if depth == 0 && is_number => {
                    let size = u64::try_from(self.number()?).map_err(|_| damaged())?;
                    self.page[usize::from(field == 3)] = Some(size);
                }
                _ => self.skip(byte & 0x0f, depth)?,
            }
        }
    }

    fn skip(&mut self, kind: u8, depth: u8) -> io::Result<()> {
        match kind {
            1 | 2 => Ok(()), // true and false are kinds
            3 => self.byte().map(drop),
            4..=6 => self.number().map(drop),
            7 => self.bytes(8),
            8 => {
                let length = self.unsigned()?;
                self.bytes(length)
            }
            9 | 10 => self.list(depth),
            12 if depth < MOST_DEPTH => self.structure(depth + 1),
            _ => Err(damaged()),
        }
    }

    fn list(&mut self, depth: u8) -> io::Result<()> {
        let byte = self.byte()?;
        let length = match byte >> 4 {
            15 => self.unsigned()?,
            length => length.into(),
        };
        for _ in 0..length {
            match byte & 0x0f {
                1 | 2 => self.byte().map(drop)?, // in a list they take a byte each
                _ if depth == MOST_DEPTH => return Err(damaged()),
                kind => self.skip(kind, depth + 1)?,
            }
        }
        Ok(())
    }

    fn byte(&mut self) -> io::Result<u8> {
        let mut byte = [0];
        self.input.read_exact(&mut byte).map_err(|_| damaged())?;
        Ok(byte[0])
    }

    fn bytes(&mut self, length: u64) -> io::Result<()> {
        let skipped = io::copy(&mut self.input.by_ref().take(length), &mut io::sink())?;
        if skipped == length { Ok(()) } else { Err(damaged()) }
    }

    fn unsigned(&mut self) -> io::Result<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(damaged())
    }

    /// Signs alternate: 0, -1, 1, -2, …
    fn number(&mut self) -> io::Result<i64> {
        let zigzag = self.unsigned()?;
        Ok((zigzag >> 1).cast_signed() ^ -(zigzag & 1).cast_signed())
    }
}
