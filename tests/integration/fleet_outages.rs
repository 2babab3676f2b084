//! Redis, PostgreSQL and the artifact store are away, frozen or full of garbage, each and all, and the only
//! forecaster is killed and restarted meanwhile: every request is answered by the incumbent, with the same points
//! as before.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use tokio::time::sleep;

use crate::{
    books::bikes,
    fleet::Fleet,
    load::Load,
    process::Process,
    proxy::{Mode, Proxy, address_in},
    stack::in_time,
};

const PER_SECOND: u32 = 200;
/// Replies that must come once each fault is felt, and after each restart.
const REPLIES: u64 = 100;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Gone {
    Redis,
    Postgres,
    /// The artifact store, too.
    Everything,
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forecaster_answers_with_the_incumbent_whatever_is_gone() {
    let mut scene = Scene::set().await;
    for mode in [Mode::Refused, Mode::Frozen, Mode::Garbage] {
        for gone in [Gone::Redis, Gone::Postgres, Gone::Everything] {
            scene.take_away(gone, mode);
            in_time(scene.answered_without(gone)).await;
            scene.restart_without(gone).await;
            in_time(scene.answered_without(gone)).await;
            scene.give_back(gone);
            // Once everything is back, nothing is stale any more.
            in_time(scene.load.answered_fresh()).await;
            println!("{gone:?} {mode:?}: answered");
        }
    }
    let outcome = scene.load.finish().await;
    println!("{outcome}");
    outcome.assert_all_primary();
    assert_eq!(outcome.answers.len(), 1, "the points are the same as before");
    scene.forecaster.terminate();
}

/// A forecaster under load, whose servers are behind proxies.
struct Scene {
    forecaster: Process,
    load: Load,
    /// The incumbent's artifact in the forecaster's local copy.
    local: PathBuf,
    redis: Proxy,
    postgres: Proxy,
    fleet: Fleet,
}

impl Scene {
    async fn set() -> Self {
        let mut fleet = Fleet::new().await;
        let redis = Proxy::to(address_in(&fleet.redis_url)).await;
        let postgres = Proxy::to(address_in(&fleet.database_url)).await;
        fleet.redis_url = Proxy::in_front_of(&fleet.redis_url, &redis);
        fleet.database_url = Proxy::in_front_of(&fleet.database_url, &postgres);
        fleet.variables = vec![("GATECAST__FORECASTER__POLL", "1s".to_owned())]; // so often it notices an outage
        fleet.bring_bikes();
        let environment = Arc::new(fleet.environment_now().await);
        {
            let _training = Process::start(&fleet, "trainer,gatekeeper");
            fleet.promote_first();
        }
        let (model, ..) = bikes();
        let incumbent = environment.registry.incumbent(&model).await.expect("reads").expect("was promoted");
        let name = incumbent.artifact.to_string();
        let artifacts = fleet.config().forecaster_folder().join("artifacts");
        let local = artifacts.join(&name[..2]).join(&name[2..4]).join(&name);

        let forecaster = Process::start(&fleet, "forecaster");
        let load = Load::start(environment, Fleet::request(), PER_SECOND);
        in_time(load.answered(REPLIES)).await;
        in_time(is_there(&local)).await;
        Self { forecaster, load, local, redis, postgres, fleet }
    }

    fn take_away(&self, gone: Gone, mode: Mode) {
        self.set_mode(gone, mode);
        if gone == Gone::Everything {
            let (artifacts, elsewhere) = self.artifacts();
            fs::rename(artifacts, elsewhere).expect("the artifact store goes too");
        }
    }

    fn give_back(&self, gone: Gone) {
        if gone == Gone::Everything {
            let (artifacts, elsewhere) = self.artifacts();
            fs::rename(elsewhere, artifacts).expect("it comes back");
        }
        self.set_mode(gone, Mode::Open);
    }

    fn set_mode(&self, gone: Gone, mode: Mode) {
        if gone != Gone::Postgres {
            self.redis.set(mode);
        }
        if gone != Gone::Redis {
            self.postgres.set(mode);
        }
    }

    /// The artifact store, and where it is while it is gone.
    fn artifacts(&self) -> (PathBuf, PathBuf) {
        let folder = self.fleet.config().data_folder;
        (folder.join("artifacts"), folder.join("elsewhere"))
    }

    /// Waits until the outage is felt where answers can tell, and then for replies.
    async fn answered_without(&self, gone: Gone) {
        if gone != Gone::Redis {
            self.load.answered_stale().await;
        }
        self.load.answered(REPLIES).await;
    }

    /// Kills the forecaster and starts another one. Where Redis alone is gone, that one has to look there: the local
    /// copy has lost the artifact, until it is got from the store.
    async fn restart_without(&mut self, gone: Gone) {
        self.forecaster.kill();
        if gone != Gone::Redis {
            self.forecaster = Process::start(&self.fleet, "forecaster");
            return;
        }
        fs::remove_file(&self.local).expect("it was there");
        let connections = self.redis.connections();
        self.forecaster = Process::start(&self.fleet, "forecaster");
        in_time(is_there(&self.local)).await;
        assert!(self.redis.connections() > connections, "Redis was not asked");
    }
}

async fn is_there(file: &Path) {
    while !file.exists() {
        sleep(Duration::from_millis(50)).await; // polls for the event it waits for
    }
}
