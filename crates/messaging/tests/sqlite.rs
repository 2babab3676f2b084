//! The embedded broker keeps the contract, and what is its own: the file survives its process, one
//! process owns it, others are guests.

use std::{path::PathBuf, sync::Arc, time::Duration};

use clock::{Clock, ManualClock, SystemClock};
use futures::future::{join, join_all};
use jiff::{SignedDuration, Timestamp};
use messaging::{
    Access, Broker, ConsumeError, Deliveries, Delivery, SettleError, Settlement, SqliteBroker,
    contract::{Stage, or_hangs},
};
use protocol::{
    ContentType, Destination, Queue, RoutingKey, WireMessage,
    messages::{TrainJob, TrainReason},
};
use sqlx::{ConnectOptions, SqliteConnection, sqlite::SqliteConnectOptions};
use tempfile::TempDir;

async fn open_one() -> Stage {
    let folder = Folder::new();
    Stage::exact(Arc::new(folder.owner().await), Box::new(folder))
}

messaging::broker_contract!(open_one, #[tokio::test]);

/// A data folder whose processes come and go.
struct Folder {
    folder: TempDir,
    clock: Arc<ManualClock>,
}

impl Folder {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().expect("a temporary folder"),
            clock: Arc::new(ManualClock::at(Timestamp::UNIX_EPOCH)),
        }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("queues.sqlite")
    }

    /// With the machine's clock, as the contract's short delays need it.
    async fn owner(&self) -> SqliteBroker {
        self.open(Access::Owner, Arc::new(SystemClock)).await
    }

    async fn owner_on_manual_clock(&self) -> SqliteBroker {
        self.open(Access::Owner, self.clock.clone()).await
    }

    async fn guest(&self) -> SqliteBroker {
        self.open(Access::Guest, Arc::new(SystemClock)).await
    }

    async fn open(&self, access: Access, clock: Arc<dyn Clock>) -> SqliteBroker {
        SqliteBroker::open(self.file(), access, clock).await.expect("it opens")
    }

    /// Behind the broker's back.
    async fn connect(&self) -> SqliteConnection {
        let options = SqliteConnectOptions::new().filename(self.file());
        options.connect().await.expect("it connects")
    }

    async fn run(&self, statement: &'static str) {
        let mut connection = self.connect().await;
        let done = sqlx::query(statement).execute(&mut connection).await;
        done.expect("the statement runs");
    }

    /// Looks until the table has no row left.
    async fn until_empty(&self, count_rows: &'static str) {
        let mut connection = self.connect().await;
        or_hangs(async {
            while count(&mut connection, count_rows).await > 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await;
    }
}

async fn count(connection: &mut SqliteConnection, count_rows: &'static str) -> i64 {
    sqlx::query_scalar(count_rows).fetch_one(connection).await.expect("a count")
}

fn message(id: &str) -> WireMessage {
    let job = TrainJob {
        model: "bikes".into(),
        spec_hash: None,
        as_of: Timestamp::UNIX_EPOCH,
        cut_off: None,
        learners: vec![],
        reason: TrainReason::Requested,
        shift: None,
    };
    WireMessage::new(&job, ContentType::Json, id).expect("a small body")
}

async fn publish(broker: &SqliteBroker, queue: Queue, id: &str) {
    let sent = broker.publish(&Destination::Queue(queue), message(id)).await;
    sent.expect("it is published");
}

async fn consume(broker: &SqliteBroker, queue: Queue) -> Box<dyn Deliveries> {
    broker.consume(queue, 1).await.expect("it consumes")
}

async fn next(broker: &SqliteBroker, queue: Queue) -> Delivery {
    next_of(&mut consume(broker, queue).await).await
}

async fn next_of(deliveries: &mut Box<dyn Deliveries>) -> Delivery {
    or_hangs(deliveries.next()).await.expect("a delivery")
}

/// A process dies with the delivery in its hands: nothing is given back.
fn die_with(broker: SqliteBroker, delivery: Delivery) {
    std::mem::forget(delivery);
    drop(broker);
}

#[tokio::test]
async fn the_next_owner_gets_what_its_predecessor_left_unsettled() {
    let folder = Folder::new();
    let first = folder.owner().await;
    publish(&first, Queue::TrainJobs, "a").await;
    let delivery = next(&first, Queue::TrainJobs).await;
    die_with(first, delivery);

    let second = folder.owner().await;
    let delivery = next(&second, Queue::TrainJobs).await;
    assert_eq!(delivery.message, message("a"));
}

#[tokio::test]
async fn a_message_that_kills_its_owner_each_time_ends_in_the_dead_letters() {
    let folder = Folder::new();
    let queue = Queue::ForecastRequests;
    publish(&folder.owner().await, queue, "poison").await;
    for _ in 0..queue.delivery_limit() {
        let owner = folder.owner().await;
        let delivery = next(&owner, queue).await;
        die_with(owner, delivery);
    }
    let owner = folder.owner().await;
    let dead = owner.dead_letters(queue, 10).await.expect("dead letters");
    assert_eq!(dead.len(), 1);
    assert_eq!(dead[0].reason, "delivered 3 times without being settled");
    assert_eq!(owner.depth(queue).await.expect("a depth").ready, 0);
}

#[tokio::test]
async fn what_no_handler_saw_is_not_counted_when_its_owner_dies() {
    let folder = Folder::new();
    let queue = Queue::ForecastRequests;
    let first = folder.owner().await;
    for id in ["poison", "taken ahead"] {
        publish(&first, queue, id).await;
    }
    drop(first);
    for _ in 0..queue.delivery_limit() {
        let owner = folder.owner().await;
        let mut deliveries = owner.consume(queue, 2).await.expect("it consumes");
        let poison = next_of(&mut deliveries).await;
        assert_eq!(poison.message, message("poison"));
        assert_eq!(owner.depth(queue).await.expect("a depth").leased, 2);
        std::mem::forget(deliveries);
        die_with(owner, poison);
    }
    let owner = folder.owner().await;
    let dead = owner.dead_letters(queue, 10).await.expect("dead letters");
    let ids: Vec<&str> = dead.iter().map(|dead| dead.message.properties.message_id.as_str()).collect();
    assert_eq!(ids, ["poison"]);
    assert_eq!(next(&owner, queue).await.message, message("taken ahead"));
}

#[tokio::test]
async fn a_settlement_after_the_successor_took_over_changes_nothing() {
    let folder = Folder::new();
    let first = folder.owner().await;
    publish(&first, Queue::TrainJobs, "a").await;
    let late = next(&first, Queue::TrainJobs).await;
    let second = folder.owner().await;
    let again = next(&second, Queue::TrainJobs).await;

    let error = late.settle(Settlement::Done).await.expect_err("too late");
    assert!(matches!(error, SettleError::LeaseLost), "{error:?}");
    again.settle(Settlement::Done).await.expect("it is settled");
}

#[tokio::test]
async fn waiting_delayed_and_dead_messages_survive_their_process() {
    let folder = Folder::new();
    let queue = Queue::TrainJobs;
    let first = folder.owner_on_manual_clock().await;
    for id in ["dead", "delayed", "ready"] {
        publish(&first, queue, id).await;
    }
    let mut deliveries = consume(&first, queue).await;
    for settlement in [
        Settlement::DeadLetter { reason: "no good".into() },
        Settlement::RetryAfter { delay: Duration::from_hours(1), error: "not yet".into() },
    ] {
        let delivery = next_of(&mut deliveries).await;
        delivery.settle(settlement).await.expect("it is settled");
    }
    drop((deliveries, first));

    let second = folder.owner_on_manual_clock().await;
    let depth = second.depth(queue).await.expect("a depth");
    assert_eq!((depth.delayed, depth.dead), (1, 1));
    let mut deliveries = consume(&second, queue).await;
    for (id, attempt) in [("ready", 1), ("delayed", 2)] {
        let delivery = next_of(&mut deliveries).await;
        let properties = &delivery.message.properties;
        assert_eq!((properties.message_id.as_str(), properties.attempt), (id, attempt));
        delivery.settle(Settlement::Done).await.expect("it is settled");
        folder.clock.advance(SignedDuration::from_hours(1));
    }
}

#[tokio::test]
async fn a_guest_asks_the_owner_and_hears_the_reply() {
    let folder = Folder::new();
    let owner = folder.owner().await;
    let mut deliveries = consume(&owner, Queue::ForecastRequests).await;
    let guest = folder.guest().await;
    let mut replies = guest.replies().await.expect("a private queue");

    publish(&guest, Queue::ForecastRequests, "question").await;
    let question = next_of(&mut deliveries).await;
    assert_eq!(question.message, message("question"));
    let asker = Destination::Asker(replies.address().clone());
    owner.publish(&asker, message("answer")).await.expect("it is published");
    question.settle(Settlement::Done).await.expect("it is settled");
    assert_eq!(or_hangs(replies.next()).await.expect("a reply"), message("answer"));
}

#[tokio::test]
async fn events_cross_from_process_to_process() {
    let folder = Folder::new();
    let (owner, guest) = (folder.owner().await, folder.guest().await);
    for (speaker, hearer) in [(&owner, &guest), (&guest, &owner)] {
        let mut listener = hearer.listen(&["model-promoted.*"]).await.expect("it listens");
        let event = Destination::Event(RoutingKey::new("model-promoted", "bikes"));
        speaker.publish(&event, message("event")).await.expect("it is published");
        assert_eq!(or_hangs(listener.next()).await.expect("an event"), message("event"));
    }
}

#[tokio::test]
async fn a_guest_never_consumes_a_work_queue() {
    let folder = Folder::new();
    let _owner = folder.owner().await;
    let refused = folder.guest().await.consume(Queue::TrainJobs, 1).await;
    let error = refused.err().expect("it is refused");
    assert!(matches!(error, ConsumeError::NotOwner(Queue::TrainJobs)), "{error:?}");
}

#[tokio::test]
async fn a_guest_takes_no_lease_away() {
    let folder = Folder::new();
    let owner = folder.owner().await;
    publish(&owner, Queue::TrainJobs, "a").await;
    let delivery = next(&owner, Queue::TrainJobs).await;
    let _guest = folder.guest().await;
    delivery.settle(Settlement::Done).await.expect("it is settled");
}

#[tokio::test]
async fn guests_that_come_while_the_owner_makes_the_file_wait_for_its_tables() {
    for _ in 0..20 {
        let folder = Folder::new();
        let guests = ["a", "b", "c", "d"].map(async |id| {
            while !folder.file().exists() {
                tokio::task::yield_now().await;
            }
            publish(&folder.guest().await, Queue::TrainJobs, id).await;
        });
        let (owner, _) = or_hangs(join(folder.owner(), join_all(guests))).await;
        assert_eq!(owner.depth(Queue::TrainJobs).await.expect("a depth").ready, 4);
    }
}

#[tokio::test]
async fn a_file_that_is_missing_or_no_database_is_an_error_that_names_it() {
    let folder = Folder::new();
    let open = async |access| {
        let opened = SqliteBroker::open(folder.file(), access, folder.clock.clone()).await;
        opened.err().expect("it fails").to_string()
    };
    let expected = format!("cannot open the SQLite file {}", folder.file().display());
    assert_eq!(open(Access::Guest).await, expected);
    assert!(!folder.file().exists(), "a guest makes no file");
    std::fs::write(folder.file(), [7; 4096]).expect("a file");
    assert_eq!(open(Access::Owner).await, expected);
    assert_eq!(open(Access::Guest).await, expected);
}

#[tokio::test]
async fn a_row_that_cannot_be_read_goes_to_the_dead_letters_and_the_next_is_delivered() {
    let folder = Folder::new();
    let queue = Queue::ForecastRequests;
    let owner = folder.owner().await;
    for id in ["garbage", "no text", "good"] {
        publish(&owner, queue, id).await;
    }
    folder.run("UPDATE messages SET properties = '{\"kind\": 7' WHERE message_id = 'garbage'").await;
    folder.run("UPDATE messages SET properties = CAST(x'c328' AS TEXT) WHERE message_id = 'no text'").await;

    let delivery = next(&owner, queue).await;
    assert_eq!(delivery.message, message("good"));
    let dead = owner.dead_letters(queue, 10).await.expect("dead letters");
    let ids: Vec<&str> = dead.iter().map(|dead| dead.message.properties.message_id.as_str()).collect();
    assert_eq!(ids, ["garbage", "no text"]);
    for dead in dead {
        assert!(dead.reason.starts_with("the properties cannot be read: "), "{}", dead.reason);
        assert_eq!(dead.message.body, message("good").body);
    }
}

#[tokio::test]
async fn a_reply_is_deleted_once_it_was_read_and_so_are_those_of_an_asker_who_left() {
    let folder = Folder::new();
    let owner = folder.owner().await;
    let mut replies = owner.replies().await.expect("a private queue");
    let asker = Destination::Asker(replies.address().clone());
    owner.publish(&asker, message("read")).await.expect("it is published");
    or_hangs(replies.next()).await.expect("a reply");
    folder.until_empty("SELECT count(*) FROM replies").await;

    owner.publish(&asker, message("unread")).await.expect("it is published");
    drop(replies);
    folder.until_empty("SELECT count(*) FROM replies").await;
}

#[tokio::test]
async fn old_events_and_replies_that_nobody_came_for_are_deleted() {
    let folder = Folder::new();
    let first = folder.owner_on_manual_clock().await;
    let gone = first.replies().await.expect("a private queue").address().clone();
    for to in [Destination::Event(RoutingKey::new("model-promoted", "bikes")), Destination::Asker(gone)] {
        first.publish(&to, message("old")).await.expect("it is published");
    }
    drop(first);
    folder.clock.advance(SignedDuration::from_mins(61));
    let _second = folder.owner_on_manual_clock().await;
    folder.until_empty("SELECT (SELECT count(*) FROM events) + (SELECT count(*) FROM replies)").await;
}
