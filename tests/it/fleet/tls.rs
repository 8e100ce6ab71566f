//! TLS to the fleet's database, with as much trust as `sslmode` says (docs/fleet.md).
//!
//! Guards against: a connection in clear text where somebody asked for another, a server that is believed though nobody vouches for it, and
//! one that is not though somebody does.

use std::fs;
use std::path::{Path, PathBuf};

use super::{Postgres, wait_until_up};
use crate::support::{Identity, Setup, run};

/// A database that speaks TLS alone, as `localhost`.
fn secure() -> (Postgres, Identity) {
    let (database, server) = (Postgres::start(), Identity::new());
    let rules = PathBuf::from(database.sql("SHOW hba_file"));
    let folder = rules.parent().unwrap();
    give(&server, folder);
    for (setting, value) in [("ssl_cert_file", "certificate.pem"), ("ssl_key_file", "key.pem"), ("ssl", "on")] {
        database.sql(&format!("ALTER SYSTEM SET {setting} = '{value}'"));
    }
    fs::write(&rules, "hostssl all all 127.0.0.1/32 trust\n").unwrap();
    database.sql("SELECT pg_reload_conf()");
    (database, server)
}

/// Puts certificate and key where the server, and nobody else, can read them.
fn give(identity: &Identity, folder: &Path) {
    for name in ["certificate.pem", "key.pem"] {
        let file = folder.join(name);
        let bytes = fs::read(identity.folder().join(name)).unwrap();
        fs::write(&file, bytes).unwrap();
        let file = file.display().to_string();
        run("chmod", &["600", &file]);
        if rustix::process::geteuid().is_root() {
            run("chown", &["postgres", &file]);
        }
    }
}

#[test]
fn as_much_is_trusted_as_sslmode_says() {
    let (database, server) = secure();
    let stranger = Identity::new();
    let port = database.addr().port();
    let (right, wrong) = (server.certificate().display().to_string(), stranger.certificate().display().to_string());
    let unknown = "invalid peer certificate";
    for (host, parameters, said) in [
        ("localhost", format!("sslmode=verify-full&sslrootcert={right}"), None),
        ("127.0.0.1", format!("sslmode=verify-full&sslrootcert={right}"), Some(unknown)),
        ("localhost", format!("sslmode=verify-full&sslrootcert={wrong}"), Some(unknown)),
        ("localhost", "sslmode=verify-full".to_owned(), Some(unknown)),
        ("127.0.0.1", format!("sslmode=verify-ca&sslrootcert={right}"), None),
        ("127.0.0.1", format!("sslmode=verify-ca&sslrootcert={wrong}"), Some(unknown)),
        ("127.0.0.1", "sslmode=require".to_owned(), None),
        ("127.0.0.1", format!("sslmode=require&sslrootcert={wrong}"), Some(unknown)),
        ("127.0.0.1", "sslmode=prefer".to_owned(), None),
        ("127.0.0.1", String::new(), None),
        ("127.0.0.1", "sslmode=disable".to_owned(), Some("no encryption")),
        (
            "localhost",
            "sslmode=verify-full&sslrootcert=/nowhere".to_owned(),
            Some("cannot read the certificates of sslrootcert"),
        ),
    ] {
        let url = format!("postgres://postgres@{host}:{port}/fleet?{parameters}");
        let done = Setup::new().env("FLEET_URL", &url).verb(&["fleet", "init"]);
        let told = String::from_utf8_lossy(&done.stderr).into_owned();
        assert_eq!(done.status.code(), Some(i32::from(said.is_some())), "{url}: {told}");
        assert!(told.contains(said.unwrap_or_default()), "{url}: {told}");
    }
    let url = format!("postgres://postgres@localhost:{port}/fleet?sslmode=verify-full&sslrootcert={right}");
    let agent = Setup::new().env("FLEET_URL", url).env("FLEET_BUDGETS", "daily").start();
    wait_until_up(&agent);
    assert_eq!(
        database.sql(
            "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE backend_type = 'client backend'"
        ),
        "t"
    );
}
