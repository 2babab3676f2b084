//! From wide to long format, with tools that are there already.

use crate::terminal::quoted;

/// A command line that writes `file`, whose times stand in the column `time` and whose series in the others,
/// in long format.
pub(crate) fn command(file: &str, time: &str) -> String {
    let lower = file.to_ascii_lowercase();
    let mut endings = lower.rsplit('.');
    let last = endings.next();
    let packed = last.filter(|ending| ["gz", "zst"].contains(ending));
    let (program, ending) = match packed.map_or(last, |_| endings.next()) {
        Some("parquet" | "pq") => return parquet(file, time),
        Some("jsonl" | "ndjson") => (JSON_LINES, "jsonl"),
        _ => (CSV, "csv"),
    };
    let time = quoted(time);
    let (from, into) = match (file, packed) {
        ("-", _) => (String::new(), "long"),
        (file, Some("gz")) => (format!("gzip -dc {} | ", quoted(file)), file),
        (file, Some(_)) => (format!("zstd -dc {} | ", quoted(file)), file),
        (file, None) => (format!("< {} ", quoted(file)), file),
    };
    format!("{from}python3 -c '{program}' {time} > {}", quoted(&format!("{into}.long.{ending}")))
}

const CSV: &str = r#"import csv,sys; t=sys.argv[1]; sys.stdin.reconfigure(encoding="utf-8-sig"); w=csv.writer(sys.stdout); w.writerow(["unique_id","ds","y"]); w.writerows([k,r[t],v] for r in csv.DictReader(sys.stdin) for k,v in r.items() if k!=t and v)"#;

const JSON_LINES: &str = r"import json,sys; t=sys.argv[1]; [print(json.dumps(dict(unique_id=k,ds=o[t],y=v))) for o in map(json.loads,sys.stdin) for k,v in o.items() if k!=t and v is not None]";

/// Python alone cannot read Parquet.
fn parquet(file: &str, time: &str) -> String {
    const PROGRAM: &str = r#"import pandas,sys; f,t=sys.argv[1:]; pandas.read_parquet(f).melt(t,var_name="unique_id",value_name="y").dropna().rename(columns={t:"ds"}).to_parquet(f+".long.parquet")"#;
    format!("python3 -c '{PROGRAM}' {} {}", quoted(file), quoted(time))
}
