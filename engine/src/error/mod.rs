//! The engine's error: what to do about it ([`Kind`]), its SQLSTATE, and texts in PostgreSQL's style.

pub mod datafusion;
mod embedded;

use alcedo_sql::{SqlError, SqlState};

/// What to do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Fix the statement.
    User,
    /// Retry: somebody else was faster.
    Conflict,
    /// Back off: a broker, a store or a resource is not there.
    Unavailable,
    /// Stop the job: what was read or stored is damaged.
    Data,
    /// The user or the server asked for the end.
    Canceled,
    /// Report it.
    Internal,
}

/// Shorthand of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of the engine; cheap to move, never carries a secret.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{}", .0.message)]
pub struct Error(Box<Fields>);

/// What an [`Error`] carries.
#[derive(Debug, Clone)]
pub struct Fields {
    /// What to do.
    pub kind: Kind,
    /// The condition.
    pub state: SqlState,
    /// Lower case, no full stop.
    pub message: String,
    /// A sentence with facts.
    pub detail: Option<String>,
    /// A sentence that names the way out.
    pub hint: Option<String>,
    /// 1-based character position in the statement's script.
    pub position: Option<usize>,
    /// Line and column (from 1) in the script, where only these are known; the session makes a position of them.
    pub span: Option<(u64, u64)>,
}

impl Error {
    /// An error of any kind.
    pub fn new(kind: Kind, state: SqlState, message: impl Into<String>) -> Self {
        Self(Box::new(Fields {
            kind,
            state,
            message: message.into(),
            detail: None,
            hint: None,
            position: None,
            span: None,
        }))
    }

    /// The statement is wrong.
    pub fn user(state: SqlState, message: impl Into<String>) -> Self {
        Self::new(Kind::User, state, message)
    }

    /// A feature we lack: 0A000.
    pub fn unsupported(message: impl Into<String>) -> Self {
        Self::user(SqlState::FEATURE_NOT_SUPPORTED, message)
    }

    /// An invariant did not hold: XX000.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(Kind::Internal, SqlState::INTERNAL_ERROR, message)
    }

    /// The statement was canceled: 57014.
    pub fn canceled() -> Self {
        Self::new(
            Kind::Canceled,
            SqlState::QUERY_CANCELED,
            "canceling statement due to user request",
        )
    }

    /// Adds a hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Adds a detail.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.0.detail = Some(detail.into());
        self
    }

    /// Sets the position unless one is known.
    #[must_use]
    pub fn at(mut self, position: Option<usize>) -> Self {
        self.0.position = self.0.position.or(position);
        self
    }

    /// Sets the place by line and column unless one is known; line 0 is none.
    #[must_use]
    pub fn at_span(mut self, line: u64, column: u64) -> Self {
        if line > 0 && self.0.position.is_none() {
            self.0.span = self.0.span.or(Some((line, column)));
        }
        self
    }

    /// Forgets the place: for errors in text that is not the statement's own, as a view's query.
    #[must_use]
    pub fn placeless(mut self) -> Self {
        self.0.position = None;
        self.0.span = None;
        self
    }

    /// Makes a position of a line and column.
    #[must_use]
    pub(crate) fn located(mut self, position: impl Fn(u64, u64) -> usize) -> Self {
        if let Some((line, column)) = self.0.span.take() {
            self.0.position = self
                .0
                .position
                .or(Some(position(line, column)).filter(|p| *p > 0));
        }
        self
    }

    /// What the error carries.
    pub fn fields(&self) -> &Fields {
        &self.0
    }

    /// The condition.
    pub fn state(&self) -> SqlState {
        self.0.state
    }
}

impl From<SqlError> for Error {
    fn from(e: SqlError) -> Self {
        let mut error = Error::user(e.state, e.message).at(e.position);
        error.0.detail = e.detail;
        error.0.hint = e.hint;
        error
    }
}

/// Errors of the operating system, or of an object store that was written to like a file.
pub fn from_io(error: &std::io::Error) -> Error {
    if let Some(store) = error.get_ref().and_then(|inner| inner.downcast_ref()) {
        return from_store(store);
    }
    match error.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => Error::new(
            Kind::Unavailable,
            SqlState::DISK_FULL,
            "no space left on device",
        )
        .hint("Free some space, then run the statement again."),
        std::io::ErrorKind::NotFound => Error::user(SqlState::UNDEFINED_FILE, error.to_string()),
        std::io::ErrorKind::PermissionDenied => {
            Error::user(SqlState::INSUFFICIENT_PRIVILEGE, error.to_string())
        }
        // Spilled files are written by those who keep only the text of what went wrong.
        _ if error.to_string().contains("No space left on device") => {
            from_io(&std::io::ErrorKind::StorageFull.into())
        }
        _ => Error::new(Kind::Unavailable, SqlState::IO_ERROR, error.to_string()),
    }
}

/// Errors of an object store; an error of ours or a full disk inside is found.
pub fn from_store(error: &object_store::Error) -> Error {
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        if let Some(error) = cause.downcast_ref::<Error>() {
            return error.clone();
        }
        if let Some(io) = cause.downcast_ref::<std::io::Error>() {
            if matches!(
                io.kind(),
                std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded
            ) {
                return from_io(io);
            }
        }
        source = cause.source();
    }
    match error {
        object_store::Error::NotFound { path, .. } => {
            Error::user(SqlState::UNDEFINED_FILE, format!("no object at \"{path}\""))
        }
        object_store::Error::PermissionDenied { path, .. }
        | object_store::Error::Unauthenticated { path, .. } => Error::user(
            SqlState::INSUFFICIENT_PRIVILEGE,
            format!("the object store refused access to \"{path}\""),
        )
        .hint("Check the keys in CREATE SECRET (TYPE s3, …) and its SCOPE."),
        // Without keys the client asks the cloud's machine for some, at the address that all clouds use.
        other if other.to_string().contains("169.254.169.254") => Error::user(
            SqlState::INSUFFICIENT_PRIVILEGE,
            "there are no keys for this bucket",
        )
        .hint(
            "Give them with CREATE SECRET n (TYPE s3, KEY_ID '…', SECRET '…', REGION '…', SCOPE 's3://bucket'), or in the server's environment as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.",
        ),
        other => refusal(&other.to_string()).unwrap_or_else(|| {
            let cause = format!("the object store cannot be used: {}", innermost(other));
            Error::new(Kind::Unavailable, SqlState::IO_ERROR, cause).detail(other.to_string())
        }),
    }
}

/// What a store of S3's kind says in its XML.
fn refusal(text: &str) -> Option<Error> {
    let element = |name: &str| {
        let (_, rest) = text.split_once(&format!("<{name}>"))?;
        Some(rest.split_once(&format!("</{name}>"))?.0.trim())
    };
    let code = element("Code")?;
    let said = element("Message").unwrap_or_default();
    let message = format!("the object store answered {code}: {said}");
    Some(match (code, element("BucketName")) {
        ("NoSuchBucket", Some(bucket)) => {
            let text = format!("bucket \"{bucket}\" does not exist");
            Error::user(SqlState::UNDEFINED_FILE, text)
        }
        ("NoSuchBucket" | "NoSuchKey", _) => Error::user(SqlState::UNDEFINED_FILE, message),
        ("AccessDenied" | "InvalidAccessKeyId" | "SignatureDoesNotMatch", _) => {
            Error::user(SqlState::INSUFFICIENT_PRIVILEGE, message)
                .hint("Check the keys in CREATE SECRET (TYPE s3, …) and its SCOPE.")
        }
        _ => Error::new(Kind::Unavailable, SqlState::IO_ERROR, message),
    })
}

/// The text of the first cause.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut first = error;
    while let Some(cause) = first.source() {
        first = cause;
    }
    first.to_string()
}
