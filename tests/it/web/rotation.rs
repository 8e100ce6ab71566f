//! Certificates and logins that change under load.

use std::fs;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::{CHEAP, TLS, Web, hang_up};
use crate::support::{TestAgent, within};

const PATIENCE: Duration = Duration::from_secs(30);

/// A connection of its own: what was answered, and the certificate that was shown.
fn ask(web: &Web, agent: &TestAgent) -> std::io::Result<(String, CertificateDer<'static>)> {
    use std::io::{Read, Write};
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(web.authority.pem()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = Arc::new(config.with_root_certificates(roots).with_no_client_auth());
    let connection = rustls::ClientConnection::new(config, "localhost".try_into().unwrap()).unwrap();
    let stream = TcpStream::connect(agent.addr())?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut stream = rustls::StreamOwned::new(connection, stream);
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    // Without a good-bye this is an error: somebody may have cut the answer off.
    stream.read_to_string(&mut answer)?;
    let shown = stream.conn.peer_certificates().unwrap()[0].clone().into_owned();
    Ok((answer, shown))
}

#[track_caller]
fn reload_success(web: &Web, agent: &TestAgent) -> String {
    let (answer, _) = ask(web, agent).unwrap();
    let line = answer.lines().find(|line| line.starts_with("lead_factory_config_reload_success ")).unwrap();
    line.to_owned()
}

#[test]
fn certificates_change_under_load_and_no_request_fails() {
    const ROTATIONS: usize = 5;
    let web = Web::new(TLS);
    let agent = web.start();
    let (stop, answered) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        let load = || {
            while !stop.load(Ordering::Relaxed) {
                let (answer, _) = ask(&web, &agent).unwrap();
                assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
                answered.fetch_add(1, Ordering::Relaxed);
            }
        };
        let workers: Vec<_> = (0..3).map(|_| scope.spawn(load)).collect();
        for _ in 0..ROTATIONS {
            web.authority.sign(web.folder(), "agent", "localhost");
            let next = CertificateDer::from_pem_file(web.folder().join("agent.pem")).unwrap();
            hang_up(&agent);
            within(PATIENCE, "the new certificate is shown", || (ask(&web, &agent).unwrap().1 == next).then_some(()));
        }
        stop.store(true, Ordering::Relaxed);
        workers.into_iter().for_each(|worker| worker.join().unwrap());
    });
    assert!(answered.into_inner() > ROTATIONS);
}

#[test]
fn a_connection_goes_on_with_what_it_began_with() {
    use std::io::{BufRead, BufReader, Write};
    let web = Web::new(TLS);
    let agent = web.start();
    let curl = web.curl(&agent);
    let mut kept = std::process::Command::new("openssl")
        .args(["s_client", "-quiet", "-connect", &agent.addr().to_string()])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(kept.stdout.take().unwrap()).lines();
    let mut ask = |input: &mut std::process::ChildStdin| {
        input.write_all(b"GET /-/ready HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        let status = lines.next().unwrap().unwrap();
        while lines.next().unwrap().unwrap() != "ready" {}
        status
    };
    let input = kept.stdin.as_mut().unwrap();
    assert!(ask(input).contains("200"));
    web.authority.sign(web.folder(), "agent", "elsewhere");
    hang_up(&agent);
    within(PATIENCE, "new connections see the new one", || {
        let text = agent.log();
        text.contains("settings reloaded").then_some(())
    });
    curl.get("/-/ready").expect(200);
    assert!(ask(input).contains("200"));
    let _ = kept.kill();
    let _ = kept.wait();
}

#[test]
fn what_is_spoilt_changes_nothing_and_is_told() {
    let web = Web::new(TLS);
    let agent = web.start();
    let before = ask(&web, &agent).unwrap().1;
    let pem = fs::read(web.folder().join("agent.pem")).unwrap();
    assert_eq!(reload_success(&web, &agent), "lead_factory_config_reload_success 1");
    let spoil: [(&str, &dyn Fn()); 4] = [
        ("is not supported", &|| web.write(&format!("{TLS}rate_limit: {{}}\n"))),
        ("holds no certificate", &|| fs::write(web.folder().join("agent.pem"), "").unwrap()),
        ("cannot be used", &|| {
            // The certificate of another key.
            web.authority.sign(web.folder(), "other", "localhost");
            fs::copy(web.folder().join("other.pem"), web.folder().join("agent.pem")).unwrap();
        }),
        ("cannot be read", &|| fs::remove_file(web.folder().join("web.yml")).unwrap()),
    ];
    for (said, spoil) in spoil {
        spoil();
        hang_up(&agent);
        within(PATIENCE, said, || agent.log().contains(said).then_some(()));
        within(PATIENCE, "the metric says so", || {
            (reload_success(&web, &agent) == "lead_factory_config_reload_success 0").then_some(())
        });
        assert!(ask(&web, &agent).unwrap().1 == before, "{said}: the old one is still shown");
        web.write(TLS);
        fs::write(web.folder().join("agent.pem"), &pem).unwrap();
        hang_up(&agent);
        within(PATIENCE, "it is well again", || {
            (reload_success(&web, &agent) == "lead_factory_config_reload_success 1").then_some(())
        });
    }
}

#[test]
fn the_whole_file_is_read_again() {
    let web = Web::new("");
    let agent = web.start();
    let plain = super::Curl::plain(agent.addr());
    plain.get("/costs/daily").expect(200);
    web.write(&format!(
        "basic_auth_users: {{alice: {CHEAP}}}\nhttp_server_config: {{headers: {{X-Frame-Options: deny}}}}\n"
    ));
    hang_up(&agent);
    within(PATIENCE, "reading asks for a login", || (plain.get("/costs/daily").status == 401).then_some(()));
    let alice = plain.clone().with(&["--user", super::LOGIN]);
    assert_eq!(alice.get("/costs/daily").expect(200).header("x-frame-options"), Some("deny"));
    // Another password, and none of the old one's rights.
    let other = "$2b$04$abcdefghijklmnopqrstuu196or.tIX4ZphAF/FwsaEU.CYsQ1F8W";
    web.write(&format!("basic_auth_users: {{alice: {other}}}\n"));
    hang_up(&agent);
    within(PATIENCE, "the old password is not taken", || (alice.get("/costs/daily").status == 401).then_some(()));
    web.write(TLS);
    hang_up(&agent);
    within(PATIENCE, "TLS is spoken", || {
        web.curl(&agent).ask("/costs/daily").is_ok_and(|answer| answer.status == 200).then_some(())
    });
    plain.get("/costs/daily").expect(400);
}
