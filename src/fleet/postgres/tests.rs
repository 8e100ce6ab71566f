//! The SQL against a real server.

use std::collections::HashMap;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use futures_util::future::join_all;
use jiff::civil::date;
use jiff::{SignedDuration, Timestamp};

use super::*;
use crate::domain::{Name, Pair, Span, Usd};
use crate::fleet::{Ask, Lease, Outcome};

const START_TRIES: u32 = 1_200;

/// A server of a test's own, which ends with this value.
struct Server {
    folder: tempfile::TempDir,
    port: u16,
    child: Child,
}

fn binary(name: &str) -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> =
        versions.map(|version| version.path().join("bin").join(name)).filter(|path| path.exists()).collect();
    found.sort();
    found.pop().unwrap_or_else(|| panic!("there is no {name} below /usr/lib/postgresql: install postgresql"))
}

/// The server does not run as root.
fn command(name: &str) -> Command {
    let mut command = Command::new(binary(name));
    if let Some(id) = owner() {
        command.uid(id).gid(id);
    }
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

fn owner() -> Option<u32> {
    let id = |arguments: &[&str]| {
        let output = Command::new("id").args(arguments).output().ok()?;
        String::from_utf8(output.stdout).ok()?.trim().parse::<u32>().ok()
    };
    (id(&["-u"]) == Some(0)).then(|| id(&["-u", "postgres"]).expect("a user postgres"))
}

impl Server {
    async fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("lead-factory-sql-").tempdir().unwrap();
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
        if let Some(id) = owner() {
            chown(folder.path(), Some(id), Some(id)).unwrap();
        }
        let data = folder.path().join("data");
        let arguments = ["--no-sync", "--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C", "-D"];
        let made = command("initdb").args(arguments).arg(&data).current_dir(folder.path()).status().unwrap();
        assert!(made.success(), "initdb");
        let port = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        let sockets = format!("unix_socket_directories={}", folder.path().display());
        let mut server = command("postgres");
        server.args(["-c", "fsync=off", "-c", "listen_addresses=127.0.0.1", "-c", &sockets, "-p", &port.to_string(), "-D"]);
        let child = server.arg(&data).current_dir(folder.path()).spawn().unwrap();
        let server = Self { folder, port, child };
        for _ in 0..START_TRIES {
            if Session::connect(&server.url("postgres")).await.is_ok() {
                return server;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the server in {} did not start", server.folder.path().display());
    }

    fn url(&self, user: &str) -> DatabaseUrl {
        DatabaseUrl::parse(&format!("postgres://{user}@127.0.0.1:{}/postgres?sslmode=disable", self.port)).unwrap()
    }

    /// An empty fleet, and a way to it.
    async fn fleet(&self) -> Session {
        let session = Session::connect(&self.url("postgres")).await.unwrap();
        sql(&session, "DROP SCHEMA IF EXISTS lead_factory_fleet CASCADE").await;
        init::make(&session, None).await.unwrap();
        session
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn sql(session: &Session, text: &str) {
    session.client.batch_execute(text).await.unwrap();
}

async fn text_of(session: &Session, query: &str) -> String {
    session.client.query_typed(query, &[]).await.unwrap()[0].get::<_, String>(0)
}

fn usd(dollars: i64) -> Usd {
    Usd::from_dollars(dollars)
}

fn key(day: i8) -> PoolKey {
    let start = date(2026, 11, day).to_zoned(jiff::tz::TimeZone::UTC).unwrap().timestamp();
    PoolKey::new("daily", "all of it", Span { start, end: Timestamp::MAX })
}

/// An agent, and how its messages stand.
struct Agent<'s> {
    session: &'s Session,
    key: AgentKey,
    epoch: i64,
    /// Of each pool: the newest message, and the newest that was answered.
    seqs: HashMap<PoolKey, (i64, i64)>,
}

async fn hello(session: &Session, ledger_id: &str, incarnation: i64, place: &str, is_set_back: bool) -> Welcome {
    let agent = AgentKey { ledger_id: ledger_id.into(), incarnation };
    let hello = Hello {
        agent: &agent,
        place,
        is_first: false,
        name: ledger_id,
        version: "1",
        time_zone: "UTC",
        sums_epoch: 0,
        is_set_back,
    };
    session.hello(&hello).await.unwrap()
}

impl<'s> Agent<'s> {
    async fn new(session: &'s Session, ledger_id: &str, incarnation: i64) -> Self {
        let Welcome::Speaker { epoch, .. } = hello(session, ledger_id, incarnation, "here", false).await else { panic!() };
        let key = AgentKey { ledger_id: ledger_id.into(), incarnation };
        Self { session, key, epoch, seqs: HashMap::new() }
    }

    async fn send(&mut self, pool: &PoolKey, ask: Ask) -> Reply {
        let (seq, answered_seq) = self.seqs.entry(pool.clone()).or_default();
        *seq += 1;
        let (epoch, seq, answered_seq) = (self.epoch, *seq, *answered_seq);
        let message = Message { epoch, seq, answered_seq, takes_over: true, compares_limits: false, ask };
        loop {
            match self.session.exchange(pool, &self.key, &message).await.unwrap() {
                Reply::NoPool => self.session.begin(pool, ask.limit).await.unwrap(),
                reply => return reply,
            }
        }
    }

    async fn exchange(&mut self, pool: &PoolKey, ask: Ask) -> Done {
        match self.send(pool, ask).await {
            Reply::Done(done) => {
                self.seqs.entry(pool.clone()).and_modify(|(seq, answered)| *answered = *seq);
                *done
            }
            other => panic!("{other:?}"),
        }
    }
}

fn ask() -> Ask {
    Ask { limit: usd(100), ..Ask::default() }
}

/// The pool's sums are those of its leases, and what these claim is no more than the limit.
async fn check(session: &Session, pool: &PoolKey) -> Usd {
    let leases = session
        .client
        .query_typed(
            concat!("SELECT ", rows::lease_columns!("lease"), " FROM lead_factory_fleet.lease WHERE starts_at = $1"),
            &[(&pool.starts_at, tokio_postgres::types::Type::TIMESTAMPTZ)],
        )
        .await
        .unwrap();
    let leases: Vec<Lease> = leases.iter().map(|row| rows::lease(row, 0).unwrap()).collect();
    let seen = session.look(&[pool], "").await.unwrap().pools.into_iter().find(|seen| seen.key == *pool).unwrap().seen;
    assert_eq!(seen.claimed, leases.iter().map(Lease::claim).sum());
    assert_eq!(seen.spent, leases.iter().map(Lease::spent_for_good).sum());
    assert_eq!(seen.held, leases.iter().map(|lease| lease.held).sum());
    seen.free()
}

#[tokio::test]
async fn who_asks_at_once_never_gets_more_than_there_is() {
    let server = Server::start().await;
    server.fleet().await;
    let racer = async |number: i64| {
        let session = Session::open(&server.url("postgres")).await.unwrap();
        let mut agent = Agent::new(&session, &format!("agent-{number}"), number).await;
        let (mut granted, mut held) = (Usd::ZERO, Usd::ZERO);
        for _ in 0..20 {
            let ask = Ask { granted, held, first: usd(number), need: usd(number), ahead: usd(5), ..ask() };
            let done = agent.exchange(&key(1), ask).await;
            granted = done.lease.granted;
            held = done.lease.authority();
            if done.outcome != Outcome::Served {
                break;
            }
        }
    };
    join_all((1..=6).map(racer)).await;
    let session = Session::open(&server.url("postgres")).await.unwrap();
    let free = check(&session, &key(1)).await;
    assert!(free >= Usd::ZERO && free < usd(6), "{free}");
}

#[tokio::test]
async fn a_new_period_takes_over_what_may_outlive_the_old_one() {
    let server = Server::start().await;
    let session = server.fleet().await;
    let (mut one, mut other) = (Agent::new(&session, "one", 1).await, Agent::new(&session, "other", 2).await);
    let done = one.exchange(&key(1), Ask { first: usd(30), need: usd(30), ..ask() }).await;
    assert_eq!((done.lease.granted, done.is_closing), (usd(30), false));
    let held = Ask { granted: usd(30), spent: usd(4), held: usd(10), ..ask() };
    one.exchange(&key(1), held).await;

    // Another's clock is ahead: what the first may still use or hold of the old period is not there in the new one.
    let first = other.exchange(&key(2), Ask { first: usd(75), need: usd(75), ..ask() }).await;
    assert_eq!((first.outcome, check(&session, &key(2)).await), (Outcome::Wait, usd(74)));
    let done = other.exchange(&key(2), Ask { first: usd(74), need: usd(74), ..ask() }).await;
    assert_eq!((done.outcome, done.lease.granted), (Outcome::Served, usd(74)));

    // It gets no more of the old one before it has said what it holds.
    let more = Ask { first: usd(20), need: usd(20), ..held };
    let done = one.exchange(&key(1), more).await;
    assert_eq!((done.outcome, done.is_closing, done.lease.granted), (Outcome::Wait, true, usd(30)));
    let done = one.exchange(&key(2), Ask { held: usd(10), returned: usd(16), ..ask() }).await;
    assert_eq!((done.lease.granted, done.lease.authority(), done.is_closing), (usd(26), usd(10), false));
    let done = one.exchange(&key(1), more).await;
    assert_eq!((done.outcome, done.is_closing, done.lease.granted), (Outcome::Served, false, usd(34)));
    assert_eq!(check(&session, &key(2)).await, usd(16));
    check(&session, &key(1)).await;
}

#[tokio::test]
async fn another_place_waits_and_what_was_in_hand_is_in_doubt_until_it_is_written_off() {
    let server = Server::start().await;
    let session = server.fleet().await;
    let mut old = Agent::new(&session, "ledger", 1).await;
    old.exchange(&key(1), Ask { first: usd(40), need: usd(40), ..ask() }).await;
    old.exchange(&key(1), Ask { granted: usd(40), spent: usd(5), held: usd(5), ..ask() }).await;
    // The same place: the ledger's lock says that the process before is over.
    assert!(matches!(hello(&session, "ledger", 2, "here", false).await, Welcome::Speaker { is_doubtful: false, .. }));
    assert!(matches!(old.send(&key(1), ask()).await, Reply::Replaced));
    assert!(matches!(hello(&session, "ledger", 3, "there", false).await, Welcome::Occupied { .. }));
    assert_eq!(session.contests().await.unwrap().len(), 1);
    // A file that was put back in place of another is another file: whoever had that one may still have something in hand.
    assert!(matches!(hello(&session, "ledger", 4, "boot folder/name 1", false).await, Welcome::Occupied { .. }));
    sql(&session, "UPDATE lead_factory_fleet.agent SET seen_at = seen_at - '31 seconds'::interval").await;
    let Welcome::Speaker { is_doubtful: true, epoch } = hello(&session, "ledger", 3, "there", false).await else { panic!() };
    assert!(!session.beat(&old.key, true).await.unwrap());
    let mut new =
        Agent { key: AgentKey { incarnation: 3, ..old.key.clone() }, session: &session, epoch, seqs: HashMap::new() };
    let done = new.exchange(&key(1), Ask { spent: usd(5), held: usd(5), ..ask() }).await;
    assert_eq!((done.lease.doubt, done.lease.unused(), check(&session, &key(1)).await), (usd(30), Usd::ZERO, usd(60)));
    // It may be elsewhere, which is told without waiting for anybody.
    let done = new
        .exchange(&key(1), Ask { granted: usd(40), spent: usd(5), held: usd(5), first: usd(61), need: usd(61), ..ask() })
        .await;
    assert_eq!(done.outcome, Outcome::Elsewhere { agents: 1, unspent: usd(30) });

    let forgotten = forget(&server.url("postgres"), "ledger").await.unwrap().unwrap();
    assert_eq!((forgotten.is_gone, forgotten.freed, check(&session, &key(1)).await), (false, usd(30), usd(90)));
    sql(&session, "UPDATE lead_factory_fleet.agent SET seen_at = seen_at - '31 seconds'::interval").await;
    let forgotten = forget(&server.url("postgres"), "ledger").await.unwrap().unwrap();
    assert_eq!((forgotten.is_gone, forgotten.freed, check(&session, &key(1)).await), (true, usd(5), usd(95)));
    assert_eq!(forget(&server.url("postgres"), "nobody").await.unwrap(), None);
    assert!(session.agents(&[]).await.unwrap().is_empty());
    // Back after all: what it spent meanwhile counts, and it has nothing in hand.
    let done = new.exchange(&key(1), Ask { granted: usd(40), spent: usd(9), held: usd(1), ..ask() }).await;
    assert_eq!((done.lease.unused(), done.lease.claim(), check(&session, &key(1)).await), (Usd::ZERO, usd(10), usd(90)));
}

#[tokio::test]
async fn what_is_in_doubt_of_a_lease_with_an_end_is_free_after_it() {
    let server = Server::start().await;
    let session = server.fleet().await;
    let ends = Ask { ttl: Some(SignedDuration::from_secs(6)), ..ask() };
    let mut old = Agent::new(&session, "ledger", 1).await;
    old.exchange(&key(1), Ask { first: usd(40), need: usd(40), ..ends }).await;
    sql(&session, "UPDATE lead_factory_fleet.agent SET seen_at = seen_at - '31 seconds'::interval").await;
    let Welcome::Speaker { is_doubtful: true, epoch } = hello(&session, "ledger", 2, "there", false).await else { panic!() };
    let mut new =
        Agent { key: AgentKey { incarnation: 2, ..old.key.clone() }, session: &session, epoch, seqs: HashMap::new() };
    let done = new.exchange(&key(1), Ask { spent: usd(5), ..ends }).await;
    assert_eq!((done.lease.doubt, check(&session, &key(1)).await), (usd(35), usd(60)));
    let mut other = Agent::new(&session, "other", 3).await;
    let asks = Ask { first: usd(95), need: usd(95), ..ends };
    assert_eq!(other.exchange(&key(1), asks).await.outcome, Outcome::Wait);
    // Until the old lease is over by the database's clock, whatever the new one says.
    sql(&session, "UPDATE lead_factory_fleet.lease SET doubt_lapses_at = doubt_lapses_at - '12 seconds'::interval").await;
    assert_eq!(other.exchange(&key(1), asks).await.outcome, Outcome::Served);
    assert_eq!(check(&session, &key(1)).await, Usd::ZERO);
    // Whoever asks itself has it off its own lease, and no more of it.
    let done = new.exchange(&key(1), Ask { granted: done.lease.granted, spent: usd(5), ..ends }).await;
    assert_eq!((done.lease.doubt, done.lease.unused(), done.lease.claim()), (Usd::ZERO, Usd::ZERO, usd(5)));
}

#[tokio::test]
async fn what_was_set_back_is_noticed_on_both_sides() {
    let server = Server::start().await;
    let session = server.fleet().await;
    let mut agent = Agent::new(&session, "ledger", 1).await;
    agent.exchange(&key(1), Ask { spent: usd(20), first: usd(5), need: usd(5), ..ask() }).await;
    // The ledger: what it has forgotten stays spent.
    assert!(matches!(hello(&session, "ledger", 2, "here", true).await, Welcome::Speaker { .. }));
    let mut agent = Agent { key: AgentKey { incarnation: 2, ..agent.key.clone() }, seqs: HashMap::new(), ..agent };
    let done = agent.exchange(&key(1), Ask { spent: usd(8), ..ask() }).await;
    assert_eq!((done.lease.lost, done.lease.spent_for_good(), check(&session, &key(1)).await), (usd(12), usd(20), usd(75)));

    // The database: it does not know what it has answered.
    agent.exchange(&key(1), Ask { spent: usd(9), ..ask() }).await;
    sql(&session, "UPDATE lead_factory_fleet.lease SET seq = 1, spent = 8000000000000").await;
    assert!(matches!(agent.send(&key(1), ask()).await, Reply::Epoch));
    let Welcome::Speaker { epoch, .. } = hello(&session, "ledger", 2, "here", false).await else { panic!() };
    assert_ne!(epoch, agent.epoch);
    (agent.epoch, agent.seqs) = (epoch, HashMap::from([(key(1), (9, 0))]));
    let done = agent.exchange(&key(1), Ask { granted: usd(7), spent: usd(9), first: usd(1), need: usd(1), ..ask() }).await;
    assert_eq!(
        (done.outcome, done.lease.granted),
        (Outcome::Wait, usd(25)),
        "nothing is given while all say what they have"
    );
    sql(&session, "UPDATE lead_factory_fleet.fleet SET learning_until = clock_timestamp()").await;
    let done =
        agent.exchange(&key(1), Ask { granted: usd(25), spent: usd(9), first: usd(10), need: usd(10), ..ask() }).await;
    assert_eq!(done.outcome, Outcome::Served);
    // Made anew, it does not even know the lease.
    sql(&session, "DELETE FROM lead_factory_fleet.lease").await;
    assert!(matches!(agent.send(&key(1), ask()).await, Reply::Epoch));
}

#[tokio::test]
async fn leases_lapse_and_limits_change_by_the_database_alone() {
    let server = Server::start().await;
    let session = server.fleet().await;
    let (mut one, mut other) = (Agent::new(&session, "one", 1).await, Agent::new(&session, "other", 2).await);
    let ttl = Some(jiff::SignedDuration::from_secs(100));
    let done = one.exchange(&key(1), Ask { first: usd(60), need: usd(60), ttl, ..ask() }).await;
    let lapses_in = done.lease.lapses_at.unwrap().duration_since(crate::clock::Clock::System.now());
    assert!((104..=107).contains(&lapses_in.as_secs()), "{lapses_in:?}");
    one.exchange(&key(1), Ask { granted: usd(60), held: usd(10), ttl, ..ask() }).await;
    sql(&session, "UPDATE lead_factory_fleet.lease SET lapses_at = clock_timestamp() WHERE ledger_id = 'one'").await;
    let done = other.exchange(&key(1), Ask { first: usd(85), need: usd(85), ..ask() }).await;
    assert_eq!((done.outcome, done.lease.authority(), check(&session, &key(1)).await), (Outcome::Served, usd(85), usd(5)));
    // What it granted after its last report is shown, and it learns that nothing is left.
    let done = one.exchange(&key(1), Ask { granted: usd(60), held: usd(25), ttl, ..ask() }).await;
    assert_eq!((done.lease.unused(), done.lease.claim(), check(&session, &key(1)).await), (Usd::ZERO, usd(25), usd(-10)));

    // Of settings that differ the smallest holds, and what somebody sets goes before.
    let less = Ask { granted: usd(85), spent: usd(85), limit: usd(90), ..ask() };
    assert_eq!(other.exchange(&key(1), less).await.seen.limit, usd(90));
    let done = other.exchange(&key(1), Ask { limit: usd(100), ..less }).await;
    assert_eq!((done.seen.limit, done.seen.configured), (usd(90), usd(90)));
    assert_eq!(session.differences(&[key(1)]).await.unwrap(), []);
    let set = SetLimit {
        budget: "daily".into(),
        limit: Some(usd(70)),
        reason: "less".into(),
        actor: String::new(),
        set_at: "2026-11-01T10:00:00.000001Z".parse().unwrap(),
        expires_at: None,
    };
    let before = session.look(&[&key(1)], "one").await.unwrap();
    assert_eq!((before.pools[0].seq, session.look(&[&key(1)], "nobody").await.unwrap().pools[0].seq), (Some(3), None));
    session.set_limit(&set).await.unwrap();
    let after = session.look(&[&key(1)], "one").await.unwrap();
    assert_eq!((after.overrides, after.pools[0].seen.limit), (before.overrides + 1, usd(70)));
    assert!(after.pools[0].seen.recall > before.pools[0].seen.recall && after.pools[0].seen.is_tight);
    assert_eq!(session.limits_since(before.overrides).await.unwrap(), std::slice::from_ref(&set));
    assert_eq!(other.exchange(&key(1), less).await.seen.limit, usd(70));
    session.set_limit(&SetLimit { expires_at: Some(set.set_at), ..set }).await.unwrap();
    assert_eq!(session.look(&[&key(1)], "one").await.unwrap().pools[0].seen.limit, usd(90), "it has lapsed");
}

#[tokio::test]
async fn sums_are_taken_unless_they_are_older() {
    let server = Server::start().await;
    let session = server.fleet().await;
    let agent = Agent::new(&session, "ledger", 1).await.key;
    let pair =
        |operation: &str| Pair { service: Name::new("it's \"a\"").unwrap(), operation: Name::new(operation).unwrap() };
    let row = |operation: &str, pico| SumRow { day: date(2026, 11, 29), pair: pair(operation), total: Usd::from_pico(pico) };
    let of = |epoch, entries| SumsOf { agent: &agent, epoch, entries };
    let costs = async || {
        let costs = session.costs(date(2026, 11, 1), date(2026, 11, 30)).await.unwrap();
        let mut costs: Vec<(String, i128)> =
            costs.into_iter().map(|row| (row.pair.operation.to_string(), row.total.pico())).collect();
        costs.sort();
        costs
    };
    let many: Vec<SumRow> = (0..2_500).map(|at| row(&format!("op{at}"), 1)).collect();
    session.put_sums(of(0, 5), &many).await.unwrap();
    assert_eq!(costs().await.len(), 2_500);
    session.put_sums(of(1, 3), &[row("x", i128::from(i64::MAX) * 1_000_000), row("y", -3)]).await.unwrap();
    session.put_sums(of(1, 2), &[row("x", 1)]).await.unwrap();
    session.put_sums(of(0, 9), &[row("x", 2)]).await.unwrap();
    session.put_sums(of(1, 3), &[row("y", -4)]).await.unwrap();
    session.remove_older_sums(of(1, 3)).await.unwrap();
    let expected = [("x".to_owned(), i128::from(i64::MAX) * 1_000_000), ("y".to_owned(), -4)];
    assert_eq!(costs().await, expected);
    // Another process speaks for the ledger by now.
    hello(&session, "ledger", 2, "here", false).await;
    session.put_sums(of(1, 9), &[row("x", 7)]).await.unwrap();
    session.remove_older_sums(of(9, 9)).await.unwrap();
    assert!(!session.acknowledge_sums(of(1, 9), 1).await.unwrap());
    assert_eq!(costs().await, expected);
}

#[tokio::test]
async fn an_agents_role_needs_no_more_than_its_rows() {
    let server = Server::start().await;
    let owner = Session::connect(&server.url("postgres")).await.unwrap();
    let role = r#"we"ird; role"#;
    sql(&owner, r#"CREATE ROLE "we""ird; role" LOGIN"#).await;
    let url = server.url("we%22ird;%20role");
    assert!(matches!(Session::open(&url).await, Err(DatabaseError::NoSchema)));
    let both = join_all([0, 1].map(async |_| init(&server.url("postgres"), None).await)).await;
    assert!(both.iter().all(Result::is_ok), "{both:?}");
    assert!(matches!(Session::open(&url).await, Err(DatabaseError::NoRight)));
    init(&server.url("postgres"), Some(role)).await.unwrap();
    let session = Session::open(&url).await.unwrap();
    let mut agent = Agent::new(&session, "ledger", 1).await;
    agent.exchange(&key(1), Ask { first: usd(1), need: usd(1), ..ask() }).await;
    agent.exchange(&key(2), ask()).await;
    assert!(session.client.batch_execute("CREATE TABLE lead_factory_fleet.x (y integer)").await.is_err());
    sql(&owner, "UPDATE lead_factory_fleet.fleet SET version = 9").await;
    let newer = Session::open(&url).await.unwrap_err();
    assert!(newer.to_string().contains("update the program"), "{newer}");
    assert!(init(&server.url("postgres"), None).await.is_err());
    assert_eq!(text_of(&owner, "SELECT count(*)::text FROM lead_factory_fleet.lease").await, "2");
}

/// What CockroachDB, YugabyteDB, Citus or a pooler in transaction mode lacks, or does otherwise.
#[test]
fn the_sql_is_portable() {
    let banned = [
        "ADVISORY",
        "LISTEN",
        "NOTIFY",
        "TEMP",
        "PREPARE",
        "DEALLOCATE",
        "DISCARD",
        "SET SESSION",
        "SET LOCAL",
        "SEARCH_PATH",
        "CTID",
        "XMIN",
        "PLPGSQL",
        "TRIGGER",
        "CREATE FUNCTION",
        "DO $$",
        "SERIAL ",
        "SERIAL,",
        "SKIP LOCKED",
        "NOWAIT",
        "PG_",
        "MERGE INTO",
        "RETURNING",
        "NOW()",
        "CURRENT_TIMESTAMP",
        "WITH RECURSIVE",
        "DECLARE",
        "CURSOR",
        "LOCK TABLE",
        "SAVEPOINT",
        "INFINITY",
    ];
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/fleet/postgres");
    let mut statements = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        if path.ends_with("tests.rs") || path.ends_with("error.rs") {
            continue;
        }
        let code: String = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
        statements += code.matches("lead_factory_fleet.").count();
        let sql: String = if path.extension().is_some_and(|extension| extension == "sql") {
            code
        } else {
            code.split('"').skip(1).step_by(2).collect::<Vec<_>>().join("\n")
        };
        for word in banned {
            assert!(!sql.to_uppercase().contains(word), "{word} in {}", path.display());
        }
    }
    assert!(statements > 30, "{statements}");
}
