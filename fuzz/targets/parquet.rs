//! Files of observations: Parquet.

#![no_main]

use libfuzzer_sys::fuzz_target;
use workers::file_format::FileFormat;

mod import;

fuzz_target!(|bytes: &[u8]| import::check(bytes, FileFormat::Parquet));
