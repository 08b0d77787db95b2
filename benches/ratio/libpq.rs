//! libpq, the client library of psql and most drivers, loaded when a scenario asks for it: the build needs none of it.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::ptr;
use std::sync::OnceLock;

use super::Outcome;

const CONNECTION_OK: c_int = 0;
const COMMAND_OK: c_int = 1;
const TUPLES_OK: c_int = 2;

type Conn = *mut c_void;
type Raw = *mut c_void;

/// The functions used: the field, the symbol in `libpq-fe.h`, its type there.
macro_rules! functions {
    ($($field:ident $symbol:literal $ty:ty;)*) => {
        struct Functions { $($field: $ty),* }

        fn load() -> Outcome<Functions> {
            let library = Library::open()?;
            // SAFETY: the types are those of libpq-fe.h, which have not changed since PostgreSQL 7.4.
            unsafe { Ok(Functions { $($field: std::mem::transmute::<*mut c_void, $ty>(library.find($symbol)?)),* }) }
        }
    };
}

type Text = *const c_char;
type Texts = *const *const c_char;
type Numbers = *const c_int;

functions! {
    connect c"PQconnectdb" unsafe extern "C" fn(Text) -> Conn;
    status c"PQstatus" unsafe extern "C" fn(Conn) -> c_int;
    error c"PQerrorMessage" unsafe extern "C" fn(Conn) -> Text;
    finish c"PQfinish" unsafe extern "C" fn(Conn);
    exec c"PQexec" unsafe extern "C" fn(Conn, Text) -> Raw;
    exec_params c"PQexecParams"
        unsafe extern "C" fn(Conn, Text, c_int, *const c_void, Texts, Numbers, Numbers, c_int) -> Raw;
    prepare c"PQprepare" unsafe extern "C" fn(Conn, Text, Text, c_int, *const c_void) -> Raw;
    exec_prepared c"PQexecPrepared" unsafe extern "C" fn(Conn, Text, c_int, Texts, Numbers, Numbers, c_int) -> Raw;
    result_status c"PQresultStatus" unsafe extern "C" fn(Raw) -> c_int;
    rows c"PQntuples" unsafe extern "C" fn(Raw) -> c_int;
    columns c"PQnfields" unsafe extern "C" fn(Raw) -> c_int;
    value c"PQgetvalue" unsafe extern "C" fn(Raw, c_int, c_int) -> Text;
    length c"PQgetlength" unsafe extern "C" fn(Raw, c_int, c_int) -> c_int;
    is_null c"PQgetisnull" unsafe extern "C" fn(Raw, c_int, c_int) -> c_int;
    clear c"PQclear" unsafe extern "C" fn(Raw);
}

/// The shared library, which stays loaded.
struct Library(*mut c_void);

impl Library {
    fn open() -> Outcome<Library> {
        // SAFETY: the name ends with a NUL; the library's constructors need nothing of us.
        let handle = unsafe { libc::dlopen(c"libpq.so.5".as_ptr(), libc::RTLD_NOW) };
        if handle.is_null() {
            return Err("libpq.so.5 cannot be loaded (Debian's package libpq5 has it)".into());
        }
        Ok(Library(handle))
    }

    fn find(&self, name: &CStr) -> Outcome<*mut c_void> {
        // SAFETY: the library is loaded and the name ends with a NUL.
        let symbol = unsafe { libc::dlsym(self.0, name.as_ptr()) };
        if symbol.is_null() {
            return Err(format!("libpq has no {}", name.to_string_lossy()).into());
        }
        Ok(symbol)
    }
}

/// Loads the library once.
fn functions() -> Outcome<&'static Functions> {
    static LOADED: OnceLock<Result<Functions, String>> = OnceLock::new();
    LOADED
        .get_or_init(|| load().map_err(|e| e.to_string()))
        .as_ref()
        .map_err(|e| e.clone().into())
}

/// A connection.
pub struct Connection {
    pq: &'static Functions,
    handle: Conn,
}

/// How values come.
#[derive(Clone, Copy, PartialEq)]
#[allow(missing_docs)]
pub enum Format {
    Text,
    Binary,
}

impl Connection {
    /// Connects.
    pub fn open(conninfo: &str) -> Outcome<Connection> {
        let pq = functions()?;
        let text = CString::new(conninfo)?;
        // SAFETY: the text ends with a NUL.
        let handle = unsafe { (pq.connect)(text.as_ptr()) };
        let connection = Connection { pq, handle };
        // SAFETY: the handle is what PQconnectdb gave; libpq takes a null one as broken.
        if unsafe { (pq.status)(handle) } == CONNECTION_OK {
            Ok(connection)
        } else {
            Err(connection.error("connecting"))
        }
    }

    /// Runs statements without rows.
    pub fn run(&self, sql: &str) -> Outcome<()> {
        let text = CString::new(sql)?;
        // SAFETY: the connection is open and the text ends with a NUL.
        self.result(unsafe { (self.pq.exec)(self.handle, text.as_ptr()) }, sql)
            .map(|_| ())
    }

    /// A whole result in the library's memory, which is how most programs use it.
    pub fn query(&self, sql: &str, format: Format) -> Outcome<Rows> {
        let text = CString::new(sql)?;
        let (none, format) = (ptr::null(), c_int::from(format == Format::Binary));
        // SAFETY: as in `run`; without parameters their lists are null.
        let raw = unsafe {
            (self.pq.exec_params)(
                self.handle,
                text.as_ptr(),
                0,
                none,
                ptr::null(),
                ptr::null(),
                ptr::null(),
                format,
            )
        };
        self.result(raw, sql)
    }

    /// Prepares a statement without parameters.
    pub fn prepare(&self, name: &CStr, sql: &str) -> Outcome<()> {
        let text = CString::new(sql)?;
        // SAFETY: as in `run`.
        let raw =
            unsafe { (self.pq.prepare)(self.handle, name.as_ptr(), text.as_ptr(), 0, ptr::null()) };
        self.result(raw, sql).map(|_| ())
    }

    /// Runs a prepared statement.
    pub fn execute(&self, name: &CStr) -> Outcome<Rows> {
        // SAFETY: as in `query`.
        let raw = unsafe {
            (self.pq.exec_prepared)(
                self.handle,
                name.as_ptr(),
                0,
                ptr::null(),
                ptr::null(),
                ptr::null(),
                0,
            )
        };
        self.result(raw, "a prepared statement")
    }

    fn result(&self, raw: Raw, what: &str) -> Outcome<Rows> {
        let rows = Rows { pq: self.pq, raw };
        // SAFETY: the result is what libpq gave; it takes a null one as a failure.
        match unsafe { (self.pq.result_status)(raw) } {
            COMMAND_OK | TUPLES_OK => Ok(rows),
            _ => Err(self.error(what)),
        }
    }

    fn error(&self, what: &str) -> Box<dyn std::error::Error> {
        // SAFETY: the text belongs to the connection and is copied at once.
        let text = unsafe { CStr::from_ptr((self.pq.error)(self.handle)) };
        format!("{what}: {}", text.to_string_lossy().trim()).into()
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // SAFETY: the handle is ours and not used again.
        unsafe { (self.pq.finish)(self.handle) };
    }
}

/// A result.
pub struct Rows {
    pq: &'static Functions,
    raw: Raw,
}

impl Rows {
    /// Number of rows.
    pub fn rows(&self) -> c_int {
        // SAFETY: the result is alive.
        unsafe { (self.pq.rows)(self.raw) }
    }

    /// Number of columns.
    pub fn columns(&self) -> c_int {
        // SAFETY: the result is alive.
        unsafe { (self.pq.columns)(self.raw) }
    }

    /// A value's bytes; `None` for NULL. Row and column must exist.
    pub fn value(&self, row: c_int, column: c_int) -> Option<&[u8]> {
        // SAFETY: row and column exist; the value has the length told and lives as long as the result.
        unsafe {
            if (self.pq.is_null)(self.raw, row, column) != 0 {
                return None;
            }
            let length = usize::try_from((self.pq.length)(self.raw, row, column)).unwrap_or(0);
            Some(std::slice::from_raw_parts(
                (self.pq.value)(self.raw, row, column).cast::<u8>(),
                length,
            ))
        }
    }
}

impl Drop for Rows {
    fn drop(&mut self) {
        // SAFETY: the result is ours and not used again; libpq takes a null one.
        unsafe { (self.pq.clear)(self.raw) };
    }
}
