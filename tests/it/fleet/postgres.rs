//! A PostgreSQL server of a test's own, and a way to it that can be cut.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use crate::support::{tool, within};

/// On two cores that all tests share.
const START_MAX: Duration = Duration::from_secs(60);

/// A server with one database, `fleet`. Killed when dropped.
pub struct Postgres {
    folder: tempfile::TempDir,
    port: u16,
    server: Option<Child>,
}

/// A way to a server that can be cut.
pub struct Way {
    port: u16,
    state: Arc<AtomicU8>,
    streams: Arc<Mutex<Vec<TcpStream>>>,
}

const OPEN: u8 = 0;
/// Nothing goes through, and nobody is told.
const SILENT: u8 = 1;

impl Postgres {
    /// Makes a database and starts its server.
    #[track_caller]
    pub fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("lead-factory-pg-").tempdir().unwrap();
        if is_root() {
            // The server does not run as root.
            let ids = [id("-u"), id("-g")];
            chown(folder.path(), Some(ids[0]), Some(ids[1])).unwrap();
        }
        let data = folder.path().join("data");
        let made = as_owner(&binary("initdb"))
            .args(["--no-sync", "--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C", "-D"])
            .arg(&data)
            .current_dir(folder.path())
            .output()
            .unwrap();
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let mut server = Self { folder, port, server: None };
        server.restart();
        server.sql_in("postgres", "CREATE DATABASE fleet");
        server
    }

    /// Starts it after it was stopped.
    #[track_caller]
    pub fn restart(&mut self) {
        let log = fs::OpenOptions::new().append(true).create(true).open(self.folder.path().join("log")).unwrap();
        let sockets = format!("unix_socket_directories={}", self.folder.path().display());
        let mut command = as_owner(&binary("postgres"));
        command.arg("-D").arg(self.folder.path().join("data")).arg("-p").arg(self.port.to_string());
        for setting in
            [sockets.as_str(), "listen_addresses=127.0.0.1", "max_connections=200", "shared_buffers=32MB", "fsync=off"]
        {
            command.args(["-c", setting]);
        }
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).current_dir(self.folder.path());
        self.server = Some(command.spawn().unwrap());
        within(START_MAX, "the database answers", || self.try_sql("postgres", "SELECT 1").ok());
    }

    /// Ends it as a kill does.
    pub fn kill(&mut self) {
        if let Some(mut server) = self.server.take() {
            // Its own processes notice that the first one is gone.
            let first = fs::read_to_string(self.folder.path().join("data/postmaster.pid")).unwrap_or_default();
            let first = first.lines().next().unwrap_or_default().to_owned();
            let _ = Command::new(tool("kill")).args(["-QUIT", &first]).status();
            let _ = server.wait();
        }
    }

    /// Where it is reached.
    pub fn addr(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    pub fn url(&self) -> String {
        url("postgres", self.port)
    }

    /// The same as another role.
    pub fn url_as(&self, role: &str) -> String {
        url(role, self.port)
    }

    /// A way to it that can be cut.
    pub fn way(&self) -> Way {
        Way::to(self.addr())
    }

    /// What a statement answers: rows as lines, columns with `|` between them.
    #[track_caller]
    pub fn sql(&self, statement: &str) -> String {
        self.sql_in("fleet", statement)
    }

    #[track_caller]
    fn sql_in(&self, database: &str, statement: &str) -> String {
        self.try_sql(database, statement).unwrap_or_else(|said| panic!("{statement}: {said}"))
    }

    fn try_sql(&self, database: &str, statement: &str) -> Result<String, String> {
        let port = self.port.to_string();
        let arguments = ["-h", "127.0.0.1", "-p", &port, "-U", "postgres", "-d", database, "-qAtX", "-v", "ON_ERROR_STOP=1"];
        let answer =
            Command::new(tool("psql")).args(arguments).args(["-c", statement]).stdin(Stdio::null()).output().unwrap();
        if answer.status.success() {
            Ok(String::from_utf8_lossy(&answer.stdout).trim().to_owned())
        } else {
            Err(String::from_utf8_lossy(&answer.stderr).into_owned())
        }
    }

    /// Its files as they are, to be put back with [`Postgres::restore`]. It must not run.
    pub fn back_up(&self) {
        self.copy("data", "backup");
    }

    /// Puts the files back. It must not run.
    pub fn restore(&self) {
        fs::remove_dir_all(self.folder.path().join("data")).unwrap();
        self.copy("backup", "data");
    }

    fn copy(&self, from: &str, to: &str) {
        assert!(self.server.is_none(), "the server runs");
        let path = |name: &str| self.folder.path().join(name);
        assert!(Command::new(tool("cp")).arg("-a").arg(path(from)).arg(path(to)).status().unwrap().success());
    }
}

/// PgBouncer in transaction mode: few connections to the server, and none that is anybody's own.
pub struct Pooler {
    port: u16,
    process: Child,
    _folder: tempfile::TempDir,
}

impl Pooler {
    #[track_caller]
    pub fn start(server: &Postgres) -> Self {
        let folder = tempfile::Builder::new().prefix("lead-factory-pooler-").tempdir().unwrap();
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let settings = format!(
            "[databases]\nfleet = host=127.0.0.1 port={} dbname=fleet user=postgres\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
             listen_port = {port}\nunix_socket_dir =\nauth_type = any\npool_mode = transaction\ndefault_pool_size = 2\n\
             max_client_conn = 100\n",
            server.port
        );
        let file = folder.path().join("pgbouncer.ini");
        fs::write(&file, settings).unwrap();
        if is_root() {
            let ids = [id("-u"), id("-g")];
            [folder.path(), &file].into_iter().for_each(|path| chown(path, Some(ids[0]), Some(ids[1])).unwrap());
        }
        let mut command = as_owner(&tool("pgbouncer"));
        let process = command.arg("-q").arg(&file).stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
        within(START_MAX, "the pooler listens", || TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok());
        Self { port, process, _folder: folder }
    }

    pub fn url(&self) -> String {
        url("postgres", self.port)
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.kill();
        if thread::panicking() {
            let log = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            eprintln!("--- the database's log ends:\n{}\n---", lines[lines.len().saturating_sub(20)..].join("\n"));
        }
    }
}

impl Way {
    fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let (state, streams) = (Arc::new(AtomicU8::new(OPEN)), Arc::new(Mutex::new(Vec::new())));
        let way = Self { port, state: Arc::clone(&state), streams: Arc::clone(&streams) };
        thread::spawn(move || {
            for client in listener.incoming() {
                let (Ok(client), state, streams) = (client, Arc::clone(&state), Arc::clone(&streams)) else { return };
                thread::spawn(move || {
                    streams.lock().unwrap().push(client.try_clone().unwrap());
                    // Whoever comes while it is cut waits as the others do.
                    while state.load(Ordering::SeqCst) == SILENT {
                        thread::sleep(Duration::from_millis(10));
                    }
                    let Ok(server) = TcpStream::connect(server) else { return drop(client.shutdown(Shutdown::Both)) };
                    streams.lock().unwrap().push(server.try_clone().unwrap());
                    let (back, forth) = ((server.try_clone(), client.try_clone()), (client, server));
                    let of_back = Arc::clone(&state);
                    thread::spawn(move || {
                        if let (Ok(from), Ok(to)) = back {
                            carry(from, to, &of_back);
                        }
                    });
                    carry(forth.0, forth.1, &state);
                });
            }
        });
        way
    }

    pub fn url(&self) -> String {
        url("postgres", self.port)
    }

    /// Nothing goes through any more, and nobody is told.
    pub fn cut(&self) {
        self.state.store(SILENT, Ordering::SeqCst);
    }

    /// Everything goes through again; connections that were cut are lost.
    pub fn mend(&self) {
        for stream in self.streams.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
        self.state.store(OPEN, Ordering::SeqCst);
    }
}

/// What comes while it is cut is lost, as are the connections afterwards.
fn carry(mut from: TcpStream, mut to: TcpStream, state: &AtomicU8) -> Option<()> {
    let mut bytes = [0; 16 * 1024];
    loop {
        let count = from.read(&mut bytes).ok().filter(|count| *count > 0);
        if state.load(Ordering::SeqCst) == SILENT {
            continue_silently(&mut from)?;
        }
        let done = count.and_then(|count| to.write_all(&bytes[..count]).ok());
        if done.is_none() {
            let _ = to.shutdown(Shutdown::Both);
            let _ = from.shutdown(Shutdown::Both);
            return None;
        }
    }
}

/// Takes what comes until the connection ends.
fn continue_silently(from: &mut TcpStream) -> Option<()> {
    io::copy(from, &mut io::sink()).ok()?;
    None
}

fn url(role: &str, port: u16) -> String {
    format!("postgres://{role}@127.0.0.1:{port}/fleet?sslmode=disable")
}

/// The newest server that is installed.
#[track_caller]
fn binary(name: &str) -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().filter_map(Result::ok);
    let found = versions.map(|version| version.path().join("bin").join(name)).filter(|path| path.exists()).max();
    found.unwrap_or_else(|| panic!("this test needs PostgreSQL; scripts/test installs it (Debian package postgresql)"))
}

/// A command that does not run as root.
fn as_owner(program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new(tool("setpriv"));
    command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "--"]).arg(program);
    command
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn id(kind: &str) -> u32 {
    let answer = Command::new(tool("id")).args([kind, "postgres"]).output().unwrap();
    String::from_utf8_lossy(&answer.stdout).trim().parse().expect("the Debian package postgresql makes a user postgres")
}
