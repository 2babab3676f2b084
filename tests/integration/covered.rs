//! A dataset with covariates, from its specification to forecasts that follow them.

use forecasting::spec::{DatasetSpec, ModelSpec};
use history::Rows;
use protocol::{
    ContentType, Destination, Message as _, RoutingKey, WireMessage,
    messages::{ForecastReply, ObservationsRecorded},
};
use serde_json::Value;
use workers::{
    import::{self, ColumnNames, CovariateNames, ImportOptions},
    roles::Role,
};

use crate::{
    backtested::{line, priced_shops},
    command_line::{json, succeed},
    desk::Desk,
    stack::{Stack, in_time, promoted, request},
};

const DATASET: &str = "name = 'shops'\nfrequency = 'P1D'\ntime_zone = 'UTC'\n";
const COVARIATES: &str = "[covariates]\nknown = ['price']\nstatic = ['region']\n";
const MODEL: &str = "name = 'shops'\ndataset = 'shops'\nhorizon = 7\n[[learners]]\nlearner = 'elastic-net'\n";

/// The first day of which nobody knows yet what was sold: 2025-01-28.
const TODAY: i64 = 393;

/// 400 days of prices, and what was sold at them until yesterday.
fn shops() -> String {
    priced_shops(|shop, day, mut cells| {
        if day >= TODAY {
            cells[1].clear();
        }
        line(shop, &cells)
    })
}

/// The week from today on, at one price.
fn week_at(price: &str) -> String {
    priced_shops(|shop, day, mut cells| {
        if day < TODAY {
            return String::new();
        }
        cells[1].clear();
        price.clone_into(&mut cells[2]);
        line(shop, &cells)
    })
}

/// A folder with the shops' dataset and model applied, and nothing imported.
fn with_shops() -> Desk {
    let desk = Desk::new();
    desk.file("shops.dataset.toml", DATASET.to_owned() + COVARIATES);
    desk.file("shops.model.toml", MODEL);
    succeed(desk.gatecast().args(["datasets", "apply", "shops.dataset.toml"]));
    succeed(desk.gatecast().args(["models", "apply", "shops.model.toml"]));
    desk
}

fn import(desk: &Desk, rows: String) -> Value {
    desk.file("shops.csv", rows);
    json(desk.gatecast().args(["--json", "import", "shops", "shops.csv", "--tz", "none"]))
}

fn counts(new: u64, corrected: u64, unchanged: u64) -> Value {
    serde_json::json!({ "new": new, "corrected": corrected, "unchanged": unchanged })
}

/// What the first shop will sell in the week from today on.
fn forecast(desk: &Desk) -> Vec<f64> {
    let reply = json(desk.gatecast().args(["--json", "forecast", "shops", "--series", "north-1"]));
    let forecast = &reply["forecasts"][0];
    assert_eq!((&forecast["route"], &forecast["start"]), (&"primary".into(), &"2025-01-28T00:00:00Z".into()));
    let values = forecast["values"].as_array().expect("a list");
    values.iter().map(|value| value.as_f64().expect("a number")).collect()
}

#[test]
fn forecasts_follow_prices_that_are_known_in_advance() {
    let desk = with_shops();
    let imported = import(&desk, shops());
    assert_eq!(imported["recorded"], counts(786, 0, 0));
    assert_eq!(imported["covariates"], counts(802, 0, 0), "a price for each day and shop, and two regions");
    let again = import(&desk, shops());
    assert_eq!((&again["recorded"], &again["covariates"]), (&counts(0, 0, 786), &counts(0, 0, 802)));

    let decision = json(desk.gatecast().args(["--json", "train", "shops", "--wait"]));
    assert_eq!(decision["decision"], "promoted", "{decision}");

    import(&desk, week_at("1"));
    let dear = forecast(&desk);
    import(&desk, week_at("0.5"));
    let cheap = forecast(&desk);
    assert_eq!((dear.len(), cheap.len()), (7, 7));
    assert!(dear.iter().zip(&cheap).all(|(dear, cheap)| *cheap > 1.3 * dear), "{dear:?}, {cheap:?}");

    // Prices end on 2025-02-03, and a week from the 30th does not.
    let beyond = ["forecast", "shops", "--series", "north-1", "--origin", "2025-01-30T00:00:00Z"];
    let missing = "price is declared as known in advance, and is missing for series north-1 at \
                   2025-02-04T00:00:00Z";
    desk.fails(&beyond, 4, &[missing]);
    let refused = desk.run(&[&["--json"], &beyond[..]].concat());
    let reply: Value = serde_json::from_slice(&refused.stdout).expect("is JSON");
    assert_eq!((&reply["outcome"], &reply["reason"]), (&"refused".into(), &"missing_covariate".into()));
}

/// Records rows of the shops as an import does, and says so.
async fn bring(stack: &Stack, dataset: &DatasetSpec, rows: &str) {
    let columns =
        ColumnNames { covariates: CovariateNames::of(&dataset.covariates), ..ColumnNames::default() };
    let options = ImportOptions { columns, time_zone: Some("none".to_owned()), ..ImportOptions::default() };
    let imported = import::read(rows.as_bytes(), &options, dataset, stack.now()).expect("reads");
    let rows = Rows { observations: &imported.observations, covariates: &imported.covariates };
    let environment = &stack.environment;
    let recorded = environment.history.record_rows(&dataset.name, &dataset.grid(), rows, stack.now()).await;
    let recorded = recorded.expect("records").values;
    let event = ObservationsRecorded {
        dataset: dataset.name.to_string(),
        new: recorded.new,
        corrected: recorded.corrected,
        unchanged: recorded.unchanged,
    };
    let message = WireMessage::new(&event, ContentType::Json, "imported").expect("a small body");
    let key = RoutingKey::new(ObservationsRecorded::KIND, dataset.name.as_str());
    environment.broker.publish(&Destination::Event(key), message).await.expect("published");
}

/// Asks until a version forecasts the first step of the first shop, above a value if one is given.
async fn first_step(stack: &Stack, model: &ModelSpec, above: Option<f64>) -> f64 {
    let asking = async {
        loop {
            if let ForecastReply::Answered { forecasts, .. } = stack.forecast(&request(model)).await
                && let Some(first) = forecasts.first().filter(|first| first.version == Some(1))
                && let Some(value) =
                    first.points.values[0].filter(|value| above.is_none_or(|above| *value > above))
            {
                return value;
            }
            tokio::task::yield_now().await;
        }
    };
    in_time(asking).await
}

#[tokio::test]
async fn a_running_forecaster_hears_of_new_prices() {
    let mut stack = Stack::still().await;
    let dataset: DatasetSpec = toml::from_str(&(DATASET.to_owned() + COVARIATES)).expect("a specification");
    let model: ModelSpec = toml::from_str(MODEL).expect("a specification");
    let registry = stack.environment.registry.clone();
    registry.apply_dataset(&dataset, stack.now()).await.expect("applies");
    registry.apply_model(&model, stack.now()).await.expect("applies");
    bring(&stack, &dataset, &shops()).await;
    bring(&stack, &dataset, &week_at("1")).await;
    stack.run(&[Role::Trainer, Role::Gatekeeper, Role::Forecaster]);
    promoted(stack.train(&model, "elastic-net").await);
    let dear = first_step(&stack, &model, None).await;
    bring(&stack, &dataset, &week_at("0.5")).await;
    let cheap = first_step(&stack, &model, Some(dear)).await;
    assert!(cheap > 1.3 * dear, "{cheap} is not much more than {dear}");
    stack.finish().await;
}

#[test]
fn a_version_that_learned_without_what_is_declared_is_kept_out_and_told_why() {
    let desk = with_shops();
    let without_prices = priced_shops(|shop, day, mut cells| {
        cells[2].clear();
        if day < TODAY { line(shop, &cells) } else { String::new() }
    });
    import(&desk, without_prices);
    let refused = desk.run(&["--json", "train", "shops", "--wait"]);
    assert_eq!(refused.status.code(), Some(6), "{}", String::from_utf8_lossy(&refused.stderr));
    let said = String::from_utf8_lossy(&refused.stdout);
    assert!(
        said.contains("price is declared as known in advance, and is missing for series north-1"),
        "{said}"
    );
    // Who answers without an incumbent looks at values alone.
    let reply = json(desk.gatecast().args(["--json", "forecast", "shops"]));
    assert_eq!(reply["forecasts"][1]["reason"], "no_incumbent");
}

#[test]
fn a_candidate_whose_forecasts_go_with_prices_as_nobody_would_buy_is_kept_out() {
    let desk = with_shops();
    import(&desk, shops());
    let apply = ["models", "apply", "shops.model.toml"];
    let declare = |covariate: &str, direction: &str| {
        let contract = format!("covariate = '{covariate}'\ndirection = '{direction}'\n");
        desk.file(
            "shops.model.toml",
            format!("{MODEL}[[contracts]]\ncontract = 'covariate-effect'\n{contract}"),
        );
    };
    declare("rain", "decreasing");
    let unknown = "contracts[0].covariate = rain: is not known in advance; of dataset shops that is price";
    desk.fails(&apply, 4, &[unknown]);

    // Nobody buys more because it is dear: the candidate is right, and the contract is not.
    declare("price", "increasing");
    succeed(desk.gatecast().args(apply));
    let refused = desk.run(&["--json", "train", "shops", "--wait"]);
    assert_eq!(refused.status.code(), Some(6), "{}", String::from_utf8_lossy(&refused.stderr));
    let said = String::from_utf8_lossy(&refused.stdout);
    let sentence = "contract: forecasts do not fall with price; with price up from 0.5 to 1, the candidate's \
                    forecast of series ";
    assert!(said.contains(sentence), "{said}");

    declare("price", "decreasing");
    succeed(desk.gatecast().args(apply));
    let decision = json(desk.gatecast().args(["--json", "train", "shops", "--wait"]));
    assert_eq!(decision["decision"], "promoted", "{decision}");
    for version in ["1", "2"] {
        succeed(desk.gatecast().args(["verdict", "shops", version, "--replay"]));
    }
}

#[test]
fn a_file_without_a_declared_column_changes_nothing() {
    let desk = with_shops();
    desk.file("bare.csv", "unique_id,ds,y,region\nnorth-1,2024-01-01,1,north\n");
    let says = "header: no column price (known in advance); found unique_id, ds, y, region";
    desk.fails(&["import", "shops", "bare.csv", "--tz", "none"], 4, &[says]);
    assert_eq!(desk.rows(), 0);
}

#[test]
fn a_covariate_may_be_declared_later_and_not_be_taken_back() {
    let desk = with_shops();
    let apply = |covariates: &str, expected: Result<u64, &str>| {
        desk.file("changed.toml", DATASET.to_owned() + covariates);
        match expected {
            Ok(version) => {
                let applied = json(desk.gatecast().args(["--json", "datasets", "apply", "changed.toml"]));
                assert_eq!(applied["version"], version, "{covariates}");
            }
            Err(says) => desk.fails(&["datasets", "apply", "changed.toml"], 4, &[says]),
        }
    };
    apply("", Ok(2)); // nothing is stored yet
    apply(COVARIATES, Ok(3));
    import(&desk, shops());
    apply(
        "",
        Err("covariates.known \"\": shops has 786 stored observations with covariates.known \"price\""),
    );
    let as_past = "[covariates]\npast = ['price']\nstatic = ['region']\n";
    apply(as_past, Err("covariates.known \"\""));
    let more = "[covariates]\nknown = ['price']\npast = ['visits']\nstatic = ['region']\n";
    apply(more, Ok(4));
    let imported = import(&desk, shops());
    assert_eq!(imported["covariates"]["new"], 800, "visits that the same file had all along");
    let twice = "[covariates]\nknown = ['price']\npast = ['price']\n";
    apply(twice, Err("covariates.past = price: is declared as known already"));
}
