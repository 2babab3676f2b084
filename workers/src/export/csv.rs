//! CSV.

use std::io::{self, Write};

use super::{Cells, Columns, ExportError, local};

pub(super) fn write(columns: &Columns, out: impl Write) -> Result<(), ExportError> {
    let mut csv = ::csv::Writer::from_writer(out);
    csv.write_record(columns.0.iter().map(|column| column.name.as_str())).map_err(io::Error::other)?;
    let mut field = String::new();
    for row in 0..columns.rows() {
        for column in &columns.0 {
            field.clear();
            print(&column.cells, row, &mut field);
            csv.write_field(&field).map_err(io::Error::other)?;
        }
        csv.write_record(None::<&[u8]>).map_err(io::Error::other)?;
    }
    csv.flush()?;
    Ok(())
}

fn print(cells: &Cells, row: usize, field: &mut String) {
    use std::fmt::Write as _;
    let printed = match cells {
        Cells::Text(cells) => field.write_str(&cells[row]),
        Cells::Time(cells) => write!(field, "{}", cells[row]),
        Cells::Local(zone, cells) => field.write_str(&local(cells[row], zone)),
        Cells::Number(cells) if cells[row].is_nan() => Ok(()),
        Cells::Number(cells) => write!(field, "{}", cells[row]),
        Cells::Count(cells) => cells[row].map_or(Ok(()), |count| write!(field, "{count}")),
    };
    printed.expect("writing to a string never fails");
}
