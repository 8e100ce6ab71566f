use std::convert::Infallible;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::{Service, service_fn};
use hyper::{Request, Response};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{Duration, Instant, timeout};

use super::pace::{Bounds, Pace};
use super::*;

/// Longer than anything takes, so that a test which waits for it fails.
const PATIENCE: Duration = Duration::from_secs(20);
/// Bytes of an answer that fits no socket buffer.
const LARGE_BYTES: usize = 64 * 1024 * 1024;
const GET_GOOD: &str = "GET /good HTTP/1.1\r\nHost: localhost\r\n\r\n";
const GET_GOOD_AND_CLOSE: &str = "GET /good HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

/// Answers that misbehave in one way each, beside a good one.
fn service() -> impl Service<Request<Incoming>, Response = Response<Full<Bytes>>, Error = Infallible, Future: Send> + Unpin {
    service_fn(|request: Request<Incoming>| async move {
        let body = match request.uri().path() {
            "/slow" => {
                tokio::time::sleep(Duration::from_millis(300)).await;
                Bytes::from_static(b"slow")
            }
            "/never" => std::future::pending().await,
            "/large" => vec![b'x'; LARGE_BYTES].into(),
            _ => Bytes::from_static(b"good"),
        };
        Ok(Response::new(Full::new(body)))
    })
}

struct TestServer {
    address: std::net::SocketAddr,
    stop: oneshot::Sender<Instant>,
    serving: JoinHandle<()>,
}

fn local() -> Settings {
    Settings { listen: ([127, 0, 0, 1], 0).into(), ..Settings::default() }
}

impl TestServer {
    async fn start(settings: Settings) -> Self {
        let server = Server::bind(&settings).unwrap();
        let address = server.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let serving = tokio::spawn(server.serve(|_| service(), async { stopped.await.unwrap() }));
        Self { address, stop, serving }
    }

    async fn connect(&self) -> TcpStream {
        timeout(PATIENCE, TcpStream::connect(self.address)).await.unwrap().unwrap()
    }

    /// Sends bytes on a connection of their own, and reads until the server closes it.
    async fn send(&self, bytes: &str) -> String {
        let mut stream = self.connect().await;
        stream.write_all(bytes.as_bytes()).await.unwrap();
        read_to_end(&mut stream).await
    }

    /// Has a good answer on a connection that stays open.
    async fn resting(&self) -> TcpStream {
        let mut stream = self.connect().await;
        stream.write_all(GET_GOOD.as_bytes()).await.unwrap();
        read_good(&mut stream).await;
        stream
    }

    /// Stops accepting, with so long to finish.
    async fn stop(self, grace: Duration) {
        self.stop.send(Instant::now() + grace).unwrap();
        timeout(PATIENCE, self.serving).await.unwrap().unwrap();
    }
}

async fn read_to_end(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut bytes = Vec::new();
    // A reset after the answer is an end too: what was read before it counts.
    let _ = timeout(PATIENCE, stream.read_to_end(&mut bytes)).await.expect("the server must close the connection");
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Reads one good answer, and no more.
async fn read_good(stream: &mut (impl AsyncRead + Unpin)) {
    let mut bytes = Vec::new();
    let read = async {
        while !bytes.ends_with(b"\r\n\r\ngood") {
            assert_ne!(stream.read_buf(&mut bytes).await.unwrap(), 0, "{}", String::from_utf8_lossy(&bytes));
        }
    };
    timeout(PATIENCE, read).await.unwrap();
}

impl super::stream::Wire for tokio::io::DuplexStream {
    fn has_begun(&self) -> bool {
        false
    }
}

#[tokio::test]
async fn any_stream_of_bytes_is_a_connection() {
    let (mut client, stream) = tokio::io::duplex(1_024);
    let bounds = Bounds { header_timeout: PATIENCE, idle_timeout: PATIENCE };
    let (drain, draining) = watch::channel(false);
    let pace = std::sync::Arc::new(Pace::new(std::sync::Arc::new(bounds)));
    let driving = tokio::spawn(connection::drive(stream, service(), pace, draining));
    client.write_all(GET_GOOD.as_bytes()).await.unwrap();
    read_good(&mut client).await;
    drain.send_replace(true);
    assert_eq!(read_to_end(&mut client).await, "");
    timeout(PATIENCE, driving).await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_on_which_nothing_is_sent_is_closed() {
    let server = TestServer::start(Settings { header_timeout: Duration::from_millis(150), ..local() }).await;
    let began = Instant::now();
    assert!(read_to_end(&mut server.connect().await).await.is_empty());
    assert!(began.elapsed() >= Duration::from_millis(150));
    server.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_that_trickle_in_are_cut_off() {
    let server = TestServer::start(Settings { header_timeout: Duration::from_millis(300), ..local() }).await;
    let mut stream = server.connect().await;
    let deadline = Instant::now() + PATIENCE;
    // Bytes keep coming, so only a bound on the whole of the headers ends this.
    while stream.write_all(b"G").await.is_ok() {
        assert!(Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // The same on a connection that has served a request.
    let mut stream = server.resting().await;
    stream.write_all(b"GET /good HT").await.unwrap();
    assert!(read_to_end(&mut stream).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_may_rest_longer_than_headers_take() {
    let (header_timeout, idle_timeout) = (Duration::from_millis(100), Duration::from_millis(600));
    let server = TestServer::start(Settings { header_timeout, idle_timeout, ..local() }).await;
    let mut stream = server.resting().await;
    let began = Instant::now();
    assert!(read_to_end(&mut stream).await.is_empty());
    assert!(began.elapsed() >= Duration::from_millis(400), "{:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_never_reads_holds_its_connection_for_a_while_only() {
    let idle_timeout = Duration::from_millis(300);
    let server = TestServer::start(Settings { connections_max: 1, idle_timeout, ..local() }).await;
    let mut greedy = server.connect().await;
    greedy.write_all(b"GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    // The only place is taken until the server gives up on the first client.
    assert!(server.send(GET_GOOD_AND_CLOSE).await.ends_with("good"));
    drop(greedy);
}

/// Whether the server has closed a connection.
async fn is_closed(stream: &mut TcpStream) -> bool {
    match timeout(Duration::from_millis(1), stream.read(&mut [0])).await {
        Ok(Ok(count)) => count == 0,
        Ok(Err(_)) => true,
        Err(_elapsed) => false,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_idle_for_longest_makes_room_when_every_place_is_taken() {
    let server = TestServer::start(Settings { connections_max: 3, ..local() }).await;
    // One that has said nothing, one at rest, and one at rest that is younger.
    let mut fresh = server.connect().await;
    // Whoever has just connected is about to say something.
    tokio::time::sleep(Duration::from_millis(150)).await;
    let mut resting = server.resting().await;
    let mut younger = server.resting().await;
    let began = Instant::now();
    assert!(server.send(GET_GOOD_AND_CLOSE).await.ends_with("good"));
    assert!(read_to_end(&mut fresh).await.is_empty());
    let mut newer = server.resting().await;
    assert!(!is_closed(&mut resting).await && !is_closed(&mut younger).await, "there was room for one again");
    let mut newest = server.resting().await;
    assert!(read_to_end(&mut resting).await.is_empty());
    assert!(began.elapsed() < Duration::from_secs(2), "nothing waited for a time-out");
    for stream in [&mut younger, &mut newer, &mut newest] {
        assert!(!is_closed(stream).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_under_way_makes_no_room_but_a_head_that_does_not_come_does() {
    let server = TestServer::start(Settings { connections_max: 2, ..local() }).await;
    let mut busy = server.connect().await;
    busy.write_all(b"GET /never HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let mut half_a_head = server.connect().await;
    half_a_head.write_all(b"GET /good HTTP/1.1\r\n").await.unwrap();
    let began = Instant::now();
    for _ in 0..3 {
        assert!(server.send(GET_GOOD_AND_CLOSE).await.ends_with("good"));
    }
    assert!(began.elapsed() >= Duration::from_millis(900), "a head has a second");
    assert!(began.elapsed() < Duration::from_secs(4), "and not the five that it has otherwise");
    assert!(read_to_end(&mut half_a_head).await.is_empty());
    assert!(!is_closed(&mut busy).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_answer_that_is_taken_slowly_is_not_cut_off_to_make_room() {
    let server = TestServer::start(Settings { connections_max: 1, ..local() }).await;
    let mut slow = server.connect().await;
    slow.write_all(b"GET /large HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await.unwrap();
    slow.read_exact(&mut [0; 1_000]).await.unwrap();
    let mut next = server.connect().await;
    next.write_all(GET_GOOD_AND_CLOSE.as_bytes()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(!is_closed(&mut next).await, "it waits");
    assert!(read_to_end(&mut slow).await.len() > LARGE_BYTES - 1_000, "all of it comes");
    assert!(read_to_end(&mut next).await.ends_with("good"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_unix_socket_is_for_owner_and_group_and_goes_with_its_server() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("agent.sock");
    let mode = || std::fs::symlink_metadata(&path).unwrap().permissions().mode() & 0o7777;
    let bind = || Server::bind_socket(&path, &local());
    let server = bind().unwrap();
    assert_eq!(mode(), 0o660);
    assert_eq!(bind().unwrap_err().kind(), ErrorKind::AddrInUse, "it is answered");
    let (stop, stopped) = oneshot::channel();
    let serving = tokio::spawn(server.serve(
        |peer| {
            assert_eq!(peer, Peer::Socket);
            service()
        },
        async { stopped.await.unwrap() },
    ));
    let mut stream = tokio::net::UnixStream::connect(&path).await.unwrap();
    stream.write_all(GET_GOOD.as_bytes()).await.unwrap();
    read_good(&mut stream).await;
    stop.send(Instant::now() + PATIENCE).unwrap();
    timeout(PATIENCE, serving).await.unwrap().unwrap();
    assert!(!path.exists());

    // One that was left behind is replaced; anything else stays.
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let server = bind().unwrap();
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, "a file").unwrap();
    assert_eq!(bind().unwrap_err().kind(), ErrorKind::AlreadyExists);
    drop(server);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "a file", "it is somebody else's by now");
}

#[tokio::test(flavor = "multi_thread")]
async fn draining_finishes_requests_and_closes_connections_at_rest() {
    let server = TestServer::start(local()).await;
    let address = server.address;
    let mut resting = server.resting().await;
    let mut fresh = server.connect().await;
    let mut busy = server.connect().await;
    busy.write_all(b"GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let began = Instant::now();
    let stopping = tokio::spawn(server.stop(PATIENCE));
    assert!(read_to_end(&mut resting).await.is_empty());
    assert!(read_to_end(&mut fresh).await.is_empty());
    assert!(read_to_end(&mut busy).await.ends_with("slow"));
    stopping.await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(4), "nothing waited for a time-out");
    assert!(TcpStream::connect(address).await.is_err(), "the port is free");
}

#[tokio::test(flavor = "multi_thread")]
async fn draining_ends_at_its_deadline() {
    let server = TestServer::start(local()).await;
    let mut stuck = server.connect().await;
    stuck.write_all(b"GET /never HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let began = Instant::now();
    server.stop(Duration::from_millis(200)).await;
    assert!(began.elapsed() >= Duration::from_millis(200));
    assert!(read_to_end(&mut stuck).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_port_is_reported() {
    let server = TestServer::start(local()).await;
    let settings = Settings { listen: server.address, ..local() };
    assert_eq!(Server::bind(&settings).unwrap_err().kind(), std::io::ErrorKind::AddrInUse);
}

#[tokio::test(flavor = "multi_thread")]
async fn other_protocols_are_closed() {
    let server = TestServer::start(Settings { header_timeout: Duration::from_millis(500), ..local() }).await;
    let tls_hello = [0x16, 0x03, 0x01, 0x00, 0x05, 0x01, 0x00, 0x00, 0x01, 0x00];
    for bytes in [&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], &tls_hello, b"\r\n\r\n\r\n", b"GET /\r\n\r\n"] {
        let mut stream = server.connect().await;
        stream.write_all(bytes).await.unwrap();
        let answer = read_to_end(&mut stream).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400 "), "{answer:?}");
    }
    let many = format!("GET /good HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n", "x".repeat(40_000));
    assert!(server.send(&many).await.starts_with("HTTP/1.1 431 "));
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_sent_at_once_are_answered_in_order() {
    let server = TestServer::start(local()).await;
    let both = "GET /slow HTTP/1.1\r\nHost: a\r\n\r\nGET /good HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let mut stream = server.connect().await;
    stream.write_all(both.as_bytes()).await.unwrap();
    let text = read_to_end(&mut stream).await;
    let (slow, good) = (text.find("\r\n\r\nslow").unwrap(), text.find("\r\n\r\ngood").unwrap());
    assert!(slow < good);
    assert!(server.send("GET /good HTTP/1.0\r\n\r\n").await.ends_with("good"));
}
