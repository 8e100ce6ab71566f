//! What is spoken, and how long a client may take to begin.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::{Curl, TLS, Web};
use crate::support::Conn;

#[test]
fn curl_reads_and_writes_over_tls() {
    let web = Web::new(TLS);
    let mut agent = web.start();
    let curl = web.curl(&agent);
    assert_eq!(curl.get("/-/ready").expect(200).text(), "ready\n");
    let event = r#"{"service":"s","amount_usd":1}"#;
    curl.clone().with(&["--json", event]).get("/costs").expect(200);
    assert_eq!(curl.get("/costs/daily").expect(200).text(), r#"{"s":1}"#);
    // Who does not know the authority does not go on, and who asks for HTTP/2 gets what there is.
    let stranger = Curl { arguments: Vec::new(), ..curl.clone() };
    assert_eq!(stranger.ask("/-/ready").unwrap_err(), 60);
    curl.clone().with(&["--http2"]).get("/-/ready").expect(200);
    assert!(agent.terminate().success(), "{}", agent.log());
}

#[test]
fn versions_are_as_they_are_set() {
    for (versions, old, new) in
        [("", true, true), (", min_version: TLS13", false, true), (", max_version: TLS12", true, false)]
    {
        let web = Web::new(&TLS.replace('}', &format!("{versions}}}")));
        let agent = web.start();
        let curl = web.curl(&agent);
        let takes = |options: &[&str]| curl.clone().with(options).ask("/-/ready").is_ok();
        assert_eq!(takes(&["--tlsv1.2", "--tls-max", "1.2"]), old, "{versions}");
        assert_eq!(takes(&["--tlsv1.3"]), new, "{versions}");
        // Below security level 1 OpenSSL offers it; the agent never takes it.
        assert!(!takes(&["--tlsv1.0", "--tls-max", "1.1", "--ciphers", "ALL:@SECLEVEL=0"]), "{versions}");
    }
}

#[test]
fn who_speaks_http_is_told_to_speak_tls() {
    let web = Web::new(TLS);
    let agent = web.start();
    let told = Curl::plain(agent.addr()).get("/metrics").expect(400);
    assert_eq!(told.slug(), "malformed");
    assert!(told.text().contains("https://"));
    // Also with a body that is still under way, and to other protocols: the connection ends.
    let mut conn = Conn::open(agent.addr()).unwrap();
    conn.send(format!("POST /costs HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n{}", "x".repeat(30_000)).as_bytes())
        .unwrap();
    conn.read().unwrap().expect(400);
    for bytes in
        [&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], b"\x16\x03\x01\x00\x05hello", b"\x16garbage that is no hello", b"\n"]
    {
        let mut stream = TcpStream::connect(agent.addr()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.write_all(bytes).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut said = Vec::new();
        let _ = stream.read_to_end(&mut said);
        assert!(said.is_empty() || said[0] == 21 || said.starts_with(b"HTTP/1.1 400"), "{said:?}");
    }
    web.curl(&agent).get("/-/ready").expect(200);
}

/// The first bytes of a hello, as long as they are told to be, in which more is to follow.
fn half_a_hello() -> Vec<u8> {
    [&[22, 3, 1, 0x01, 0x00, 1, 0, 0, 0xfc, 3, 3][..], &[7; 40]].concat()
}

#[test]
fn handshakes_make_room_and_are_given_time() {
    let web = Web::new(TLS);
    let web = Web { setup: web.setup.setting("header_timeout_seconds = 20").setting("max_connections = 20"), ..web };
    let agent = web.start();
    let hello = half_a_hello();
    // More than there is room for: half of them say nothing, half stop within their hello.
    let hanging: Vec<TcpStream> = (0..40)
        .map(|number| {
            let mut stream = TcpStream::connect(agent.addr()).unwrap();
            stream.write_all(if number % 2 == 0 { &hello } else { &[] }).unwrap();
            stream
        })
        .collect();
    let asked = Instant::now();
    web.curl(&agent).get("/metrics").expect(200);
    assert!(asked.elapsed() < Duration::from_secs(6), "they make room: {:?}", asked.elapsed());

    // Somebody far away, whose hello takes its time, is let finish it although others wait.
    let mut client = web.client();
    let mut stream = TcpStream::connect(agent.addr()).unwrap();
    let mut hello = Vec::new();
    client.write_tls(&mut hello).unwrap();
    stream.write_all(&hello[..20]).unwrap();
    let others: Vec<TcpStream> = (0..20).map(|_| TcpStream::connect(agent.addr()).unwrap()).collect();
    std::thread::sleep(Duration::from_millis(400));
    stream.write_all(&hello[20..]).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut stream = rustls::StreamOwned::new(client, stream);
    stream.write_all(b"GET /-/ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.ends_with("ready\n"), "{answer}");
    drop((hanging, others));
}

#[test]
fn handshakes_that_hang_end_in_time_and_hold_up_nobody() {
    let web = Web::new(TLS);
    let web = Web { setup: web.setup.setting("header_timeout_seconds = 6").setting("max_connections = 40"), ..web };
    let agent = web.start();
    let (began, hello) = (Instant::now(), half_a_hello());
    let mut hanging: Vec<TcpStream> = (0..30)
        .map(|number| {
            let mut stream = TcpStream::connect(agent.addr()).unwrap();
            stream.write_all(if number % 2 == 0 { &hello } else { &[] }).unwrap();
            stream
        })
        .collect();
    let asked = Instant::now();
    web.curl(&agent).get("/metrics").expect(200);
    assert!(asked.elapsed() < Duration::from_secs(5), "nobody waits for them: {:?}", asked.elapsed());
    for stream in &mut hanging {
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let mut said = Vec::new();
        let _ = stream.read_to_end(&mut said);
        assert!(said.len() < 100, "{said:?}");
    }
    let took = began.elapsed();
    assert!((Duration::from_millis(5900)..Duration::from_secs(16)).contains(&took), "{took:?}");
}

#[test]
fn wrong_files_stop_the_start_and_say_what_is_wrong() {
    for (text, name) in [
        ("tls_server_config: {cert_file: agent.pem, key_file: none.key}", "key_file"),
        ("tls_server_config: {cert_file: agent.pem, key_file: agent.key, cipher_suites: []}", "cipher_suites"),
        ("tls_server_config: {cert_file: agent.pem, key_file: agent.key, min_version: TLS10}", "TLS10"),
        ("tls_server_config: {cert_file: agent.pem, key_file: agent.key, client_ca_file: agent.pem}", "client_auth_type"),
        (
            "tls_server_config: {cert_file: agent.pem, key_file: agent.key, client_auth_type: RequireAndVerifyClientCert}",
            "client_ca_file",
        ),
        ("rate_limit: {burst: 1}", "rate_limit"),
        ("basic_auth_users: {alice: wonderland}", "alice"),
    ] {
        let web = Web::new(text);
        let Err(refused) = web.setup.try_start() else { panic!("{text} was taken") };
        assert_eq!(refused.status.code(), Some(78), "{text}");
        assert!(refused.log.contains(name) && !refused.log.contains("wonderland"), "{text}: {}", refused.log);
        let checked = web.setup.verb(&["check-config"]);
        assert_eq!(checked.status.code(), Some(78), "{text}");
    }
}
