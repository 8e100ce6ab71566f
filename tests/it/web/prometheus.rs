//! The real Prometheus scrapes in TLS, with a certificate and a password, by its own settings.

use std::fs;
use std::time::Duration;

use super::{USUAL, Web, path};
use crate::support::{Client, Daemon, within};

#[test]
fn prometheus_scrapes_in_tls_with_a_certificate_and_a_password() {
    let web = Web::new(&format!(
        "tls_server_config: {{cert_file: agent.pem, key_file: agent.key, client_ca_file: clients.pem, \
         client_auth_type: RequireAndVerifyClientCert}}\nbasic_auth_users: {{alice: {USUAL}}}\n"
    ));
    web.authority.sign(web.folder(), "prometheus", "prometheus");
    fs::copy(web.authority.pem(), web.folder().join("clients.pem")).unwrap();
    fs::write(web.folder().join("password"), "wonderland").unwrap();
    let agent = web.start();
    let file = |name: &str| path(web.folder(), name);
    let (authority, certificate, key) = (web.authority.pem(), file("prometheus.pem"), file("prometheus.key"));
    let (authority, password, addr) = (authority.display(), file("password"), agent.addr());
    let job = |name: &str, login: &str, tls: &str| {
        format!(
            "- job_name: {name}\n  scheme: https\n  static_configs: [{{targets: ['{addr}']}}]\n  {login}\n  \
             tls_config: {{ca_file: {authority}, server_name: localhost{tls}}}\n"
        )
    };
    let login = format!("basic_auth: {{username: alice, password_file: {password}}}");
    let pair = format!(", cert_file: {certificate}, key_file: {key}");
    let config = format!(
        "global: {{scrape_interval: 1s}}\nscrape_configs:\n{}{}{}",
        job("good", &login, &pair),
        job("nobody", "", &pair),
        job("anybody", &login, "")
    );
    let folder = tempfile::tempdir().unwrap();
    let prometheus = Daemon::prometheus(&config, folder.path());
    let up = |job: &str| {
        let answer =
            Client::new(prometheus.addr).get(&format!("/api/v1/query?query=up{{job=\"{job}\"}}")).expect(200).json();
        answer["data"]["result"][0]["value"][1].as_str().map(str::to_owned)
    };
    for (job, expected) in [("good", "1"), ("nobody", "0"), ("anybody", "0")] {
        within(Duration::from_secs(30), job, || (up(job).as_deref() == Some(expected)).then_some(()));
    }
}
