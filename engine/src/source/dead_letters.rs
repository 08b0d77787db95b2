//! Records that did not decode: kept once each, however often they are read, in files under the data directory.
//!
//! `dead_letters/<oid of the source>/<first seen>-<random>.parquet`; a file is whole or not there. Small files are
//! put together. Two processes on a shared directory may both keep a record: the table shows it once.

use super::leaving::Leaving;
use super::letter_table::LetterTable;
use super::letters::{self, Addressee, Letter};
use crate::catalog::RelationKind;
use crate::catalog::store::{Catalog, dead_letters_folder};
use crate::clock::Clock;
use crate::error::{Result, from_store};
use datafusion::arrow::array::{AsArray, RecordBatch};
use datafusion::arrow::datatypes::{Int32Type, Int64Type};
use datafusion::catalog::TableProvider;
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt, PutPayload};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

/// So many small files become one.
const SMALL_FILES_MAX: usize = 32;
/// Bytes up to which a file is small.
const SMALL: u64 = 1 << 20;

/// All dead letters of a data directory.
#[derive(Debug)]
pub struct DeadLetters {
    catalog: Arc<Catalog>,
    clock: Arc<dyn Clock>,
    /// What is kept, by source; read from the files when a source first has a letter.
    kept: Mutex<HashMap<u32, OfSource>>,
    /// Readers that may still find some.
    pub(super) leaving: Leaving,
}

type OfSource = Arc<tokio::sync::Mutex<Option<Kept>>>;

/// What is kept of a source.
#[derive(Debug, Default)]
struct Kept {
    /// By topic id and partition.
    offsets: HashMap<(String, i32), Offsets>,
    small: Vec<Path>,
}

/// Offsets as ranges: first and behind the last.
#[derive(Debug, Default)]
struct Offsets(BTreeMap<i64, i64>);

impl Offsets {
    fn contains(&self, offset: i64) -> bool {
        self.0
            .range(..=offset)
            .next_back()
            .is_some_and(|(_, end)| offset < *end)
    }

    fn insert(&mut self, offset: i64) {
        if self.contains(offset) {
            return;
        }
        let end = self.0.remove(&(offset + 1)).unwrap_or(offset + 1);
        match self.0.range_mut(..offset).next_back() {
            Some((_, before)) if *before == offset => *before = end,
            _ => {
                self.0.insert(offset, end);
            }
        }
    }
}

impl Kept {
    fn insert(&mut self, batch: &RecordBatch) {
        let partitions = batch.column(letters::PARTITION).as_primitive::<Int32Type>();
        let offsets = batch.column(letters::OFFSET).as_primitive::<Int64Type>();
        let ids = batch.column(letters::TOPIC_ID).as_string::<i32>();
        for row in 0..batch.num_rows() {
            let key = (ids.value(row).to_owned(), partitions.value(row));
            self.offsets
                .entry(key)
                .or_default()
                .insert(offsets.value(row));
        }
    }
}

impl DeadLetters {
    /// The letters of a data directory; nothing is read yet.
    ///
    /// # Errors
    /// None so far: what is damaged shows when it is read.
    pub async fn open(catalog: Arc<Catalog>, clock: Arc<dyn Clock>) -> Result<Arc<Self>> {
        Ok(Arc::new(Self {
            catalog,
            clock,
            kept: Mutex::default(),
            leaving: Leaving::default(),
        }))
    }

    /// The table `streams.dead_letters`.
    ///
    /// # Errors
    /// None so far.
    pub fn table(self: &Arc<Self>) -> Result<Arc<dyn TableProvider>> {
        Ok(Arc::new(LetterTable::new(Arc::clone(self))))
    }

    /// Keeps letters that are not kept yet; when this returns, they are durable.
    ///
    /// # Errors
    /// 53100, 58030: then the statement must fail, for a record would disappear.
    pub async fn keep(&self, to: &Addressee, letters: Vec<Letter>) -> Result<()> {
        let of_source = {
            let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(kept.entry(to.oid).or_default())
        };
        let mut of_source = of_source.lock().await;
        let kept = match of_source.take() {
            Some(kept) => kept,
            None => self.load(to.oid).await?,
        };
        let kept = of_source.insert(kept);
        let known = |letter: &Letter| {
            let key = (to.topic_id.clone(), letter.partition);
            kept.offsets
                .get(&key)
                .is_some_and(|o| o.contains(letter.offset))
        };
        let new: Vec<Letter> = letters.into_iter().filter(|l| !known(l)).collect();
        if new.is_empty() {
            return Ok(());
        }
        let batch = letters::rows(to, &new, self.clock.now_us())?;
        let (path, small) = self.put(to.oid, std::slice::from_ref(&batch)).await?;
        kept.insert(&batch);
        if small {
            kept.small.push(path);
        }
        if kept.small.len() > SMALL_FILES_MAX {
            self.unite(to.oid, kept).await?;
        }
        Ok(())
    }

    async fn load(&self, oid: u32) -> Result<Kept> {
        let mut kept = Kept::default();
        for file in self.files(oid).await? {
            for batch in self.read(&file.location).await?.unwrap_or_default() {
                kept.insert(&batch);
            }
            if file.size < SMALL {
                kept.small.push(file.location);
            }
        }
        Ok(kept)
    }

    /// Writes a file; tells its name and whether it is small.
    async fn put(&self, oid: u32, batches: &[RecordBatch]) -> Result<(Path, bool)> {
        let bytes = letters::write(batches)?;
        let small = (bytes.len() as u64) < SMALL;
        let unique = uuid::Uuid::new_v4().simple().to_string();
        let folder = dead_letters_folder(oid);
        let path = Path::from(format!(
            "{folder}/{:020}-{unique}.parquet",
            self.clock.now_us()
        ));
        let data = self.catalog.data();
        data.check_open()?;
        data.store
            .put(&path, PutPayload::from(bytes))
            .await
            .map_err(|e| from_store(&e))?;
        Ok((path, small))
    }

    /// Makes one file of the small ones. Between the two steps letters are there twice, never not at all.
    async fn unite(&self, oid: u32, kept: &mut Kept) -> Result<()> {
        let mut batches = Vec::new();
        for path in &kept.small {
            batches.extend(self.read(path).await?.unwrap_or_default());
        }
        let (path, small) = self.put(oid, &batches).await?;
        for old in kept.small.drain(..) {
            if let Err(error) = self.catalog.data().store.delete(&old).await {
                tracing::warn!(%error, path = %old, "a file of dead letters that is no longer needed stays");
            }
        }
        if small {
            kept.small.push(path);
        }
        Ok(())
    }

    /// The files of a source, oldest letters first.
    pub(super) async fn files(&self, oid: u32) -> Result<Vec<ObjectMeta>> {
        let folder = Path::from(dead_letters_folder(oid));
        let listed = self
            .catalog
            .data()
            .store
            .list(Some(&folder))
            .try_collect::<Vec<_>>()
            .await;
        let mut files = listed.map_err(|e| from_store(&e))?;
        files.sort_by(|a, b| a.location.cmp(&b.location));
        Ok(files)
    }

    /// The rows of a file; `None` when it was united with others meanwhile.
    pub(super) async fn read(&self, path: &Path) -> Result<Option<Vec<RecordBatch>>> {
        let read = async { self.catalog.data().store.get(path).await?.bytes().await };
        match read.await {
            Ok(bytes) => letters::read(bytes).map(Some),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(from_store(&error)),
        }
    }

    /// The sources there are.
    pub(super) fn sources(&self) -> Vec<u32> {
        let snapshot = self.catalog.snapshot();
        let sources = snapshot
            .relations
            .values()
            .filter(|r| matches!(r.kind, RelationKind::Source(_)));
        sources.map(|r| r.oid).collect()
    }
}
