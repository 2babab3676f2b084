//! Redis, PostgreSQL and the artifact store are away, frozen or full of garbage, each and all, and the only
//! forecaster is killed and restarted meanwhile: every request is answered by the incumbent, with the same points
//! as before.

use std::{fs, sync::Arc};

use crate::{
    fleet::Fleet,
    load::Load,
    process::Process,
    proxy::{Mode, Proxy, address_in},
    stack::in_time,
};

const PER_SECOND: u32 = 200;
/// Replies that must come after each fault began, and after each restart.
const REPLIES: u64 = 100;

#[tokio::test(flavor = "multi_thread")]
async fn a_forecaster_answers_with_the_incumbent_whatever_is_gone() {
    let mut fleet = Fleet::new().await;
    let redis = Proxy::to(address_in(&fleet.redis_url)).await;
    let postgres = Proxy::to(address_in(&fleet.database_url)).await;
    fleet.redis_url = Proxy::in_front_of(&fleet.redis_url, &redis);
    fleet.database_url = Proxy::in_front_of(&fleet.database_url, &postgres);
    fleet.bring_bikes();
    let environment = Arc::new(fleet.environment_now().await);
    {
        let _training = Process::start(&fleet, "trainer,gatekeeper");
        fleet.promote_first();
    }
    let mut forecaster = Process::start(&fleet, "forecaster");
    let load = Load::start(environment.clone(), Fleet::request(), PER_SECOND);
    in_time(load.answered(REPLIES)).await;

    let artifacts = fleet.config().data_folder.join("artifacts");
    let elsewhere = fleet.config().data_folder.join("elsewhere");
    for mode in [Mode::Refused, Mode::Frozen, Mode::Garbage] {
        for (what, proxies) in
            [("Redis", &[&redis][..]), ("PostgreSQL", &[&postgres]), ("all of them", &[&redis, &postgres])]
        {
            for proxy in proxies {
                proxy.set(mode);
            }
            if proxies.len() == 2 {
                fs::rename(&artifacts, &elsewhere).expect("the artifact store goes too");
            }
            in_time(load.answered(REPLIES)).await;
            forecaster.kill();
            forecaster = Process::start(&fleet, "forecaster");
            in_time(load.answered(REPLIES)).await;
            if proxies.len() == 2 {
                fs::rename(&elsewhere, &artifacts).expect("it comes back");
            }
            for proxy in proxies {
                proxy.set(Mode::Open);
            }
            println!("{what} {mode:?}: answered");
        }
    }
    // Once everything is back, nothing is stale any more.
    in_time(load.answered_fresh()).await;
    let outcome = load.finish().await;
    println!("{outcome}");
    outcome.assert_all_primary();
    assert!(outcome.stale > 0, "nobody was told that PostgreSQL was away");
    assert_eq!(outcome.answers.len(), 1, "the points are the same as before");
    forecaster.terminate();
}
