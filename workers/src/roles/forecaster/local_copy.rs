//! What a forecaster needs to answer without any server, on its own disk: the pointers (which version answers
//! for which model), the look-back windows, and the artifacts.
//!
//! Everything is written beside its place, synchronised and renamed, and carries the SHA-256 of its bytes:
//! a file that is torn, damaged or another's is as good as none.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use artifacts::{ArtifactStore, ArtifactStoreError, Listed, ObjectArtifacts};
use async_trait::async_trait;
use bytes::Bytes;
use forecasting::{
    artifact::ArtifactName,
    names::DatasetName,
    series::Frame,
    spec::{DatasetSpec, ModelSpec},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tracing::{info, warn};

use crate::data_folder::{self, DataFolderError, Ownership};

const POINTERS: &str = "pointers";
const WINDOW: &str = "window-";
/// Before the content of each file stands its SHA-256 in hex.
const HASH_BYTES: usize = 64;

/// Which version answered for each model when the registry was last looked at.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pointers {
    /// When registry and history were last seen.
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
}

/// The look-back window of a dataset.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Window {
    /// The values.
    pub frame: Arc<Frame>,
    /// The history's revision that they are of.
    pub revision: u64,
    /// How far the window reaches back from an origin.
    pub steps: usize,
}

/// A folder that one forecaster keeps its copies in.
pub struct LocalCopy {
    folder: PathBuf,
    max_bytes: u64,
    artifacts: ObjectArtifacts,
    /// What lies on the disk, so that nothing is written twice.
    written: Mutex<BTreeSet<(DatasetName, u64, usize)>>,
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
        let artifacts = ObjectArtifacts::folder(folder.join("artifacts")).map_err(|fault| {
            DataFolderError::Unusable { path: folder.to_owned(), source: io::Error::other(fault) }
        })?;
        let written = Mutex::default();
        Ok(Some(Self { folder: folder.to_owned(), max_bytes, artifacts, written, _ownership: ownership }))
    }

    /// Writes pointers, and the windows that are not written yet. Blocks. A failure is logged: what was there
    /// before stays.
    pub fn save(&self, pointers: &Pointers, windows: &[(DatasetName, Window)]) {
        if let Err(fault) = self.try_save(pointers, windows) {
            warn!("the local copy could not be brought up to date: {fault}");
        }
    }

    fn try_save(&self, pointers: &Pointers, windows: &[(DatasetName, Window)]) -> io::Result<()> {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        for (dataset, window) in windows {
            let key = (dataset.clone(), window.revision, window.steps);
            if written.contains(&key) {
                continue;
            }
            let bytes = postcard::to_stdvec(window).map_err(io::Error::other)?;
            if self.size_bytes()? + bytes.len() as u64 > self.max_bytes {
                warn!(%dataset, "the window of {dataset} would not fit into forecaster.disk, so it is not kept");
                continue;
            }
            write(&self.folder, &format!("{WINDOW}{dataset}"), &bytes)?;
            written.retain(|(other, _, _)| other != dataset);
            written.insert(key);
        }
        // Last, so that what they point at is there.
        write(&self.folder, POINTERS, &serde_json::to_vec(pointers).map_err(io::Error::other)?)
    }

    /// What was kept, if it can be read. Blocks.
    pub fn pointers(&self) -> Option<Pointers> {
        read(&self.folder.join(POINTERS), |bytes| serde_json::from_slice(bytes).ok())
    }

    /// The window of a dataset that was kept, if it can be read. Blocks.
    pub fn window(&self, dataset: &DatasetName) -> Option<Window> {
        read(&self.folder.join(format!("{WINDOW}{dataset}")), decoded)
    }

    /// Removes the artifacts that none of these are. Blocks.
    pub fn keep_only(&self, artifacts: &BTreeSet<ArtifactName>) {
        let kept: BTreeSet<String> = artifacts.iter().map(ToString::to_string).collect();
        for file in files_below(&self.folder.join("artifacts")) {
            let named = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if !kept.contains(named) {
                let _ = fs::remove_file(file); // one that stays is tried again the next time
            }
        }
    }

    fn size_bytes(&self) -> io::Result<u64> {
        files_below(&self.folder).into_iter().map(|file| Ok(file.metadata()?.len())).sum()
    }
}

fn decoded<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    postcard::from_bytes(bytes).ok()
}

/// Writes a file that is either there as a whole or not at all.
fn write(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let beside = folder.join(format!(".{name}.new"));
    let mut file = File::create(&beside)?;
    file.write_all(ArtifactName::of(bytes).to_string().as_bytes())?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(beside, folder.join(name))?;
    File::open(folder)?.sync_all()
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

/// A store with the local copy before it: what is there needs no server, and what comes from the store stays.
pub struct LocalFirst {
    /// The copies.
    pub local: Arc<LocalCopy>,
    /// Where everything else is.
    pub store: Arc<dyn ArtifactStore>,
}

#[async_trait]
impl ArtifactStore for LocalFirst {
    async fn put(&self, bytes: Bytes) -> Result<ArtifactName, ArtifactStoreError> {
        self.store.put(bytes).await
    }

    async fn get(&self, name: &ArtifactName) -> Result<Bytes, ArtifactStoreError> {
        if let Ok(bytes) = self.local.artifacts.get(name).await {
            return Ok(bytes);
        }
        let bytes = self.store.get(name).await?;
        let fits =
            self.local.size_bytes().is_ok_and(|used| used + bytes.len() as u64 <= self.local.max_bytes);
        if !fits {
            warn!("artifact {name} would not fit into forecaster.disk, so it is not kept");
        } else if let Err(fault) = self.local.artifacts.put(bytes.clone()).await {
            warn!("artifact {name} could not be kept on the local disk: {fault}");
        }
        Ok(bytes)
    }

    async fn list(&self, first_byte: u8) -> Result<Vec<Listed>, ArtifactStoreError> {
        self.store.list(first_byte).await
    }

    async fn delete(&self, name: &ArtifactName) -> Result<(), ArtifactStoreError> {
        self.store.delete(name).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(revision: u64) -> Window {
        let grid = forecasting::series::Grid::new(forecasting::series::Frequency::Minutes(60), "UTC");
        let series = forecasting::series::Series {
            id: "a".parse().expect("an id"),
            start: Timestamp::UNIX_EPOCH,
            values: vec![1.0, f64::NAN, 0.1 + 0.2],
        };
        let frame = Frame { grid: grid.expect("a grid"), series: vec![series] };
        Window { frame: Arc::new(frame), revision, steps: 7 }
    }

    fn nothing() -> Pointers {
        Pointers { looked_at: Timestamp::UNIX_EPOCH, models: Vec::new() }
    }

    #[test]
    fn what_was_saved_comes_back_to_the_bit_and_any_damage_is_noticed() {
        let folder = tempfile::tempdir().expect("a folder");
        let dataset: DatasetName = "bikes".parse().expect("a name");
        let copy = LocalCopy::open(folder.path(), 1 << 20).expect("usable").expect("nobody's");
        copy.save(&nothing(), &[(dataset.clone(), window(3))]);
        assert_eq!(copy.pointers(), Some(nothing()));
        let back = copy.window(&dataset).expect("is there");
        assert_eq!(format!("{back:?}"), format!("{:?}", window(3)));

        let path = folder.path().join("window-bikes");
        let good = fs::read(&path).expect("is there");
        for bit in 0..good.len() * 8 {
            let mut flipped = good.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            fs::write(&path, flipped).expect("writes");
            assert!(copy.window(&dataset).is_none(), "bit {bit}");
        }
        fs::write(&path, &good[..20]).expect("writes");
        assert!(copy.window(&dataset).is_none());
    }

    #[test]
    fn the_folder_has_one_owner_and_the_other_process_goes_without() {
        let folder = tempfile::tempdir().expect("a folder");
        let _first = LocalCopy::open(folder.path(), 1).expect("usable").expect("nobody's");
        assert!(LocalCopy::open(folder.path(), 1).expect("usable").is_none());
    }

    #[test]
    fn what_would_not_fit_is_not_kept() {
        let folder = tempfile::tempdir().expect("a folder");
        let dataset: DatasetName = "bikes".parse().expect("a name");
        let copy = LocalCopy::open(folder.path(), 50).expect("usable").expect("nobody's");
        copy.save(&nothing(), &[(dataset.clone(), window(3))]);
        assert!(copy.window(&dataset).is_none());
        assert_eq!(copy.pointers(), Some(nothing()));
    }
}
