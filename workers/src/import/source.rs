//! From bytes to text: gzip, byte order marks, and how much is read at most.

use std::{
    cell::Cell,
    io::{self, BufReader, Cursor, Read},
    rc::Rc,
};

use flate2::read::MultiGzDecoder;

use super::ImportError;

/// More text than this is not one import.
const MOST_BYTES: u64 = 1 << 30;
/// Text of up to this size may be compressed as well as it likes.
const UNSUSPICIOUS_BYTES: u64 = 256 << 20;
/// Beyond that, demand data does not compress this well: a bomb.
const MOST_EXPANSION: u64 = 50;

/// The text of `input`, decompressed if it is gzip, without a byte order mark.
pub(super) fn text<'a>(input: impl Read + 'a) -> Result<Box<dyn Read + 'a>, ImportError> {
    let raw_bytes = Rc::new(Cell::new(0));
    let counted = Counted { input, count: Rc::clone(&raw_bytes) };
    let (head, raw) = peek(BufReader::with_capacity(1 << 16, counted))?;
    if head.is_empty() {
        return Err(not_csv("it is empty"));
    }
    if !head.starts_with(GZIP) {
        return Ok(Box::new(Bounded { input: plain(&head, raw)?, bytes: 0, raw_bytes }));
    }
    let (head, inner) = peek(MultiGzDecoder::new(raw))?;
    if head.is_empty() {
        return Err(not_csv("it is empty, once decompressed"));
    }
    Ok(Box::new(Bounded { input: plain(&head, inner)?, bytes: 0, raw_bytes }))
}

const GZIP: &[u8] = &[0x1f, 0x8b];
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
const UTF8_MARK: &[u8] = &[0xef, 0xbb, 0xbf];
const UTF16_MARKS: [&[u8]; 2] = [&[0xff, 0xfe], &[0xfe, 0xff]];

/// Refuses what certainly is no UTF-8 text, and skips the mark that spreadsheets put before it.
fn plain<'a>(head: &[u8], mut input: impl Read + 'a) -> Result<Box<dyn Read + 'a>, ImportError> {
    if head.starts_with(GZIP) {
        return Err(not_csv("it is compressed twice"));
    }
    if head.starts_with(ZSTD) {
        return Err(not_csv("it is compressed with zstd; decompress it, or use gzip"));
    }
    if UTF16_MARKS.iter().any(|mark| head.starts_with(mark)) {
        return Err(not_csv("it is UTF-16; save it as UTF-8"));
    }
    if head.starts_with(UTF8_MARK) {
        let mut mark = [0; 3];
        input.read_exact(&mut mark).map_err(|source| unreadable(0, source))?;
    }
    Ok(Box::new(input))
}

/// The first four bytes (fewer if there are no more), and a reader that still begins with them.
fn peek<'a, R: Read + 'a>(mut input: R) -> Result<(Vec<u8>, impl Read + 'a), ImportError> {
    let mut head = Vec::new();
    input.by_ref().take(4).read_to_end(&mut head).map_err(|source| unreadable(0, source))?;
    Ok((head.clone(), Cursor::new(head).chain(input)))
}

fn not_csv(problem: &str) -> ImportError {
    ImportError::NotCsv { problem: problem.to_owned() }
}

/// What a failed read means.
pub(super) fn unreadable(line: u64, source: io::Error) -> ImportError {
    let problem = match source.kind() {
        io::ErrorKind::UnexpectedEof => "the compressed data ends in the middle: the file is cut off",
        io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => "the compressed data is damaged",
        io::ErrorKind::FileTooLarge => "too much data",
        _ => "the file cannot be read",
    };
    ImportError::Unreadable { line, problem, source }
}

struct Counted<R> {
    input: R,
    count: Rc<Cell<u64>>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(buffer)?;
        self.count.set(self.count.get() + read as u64);
        Ok(read)
    }
}

/// Ends with an error where the text gets too long, for itself or for what it was decompressed from.
struct Bounded<R> {
    input: R,
    bytes: u64,
    raw_bytes: Rc<Cell<u64>>,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(buffer)?;
        self.bytes += read as u64;
        let expanded = self.bytes > UNSUSPICIOUS_BYTES && self.bytes / MOST_EXPANSION > self.raw_bytes.get();
        if self.bytes > MOST_BYTES || expanded {
            let problem = format!("{} bytes, once decompressed", self.bytes);
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, problem));
        }
        Ok(read)
    }
}
