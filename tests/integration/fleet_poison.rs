//! One message in a hundred is poison. All of it ends in the dead letters with its reason, nothing else does, and
//! what can be mended is replayed.

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use protocol::{Queue, WireMessage};
use tokio::time::sleep;

use crate::{
    books::{confirmed, hour, wait_for_dead_letters, wait_for_hours},
    command_line::{json, succeed},
    fleet::Fleet,
    process::Process,
    stack::in_time,
};

const MESSAGES: u32 = 1_000;
const ONE_IN: u32 = 100;

#[tokio::test(flavor = "multi_thread")]
async fn poison_ends_in_the_dead_letters_and_what_can_be_mended_is_replayed() {
    let fleet = Fleet::with_bikes().await;
    let environment = fleet.environment_now().await;
    let mut recorder = Process::start(&fleet, "recorder");
    let mut reasons = BTreeMap::new();
    for number in 0..MESSAGES {
        let (queue, good) = hour(number);
        confirmed(&environment, queue, &good).await;
        if number % ONE_IN == 0 {
            let (bad, reason) = poison(number / ONE_IN, good);
            confirmed(&environment, queue, &bad).await;
            reasons.insert(bad.properties.message_id, reason);
        }
    }
    in_time(wait_for_hours(&environment, MESSAGES)).await;
    in_time(wait_for_dead_letters(&environment, Queue::Observations, reasons.len() as u64)).await;

    let listed = json(fleet.gatecast().args(["--json", "dead-letters", "list", "observations"]));
    let listed = listed.as_array().expect("a list");
    assert_eq!(listed.len(), reasons.len(), "all of the poison, and nothing else");
    for letter in listed {
        let expected = reasons[letter["message_id"].as_str().expect("an id")];
        let reason = letter["reason"].as_str().expect("a reason");
        assert!(reason.contains(expected), "{reason:?} does not say {expected:?}");
        assert_eq!(letter["attempts"], 1, "it was given up at the first attempt");
    }

    // A letter is shown with its body, and the one that was forgotten to be applied for can be replayed.
    let shown = json(fleet.gatecast().args(["--json", "dead-letters", "show", "observations", "poison-4"]));
    assert_eq!(shown["body"]["dataset"], "not-applied-yet");
    fleet.apply_dataset("not-applied-yet");
    for id in ["poison-4", "poison-9"] {
        succeed(fleet.gatecast().args(["dead-letters", "replay", "observations", id]));
    }
    let dataset = "not-applied-yet".parse().expect("a name");
    in_time(async {
        while environment.history.revision(&dataset).await.expect("asks") == 0 {
            sleep(Duration::from_millis(50)).await; // polls for the event it waits for: they are recorded
        }
    })
    .await;
    let dropped = json(fleet.gatecast().args(["--json", "dead-letters", "drop", "observations", "--all"]));
    assert_eq!(dropped["dropped"], reasons.len() - 2);
    let nobody = fleet.gatecast().args(["dead-letters", "replay", "observations", "nobody"]).output();
    assert_eq!(nobody.expect("starts").status.code(), Some(3));
    recorder.terminate();
}

/// A bad message made of a good one, and what its reason must say.
fn poison(number: u32, good: WireMessage) -> (WireMessage, &'static str) {
    let mut bad = good;
    bad.properties.message_id = format!("poison-{number}");
    let reason = match number % 5 {
        0 => {
            bad.body = Bytes::from_static(b"\xc1\xff\x00 nothing that anybody wrote");
            "observation-batch cannot be decoded"
        }
        1 => {
            bad.properties.kind = "observation-batch.v99".into();
            "type \"observation-batch.v99\" is unknown here"
        }
        2 => {
            bad.properties.content_type = "application/json".into(); // a lie
            "observation-batch cannot be decoded"
        }
        3 => {
            bad.properties.reply_to = Some("train-jobs".into());
            "reply_to \"train-jobs\" must begin with"
        }
        _ => {
            let batch = serde_json::json!({
                "dataset": "not-applied-yet",
                "series": [{ "id": "a", "start": "2020-01-01T00:00:00Z", "frequency": "PT1H", "tz": "UTC",
                             "values": [1.0] }],
            });
            bad.properties.content_type = "application/json".into();
            bad.body = batch.to_string().into();
            "dataset \"not-applied-yet\" was not applied"
        }
    };
    (bad, reason)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_names_what_is_not_as_it_should_be_and_its_mend() {
    let fleet = Fleet::new().await;
    let findings = json(fleet.gatecast().args(["--json", "doctor"]));
    let parts: Vec<&str> =
        findings.as_array().expect("a list").iter().map(|f| f["part"].as_str().expect("a name")).collect();
    assert_eq!(parts, ["broker", "registry", "history", "artifacts", "cache"]);
    assert!(findings[0]["says"].as_str().expect("text").starts_with("RabbitMQ "), "{findings}");

    let queue = fleet.replace_queue("observations").await;
    let ill = fleet.gatecast().arg("doctor").output().expect("starts");
    assert_eq!(ill.status.code(), Some(5));
    let told = String::from_utf8_lossy(&ill.stdout);
    for expected in [&format!("failed broker     {queue}"), "inequivalent arg", "mend: once queue"] {
        assert!(told.contains(expected), "{told} does not say {expected}");
    }

    // Nothing that is wrong with one part keeps it from looking at the others.
    let other_database = crate::fresh::FreshDatabase::new().await;
    let ill = fleet
        .gatecast()
        .env("GATECAST__CACHE__URL", "redis://:canary@127.0.0.1:1")
        .env("GATECAST__REGISTRY__URL", &other_database.url)
        .arg("doctor")
        .output()
        .expect("starts");
    let told = format!("{}{}", String::from_utf8_lossy(&ill.stdout), String::from_utf8_lossy(&ill.stderr));
    for expected in ["failed registry", "mend: run `gatecast migrate`", "ok     history", "failed cache"] {
        assert!(told.contains(expected), "{told} does not say {expected}");
    }
    assert!(!told.contains("canary"), "{told}");
}
