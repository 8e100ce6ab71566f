//! What a service manager is told, as systemd would read it on its socket.
//!
//! Guards against: dependents started before requests are answered, a reload that never ends, a notification that a missing
//! manager turns into a failure.

use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::support::Setup;

/// Longest wait for a word.
const TOLD_MAX: Duration = Duration::from_secs(30);

/// The next message, a line each.
fn next(manager: &UnixDatagram) -> Vec<String> {
    let mut message = [0; 4096];
    let length = manager.recv(&mut message).expect("the manager is told in time");
    std::str::from_utf8(&message[..length]).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn the_service_manager_hears_of_start_reload_and_end() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("notify");
    let manager = UnixDatagram::bind(&socket).unwrap();
    manager.set_read_timeout(Some(TOLD_MAX)).unwrap();

    let mut agent = Setup::new().env("NOTIFY_SOCKET", &socket).start();
    assert_eq!(next(&manager), ["READY=1"]);
    agent.get("/health").expect(200);

    let pid = Pid::from_raw(i32::try_from(agent.pid()).unwrap()).unwrap();
    kill_process(pid, Signal::HUP).unwrap();
    let reloading = next(&manager);
    assert_eq!(reloading[0], "RELOADING=1");
    let since_boot = reloading[1].strip_prefix("MONOTONIC_USEC=").expect("the time of the reload");
    assert!(since_boot.parse::<u64>().unwrap() > 0);
    assert_eq!(next(&manager), ["READY=1"], "the reload is over");

    assert_eq!(agent.terminate().code(), Some(0), "{}", agent.log());
    assert_eq!(next(&manager), ["STOPPING=1"]);
}

#[test]
fn a_manager_that_is_gone_stops_nothing() {
    let mut agent = Setup::new().env("NOTIFY_SOCKET", "/nonexistent/notify").start();
    agent.get("/health").expect(200);
    assert_eq!(agent.terminate().code(), Some(0), "{}", agent.log());
    assert!(agent.log().contains("the service manager cannot be told"), "{}", agent.log());
}
