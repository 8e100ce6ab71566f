//! Certificates and logins that change under load.

use std::fs;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConnection, StreamOwned};

use super::{CHEAP, TLS, Web};
use crate::support::{TestAgent, within};

const PATIENCE: Duration = Duration::from_secs(30);

fn connect(web: &Web, agent: &TestAgent) -> io::Result<StreamOwned<ClientConnection, TcpStream>> {
    let stream = TcpStream::connect(agent.addr())?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(StreamOwned::new(web.client(), stream))
}

/// A connection of its own: what was answered, and the certificate that was shown.
fn ask(web: &Web, agent: &TestAgent) -> io::Result<(String, CertificateDer<'static>)> {
    let mut stream = connect(web, agent)?;
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
            agent.hang_up();
            within(PATIENCE, "the new certificate is shown", || (ask(&web, &agent).unwrap().1 == next).then_some(()));
        }
        stop.store(true, Ordering::Relaxed);
        workers.into_iter().for_each(|worker| worker.join().unwrap());
    });
    assert!(answered.into_inner() > ROTATIONS);
}

#[test]
fn a_connection_goes_on_with_what_it_began_with() {
    let web = Web::new(TLS);
    let agent = web.start();
    let mut kept = connect(&web, &agent).unwrap();
    let mut is_ready = || {
        kept.write_all(b"GET /-/ready HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\nready\n") {
            let mut byte = [0];
            kept.read_exact(&mut byte).unwrap();
            answer.push(byte[0]);
        }
        answer.starts_with(b"HTTP/1.1 200 ")
    };
    assert!(is_ready());
    let before = ask(&web, &agent).unwrap().1;
    web.authority.sign(web.folder(), "agent", "localhost");
    agent.hang_up();
    within(PATIENCE, "new connections see the new one", || (ask(&web, &agent).unwrap().1 != before).then_some(()));
    assert!(is_ready());
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
        agent.hang_up();
        within(PATIENCE, said, || agent.log().contains(said).then_some(()));
        within(PATIENCE, "the metric says so", || {
            (reload_success(&web, &agent) == "lead_factory_config_reload_success 0").then_some(())
        });
        assert!(ask(&web, &agent).unwrap().1 == before, "{said}: the old one is still shown");
        web.write(TLS);
        fs::write(web.folder().join("agent.pem"), &pem).unwrap();
        agent.hang_up();
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
    agent.hang_up();
    within(PATIENCE, "reading asks for a login", || (plain.get("/costs/daily").status == 401).then_some(()));
    let alice = plain.clone().with(&["--user", super::LOGIN]);
    assert_eq!(alice.get("/costs/daily").expect(200).header("x-frame-options"), Some("deny"));
    // Somebody else gets the hash: what was refused of that name before is looked at again.
    let bob = plain.clone().with(&["--user", &super::LOGIN.replace("alice", "bob")]);
    bob.get("/costs/daily").expect(401);
    web.write(&format!("basic_auth_users: {{bob: {CHEAP}}}\n"));
    agent.hang_up();
    within(PATIENCE, "the new name is let in", || (bob.get("/costs/daily").status == 200).then_some(()));
    alice.get("/costs/daily").expect(401);
    // Another password, and none of the old one's rights.
    let other = "$2b$04$abcdefghijklmnopqrstuu196or.tIX4ZphAF/FwsaEU.CYsQ1F8W";
    web.write(&format!("basic_auth_users: {{alice: {other}}}\n"));
    agent.hang_up();
    within(PATIENCE, "the old password is not taken", || (alice.get("/costs/daily").status == 401).then_some(()));
    web.write(TLS);
    agent.hang_up();
    within(PATIENCE, "TLS is spoken", || {
        web.curl(&agent).ask("/costs/daily").is_ok_and(|answer| answer.status == 200).then_some(())
    });
    plain.get("/costs/daily").expect(400);
}
