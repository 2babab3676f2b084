//! A person's own file: from wherever it lies into the history, and forecasts out again.

use std::{net::SocketAddr, path::Path, process::Stdio};

use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
};
use s3s::{auth::SimpleAuth, service::S3ServiceBuilder};
use serde_json::Value;

use crate::{
    command_line::{json, succeed},
    desk::Desk,
};

/// Days of two shops with a weekly pattern, in columns of their own names.
fn shops(days: u32) -> String {
    let start = jiff::civil::date(2024, 1, 1);
    let mut text = "day,shop,sold\n".to_owned();
    for (shop, base) in [("north", 40), ("south", 90)] {
        for day in 0..days {
            let date = start.saturating_add(jiff::Span::new().days(day));
            // Busy weekends, and something that no calendar explains.
            let sold = base + 20 * u32::from(day % 7 >= 5) + (day * day * 7 + day) % 11;
            text.extend([&*date.to_string(), ",", shop, ",", &sold.to_string(), "\n"]);
        }
    }
    text
}

/// A folder with the shops' dataset applied.
fn with_dataset() -> Desk {
    let desk = Desk::new();
    let toml = "name = 'shops'\nfrequency = 'P1D'\ntime_zone = 'UTC'\n";
    let file = desk.file("shops.toml", toml);
    succeed(desk.gatecast().args(["datasets", "apply"]).arg(file));
    desk
}

const COLUMNS: [&str; 8] = ["--id", "shop", "--time", "day", "--value", "sold", "--tz", "none"];

#[test]
fn a_file_comes_in_from_a_path_a_url_and_a_pipe() {
    let desk = with_dataset();
    let file = desk.file("shops 1.csv", shops(10)).display().to_string();
    let url = format!("file://{}", file.replace(' ', "%20"));
    for location in [&*file, &url] {
        let imported = json(desk.gatecast().args(["--json", "import", "shops", location]).args(COLUMNS));
        assert_eq!(imported["report"]["rows"], 20, "{location}");
    }
    let mut piped = desk.gatecast();
    piped.args(["--json", "import", "shops", "-", "--format", "csv"]).args(COLUMNS);
    let piped = piped.stdin(std::fs::File::open(&file).expect("is there")).stdout(Stdio::piped());
    let imported: Value = serde_json::from_slice(&succeed(piped).stdout).expect("is JSON");
    assert_eq!((&imported["recorded"]["new"], &imported["recorded"]["unchanged"]), (&0.into(), &20.into()));
    desk.fails(&["import", "shops", "ftp://host/x.csv"], 4, &["scheme ftp: file, s3, gs and az are known"]);
    desk.fails(&["import", "shops", "file:///no/such.csv"], 3, &["/no/such.csv"]);
}

#[test]
fn a_broken_file_of_any_format_exits_with_4_and_changes_nothing() {
    let desk = with_dataset();
    let good = desk.file("good.csv", shops(10)).display().to_string();
    succeed(desk.gatecast().args(["import", "shops", &good]).args(COLUMNS));
    let object = |y: &str| format!("{{\"shop\":\"x\",\"day\":\"2024-01-01\",\"sold\":{y}}}\n");
    let cases: [(&str, Vec<u8>, &str); 6] = [
        ("rows.jsonl", format!("{}{}", object("1"), object("1e999")).into(), "line 2: sold = \"1e999\""),
        ("rows.parquet", b"PAR1 and nothing more PAR1".to_vec(), "not a Parquet file: it is damaged"),
        ("rows.csv.zst", vec![0x28, 0xb5, 0x2f, 0xfd, 0, 1, 2], "compressed data"),
        (
            "late.csv",
            "shop,day,sold\nx,2024-01-01,1\nx,2024-01-02,1\nx,1704240000000,1\n".into(),
            "milliseconds",
        ),
        ("line.csv", vec![b'x'; 3 << 20], "a row of more than 1048576 bytes"),
        ("wide.csv", "day,north,south\n2024-01-01,1,2\n".into(), "python3 -c 'import csv"),
    ];
    for (name, bytes, says) in cases {
        let file = desk.file(name, bytes).display().to_string();
        let columns = if name == "wide.csv" { &COLUMNS[6..] } else { &COLUMNS[..] };
        desk.fails(&[&["import", "shops", &file], columns].concat(), 4, &[says]);
        assert_eq!(desk.rows(), 20, "{name}");
    }
}

#[test]
fn a_file_becomes_a_judged_model_in_one_command() {
    let desk = Desk::new();
    desk.file("Shops of 2024.csv", shops(250));
    let output = desk.run(&["up", "Shops of 2024.csv"]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let complained = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}{complained}");
    for expected in
        ["steps of P1D", "plain grid", "recorded 500 new", "PROMOTED", "before │ forecast", "north"]
    {
        assert!(said.contains(expected), "{expected}: {said}");
    }
    assert!(said.lines().all(|line| line.chars().count() <= 80), "{said}");
    let asked = ["forecast", "shops-of-2024", "--level", "80", "--level", "95"];
    let forecast = succeed(desk.gatecast().args(asked)).stdout;
    let forecast = String::from_utf8(forecast).expect("is text");
    assert!(forecast.contains("(80 %: "), "{forecast}");
    assert!(forecast.lines().all(|line| line.chars().count() <= 80), "{forecast}");

    // Once more: everything is known, and what a person wrote into the files stays.
    let model = desk.text("shops-of-2024.model.toml").replace("horizon = 7", "horizon = 3");
    desk.file("shops-of-2024.model.toml", &model);
    let again = desk.run(&["up", "Shops of 2024.csv"]);
    let said = String::from_utf8_lossy(&again.stdout);
    assert!(said.contains("as it is in ./shops-of-2024.model.toml"), "{said}");
    assert_eq!(desk.text("shops-of-2024.model.toml"), model);
}

#[test]
fn up_says_what_it_corrects_and_repairs() {
    let desk = Desk::new();
    desk.file("shops.csv", shops(60));
    desk.run(&["up", "shops.csv"]);
    let changed = shops(60).replacen("2024-01-03,north,", "2024-01-03,north,1", 1);
    desk.file("shops.csv", changed + "2024-02-29,south,1\n");
    let output = desk.run(&["up", "shops.csv", "--on-duplicate", "first"]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("duplicates   1\n"), "{said}");
    assert!(said.contains("recorded 0 new, 1 corrected, 119 known before"), "{said}");
}

#[test]
fn up_reads_time_stamps_by_the_zone_that_a_person_wrote_into_the_dataset() {
    let desk = Desk::new();
    desk.file("shops.csv", shops(60));
    succeed(desk.gatecast().args(["init", "shops.csv"]));
    let dataset = desk.text("shops.dataset.toml");
    let changed = dataset.replace("time_zone = \"UTC\"", "time_zone = \"Europe/Berlin\"");
    assert_ne!(changed, dataset);
    desk.file("shops.dataset.toml", changed);
    let output = desk.run(&["up", "shops.csv"]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("first, last  2024-01-01T00:00:00+01:00"), "{said}");
    assert!(said.contains("recorded 120 new") && !said.contains("plain grid"), "{said}");
}

#[test]
fn init_writes_specifications_that_can_be_applied_and_never_over_a_file() {
    let desk = Desk::new();
    desk.file("shops.csv", shops(250));
    let drafted = json(desk.gatecast().args(["--json", "init", "shops.csv"]));
    assert_eq!(drafted["frequency"], "P1D");
    assert_eq!(
        drafted["import"],
        "gatecast import shops shops.csv --id shop --time day --value sold --tz none"
    );
    succeed(desk.gatecast().args(["datasets", "apply", "shops.dataset.toml"]));
    succeed(desk.gatecast().args(["models", "apply", "shops.model.toml"]));
    let import = drafted["import"].as_str().expect("a text").split(' ').skip(1);
    succeed(desk.gatecast().args(import));

    desk.fails(&["init", "shops.csv"], 4, &["shops.dataset.toml is there already"]);
    desk.fails(&["init", "-"], 2, &["stdin"]);

    // Of a place: the import that was told fits the dataset that was drafted.
    let drafted = json(desk.gatecast().args([
        "--json",
        "init",
        "shops.csv",
        "--name",
        "local",
        "--tz",
        "Europe/Berlin",
    ]));
    succeed(desk.gatecast().args(["datasets", "apply", "local.dataset.toml"]));
    let told = drafted["import"].as_str().expect("a text");
    assert!(told.ends_with(" --value sold --tz Europe/Berlin"), "{told}");
    succeed(desk.gatecast().args(told.split(' ').skip(1)));
    desk.fails(&["init", "nothing.csv"], 3, &["nothing.csv"]);
    desk.file("months.csv", "ds,y\n2024-01-01,1\n2024-02-01,2\n2024-03-01,2\n");
    desk.fails(&["init", "months.csv"], 4, &["minutes that divide a day, or of 1 to 7 days"]);
    assert!(!desk.path("months.dataset.toml").exists());
}

#[test]
fn series_with_numbers_for_ids_are_not_drafted_as_one() {
    let desk = Desk::new();
    let numbered = |header: &str| {
        let rows = shops(60).replace("north", "1").replace("south", "2");
        rows.replacen("day,shop,sold", header, 1)
    };
    desk.file("usual.csv", numbered("ds,unique_id,y"));
    let drafted = json(desk.gatecast().args(["--json", "init", "usual.csv"]));
    assert_eq!(
        (&drafted["series"], &drafted["notes"].to_string().contains("--on-duplicate")),
        (&2.into(), &false)
    );
    desk.file("stores.csv", numbered("date,store_id,sales"));
    desk.fails(&["init", "stores.csv"], 4, &["--id must name one of store_id"]);
    assert!(!desk.path("stores.dataset.toml").exists());
    let named = json(desk.gatecast().args(["--json", "init", "stores.csv", "--id", "store_id"]));
    assert_eq!(named["series"], 2);
}

#[test]
fn forecasts_go_out_in_every_format_and_come_in_again() {
    let desk = Desk::new();
    desk.file("shops.csv", shops(60));
    succeed(desk.gatecast().args(["init", "shops.csv"]));
    succeed(desk.gatecast().args(["datasets", "apply", "shops.dataset.toml"]));
    succeed(desk.gatecast().args(["models", "apply", "shops.model.toml"]));
    succeed(desk.gatecast().args(["import", "shops", "shops.csv"]).args(COLUMNS));
    let other = desk.file("other.toml", "name = 'other'\nfrequency = 'P1D'\ntime_zone = 'UTC'\n");
    succeed(desk.gatecast().args(["datasets", "apply"]).arg(other));
    for name in ["rows.csv", "rows.jsonl", "rows.parquet"] {
        let said =
            json(desk.gatecast().args(["--json", "forecast", "shops", "--horizon", "3", "--out", name]));
        assert_eq!((&said["rows"], &said["series"]), (&6.into(), &2.into()), "{name}");
        let read = json(desk.gatecast().args(["--json", "import", "other", name, "--value", "forecast"]));
        assert_eq!(
            (&read["report"]["rows"], &read["report"]["first"]),
            (&6.into(), &"2024-03-01T00:00:00Z".into())
        );
        assert_eq!(read["recorded"]["corrected"], 0, "the same numbers in each");
    }
    let csv =
        succeed(desk.gatecast().args(["forecast", "shops", "--horizon", "1", "--format", "csv"])).stdout;
    let csv = String::from_utf8(csv).expect("is text");
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(lines[0], "unique_id,ds,forecast,version,origin,route");
    assert!(
        lines[1].starts_with("north,2024-03-01T00:00:00Z,")
            && lines[1].ends_with(",,2024-03-01T00:00:00Z,fallback"),
        "{csv}"
    );
    let levels = ["--horizon", "1", "--format", "csv", "--level", "95", "--level", "80"];
    let csv = succeed(desk.gatecast().args(["forecast", "shops"]).args(levels)).stdout;
    let csv = String::from_utf8(csv).expect("is text");
    assert!(csv.starts_with("unique_id,ds,forecast,lo-80,hi-80,lo-95,hi-95,version,origin,route\n"), "{csv}");
    desk.fails(&["forecast", "shops", "--out", "rows.xlsx"], 2, &["rows.xlsx: the name must end in .csv"]);
}

#[test]
fn init_proposes_learners_for_what_the_series_are_like() {
    let desk = Desk::new();
    let hours = |load: fn(i64) -> i64| {
        let start = jiff::civil::date(2024, 1, 1).at(0, 0, 0, 0);
        let row = |hour| format!("{},{}\n", start + jiff::Span::new().hours(hour), load(hour));
        format!("ds,y\n{}", (0..24 * 60).map(row).collect::<String>())
    };
    for (name, load, proposed) in [
        ("load.csv", (|hour| 100 + hour % 24) as fn(i64) -> i64, &["mstl"][..]),
        ("spare-parts.csv", |hour| if hour % 5 == 0 { 3 } else { 0 }, &["croston", "tsb"]),
        ("people.csv", |hour| hour % 24, &[]),
    ] {
        desk.file(name, hours(load));
        succeed(desk.gatecast().args(["init", name]));
        let model = desk.text(&name.replace(".csv", ".model.toml"));
        for specialist in ["mstl", "croston", "tsb"] {
            let is_there = model.contains(&format!("learner = \"{specialist}\""));
            assert_eq!(is_there, proposed.contains(&specialist), "{name}, {specialist}: {model}");
        }
        let name = name.replace(".csv", "");
        succeed(desk.gatecast().args(["datasets", "apply", &format!("{name}.dataset.toml")]));
        succeed(desk.gatecast().args(["models", "apply", &format!("{name}.model.toml")]));
    }
}

#[test]
fn shells_and_man_know_every_command() {
    let desk = Desk::new();
    for shell in ["bash", "zsh", "fish"] {
        let script = String::from_utf8(succeed(desk.gatecast().args(["completions", shell])).stdout);
        assert!(script.expect("is text").contains("dead-letters"), "{shell}");
    }
    let page = String::from_utf8(succeed(desk.gatecast().args(["man", "import"])).stdout).expect("is text");
    assert!(page.contains(".TH") && page.contains("on\\-duplicate"), "{page}");
    desk.fails(&["man", "magic"], 3, &["no command \"magic\""]);
}

/// An S3 server of its own on a folder; lets `key` in with `secret`.
async fn object_store(folder: &Path) -> SocketAddr {
    let files = s3s_fs::FileSystem::new(folder).expect("a folder");
    let mut builder = S3ServiceBuilder::new(files);
    builder.set_auth(SimpleAuth::from_single("key", "secret"));
    let service = builder.build();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("has one");
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let service = service.clone();
            tokio::spawn(async move {
                let http = Builder::new(TokioExecutor::new());
                // A client that goes away ends its connection only.
                let _ = http.serve_connection(TokioIo::new(socket), service).await;
            });
        }
    });
    address
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_comes_in_from_an_object_store() {
    let store = tempfile::tempdir().expect("a folder");
    std::fs::create_dir_all(store.path().join("bucket/demand")).expect("a folder");
    std::fs::write(store.path().join("bucket/demand/shops.csv"), shops(700)).expect("writes");
    let address = object_store(store.path()).await;
    let import = |secret: &str, object: &str, endpoint: &str| {
        let desk = with_dataset();
        let mut command = desk.gatecast();
        command.args(["--json", "import", "shops", object]).args(COLUMNS);
        command.env("AWS_ACCESS_KEY_ID", "key").env("AWS_SECRET_ACCESS_KEY", secret);
        command
            .env("AWS_ENDPOINT_URL", endpoint)
            .env("AWS_ALLOW_HTTP", "true")
            .env("AWS_REGION", "us-east-1");
        (command.output().expect("starts"), desk.rows())
    };
    let told = tokio::task::spawn_blocking(move || {
        let endpoint = format!("http://{address}");
        let object = "s3://bucket/demand/shops.csv";
        [
            import("secret", object, &endpoint),
            import("secret", "s3://bucket/demand/none.csv", &endpoint),
            import("wrong", object, &endpoint),
            // Nobody listens there.
            import("secret", object, "http://127.0.0.1:1"),
        ]
    });
    let told = told.await.expect("runs");
    let code = |at: usize| told[at].0.status.code();
    let complained = |at: usize| String::from_utf8_lossy(&told[at].0.stderr).into_owned();
    assert_eq!((code(0), told[0].1), (Some(0), 1400), "{}", complained(0));
    assert_eq!((code(1), told[1].1), (Some(3), 0), "{}", complained(1));
    assert!(complained(1).contains("s3://bucket/demand/none.csv"), "{}", complained(1));
    assert_eq!((code(2), told[2].1), (Some(5), 0), "{}", complained(2));
    assert_eq!((code(3), told[3].1), (Some(5), 0), "{}", complained(3));
}
