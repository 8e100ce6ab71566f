//! The five policies, as Go's `crypto/tls` has them.

use super::{Web, path};
use crate::support::{Authority, sign_itself};

/// Whether curl gets an answer with this certificate, if any, in both versions of TLS.
#[track_caller]
fn is_let_in(web: &Web, agent: &crate::support::TestAgent, certificate: Option<&str>) -> bool {
    let mut curl = web.curl(agent);
    if let Some(file) = certificate {
        let (certificate, key) = (path(web.folder(), &format!("{file}.pem")), path(web.folder(), &format!("{file}.key")));
        curl = curl.with(&["--cert", &certificate, "--key", &key]);
    }
    let old = curl.clone().with(&["--tls-max", "1.2"]).ask("/-/ready").is_ok();
    let new = curl.with(&["--tlsv1.3"]).ask("/-/ready").is_ok();
    assert_eq!(old, new, "{certificate:?}");
    new
}

#[test]
fn each_policy_lets_in_whom_it_is_meant_to() {
    let clients = Authority::new();
    for (policy, with_authority, [none, stranger, ours, itself]) in [
        ("NoClientCert", false, [true, true, true, true]),
        ("RequestClientCert", false, [true, true, true, true]),
        ("RequestClientCert", true, [true, true, true, true]),
        ("RequireAnyClientCert", false, [false, true, true, true]),
        ("RequireAnyClientCert", true, [false, true, true, true]),
        ("VerifyClientCertIfGiven", true, [true, false, true, true]),
        ("RequireAndVerifyClientCert", true, [false, false, true, true]),
    ] {
        let authority = if with_authority { ", client_ca_file: clients.pem" } else { "" };
        let web = Web::new(&format!(
            "tls_server_config: {{cert_file: agent.pem, key_file: agent.key, client_auth_type: {policy}{authority}}}"
        ));
        web.authority.sign(web.folder(), "stranger", "stranger");
        clients.sign(web.folder(), "ours", "worker-7");
        sign_itself(web.folder(), "itself", "worker-8");
        let listed = [clients.pem(), web.folder().join("itself.pem")].map(|file| std::fs::read_to_string(file).unwrap());
        std::fs::write(web.folder().join("clients.pem"), listed.concat()).unwrap();
        let agent = web.start();
        let found = [None, Some("stranger"), Some("ours"), Some("itself")].map(|file| is_let_in(&web, &agent, file));
        assert_eq!(found, [none, stranger, ours, itself], "{policy} {authority}");
    }
}
