//! What a person names to be read: a file, standard input, or an object in a store.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

use anyhow::{Context as _, anyhow};
use futures::TryStreamExt as _;
use object_store::{
    ClientOptions, ObjectStore, ObjectStoreExt as _, ObjectStoreScheme, RetryConfig, aws::AmazonS3Builder,
    azure::MicrosoftAzureBuilder, gcp::GoogleCloudStorageBuilder,
};
use tokio_util::io::{StreamReader, SyncIoBridge};
use url::Url;

use crate::{
    failure::{ExitCode, Failure, OrExit as _},
    import::Input,
};

/// A store that says nothing for this time is asked again, a few times.
const PATIENCE: Duration = Duration::from_secs(20);
/// For this long an object that breaks off is gone on with from there: large ones and slow lines take their time.
const LONGEST_READ: Duration = Duration::from_hours(2);

/// Opens a path, `-`, `file://`, `s3://`, `gs://` or `az://`; `cloud` says how to get at the last three
/// ([`cloud_variables`](crate::config::cloud_variables)).
///
/// # Errors
/// A file that may not be opened (1); not found (3); not a location (4); a store that cannot be reached or lets
/// nobody in (5).
pub async fn open(location: &str, cloud: &[(String, String)]) -> Result<Input<'static>, Failure> {
    if location == "-" {
        return Ok(Input::stream(io::stdin()));
    }
    if !location.contains("://") {
        return open_file(Path::new(location));
    }
    let url =
        Url::parse(location).with_context(|| format!("location {location:?}")).or_exit(ExitCode::Invalid)?;
    match url.scheme() {
        "file" => open_file(&file_path(&url, location)?),
        "s3" | "gs" | "az" => open_object(&url, cloud).await,
        other => {
            let known = "file, s3, gs and az are known";
            Err(Failure::say(ExitCode::Invalid, format!("location {location:?}: scheme {other}: {known}")))
        }
    }
}

fn open_file(file: &Path) -> Result<Input<'static>, Failure> {
    let opened = File::open(file).map_err(|error| {
        let code = match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => ExitCode::NotFound,
            _ => ExitCode::Failure,
        };
        Failure::new(code, anyhow::Error::from(error).context(format!("file {}", file.display())))
    })?;
    Ok(opened.into())
}

fn file_path(url: &Url, location: &str) -> Result<PathBuf, Failure> {
    let path = url.to_file_path().map_err(|()| anyhow!("location {location:?} is no path of this machine"));
    path.or_exit(ExitCode::Invalid)
}

async fn open_object(url: &Url, cloud: &[(String, String)]) -> Result<Input<'static>, Failure> {
    let (scheme, path) = ObjectStoreScheme::parse(url).or_exit(ExitCode::Invalid)?;
    let store =
        store(&scheme, url, cloud).with_context(|| format!("object {url}")).or_exit(ExitCode::Invalid)?;
    let found = store.get(&path).await.map_err(|error| {
        let code = match error {
            object_store::Error::NotFound { .. } => ExitCode::NotFound,
            _ => ExitCode::Unreachable,
        };
        Failure::new(code, anyhow::Error::from(error).context(format!("object {url}")))
    })?;
    let bytes = StreamReader::new(found.into_stream().map_err(io::Error::other));
    Ok(Input::stream(SyncIoBridge::new(Box::pin(bytes))))
}

fn store(
    scheme: &ObjectStoreScheme,
    url: &Url,
    cloud: &[(String, String)],
) -> object_store::Result<Box<dyn ObjectStore>> {
    let retry = RetryConfig { max_retries: 3, retry_timeout: LONGEST_READ, ..RetryConfig::default() };
    // Set before the variables, which may say more about the client. A limit for a whole request would be one for
    // the size of the object, and for how fast it is parsed.
    let limits = ClientOptions::new().with_timeout_disabled().with_read_timeout(PATIENCE);
    Ok(match scheme {
        ObjectStoreScheme::GoogleCloudStorage => {
            let store = GoogleCloudStorageBuilder::new().with_url(url.as_str());
            let store = store.with_retry(retry).with_client_options(limits);
            Box::new(configured(store, cloud, GoogleCloudStorageBuilder::with_config).build()?)
        }
        ObjectStoreScheme::MicrosoftAzure => {
            let store = MicrosoftAzureBuilder::new().with_url(url.as_str());
            let store = store.with_retry(retry).with_client_options(limits);
            Box::new(configured(store, cloud, MicrosoftAzureBuilder::with_config).build()?)
        }
        _ => {
            let store = AmazonS3Builder::new().with_url(url.as_str());
            let store = store.with_retry(retry).with_client_options(limits);
            Box::new(configured(store, cloud, AmazonS3Builder::with_config).build()?)
        }
    })
}

/// A store takes the variables that it knows, and leaves those of the others.
fn configured<Store, Key: FromStr>(
    store: Store,
    cloud: &[(String, String)],
    with: fn(Store, Key, String) -> Store,
) -> Store {
    let known = cloud
        .iter()
        .filter_map(|(name, value)| Some((name.to_ascii_lowercase().parse().ok()?, value.clone())));
    known.fold(store, |store, (key, value)| with(store, key, value))
}
