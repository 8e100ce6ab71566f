//! The Unix socket: who may open its file may do everything.
//!
//! Guards against: a socket that every user may open for a moment, one that takes another program's file or place away, one that is left
//! behind and keeps the next start from its place.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use crate::support::{Conn, Refused, Response, Setup};

const EVENT: &str = r#"{"service":"s","amount_usd":1}"#;

fn with_socket(setup: Setup) -> (Setup, PathBuf) {
    let path = setup.folder().join("agent.sock");
    (setup.env("WRITE_SOCKET", path.as_os_str()), path)
}

#[track_caller]
fn ask(path: &Path, method: &str, target: &str, headers: &str, body: &str) -> Response {
    let mut conn = Conn::open_socket(path).unwrap();
    let length = body.len();
    let json = "Content-Type: application/json\r\n";
    conn.send(format!("{method} {target} HTTP/1.1\r\n{headers}{json}Content-Length: {length}\r\n\r\n{body}").as_bytes())
        .unwrap();
    conn.read().unwrap()
}

#[track_caller]
fn refused(setup: &Setup) -> Refused {
    setup.try_start().err().expect("the agent must not start")
}

#[test]
fn through_the_socket_everything_is_answered_without_a_token() {
    let (setup, path) = with_socket(Setup::new().env("API_TOKEN", "secret"));
    let agent = setup.start();
    for (method, target, body, status) in [
        ("POST", "/costs", EVENT, 200),
        ("GET", "/costs/daily", "", 200),
        ("GET", "/metrics", "", 200),
        ("PUT", "/scaling-gate", r#"{"state":"auto","reason":"r"}"#, 200),
        ("PUT", "/budgets/daily", r#"{"limit_usd":60,"reason":"r"}"#, 200),
        ("POST", "/reservations", r#"{"service":"s","estimated_cost_usd":1,"id":"a"}"#, 201),
        ("POST", "/reservations/a/release", "{}", 200),
        ("POST", "/prices/reload", "", 200),
        ("POST", "/ingest/litellm", "[]", 200),
        ("GET", "/nope", "", 404),
    ] {
        for headers in ["Host: localhost\r\n", "Host: agent\r\nX-Forwarded-For: 10.0.0.9\r\n"] {
            let answer = ask(&path, method, target, headers, body);
            assert!(
                answer.status == status || (target == "/reservations" && answer.status == 200),
                "{target}: {}",
                answer.text()
            );
        }
    }
    ask(&path, "POST", "/costs", "", EVENT).expect(200);
    for header in ["Origin: http://localhost", "Origin: null", "Sec-Fetch-Site: cross-site"] {
        let answer = ask(&path, "POST", "/costs", &format!("Host: localhost\r\n{header}\r\n"), EVENT);
        assert_eq!((answer.status, answer.slug().as_str()), (403, "forbidden"), "{header}");
    }
    assert_eq!(agent.get("/costs/daily").text(), r#"{"s":3}"#);
    agent.costs(EVENT).expect(401);
}

#[test]
fn its_mode_is_0660_whatever_the_umask() {
    for umask in ["0000", "0022", "0077", "0777"] {
        let (setup, path) = with_socket(Setup::new());
        // The ledger's folder is there; under 0777 nobody could look into one that was made.
        let shell = format!("umask {umask}; exec \"$@\"");
        let mut agent = setup.wrapped_in(["sh", "-c", &shell, "sh"]).start();
        let file = fs::symlink_metadata(&path).unwrap();
        assert!(file.file_type().is_socket());
        assert_eq!(file.permissions().mode() & 0o7777, 0o660, "{umask}");
        assert!(agent.terminate().success());
        assert!(!path.exists(), "it goes with its agent");
    }
}

#[test]
fn a_socket_that_a_killed_agent_left_is_replaced() {
    let (setup, path) = with_socket(Setup::new());
    let mut agent = setup.start();
    agent.kill();
    assert!(path.exists());
    let mut agent = setup.start();
    ask(&path, "POST", "/costs", "", EVENT).expect(200);
    assert!(agent.terminate().success());
    assert!(!path.exists());
}

#[test]
fn what_is_somebody_elses_stays() {
    let (setup, path) = with_socket(Setup::new());
    let others = UnixListener::bind(&path).unwrap();
    let ended = refused(&setup);
    assert_eq!(ended.status.code(), Some(1), "{}", ended.log);
    assert!(ended.log.contains("another process answers there") && ended.log.contains("agent.sock"), "{}", ended.log);
    drop(others);
    fs::remove_file(&path).unwrap();

    let target = setup.folder().join("target");
    fs::write(&target, "kept").unwrap();
    for is_link in [false, true] {
        if is_link {
            std::os::unix::fs::symlink(&target, &path).unwrap();
        } else {
            fs::write(&path, "kept").unwrap();
        }
        let ended = refused(&setup);
        assert_eq!(ended.status.code(), Some(1), "{}", ended.log);
        assert!(ended.log.contains("something else than a socket"), "{}", ended.log);
        assert_eq!(fs::read_to_string(&path).unwrap(), "kept");
        fs::remove_file(&path).unwrap();
    }

    // Taken away while the agent runs, and given to somebody else.
    let mut agent = setup.start();
    fs::remove_file(&path).unwrap();
    let _others = UnixListener::bind(&path).unwrap();
    let inode = fs::symlink_metadata(&path).unwrap().ino();
    assert!(agent.terminate().success());
    assert_eq!(fs::symlink_metadata(&path).unwrap().ino(), inode);
}

#[test]
fn an_agent_that_does_not_start_leaves_no_socket() {
    let (setup, path) = with_socket(Setup::new());
    fs::write(setup.ledger(), "this is no ledger, and long enough to be looked at").unwrap();
    assert_eq!(refused(&setup).status.code(), Some(1));
    assert!(!path.exists());
}

#[test]
fn a_path_that_the_system_does_not_take_is_a_configuration_error() {
    for (bytes, code) in [(107, 1), (108, 78)] {
        let path = format!("/{}", "s".repeat(bytes - 1));
        // Where it is short enough, its folder is missing.
        let ended = refused(&Setup::new().env("WRITE_SOCKET", format!("/nowhere{}", &path[..bytes - 8])));
        assert_eq!(ended.status.code(), Some(code), "{bytes}: {}", ended.log);
    }
}

#[test]
fn the_command_line_speaks_to_it() {
    let (setup, path) = with_socket(Setup::new().env("API_TOKEN", "secret"));
    let agent = setup.start();
    let url = format!("unix:{}", path.display());
    // The fixture gives every verb the agent's settings, and with them its token; this one has none.
    let run = |arguments: &[&str]| {
        let output =
            std::process::Command::new(crate::support::program()).env_clear().args(arguments).args(["--url", &url]).output();
        output.unwrap()
    };
    let recorded = run(&["record", "--service", "s", "--amount-usd", "2.5"]);
    assert!(recorded.status.success(), "{}", String::from_utf8_lossy(&recorded.stderr));
    assert_eq!(agent.get("/costs/daily").text(), r#"{"s":2.5}"#);
    assert!(run(&["healthcheck"]).status.success());
    drop(agent);
    let gone = run(&["costs", "daily"]);
    assert_eq!(gone.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&gone.stderr).contains(&url), "{}", String::from_utf8_lossy(&gone.stderr));
}
