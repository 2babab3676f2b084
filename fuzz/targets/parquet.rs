//! Files of observations: Parquet.
//!
//! The crates that read its pages panic on some damaged files; an import contains that and refuses the file, so
//! that only panics from elsewhere are findings here.

#![no_main]

use libfuzzer_sys::fuzz_target;
use workers::file_format::FileFormat;

mod import;

/// Crates whose panics are contained.
const CONTAINED: [&str; 3] = ["/parquet-", "/arrow-", "/bytes-"];

fuzz_target!(
    init: {
        let abort = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            let file = panic.location().map_or("", std::panic::Location::file);
            if !CONTAINED.iter().any(|name| file.contains(name)) {
                abort(panic);
            }
        }));
    },
    |bytes: &[u8]| { import::check(bytes, FileFormat::Parquet) }
);
