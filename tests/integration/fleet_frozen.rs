//! A forecaster whose servers are silent: they accept and never answer, or are not there when it starts. It
//! answers what it can, says how old that is, and ends within its grace.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use protocol::{
    ContentType, Destination, Queue, WireMessage, decode,
    messages::{ForecastReply, ForecastRequest, RefusalReason, SeriesValues},
};
use tokio::task::JoinSet;
use workers::{asker::ask, environment::Environment};

use crate::{
    books::NEW_YEAR,
    fleet::Fleet,
    fleet_probed::{free_port, get},
    load::Load,
    process::Process,
    proxy::{Mode, Proxy, address_in},
    stack::{PATIENCE, at, in_time},
};

/// Replies that must come after a fault began.
const REPLIES: u64 = 100;
/// As many requests as a forecaster takes at once, several times over.
const UNKNOWN: usize = 300;
const GRACE: Duration = Duration::from_secs(2);

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_nobody_can_answer_hold_up_no_other_while_postgres_is_frozen() {
    let mut fleet = Fleet::new().await;
    let postgres = Proxy::to(address_in(&fleet.database_url)).await;
    let direct = fleet.database_url.clone();
    fleet.bring_bikes();
    let environment = Arc::new(fleet.environment_now().await);
    {
        let _training = Process::start(&fleet, "trainer,gatekeeper");
        fleet.promote_first();
    }
    fleet.database_url = Proxy::in_front_of(&direct, &postgres);
    let port = free_port();
    let mut forecaster = Process::start_probed(&fleet, "forecaster", port);
    let load = Load::start(environment.clone(), Fleet::request(), 50);
    in_time(load.answered_fresh()).await;

    postgres.set(Mode::Frozen);
    let frozen_at = environment.clock.now();
    let age_before = age(port);
    let mut unknown = JoinSet::new();
    for _request in 0..UNKNOWN {
        let environment = environment.clone();
        unknown.spawn(async move {
            let request = ForecastRequest { model: "bike-demnd".into(), ..Fleet::request() };
            reply(&environment, &request).await
        });
    }
    in_time(load.answered(REPLIES)).await;
    while let Some(refused) = in_time(unknown.join_next()).await {
        let refused = refused.expect("no panic");
        let is_unknown =
            matches!(refused, ForecastReply::Refused { reason: RefusalReason::UnknownModel, .. });
        assert!(is_unknown, "{refused:?}");
    }
    // What is answered is as of before the fault, and grows older.
    let since = in_time(stale_since(&environment)).await;
    assert!(since <= frozen_at, "stale since {since}, but frozen at {frozen_at}");
    let older = async {
        while age(port) < age_before + 1.0 {
            tokio::time::sleep(Duration::from_millis(100)).await; // polls for the event it waits for
        }
    };
    in_time(older).await;
    postgres.set(Mode::Open);
    in_time(load.answered_fresh()).await;
    load.finish().await.assert_all_primary();
    forecaster.terminate();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forecaster_ends_within_its_grace_while_its_history_is_frozen() {
    let mut fleet = Fleet::with_bikes().await;
    let postgres = Proxy::to(address_in(&fleet.database_url)).await;
    fleet.variables = vec![
        ("GATECAST__HISTORY__URL", Proxy::in_front_of(&fleet.database_url, &postgres)),
        ("GATECAST__FORECASTER__POLL", "1s".to_owned()),
        ("GATECAST__RUNNER__GRACE", format!("{}s", GRACE.as_secs())),
    ];
    let environment = fleet.environment_now().await;
    let mut forecaster = Process::start(&fleet, "forecaster");
    reply(&environment, &Fleet::request()).await;
    postgres.set(Mode::Frozen);
    in_time(stale_since(&environment)).await; // a look has begun that takes two minutes to fail
    forecaster.terminate_within(GRACE);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forecaster_ends_within_its_grace_while_its_broker_takes_nothing() {
    let mut fleet = Fleet::with_bikes().await;
    let (url, _prefix) = fleet.broker();
    let rabbit = Proxy::to(address_in(&url)).await;
    fleet.variables = vec![
        ("GATECAST__BROKER__URL", Proxy::in_front_of(&url, &rabbit)),
        ("GATECAST__RUNNER__GRACE", format!("{}s", GRACE.as_secs())),
    ];
    let environment = fleet.environment_now().await;
    let mut forecaster = Process::start(&fleet, "forecaster");
    reply(&environment, &Fleet::request()).await;

    // It is given as many requests as it takes, each for a hundred series, and gets rid of no forecast.
    rabbit.set(Mode::Deaf);
    let request =
        ForecastRequest { history: a_hundred_series(), horizon: Some(1), origin: None, ..Fleet::request() };
    for number in 0..64 {
        let id = format!("deaf-{number}");
        let message = WireMessage::new(&request, ContentType::MessagePack, id).expect("a small body");
        let to = Destination::Queue(Queue::ForecastRequests);
        environment.broker.publish(&to, message).await.expect("published");
    }
    let in_trouble = async {
        while !forecaster.said().contains("will be missing in the history") {
            tokio::time::sleep(Duration::from_millis(50)).await; // polls for the event it waits for
        }
    };
    in_time(in_trouble).await;
    forecaster.terminate_within(GRACE);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forecaster_that_starts_before_its_broker_answers_as_soon_as_that_is_there() {
    let mut fleet = Fleet::with_bikes().await;
    let (url, _prefix) = fleet.broker();
    let rabbit = Proxy::to(address_in(&url)).await;
    rabbit.set(Mode::Refused);
    fleet.variables = vec![("GATECAST__BROKER__URL", Proxy::in_front_of(&url, &rabbit))];
    let environment = fleet.environment_now().await;
    let mut forecaster = Process::start(&fleet, "forecaster");
    let given_up_once = async {
        while !forecaster.said().contains("events are not heard") {
            tokio::time::sleep(Duration::from_millis(50)).await; // polls for the event it waits for
        }
    };
    in_time(given_up_once).await;
    rabbit.set(Mode::Open);
    reply(&environment, &Fleet::request()).await;
    forecaster.terminate();
}

async fn reply(environment: &Environment, request: &ForecastRequest) -> ForecastReply {
    let mut asked = ask(&*environment.broker, Queue::ForecastRequests, request).await.expect("published");
    decode(&asked.reply(PATIENCE).await.expect("a reply")).expect("a forecast reply")
}

/// Asks until a reply is stale.
async fn stale_since(environment: &Environment) -> Timestamp {
    loop {
        if let ForecastReply::Answered { stale_since: Some(since), .. } =
            reply(environment, &Fleet::request()).await
        {
            return since;
        }
        tokio::time::sleep(Duration::from_millis(100)).await; // polls for the event it waits for
    }
}

/// The age of the incumbent in seconds.
fn age(port: u16) -> f64 {
    let metrics = get(port, "/metrics").expect("an answer");
    let line =
        metrics.lines().find(|line| line.starts_with("gatecast_model_age_seconds{")).expect("is measured");
    line.rsplit(' ').next().and_then(|number| number.parse().ok()).expect("a number")
}

fn a_hundred_series() -> Vec<SeriesValues> {
    let one = |number| SeriesValues {
        id: format!("dock-{number}"),
        start: at(NEW_YEAR),
        frequency: "PT1H".into(),
        tz: "America/New_York".into(),
        values: vec![Some(1.0); 400],
    };
    (0..100).map(one).collect()
}
