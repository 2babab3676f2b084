//! What a forecaster needs to answer without any server, on its own disk: the pointers (which version answers
//! for which model), the look-back windows, and the artifacts.
//!
//! Everything is written beside its place, synchronised and renamed, and carries the SHA-256 of its bytes:
//! a file that is torn, damaged or another's is as good as none.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, bail};
use artifacts::{ArtifactStore, ArtifactStoreError, Listed, ObjectArtifacts};
use async_trait::async_trait;
use bytes::Bytes;
use forecasting::{
    artifact::ArtifactName,
    names::{DatasetName, ModelName},
    series::{Covariates, Frame},
    spec::{CovariateSpec, DatasetSpec, ModelSpec},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tokio::{task::spawn_blocking, time::timeout};
use tracing::{info, warn};

use crate::data_folder::{self, DataFolderError, Ownership};

const POINTERS: &str = "pointers";
const WINDOW: &str = "window-";
const ARTIFACTS: &str = "artifacts";
/// An artifact that takes longer to get is not kept this time.
const FETCH_LIMIT: Duration = Duration::from_secs(30);
/// Before the content of each file stands its SHA-256 in hex.
const HASH_BYTES: usize = 64;

/// Which version answered for each model when the registry was last looked at.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pointers {
    /// When registry and history were last seen as a whole.
    pub looked_at: Timestamp,
    /// The models.
    pub models: Vec<Pointer>,
}

/// Which version answers for a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pointer {
    /// The model.
    pub model: ModelSpec,
    /// Its dataset.
    pub dataset: DatasetSpec,
    /// The version in use, if there is one.
    pub incumbent: Option<PointedAt>,
}

/// A version in use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PointedAt {
    /// Its number.
    pub version: u32,
    /// Counts the model's changes of incumbent.
    pub generation: u64,
    /// Its artifact.
    pub artifact: ArtifactName,
    /// Since when it is in use.
    pub since: Timestamp,
}

/// The look-back window of a dataset.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Window {
    /// The values.
    pub frame: Arc<Frame>,
    /// What is known of their series besides, also of steps to come.
    pub covariates: Arc<Covariates>,
    /// By which declaration that was read.
    pub declared: CovariateSpec,
    /// The history's revision that they are of.
    pub revision: u64,
    /// How far the window reaches back from an origin.
    pub steps: usize,
}

/// A folder that one forecaster keeps its copies in. Only [`save`](Self::save) changes what is there.
pub struct LocalCopy {
    folder: PathBuf,
    max_bytes: u64,
    artifacts: Arc<ObjectArtifacts>,
    /// The artifacts that are there and whole, with their sizes.
    kept: BTreeMap<ArtifactName, u64>,
    /// The windows that are there, so that nothing is written twice.
    written: BTreeMap<DatasetName, Arc<Frame>>,
    pointers: Option<Pointers>,
    _ownership: Ownership,
}

impl LocalCopy {
    /// Opens the folder, and makes it where there is none. None if another process keeps its copies there:
    /// that one is the better for it, this one works without.
    ///
    /// # Errors
    /// If the folder cannot be used.
    pub fn open(folder: &Path, max_bytes: u64) -> Result<Option<Self>, DataFolderError> {
        let ownership = match data_folder::own(folder) {
            Ok(ownership) => ownership,
            Err(DataFolderError::Owned { .. }) => {
                let folder = folder.display();
                info!(%folder, "another process keeps its local copies in {folder}; this one keeps none");
                return Ok(None);
            }
            Err(unusable) => return Err(unusable),
        };
        let artifacts = ObjectArtifacts::folder(folder.join(ARTIFACTS)).map_err(|fault| {
            DataFolderError::Unusable { path: folder.to_owned(), source: io::Error::other(fault) }
        })?;
        Ok(Some(Self {
            max_bytes,
            artifacts: Arc::new(artifacts.counted_as("disk")),
            kept: BTreeMap::new(),
            written: BTreeMap::new(),
            pointers: read(&folder.join(POINTERS), |bytes| serde_json::from_slice(bytes).ok()),
            folder: folder.to_owned(),
            _ownership: ownership,
        }))
    }

    /// The artifacts that are kept here.
    pub fn artifacts(&self) -> Arc<ObjectArtifacts> {
        self.artifacts.clone()
    }

    /// What was kept last, if it could be read.
    pub fn pointers(&self) -> Option<&Pointers> {
        self.pointers.as_ref()
    }

    /// The windows of the models that were kept, as far as they can be read.
    pub async fn windows(&mut self) -> Vec<(DatasetName, Window)> {
        let models = self.pointers.iter().flat_map(|pointers| &pointers.models);
        let datasets: BTreeSet<DatasetName> = models.map(|model| model.dataset.name.clone()).collect();
        let folder = self.folder.clone();
        let read_one = move |dataset: DatasetName| {
            let window: Window = read(&folder.join(window_file(&dataset)), decoded)?;
            Some((dataset, window))
        };
        let reading = move || datasets.into_iter().filter_map(read_one).collect::<Vec<_>>();
        let windows = spawn_blocking(reading).await.expect("reading does not panic");
        self.written.extend(windows.iter().map(|(dataset, window)| (dataset.clone(), window.frame.clone())));
        windows
    }

    /// Brings the copy up to date: what the pointers name first, then the pointers, and only then goes what
    /// they do not name any more. What cannot be had or kept is logged, and what was there before stays in its
    /// place. `forecaster.disk` limits what stays; until then there is as much more as is replaced.
    pub async fn save(
        &mut self,
        mut pointers: Pointers,
        windows: Vec<(DatasetName, Window)>,
        store: &dyn ArtifactStore,
    ) {
        let room = self.keep_artifacts(&mut pointers, store).await;
        let new = |(dataset, window): &(DatasetName, Window)| {
            self.written.get(dataset).is_none_or(|written| !Arc::ptr_eq(written, &window.frame))
        };
        let datasets: BTreeSet<DatasetName> = windows.iter().map(|(dataset, _)| dataset.clone()).collect();
        let windows: Vec<_> = windows.into_iter().filter(new).collect();
        let folder = self.folder.clone();
        let writing = spawn_blocking(move || {
            let written = write_windows(&folder, windows, room);
            let saved = write_pointers(&folder, &pointers);
            if saved.is_ok() {
                remove_other_artifacts(&folder, &pointers);
                remove_other_windows(&folder, &datasets);
            }
            (written, saved.map(|()| pointers))
        });
        let (written, saved) = writing.await.expect("writing does not panic");
        self.written.extend(written);
        match saved {
            Ok(pointers) => {
                let names = pointers.artifacts();
                self.kept.retain(|name, _size| names.contains(name));
                self.pointers = Some(pointers);
            }
            Err(fault) => warn!("the local copy could not be brought up to date: {fault}"),
        }
    }

    /// Sees to it that every artifact is there that the pointers name, or names the one that was there before.
    /// Returns what room is left beside all of them and the windows.
    async fn keep_artifacts(&mut self, pointers: &mut Pointers, store: &dyn ArtifactStore) -> u64 {
        let folder = self.folder.clone();
        let windows = spawn_blocking(move || windows_size(&folder)).await.expect("it does not panic");
        let mut room = self.room_beside(pointers, windows);
        for pointer in &mut pointers.models {
            let Some(at) = &pointer.incumbent else { continue };
            if self.kept.contains_key(&at.artifact) {
                continue;
            }
            match self.keep_artifact(&at.artifact, room, store).await {
                Ok(size) => room = room.saturating_sub(size),
                Err(fault) => {
                    let (model, version) = (&pointer.model.name, at.version);
                    warn!(%model, version, "version {version} of {model} is not on the local disk: {fault:#}");
                    pointer.incumbent = self.pointed_at_before(model).await;
                }
            }
        }
        self.room_beside(pointers, windows)
    }

    fn room_beside(&self, pointers: &Pointers, windows: u64) -> u64 {
        let artifacts: u64 = pointers.artifacts().iter().filter_map(|name| self.kept.get(name)).sum();
        self.max_bytes.saturating_sub(windows + artifacts)
    }

    /// Gets an artifact from the store unless it is there; returns its size.
    async fn keep_artifact(
        &mut self,
        name: &ArtifactName,
        room: u64,
        store: &dyn ArtifactStore,
    ) -> anyhow::Result<u64> {
        let size = match self.artifacts.get(name).await {
            Ok(bytes) => bytes.len() as u64,
            Err(_missing) => {
                let bytes = timeout(FETCH_LIMIT, store.get(name)).await.context("getting the artifact")??;
                let size = bytes.len() as u64;
                if size > room {
                    bail!("its artifact would not fit into forecaster.disk");
                }
                self.artifacts.put(bytes).await?;
                size
            }
        };
        self.kept.insert(*name, size);
        Ok(size)
    }

    /// What the pointers on the disk say about a model, if that is there.
    async fn pointed_at_before(&mut self, model: &ModelName) -> Option<PointedAt> {
        let mut models = self.pointers.iter().flat_map(|pointers| &pointers.models);
        let before = models.find(|pointer| pointer.model.name == *model)?.incumbent.clone()?;
        let size = self.artifacts.get(&before.artifact).await.ok()?.len() as u64;
        self.kept.insert(before.artifact, size);
        Some(before)
    }
}

impl Pointers {
    fn artifacts(&self) -> BTreeSet<ArtifactName> {
        let incumbents = self.models.iter().filter_map(|model| model.incumbent.as_ref());
        incumbents.map(|incumbent| incumbent.artifact).collect()
    }
}

fn window_file(dataset: &DatasetName) -> String {
    format!("{WINDOW}{dataset}")
}

/// Size of the windows that are there.
fn windows_size(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    let entries = entries.filter_map(Result::ok);
    let windows = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(WINDOW));
    windows.filter_map(|window| Some(window.metadata().ok()?.len())).sum()
}

/// Writes the windows that can be written, each within the room and that of the window before it; returns them.
fn write_windows(
    folder: &Path,
    windows: Vec<(DatasetName, Window)>,
    mut room: u64,
) -> Vec<(DatasetName, Arc<Frame>)> {
    let mut written = Vec::new();
    for (dataset, window) in windows {
        let file = window_file(&dataset);
        let replaced = fs::metadata(folder.join(&file)).map_or(0, |before| before.len());
        let bytes = postcard::to_stdvec(&window).expect("a window is plain data");
        let size = (HASH_BYTES + bytes.len()) as u64;
        if size > room + replaced {
            warn!(%dataset, "the window of {dataset} would not fit into forecaster.disk, so it is not kept");
            continue;
        }
        match write(folder, &file, &bytes) {
            Ok(()) => {
                room = room + replaced - size;
                written.push((dataset, window.frame));
            }
            Err(fault) => warn!(%dataset, "the window of {dataset} could not be kept: {fault}"),
        }
    }
    written
}

fn write_pointers(folder: &Path, pointers: &Pointers) -> io::Result<()> {
    write(folder, POINTERS, &serde_json::to_vec(pointers).map_err(io::Error::other)?)
}

/// Removes the artifacts that these pointers do not name, and what killed writers left.
fn remove_other_artifacts(folder: &Path, pointers: &Pointers) {
    let kept: BTreeSet<String> = pointers.artifacts().iter().map(ToString::to_string).collect();
    for file in files_below(&folder.join(ARTIFACTS)) {
        let named = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if !kept.contains(named) {
            let _ = fs::remove_file(file); // one that stays is tried again the next time
        }
    }
}

/// Removes the windows of other datasets.
fn remove_other_windows(folder: &Path, datasets: &BTreeSet<DatasetName>) {
    let kept: BTreeSet<String> = datasets.iter().map(window_file).collect();
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.filter_map(Result::ok) {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with(WINDOW) && !kept.contains(&name) {
            let _ = fs::remove_file(entry.path()); // one that stays is tried again the next time
        }
    }
}

fn decoded<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    postcard::from_bytes(bytes).ok()
}

/// Writes a file that is either there as a whole or not at all.
fn write(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let beside = folder.join(format!(".{name}.new"));
    let written = write_beside(&beside, bytes).and_then(|()| fs::rename(&beside, folder.join(name)));
    if written.is_err() {
        let _ = fs::remove_file(&beside); // half a file takes room on a disk that may be full
    }
    written?;
    File::open(folder)?.sync_all()
}

fn write_beside(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(ArtifactName::of(bytes).to_string().as_bytes())?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// The content of a file, if its bytes are those that were written.
fn read<T>(path: &Path, decode: impl Fn(&[u8]) -> Option<T>) -> Option<T> {
    let bytes = fs::read(path).ok()?;
    let content = bytes
        .split_at_checked(HASH_BYTES)
        .filter(|(hash, content)| ArtifactName::of(content).to_string().as_bytes() == *hash);
    let decoded = content.and_then(|(_, content)| decode(content));
    if decoded.is_none() {
        let path = path.display();
        warn!(%path, "the local copy {path} is damaged or of another version: it is not used");
    }
    decoded
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    paths.flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).collect()
}

/// A store with the local copy before it: what is there needs no server.
pub struct LocalFirst {
    /// The artifacts of the local copy.
    pub local: Arc<ObjectArtifacts>,
    /// Where everything else is.
    pub store: Arc<dyn ArtifactStore>,
}

#[async_trait]
impl ArtifactStore for LocalFirst {
    async fn put(&self, bytes: Bytes) -> Result<ArtifactName, ArtifactStoreError> {
        self.store.put(bytes).await
    }

    async fn get(&self, name: &ArtifactName) -> Result<Bytes, ArtifactStoreError> {
        match self.local.get(name).await {
            Ok(bytes) => Ok(bytes),
            Err(_missing) => self.store.get(name).await,
        }
    }

    async fn list(&self, first_byte: u8) -> Result<Vec<Listed>, ArtifactStoreError> {
        self.store.list(first_byte).await
    }

    async fn delete(&self, name: &ArtifactName) -> Result<(), ArtifactStoreError> {
        self.store.delete(name).await
    }
}

#[cfg(test)]
mod tests;
