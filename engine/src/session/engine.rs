//! The engine as a whole: opened on a data directory, it gives sessions and ends their statements on request.

use super::{Session, SessionOptions};
use crate::catalog::DATABASE;
use crate::catalog::durable::DataDir;
use crate::catalog::store::Catalog;
use crate::config::{Components, Config};
use crate::error::{Error, Kind, Result};
use crate::lake::stores::Stores;
use crate::model::Registry;
use crate::model::runs::Runs;
use crate::query::{Cancel, Services, state};
use crate::source::dead_letters::DeadLetters;
use alcedo_sql::SqlState;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long closing waits for statements to end, in steps: a training stops between two rounds.
const CLOSING_STEPS: u32 = 200;
const CLOSING_STEP: Duration = Duration::from_millis(25);

/// An open data directory; clones are the same engine.
#[derive(Debug, Clone)]
pub struct Engine(Arc<Shared>);

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) services: Arc<Services>,
    sessions: Mutex<HashMap<i32, Entry>>,
    next_pid: AtomicI32,
    closed: AtomicBool,
    /// Statements that are being carried out; those that only give rows still are not among them.
    executing: AtomicUsize,
}

/// A statement that is being carried out.
pub(super) struct Executing<'a>(&'a AtomicUsize);

impl Drop for Executing<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// What ending a statement from outside needs of its session.
#[derive(Debug)]
struct Entry {
    secret: i32,
    current: Arc<Mutex<Cancel>>,
}

impl Engine {
    /// Opens a data directory, or makes it.
    ///
    /// # Errors
    /// 55006 when another process holds it, XX001 when its catalog is damaged, 58030 when it cannot be read.
    pub async fn open(config: Config, components: Components) -> Result<Self> {
        let clock = components.clock;
        let data = DataDir::open(&config).await?;
        let catalog = Catalog::open(data, Arc::clone(&clock), config.secret_key.clone()).await?;
        let stores = Stores::open(Arc::clone(&catalog), &config)?;
        let registry: Arc<Stores> = Arc::clone(&stores);
        let runtime = state::runtime(&config, registry)?;
        let services = Services {
            models: Registry::new(Arc::clone(&catalog)),
            trainings: Runs::open(Arc::clone(&catalog), Arc::clone(&clock)).await?,
            dead_letters: DeadLetters::open(Arc::clone(&catalog), Arc::clone(&clock)).await?,
            template: state::template(runtime)?,
            config,
            clock,
            catalog,
            stores,
        };
        Ok(Self(Arc::new(Shared {
            services: Arc::new(services),
            sessions: Mutex::default(),
            next_pid: AtomicI32::new(1),
            closed: AtomicBool::new(false),
            executing: AtomicUsize::new(0),
        })))
    }

    /// A session of its own: variables, transaction block, notices.
    ///
    /// # Errors
    /// 3D000 for another database, 22023 and 42704 for start-up parameters that do not fit.
    pub fn session(&self, options: SessionOptions) -> Result<Session> {
        if options.database != DATABASE {
            let text = format!("database \"{}\" does not exist", options.database);
            return Err(Error::user(SqlState::INVALID_CATALOG_NAME, text)
                .hint(format!("There is one database: \"{DATABASE}\".")));
        }
        let pid = self.0.next_pid.fetch_add(1, Ordering::Relaxed);
        // Any 31 random bits do.
        let secret = (uuid::Uuid::new_v4().as_u128() & 0x7fff_ffff) as i32;
        let session = Session::new(Arc::clone(&self.0), options, pid, secret)?;
        let entry = Entry {
            secret,
            current: session.current(),
        };
        self.0.sessions().insert(pid, entry);
        Ok(session)
    }

    /// Ends the running statement of a session, if the secret is right: what a cancel request does.
    pub fn cancel(&self, pid: i32, secret: i32) {
        let sessions = self.0.sessions();
        if let Some(entry) = sessions.get(&pid).filter(|e| e.secret == secret) {
            entry
                .current
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .token
                .cancel();
        }
    }

    /// Notes where a server listens, for the error that other processes get on this directory.
    pub fn announce(&self, address: &str) {
        self.0.services.catalog.data().announce(address);
    }

    /// Ends all statements, trainings among them, and gives the data directory up. Sessions that are left fail
    /// from here on.
    pub async fn close(&self) {
        if self.0.closed.swap(true, Ordering::SeqCst) {
            return;
        }
        for entry in self.0.sessions().values() {
            entry
                .current
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .token
                .cancel();
        }
        // A write that is under way ends, and a training writes down how it ended.
        for _ in 0..CLOSING_STEPS {
            if self.0.executing.load(Ordering::SeqCst) == 0 {
                break;
            }
            tokio::time::sleep(CLOSING_STEP).await;
        }
        self.0.services.catalog.data().close();
    }
}

impl Shared {
    pub(super) fn forget(&self, pid: i32) {
        self.sessions().remove(&pid);
    }

    pub(super) fn execute(&self) -> Executing<'_> {
        self.executing.fetch_add(1, Ordering::SeqCst);
        Executing(&self.executing)
    }

    /// 57P01 once the engine is closed.
    pub(super) fn check_open(&self) -> Result<()> {
        if self.closed.load(Ordering::SeqCst) {
            return Err(Error::new(
                Kind::Canceled,
                SqlState::ADMIN_SHUTDOWN,
                "the engine is closed",
            ));
        }
        Ok(())
    }

    fn sessions(&self) -> MutexGuard<'_, HashMap<i32, Entry>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
