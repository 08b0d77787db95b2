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

/// The functions used, by their names in `libpq-fe.h`.
struct Functions {
    connect: unsafe extern "C" fn(*const c_char) -> Conn,
    status: unsafe extern "C" fn(Conn) -> c_int,
    error: unsafe extern "C" fn(Conn) -> *const c_char,
    finish: unsafe extern "C" fn(Conn),
    exec: unsafe extern "C" fn(Conn, *const c_char) -> Raw,
    exec_params: ExecParams,
    prepare: unsafe extern "C" fn(Conn, *const c_char, *const c_char, c_int, *const c_void) -> Raw,
    exec_prepared: ExecPrepared,
    result_status: unsafe extern "C" fn(Raw) -> c_int,
    rows: unsafe extern "C" fn(Raw) -> c_int,
    columns: unsafe extern "C" fn(Raw) -> c_int,
    value: unsafe extern "C" fn(Raw, c_int, c_int) -> *const c_char,
    length: unsafe extern "C" fn(Raw, c_int, c_int) -> c_int,
    is_null: unsafe extern "C" fn(Raw, c_int, c_int) -> c_int,
    clear: unsafe extern "C" fn(Raw),
}

type ExecParams = unsafe extern "C" fn(
    Conn,
    *const c_char,
    c_int,
    *const c_void,
    *const *const c_char,
    *const c_int,
    *const c_int,
    c_int,
) -> Raw;
type ExecPrepared = unsafe extern "C" fn(
    Conn,
    *const c_char,
    c_int,
    *const *const c_char,
    *const c_int,
    *const c_int,
    c_int,
) -> Raw;

/// Loads the library once.
fn functions() -> Outcome<&'static Functions> {
    static LOADED: OnceLock<Result<Functions, String>> = OnceLock::new();
    LOADED
        .get_or_init(|| load().map_err(|e| e.to_string()))
        .as_ref()
        .map_err(|e| e.clone().into())
}

fn load() -> Outcome<Functions> {
    // SAFETY: the name ends with a NUL; the library's constructors need nothing of us.
    let library = unsafe { libc::dlopen(c"libpq.so.5".as_ptr(), libc::RTLD_NOW) };
    if library.is_null() {
        return Err("libpq.so.5 cannot be loaded (Debian's package libpq5 has it)".into());
    }
    let find = |name: &CStr| -> Outcome<*mut c_void> {
        // SAFETY: the library is loaded and the name ends with a NUL.
        let symbol = unsafe { libc::dlsym(library, name.as_ptr()) };
        if symbol.is_null() {
            Err(format!("libpq has no {}", name.to_string_lossy()).into())
        } else {
            Ok(symbol)
        }
    };
    macro_rules! function {
        // SAFETY: the field's type is the function's in libpq-fe.h, which has not changed since PostgreSQL 7.4.
        ($name:literal) => {
            unsafe { std::mem::transmute(find($name)?) }
        };
    }
    Ok(Functions {
        connect: function!(c"PQconnectdb"),
        status: function!(c"PQstatus"),
        error: function!(c"PQerrorMessage"),
        finish: function!(c"PQfinish"),
        exec: function!(c"PQexec"),
        exec_params: function!(c"PQexecParams"),
        prepare: function!(c"PQprepare"),
        exec_prepared: function!(c"PQexecPrepared"),
        result_status: function!(c"PQresultStatus"),
        rows: function!(c"PQntuples"),
        columns: function!(c"PQnfields"),
        value: function!(c"PQgetvalue"),
        length: function!(c"PQgetlength"),
        is_null: function!(c"PQgetisnull"),
        clear: function!(c"PQclear"),
    })
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
