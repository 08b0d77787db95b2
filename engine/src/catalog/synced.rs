//! A local object store whose files are on disk when a write returns.
//!
//! `object_store`'s local store never syncs. [`Synced`] writes a staged file, syncs it, gives it its name and syncs
//! the folders above. Everything in a data directory is written through it, Delta's tables too.

use crate::error::from_store;
use alcedo_sql::SqlState;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, UploadPart,
};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// A local store that syncs files and folders.
#[derive(Debug)]
pub(super) struct Synced {
    inner: Arc<LocalFileSystem>,
    root: PathBuf,
}

impl Synced {
    pub(super) fn new(root: &FilePath) -> object_store::Result<Self> {
        let inner = Arc::new(LocalFileSystem::new_with_prefix(root)?);
        Ok(Self {
            inner,
            root: root.to_owned(),
        })
    }
}

impl std::fmt::Display for Synced {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Synced({})", self.root.display())
    }
}

/// Runs file work where it may wait.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> object_store::Result<T> + Send + 'static,
) -> object_store::Result<T> {
    tokio::task::spawn_blocking(work).await?
}

fn io(source: std::io::Error) -> object_store::Error {
    object_store::Error::Generic {
        store: "local",
        source: Box::new(source),
    }
}

/// Syncs the folder of a file and those above it up to the root: new folders are entries of their parents.
fn sync_folders(root: &FilePath, file: &FilePath) -> std::io::Result<()> {
    for folder in file.ancestors().skip(1) {
        File::open(folder)?.sync_all()?;
        if folder == root {
            break;
        }
    }
    Ok(())
}

/// Writes a file under a staged name, syncs it, and gives it its name as the mode says.
fn write(
    root: &FilePath,
    path: &FilePath,
    payload: &PutPayload,
    create: bool,
) -> object_store::Result<()> {
    // Lists of the local store skip names that end in # and digits.
    let staged = PathBuf::from(format!(
        "{}#{}",
        path.display(),
        uuid::Uuid::new_v4().as_u128() as u64
    ));
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(io)?;
    }
    let written = (|| {
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&staged)?;
        for part in payload.iter() {
            file.write_all(part)?;
        }
        file.sync_all()?;
        if create {
            std::fs::hard_link(&staged, path)
        } else {
            std::fs::rename(&staged, path)
        }
    })();
    if create || written.is_err() {
        // The staged name is of no more use; a leftover is skipped by lists.
        let _ = std::fs::remove_file(&staged);
    }
    match written {
        Ok(()) => sync_folders(root, path).map_err(io),
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {
            Err(object_store::Error::AlreadyExists {
                path: path.display().to_string(),
                source: Box::new(e),
            })
        }
        Err(e) => Err(io(e)),
    }
}

/// Files of a statement that filled the disk go a moment after it has failed: so a full disk is tried again before
/// it is an error.
fn patiently(write: impl Fn() -> object_store::Result<()>) -> object_store::Result<()> {
    for pause in [20, 80, 300] {
        match write() {
            Err(error) if from_store(&error).state() == SqlState::DISK_FULL => {
                std::thread::sleep(Duration::from_millis(pause));
            }
            done => return done,
        }
    }
    write()
}

#[async_trait::async_trait]
impl ObjectStore for Synced {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> object_store::Result<PutResult> {
        let create = match options.mode {
            PutMode::Create => true,
            PutMode::Overwrite => false,
            PutMode::Update(_) => return self.inner.put_opts(location, payload, options).await,
        };
        let (root, path) = (self.root.clone(), self.inner.path_to_filesystem(location)?);
        blocking(move || patiently(|| write(&root, &path, &payload, create))).await?;
        Ok(PutResult {
            e_tag: None,
            version: None,
        })
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> object_store::Result<Box<dyn MultipartUpload>> {
        let path = self.inner.path_to_filesystem(location)?;
        let inner = self.inner.put_multipart_opts(location, options).await?;
        Ok(Box::new(Upload {
            inner,
            path,
            root: self.root.clone(),
        }))
    }

    async fn get_opts(
        &self,
        location: &Path,
        options: GetOptions,
    ) -> object_store::Result<GetResult> {
        self.inner.get_opts(location, options).await
    }

    async fn get_ranges(
        &self,
        location: &Path,
        ranges: &[std::ops::Range<u64>],
    ) -> object_store::Result<Vec<bytes::Bytes>> {
        self.inner.get_ranges(location, ranges).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, object_store::Result<Path>>,
    ) -> BoxStream<'static, object_store::Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        sorted(self.inner.list(prefix))
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        sorted(self.inner.list_with_offset(prefix, offset))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> object_store::Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(
        &self,
        from: &Path,
        to: &Path,
        options: CopyOptions,
    ) -> object_store::Result<()> {
        let (root, path) = (self.root.clone(), self.inner.path_to_filesystem(to)?);
        self.inner.copy_opts(from, to, options).await?;
        blocking(move || sync_file(&root, &path)).await
    }
}

/// Names in order, as S3 lists them: Delta relies on it.
fn sorted(
    list: BoxStream<'static, object_store::Result<ObjectMeta>>,
) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
    let all = async move {
        let mut all: Vec<ObjectMeta> = list.try_collect().await?;
        all.sort_unstable_by(|a, b| a.location.cmp(&b.location));
        object_store::Result::<_>::Ok(futures::stream::iter(all.into_iter().map(Ok)))
    };
    futures::stream::once(all).try_flatten().boxed()
}

fn sync_file(root: &FilePath, path: &FilePath) -> object_store::Result<()> {
    File::open(path)
        .and_then(|f| f.sync_all())
        .and_then(|()| sync_folders(root, path))
        .map_err(io)
}

/// A file written in parts that is on disk once it is complete.
#[derive(Debug)]
struct Upload {
    inner: Box<dyn MultipartUpload>,
    path: PathBuf,
    root: PathBuf,
}

#[async_trait::async_trait]
impl MultipartUpload for Upload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        self.inner.put_part(data)
    }

    async fn complete(&mut self) -> object_store::Result<PutResult> {
        let done = self.inner.complete().await?;
        let (root, path) = (self.root.clone(), self.path.clone());
        blocking(move || sync_file(&root, &path)).await?;
        Ok(done)
    }

    async fn abort(&mut self) -> object_store::Result<()> {
        self.inner.abort().await
    }
}
