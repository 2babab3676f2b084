use forecasting::series::{Attribute, SeriesCovariates};

use super::*;

fn window(revision: u64, steps: usize) -> Window {
    let grid = forecasting::series::Grid::new(forecasting::series::Frequency::Minutes(60), "UTC");
    let series = forecasting::series::Series {
        id: "a".parse().expect("an id"),
        start: Timestamp::UNIX_EPOCH,
        values: [1.0, f64::NAN, 0.1 + 0.2].into_iter().cycle().take(steps).collect(),
    };
    let frame = Frame { grid: grid.expect("a grid"), series: vec![series] };
    let (covariates, declared) = (Arc::default(), CovariateSpec::default());
    Window { frame: Arc::new(frame), covariates, declared, revision, steps: 7 }
}

/// The same, with tolls that are known in advance and with the side of the river.
fn with_covariates(window: Window) -> Window {
    let north = Attribute::Text("north".parse().expect("a text"));
    let of_a = SeriesCovariates {
        known: [("toll".parse().expect("a name"), vec![1.5, f64::NAN])].into(),
        attributes: [("side".parse().expect("a name"), north)].into(),
        ..SeriesCovariates::none(Timestamp::UNIX_EPOCH)
    };
    let covariates = Arc::new(Covariates::new([("a".parse().expect("an id"), of_a)].into()));
    let declared = toml::from_str("known = ['toll']\nstatic = ['side']").expect("a declaration");
    Window { covariates, declared, ..window }
}

fn bikes() -> DatasetName {
    "bikes".parse().expect("a name")
}

/// A folder with what a test does to it, and a store that has every artifact.
struct Disk {
    folder: tempfile::TempDir,
    store: ObjectArtifacts,
}

impl Disk {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a folder"), store: ObjectArtifacts::memory() }
    }

    fn open(&self, max_bytes: u64) -> LocalCopy {
        LocalCopy::open(self.folder.path(), max_bytes).expect("usable").expect("nobody's")
    }

    /// Pointers at a version whose artifact has a thousand bytes.
    async fn version(&self, version: u8) -> Pointers {
        let artifact = self.store.put(vec![version; 1000].into()).await.expect("memory has room");
        let at = Timestamp::from_second(version.into()).expect("a time stamp");
        let incumbent =
            PointedAt { version: version.into(), generation: version.into(), artifact, since: at };
        let model = toml::from_str(MODEL).expect("a specification");
        let dataset = toml::from_str(DATASET).expect("a specification");
        Pointers { looked_at: at, models: vec![Pointer { model, dataset, incumbent: Some(incumbent) }] }
    }

    /// The version that a process without any server would answer with.
    async fn answers(&self) -> Option<u32> {
        let copy = self.open(u64::MAX);
        let incumbent = copy.pointers()?.models[0].incumbent.clone()?;
        copy.artifacts().get(&incumbent.artifact).await.is_ok().then_some(incumbent.version)
    }

    fn artifacts(&self) -> usize {
        files_below(&self.folder.path().join(ARTIFACTS)).len()
    }

    /// A folder in the place of a file: it cannot be written, as on a full disk.
    fn block(&self, file: impl AsRef<Path>) {
        fs::create_dir_all(self.folder.path().join(file)).expect("the disk has room");
    }
}

const MODEL: &str = r#"
    name = "bike-demand"
    dataset = "bikes"
    horizon = 24
    [[learners]]
    learner = "seasonal-naive"
"#;
const DATASET: &str = r#"
    name = "bikes"
    frequency = "PT1H"
    time_zone = "UTC"
"#;

#[tokio::test]
async fn what_was_saved_comes_back_to_the_bit_and_any_damage_is_noticed() {
    let disk = Disk::new();
    let saved = disk.version(7).await;
    let window = with_covariates(window(3, 3));
    disk.open(1 << 20).save(saved.clone(), vec![(bikes(), window.clone())], &disk.store).await;
    let back = async || {
        let mut copy = disk.open(1 << 20);
        assert_eq!(copy.pointers(), Some(&saved));
        copy.windows().await.pop()
    };
    let (dataset, found) = back().await.expect("is there");
    assert_eq!((dataset, format!("{found:?}")), (bikes(), format!("{window:?}")));

    let path = disk.folder.path().join("window-bikes");
    let good = fs::read(&path).expect("is there");
    for bit in 0..good.len() * 8 {
        let mut flipped = good.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        fs::write(&path, flipped).expect("writes");
        assert!(back().await.is_none(), "bit {bit}");
    }
    fs::write(&path, &good[..20]).expect("writes");
    assert!(back().await.is_none());
}

#[test]
fn the_folder_has_one_owner_and_the_other_process_goes_without() {
    let folder = tempfile::tempdir().expect("a folder");
    let _first = LocalCopy::open(folder.path(), 1).expect("usable").expect("nobody's");
    assert!(LocalCopy::open(folder.path(), 1).expect("usable").is_none());
}

#[tokio::test]
async fn what_would_not_fit_is_not_kept() {
    let disk = Disk::new();
    let (pointers, windows) = (disk.version(7).await, vec![(bikes(), window(3, 3))]);
    let mut copy = disk.open(50);
    copy.save(pointers, windows, &disk.store).await;
    assert!(copy.windows().await.is_empty());
    assert_eq!(copy.pointers().expect("they always fit").models[0].incumbent, None);
    assert_eq!(disk.artifacts(), 0);
}

#[tokio::test]
async fn a_new_version_takes_the_place_of_the_one_before() {
    let disk = Disk::new();
    for version in 1..=3 {
        disk.open(1 << 20).save(disk.version(version).await, Vec::new(), &disk.store).await;
        assert_eq!((disk.answers().await, disk.artifacts()), (Some(version.into()), 1));
    }
}

#[tokio::test]
async fn room_for_one_and_a_half_versions_is_enough_to_change_them() {
    let disk = Disk::new();
    let mut copy = disk.open(1_500);
    for version in 1..=3 {
        copy.save(disk.version(version).await, Vec::new(), &disk.store).await;
    }
    drop(copy);
    assert_eq!((disk.answers().await, disk.artifacts()), (Some(3), 1));
}

#[tokio::test]
async fn a_window_may_take_the_room_of_the_one_that_it_replaces() {
    let disk = Disk::new();
    let mut copy = disk.open(1_500);
    for revision in 1..=3 {
        copy.save(disk.version(7).await, vec![(bikes(), window(revision, 40))], &disk.store).await;
    }
    let (_, found) = copy.windows().await.pop().expect("is there");
    assert_eq!(found.revision, 3);
}

#[tokio::test]
async fn a_window_that_nothing_is_served_from_any_more_goes() {
    let disk = Disk::new();
    let mut copy = disk.open(1 << 20);
    let both = vec![(bikes(), window(3, 3)), ("trains".parse().expect("a name"), window(4, 3))];
    let are_there = || ["window-bikes", "window-trains"].map(|name| disk.folder.path().join(name).exists());
    copy.save(disk.version(7).await, both.clone(), &disk.store).await;
    assert_eq!(are_there(), [true, true]);
    copy.save(disk.version(7).await, both[..1].to_vec(), &disk.store).await;
    assert_eq!(are_there(), [true, false]);
}

#[tokio::test]
async fn a_full_disk_keeps_the_version_that_it_has() {
    let full: [fn(&Disk, &Pointers); 3] = [
        |disk, _new| disk.block(".pointers.new"),
        |disk, _new| disk.block(".window-bikes.new"),
        |disk, new| {
            let artifact = new.models[0].incumbent.as_ref().expect("is there").artifact.to_string();
            let place = Path::new(ARTIFACTS).join(&artifact[..2]).join(&artifact[2..4]);
            disk.block(place.join(&artifact));
        },
    ];
    for (fill, expected) in full.into_iter().zip([7, 8, 7]) {
        let disk = Disk::new();
        let mut copy = disk.open(1 << 20);
        copy.save(disk.version(7).await, vec![(bikes(), window(3, 3))], &disk.store).await;
        let new = disk.version(8).await;
        fill(&disk, &new);
        copy.save(new, vec![(bikes(), window(4, 3))], &disk.store).await;
        assert_eq!(copy.windows().await.len(), 1, "the old window or the new one");
        drop(copy);
        assert_eq!(disk.answers().await, Some(expected));
    }
}

#[tokio::test]
async fn what_could_not_be_kept_is_tried_again() {
    let disk = Disk::new();
    let mut copy = disk.open(1 << 20);
    copy.save(disk.version(7).await, Vec::new(), &disk.store).await;
    let new = disk.version(8).await;
    copy.save(new.clone(), Vec::new(), &ObjectArtifacts::memory()).await; // a store that has lost it
    assert_eq!(
        copy.pointers().expect("are there").models[0].incumbent.as_ref().map(|at| at.version),
        Some(7)
    );
    copy.save(new, Vec::new(), &disk.store).await;
    drop(copy);
    assert_eq!((disk.answers().await, disk.artifacts()), (Some(8), 1));
}
