//! From wide to long format, with tools that are there already.

use url::Url;

use crate::terminal::quoted;

/// Says how the file at `location` is written in long format: its times stand in the column `time`, its series
/// in the others. No tool that is there already reads from every store, so that an object is to be copied first.
pub(crate) fn advice(location: &str, time: &str) -> String {
    let Some(url) = Url::parse(location).ok().filter(|_| location.contains("://")) else {
        return command(location, time);
    };
    if let Some(path) = url.to_file_path().ok().filter(|_| url.scheme() == "file") {
        return command(&path.to_string_lossy(), time);
    }
    let name = url.path().rsplit('/').next().unwrap_or_default();
    format!("with a copy of {url} here:\n  {}", command(name, time))
}

/// A command line that does so with a file of this machine, or with what is piped into it.
fn command(file: &str, time: &str) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_is_given_no_name_that_it_cannot_open() {
        for (location, names) in [
            ("sales.csv", "< sales.csv python3 "),
            ("file:///tmp/my%20sales.csv", "< '/tmp/my sales.csv' python3 "),
            (
                "s3://bucket/2024/sales.csv",
                "with a copy of s3://bucket/2024/sales.csv here:\n  < sales.csv python3 ",
            ),
            (
                "gs://bucket/sales.csv.gz",
                "with a copy of gs://bucket/sales.csv.gz here:\n  gzip -dc sales.csv.gz | ",
            ),
        ] {
            let advice = advice(location, "date");
            assert!(advice.starts_with(names), "{advice}");
        }
        let parquet = advice("az://container/sales.parquet", "date");
        assert!(parquet.ends_with("' sales.parquet date"), "{parquet}");
        assert!(advice("-", "date").starts_with("python3 "), "a pipe stays one");
    }
}
