//! Sealing of secrets: AES-256-GCM with one key per data directory.
//!
//! A local directory makes its own key file (mode 0600) with its first secret. A shared one takes the key from the
//! configuration, because a key beside what it locks is no lock there.

use super::durable::DataDir;
use crate::error::{Error, Kind, Result, from_io};
use alcedo_sql::SqlState;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;

const KEY_FILE: &str = "secret.key";
const KEY_BYTES: usize = 32;

/// Seals bytes: nonce and ciphertext, hexadecimal.
pub(super) fn seal(data: &DataDir, configured: Option<&str>, plain: &[u8]) -> Result<String> {
    let key = key(data, configured, true)?;
    let mut nonce = [0; NONCE_LEN];
    SystemRandom::new()
        .fill(&mut nonce)
        .map_err(|_| Error::internal("the system gives no random numbers"))?;
    let mut bytes = plain.to_vec();
    key.seal_in_place_append_tag(
        Nonce::assume_unique_for_key(nonce),
        Aad::empty(),
        &mut bytes,
    )
    .map_err(|_| Error::internal("a secret could not be sealed"))?;
    Ok(to_hex(&nonce) + &to_hex(&bytes))
}

/// Opens what [`seal`] made.
pub(super) fn unseal(data: &DataDir, configured: Option<&str>, sealed: &str) -> Result<Vec<u8>> {
    let wrong = || {
        Error::new(
            Kind::Data,
            SqlState::DATA_CORRUPTED,
            "a secret does not open with this directory's key",
        )
        .hint("Put the right key back, or set the secret again with ALTER SECRET.")
    };
    let key = key(data, configured, false)?;
    let mut bytes = from_hex(sealed).ok_or_else(wrong)?;
    if bytes.len() < NONCE_LEN {
        return Err(wrong());
    }
    let mut rest = bytes.split_off(NONCE_LEN);
    let nonce = Nonce::try_assume_unique_for_key(&bytes).map_err(|_| wrong())?;
    let plain = key
        .open_in_place(nonce, Aad::empty(), &mut rest)
        .map_err(|_| wrong())?;
    Ok(plain.to_vec())
}

fn key(data: &DataDir, configured: Option<&str>, make: bool) -> Result<LessSafeKey> {
    let bytes = match (configured, &data.local) {
        (Some(text), _) => from_hex(text.trim()).filter(|k| k.len() == KEY_BYTES).ok_or_else(|| {
            Error::user(SqlState::INVALID_PARAMETER_VALUE, "secret_key is not a key")
                .hint("It is 32 bytes as 64 hexadecimal digits, as `openssl rand -hex 32` prints them.")
        })?,
        (None, Some(folder)) => key_file(&folder.join(KEY_FILE), make)?,
        (None, None) => {
            return Err(Error::user(
                SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
                "secrets on a shared data directory need a key",
            )
            .hint("Set secret_key in the configuration or ALCEDO_SECRET_KEY to 64 hexadecimal digits."));
        }
    };
    let key = UnboundKey::new(&AES_256_GCM, &bytes)
        .map_err(|_| Error::internal("a key has the wrong length"))?;
    Ok(LessSafeKey::new(key))
}

fn key_file(path: &std::path::Path, make: bool) -> Result<Vec<u8>> {
    match std::fs::read_to_string(path) {
        Ok(text) => from_hex(text.trim())
            .filter(|k| k.len() == KEY_BYTES)
            .ok_or_else(|| {
                let text = format!("the key file \"{}\" is damaged", path.display());
                Error::new(Kind::Data, SqlState::DATA_CORRUPTED, text)
            }),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound && make => {
            make_key_file(path).map_err(|e| from_io(&e))?;
            key_file(path, false)
        }
        Err(e) => Err(from_io(&e)),
    }
}

/// Makes a key and gives it its name when it is on disk; whoever is second keeps the first one's.
fn make_key_file(path: &std::path::Path) -> std::io::Result<()> {
    let mut key = [0; KEY_BYTES];
    SystemRandom::new()
        .fill(&mut key)
        .map_err(|_| std::io::Error::other("the system gives no random numbers"))?;
    let staged = path.with_extension(uuid::Uuid::new_v4().simple().to_string());
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&staged)?;
    let written = file
        .write_all(to_hex(&key).as_bytes())
        .and_then(|()| file.sync_all());
    let named = written.and_then(|()| std::fs::hard_link(&staged, path));
    std::fs::remove_file(&staged)?;
    match named {
        Err(e) if e.kind() != std::io::ErrorKind::AlreadyExists => return Err(e),
        _ => {}
    }
    std::fs::File::open(path.parent().unwrap_or(path))?.sync_all()
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    if !text.is_ascii() || !text.len().is_multiple_of(2) {
        return None;
    }
    (0..text.len())
        .step_by(2)
        .map(|i| u8::from_str_radix(&text[i..i + 2], 16).ok())
        .collect()
}
