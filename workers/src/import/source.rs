//! From bytes to text or a Parquet file: compression, byte order marks, formats, and how much is read at most.

use std::{
    cell::Cell,
    fs::File,
    io::{self, BufReader, Cursor, Read, Seek as _},
    rc::Rc,
};

use flate2::read::MultiGzDecoder;

use super::{
    ImportError,
    input::{Input, spool},
};
use crate::file_format::FileFormat;

/// More than this is not one import: of a file as it is, and of its text.
pub(super) const MOST_BYTES: u64 = 1 << 30;
/// Data of up to this size may be compressed as well as it likes.
const UNSUSPICIOUS_BYTES: u64 = 256 << 20;
/// Beyond that, demand data does not compress this well: a bomb.
const MOST_EXPANSION: u64 = 50;
/// A row longer than this is none.
const MOST_ROW_BYTES: u64 = 1 << 20;
/// How much readers take at once.
pub(super) const BUFFER_BYTES: usize = 1 << 16;

/// What is to be read, by its format.
pub(super) enum Source<'a> {
    Csv(Text<'a>),
    JsonLines(Text<'a>),
    Parquet(File),
}

/// UTF-8 text, as far as its first bytes tell.
pub(super) struct Text<'a> {
    pub(super) input: Box<dyn Read + 'a>,
    pub(super) meter: Rc<Meter>,
}

/// Looks at the first bytes of `input`: its compression, and its format.
pub(super) fn open<'a>(
    input: impl Into<Input<'a>>,
    declared: Option<FileFormat>,
) -> Result<Source<'a>, ImportError> {
    match input.into() {
        Input::File(mut file) => {
            let is_parquet = peek(&file)?.0.starts_with(PARQUET);
            file.rewind().map_err(|source| unreadable(0, source))?;
            if !is_parquet {
                return open_stream(file, declared);
            }
            check_declared(FileFormat::Parquet, declared)?;
            Input::File(file).into_file().map(Source::Parquet)
        }
        Input::Stream(bytes) => open_stream(bytes, declared),
    }
}

fn open_stream<'a>(input: impl Read + 'a, declared: Option<FileFormat>) -> Result<Source<'a>, ImportError> {
    let meter = Rc::new(Meter::default());
    let counted = Counted { input, meter: Rc::clone(&meter) };
    let (head, raw) = peek(BufReader::with_capacity(BUFFER_BYTES, counted))?;
    if head.is_empty() {
        return Err(wrong(declared, "it is empty"));
    }
    if head.starts_with(PARQUET) {
        check_declared(FileFormat::Parquet, declared)?;
        return spool(raw).map(Source::Parquet);
    }
    if head.starts_with(GZIP) {
        return text(MultiGzDecoder::new(raw), meter, declared);
    }
    if head.starts_with(ZSTD) {
        let decoder = zstd::Decoder::new(raw).map_err(|source| unreadable(0, source))?;
        return text(decoder, meter, declared);
    }
    text(raw, meter, declared)
}

const PARQUET: &[u8] = b"PAR1";
const GZIP: &[u8] = &[0x1f, 0x8b];
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
const UTF8_MARK: &[u8] = &[0xef, 0xbb, 0xbf];
const UTF16_MARKS: [&[u8]; 2] = [&[0xff, 0xfe], &[0xfe, 0xff]];

/// Refuses what certainly is no UTF-8 text, skips the mark that spreadsheets put before it, and tells JSON
/// lines from CSV.
fn text<'a>(
    input: impl Read + 'a,
    meter: Rc<Meter>,
    declared: Option<FileFormat>,
) -> Result<Source<'a>, ImportError> {
    let (head, mut input) = peek(Bounded { input, meter: Rc::clone(&meter) })?;
    let problem = if head.is_empty() {
        Some("it is empty, once decompressed")
    } else if head.starts_with(GZIP) || head.starts_with(ZSTD) {
        Some("it is compressed twice")
    } else if head.starts_with(PARQUET) {
        Some("it is a compressed Parquet file; Parquet compresses itself, so decompress it")
    } else if UTF16_MARKS.iter().any(|mark| head.starts_with(mark)) {
        Some("it is UTF-16; save it as UTF-8")
    } else {
        None
    };
    if let Some(problem) = problem {
        return Err(wrong(declared, problem));
    }
    let mut begin = &head[..];
    if head.starts_with(UTF8_MARK) {
        input.read_exact(&mut [0; UTF8_MARK.len()]).map_err(|source| unreadable(0, source))?;
        begin = &head[UTF8_MARK.len()..];
    }
    let text = Text { input: Box::new(input), meter };
    match begin.iter().find(|byte| !byte.is_ascii_whitespace()) {
        Some(b'{') => check_declared(FileFormat::Jsonl, declared).map(|()| Source::JsonLines(text)),
        Some(b'[') => Err(wrong(
            Some(FileFormat::Jsonl),
            "it is one JSON array; write one object per line (jq -c '.[]')",
        )),
        _ => check_declared(FileFormat::Csv, declared).map(|()| Source::Csv(text)),
    }
}

fn check_declared(found: FileFormat, declared: Option<FileFormat>) -> Result<(), ImportError> {
    match declared {
        Some(declared) if declared != found => Err(wrong(Some(declared), &format!("it looks like {found}"))),
        _ => Ok(()),
    }
}

/// The first bytes (fewer than eight if there are no more), and a reader that still begins with them.
fn peek<'a, R: Read + 'a>(mut input: R) -> Result<(Vec<u8>, impl Read + 'a), ImportError> {
    let mut head = Vec::new();
    input.by_ref().take(8).read_to_end(&mut head).map_err(|source| unreadable(0, source))?;
    Ok((head.clone(), Cursor::new(head).chain(input)))
}

fn wrong(declared: Option<FileFormat>, problem: &str) -> ImportError {
    let format = declared.unwrap_or(FileFormat::Csv);
    ImportError::WrongFormat { format, problem: problem.to_owned() }
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

/// Whether `bytes` of data may have come out of `raw_bytes` of a file.
pub(super) fn is_bomb(bytes: u64, raw_bytes: u64) -> bool {
    bytes > UNSUSPICIOUS_BYTES && bytes / MOST_EXPANSION > raw_bytes
}

/// More than there may be.
#[derive(Debug, thiserror::Error)]
pub(super) enum Excess {
    #[error("{bytes} bytes, at most {MOST_BYTES} are allowed")]
    Data { bytes: u64 },
    #[error("{bytes} bytes from {raw_bytes} compressed ones: more than {MOST_EXPANSION} times as many")]
    Expansion { bytes: u64, raw_bytes: u64 },
    #[error("a row of more than {MOST_ROW_BYTES} bytes")]
    Row,
}

impl From<Excess> for io::Error {
    fn from(excess: Excess) -> Self {
        Self::new(io::ErrorKind::FileTooLarge, excess)
    }
}

/// Counts what was read.
#[derive(Debug, Default)]
pub(super) struct Meter {
    /// Bytes of the file.
    raw: Cell<u64>,
    /// Bytes of the text.
    text: Cell<u64>,
    /// Those of them that were there when the last row ended.
    row_began: Cell<u64>,
    /// Whether the first line ended in `\r\n`; `None` before it has ended.
    crlf: Cell<Option<bool>>,
    /// The last byte of the text so far.
    last: Cell<u8>,
}

impl Meter {
    /// Whether lines end in `\r\n`, as far as the first one tells.
    pub(super) fn ends_in_crlf(&self) -> bool {
        self.crlf.get().unwrap_or(false)
    }

    fn note_line_end(&self, read: &[u8]) {
        if self.crlf.get().is_some() {
            return;
        }
        if let Some(at) = read.iter().position(|&byte| byte == b'\n') {
            let before = if at == 0 { self.last.get() } else { read[at - 1] };
            self.crlf.set(Some(before == b'\r'));
        }
        self.last.set(read.last().copied().unwrap_or_default());
    }

    /// To be called after each row: what comes is another one.
    pub(super) fn row_ended(&self) {
        self.row_began.set(self.text.get());
    }
}

struct Counted<R> {
    input: R,
    meter: Rc<Meter>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(buffer)?;
        self.meter.raw.set(self.meter.raw.get() + read as u64);
        Ok(read)
    }
}

/// Ends with an error where the text gets too long, for itself or for what it was decompressed from, or
/// where a single row does, before a reader keeps it.
struct Bounded<R> {
    input: R,
    meter: Rc<Meter>,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(buffer)?;
        let bytes = self.meter.text.get() + read as u64;
        self.meter.text.set(bytes);
        self.meter.note_line_end(&buffer[..read]);
        if bytes > MOST_BYTES {
            return Err(Excess::Data { bytes }.into());
        }
        let raw_bytes = self.meter.raw.get();
        if is_bomb(bytes, raw_bytes) {
            return Err(Excess::Expansion { bytes, raw_bytes }.into());
        }
        // Readers read ahead, so that a row may begin this much later than it is known to.
        if bytes - self.meter.row_began.get() > MOST_ROW_BYTES + BUFFER_BYTES as u64 {
            return Err(Excess::Row.into());
        }
        Ok(read)
    }
}
