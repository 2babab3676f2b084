//! JSON lines.

use std::io::{self, Write};

use serde::ser::{Serialize, SerializeMap as _, Serializer};

use super::{Cells, Column, Columns, ExportError, local};

pub(super) fn write(columns: &Columns, mut out: impl Write) -> Result<(), ExportError> {
    for row in 0..columns.rows() {
        serde_json::to_writer(&mut out, &Row { columns: &columns.0, row }).map_err(io::Error::from)?;
        out.write_all(b"\n")?;
    }
    out.flush()?;
    Ok(())
}

struct Row<'a> {
    columns: &'a [Column],
    row: usize,
}

impl Serialize for Row<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.columns.len()))?;
        for Column { name, cells } in self.columns {
            match cells {
                Cells::Text(cells) => map.serialize_entry(name, &cells[self.row])?,
                Cells::Time(cells) => map.serialize_entry(name, &cells[self.row])?,
                Cells::Local(zone, cells) => map.serialize_entry(name, &local(cells[self.row], zone))?,
                // JSON has no NaN; serde_json writes null.
                Cells::Number(cells) => map.serialize_entry(name, &cells[self.row])?,
                Cells::Count(cells) => map.serialize_entry(name, &cells[self.row])?,
            }
        }
        map.end()
    }
}
