//! Certificates and keys, from files in PEM.

use std::path::Path;

use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use zeroize::Zeroizing;

use super::super::page::read_bytes;

/// Largest file of certificates or of a key. All authorities that a system trusts are 220 KiB.
pub const PEM_FILE_BYTES_MAX: u64 = 1024 * 1024;

/// The certificates of a file, at least one. An error completes a sentence.
pub fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let bytes = read(path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    match found {
        Ok(found) if found.is_empty() => Err("holds no certificate in PEM".into()),
        Ok(found) => Ok(found),
        Err(error) => Err(format!("is not PEM: {error}")),
    }
}

/// The private key of a file.
pub fn key(path: &Path) -> Result<PrivateKeyDer<'static>, String> {
    let bytes = read(path)?;
    PrivateKeyDer::from_pem_slice(&bytes).map_err(|error| match error {
        pem::Error::NoItemsFound => "holds no private key in PEM; one behind a password is not supported".into(),
        // What stands there could be part of a key.
        _ => "is not a private key in PEM".into(),
    })
}

/// What stands around the certificates may be in any encoding.
fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, String> {
    read_bytes(path, PEM_FILE_BYTES_MAX).map(Zeroizing::new).map_err(|reason| format!("cannot be read: {reason}"))
}
