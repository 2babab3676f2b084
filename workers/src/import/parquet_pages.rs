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
/// Kinds of fields: a number of 32 bits, and fields within a field.
const NUMBER: u8 = 5;
const STRUCTURE: u8 = 12;
/// Structures, by the number of the field of the outermost one, `PAGE`, that holds them.
const PAGE: i16 = 0;
const DATA_PAGE: i16 = 5;
const DICTIONARY_PAGE: i16 = 7;
const DATA_PAGE_V2: i16 = 8;
const UNREAD: i16 = -1;

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
        header.structure(0, PAGE)?;
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

/// Whether a field may be of this kind. The reader goes by the number of a field alone: one of another kind
/// would end elsewhere for it than here.
fn fits(within: i16, field: i16, kind: u8) -> bool {
    match (within, field) {
        (PAGE | DATA_PAGE, 1..=4) | (DICTIONARY_PAGE, 1 | 2) | (DATA_PAGE_V2, 1..=6) => kind == NUMBER,
        (PAGE, 5..=8) | (DATA_PAGE, 5) | (DATA_PAGE_V2, 8) => kind == STRUCTURE,
        (DICTIONARY_PAGE, 3) | (DATA_PAGE_V2, 7) => matches!(kind, 1 | 2),
        _ => true,
    }
}

impl<R: Read> Header<R> {
    fn structure(&mut self, depth: u8, within: i16) -> io::Result<()> {
        let mut field: i16 = 0;
        loop {
            let byte = self.byte()?;
            if byte == 0 {
                return Ok(());
            }
            let next = match byte >> 4 {
                0 => i16::try_from(self.number()?).ok(),
                delta => field.checked_add(delta.into()),
            };
            field = next.ok_or_else(damaged)?;
            let kind = byte & 0x0f;
            if !fits(within, field, kind) {
                return Err(damaged());
            }
            match field {
                2 | 3 if depth == 0 => self.size(usize::from(field == 3))?,
                5..=8 if depth == 0 => self.structure(1, field)?,
                _ => self.skip(kind, depth)?,
            }
        }
    }

    /// The reader takes the last of two sizes: a header with two is not believed at all.
    fn size(&mut self, which: usize) -> io::Result<()> {
        let size = u64::try_from(self.number()?).map_err(|_| damaged())?;
        match self.page[which].replace(size) {
            None => Ok(()),
            Some(_) => Err(damaged()),
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
            STRUCTURE if depth < MOST_DEPTH => self.structure(depth + 1, UNREAD),
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

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    /// Bytes of a varint; `number` is not negative.
    fn number(number: u64) -> Vec<u8> {
        let mut rest = number << 1; // zigzag
        let mut bytes = Vec::new();
        while rest >= 0x80 {
            bytes.push(u8::try_from(rest & 0x7f).expect("is below 128") | 0x80);
            rest >>= 7;
        }
        bytes.push(u8::try_from(rest).expect("is below 128"));
        bytes
    }

    /// A page that unpacks to `unpacked` bytes, and has none itself; `more` stands before its header's end.
    fn page(unpacked: u64, more: &[u8]) -> Vec<u8> {
        [&[0x15, 0, 0x15][..], &number(unpacked)[..], &[0x15, 0], more, &[0]].concat()
    }

    fn unpacked(pages: &[u8]) -> Result<u64, String> {
        let mut file = tempfile::tempfile().expect("a file");
        file.write_all(pages).expect("writes");
        unpacked_bytes(&file, 0, pages.len() as u64).map_err(|error| error.to_string())
    }

    fn check_damaged(pages: &[u8], what: &str) {
        assert_eq!(unpacked(pages), Err("a page header makes no sense".to_owned()), "{what}");
    }

    #[test]
    fn pages_are_added_up_and_one_of_more_than_64_mebibytes_is_refused() {
        let most = 64 << 20;
        assert_eq!(unpacked(&[page(most, &[]), page(100, &[])].concat()), Ok(most + 100));
        let error = "a page of 67108865 bytes, at most 67108864 are allowed";
        assert_eq!(unpacked(&page(most + 1, &[])), Err(error.to_owned()));
    }

    #[test]
    fn a_header_that_the_reader_would_understand_otherwise_is_damaged() {
        let size = number((1 << 31) - 1);
        check_damaged(&page(100, &[&[0x05, 4][..], &size].concat()), "a second size");
        check_damaged(&page(100, &[&[0x06, 4][..], &size].concat()), "a second size of another kind");
        let other_kind = [&[0x15, 0, 0x16][..], &size[..], &[0x15, 0, 0]].concat();
        check_damaged(&other_kind, "a size of another kind");
        // As 16 bits, 65538 is 2.
        check_damaged(&page(100, &[&[0x05][..], &number(65_538), &size].concat()), "a field past 16 bits");
        // Eight bytes here; a number, and then another size, for who takes the checksum for a number.
        check_damaged(&page(100, &[&[0x18, 8, 0x05, 4][..], &size, &[0]].concat()), "a checksum of bytes");
        check_damaged(&page(100, &[0x2c, 0x18, 1, 0, 0]), "a count of values of bytes");
    }

    #[test]
    fn what_the_reader_skips_may_be_anything_within_bounds() {
        let plain = [0x2c, 0x15, 2, 0x15, 0, 0x15, 6, 0x15, 6, 0x1c, 0x18, 1, b'a', 0, 0]; // with statistics
        assert_eq!(unpacked(&page(100, &plain)), Ok(100));
        let endless = [&[0x79_u8, 0xf6][..], &[0xff; 9], &[0x01]].concat();
        check_damaged(&page(100, &endless), "a list of 2^64 - 1 numbers");
        let nested =
            |depth: usize| page(100, &[&[0x7c_u8][..], &vec![0x1c; depth - 1], &vec![0; depth]].concat());
        assert_eq!(unpacked(&nested(8)), Ok(100));
        check_damaged(&nested(9), "nine levels");
        let outside = [&[0x15, 0, 0x15, 2, 0x15][..], &number(1_000)[..], &[0]].concat();
        check_damaged(&outside, "a page that ends outside");
        check_damaged(&page(1, &[])[..4], "a header that ends in the middle");
    }
}
