//! The command line as a client in TLS, with a login.

use std::fs;
use std::process::Output;

use super::{CHEAP, LOGIN, TLS, Web, path};
use crate::support::{Setup, TestAgent, free_addr, sign_itself, within};

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.clone(), output.stderr.clone()].concat()).into_owned()
}

/// An agent at a port that its settings name, so that verbs find it without `--url`.
fn named(text: &str) -> Web {
    Web::new(text).env("METRICS_PORT", &free_addr().port().to_string())
}

#[track_caller]
fn assert_runs(setup: &Setup, verb: &[&str]) -> String {
    let output = setup.verb(verb);
    assert_eq!(output.status.code(), Some(0), "{verb:?}: {}", said(&output));
    said(&output)
}

#[test]
fn verbs_without_an_address_follow_the_web_configuration() {
    let users = format!("basic_auth_users: {{alice: {CHEAP}}}\n");
    for (text, name) in
        [(String::new(), "plain"), (TLS.to_owned(), "TLS"), (users.clone(), "login"), (TLS.to_owned() + &users, "both")]
    {
        let web = named(&text).env("API_TOKEN", "s3cret");
        let _agent = web.start();
        assert_eq!(assert_runs(&web.setup, &["healthcheck"]), "ready\n", "{name}");
        assert_runs(&web.setup, &["record", "--service", "s", "--amount-usd", "2"]);
        let costs = assert_runs(&web.setup, &["costs", "daily", "--output", "json"]);
        assert_eq!(costs.trim(), r#"{"s":2}"#, "{name}");
        for verb in [&["top"][..], &["budgets"], &["gate", "status"], &["export", "--url", "https://127.0.0.1:1"]] {
            let output = web.setup.verb(verb);
            assert_eq!(output.status.success(), verb[0] != "export", "{name} {verb:?}: {}", said(&output));
        }
    }
}

#[test]
fn probes_need_no_login_where_that_is_said() {
    let users = format!("{TLS}basic_auth_users: {{alice: {CHEAP}}}\n");
    let web = named(&users);
    let agent = web.start();
    let output = web.setup.verb(&["healthcheck"]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(said(&output).contains("401"), "{}", said(&output));
    drop(agent);
    let web = web.env("HEALTH_WITHOUT_LOGIN", "true");
    let agent = web.start();
    assert_runs(&web.setup, &["healthcheck"]);
    // Files that are changed or spoilt meanwhile take nothing from a running agent, and neither from its probe.
    web.write(&format!("{users}rate_limit: {{burst: 1}}\n"));
    agent.hang_up();
    within(std::time::Duration::from_secs(30), "told", || agent.log().contains("rate_limit").then_some(()));
    assert_runs(&web.setup, &["healthcheck"]);
    web.authority.sign(web.folder(), "agent", "localhost");
    assert!(assert_runs(&web.setup, &["healthcheck"]).contains("speaks otherwise"), "not read again yet");
    for spoilt in ["{", "tls_server_config: {cert_file: none.pem, key_file: none.key}", ""] {
        web.write(spoilt);
        assert!(assert_runs(&web.setup, &["healthcheck"]).contains("speaks otherwise"), "{spoilt}");
        // Who has something to lose is not so trusting.
        let output = web.setup.verb(&["costs", "daily"]);
        assert!(!output.status.success(), "{spoilt}: {}", said(&output));
    }
    drop(agent);
    let output = web.setup.verb(&["healthcheck"]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
}

#[test]
fn a_probe_shows_the_certificate_that_there_is() {
    let web = named(
        "tls_server_config: {cert_file: agent.pem, key_file: agent.key, client_ca_file: clients.pem, client_auth_type: RequireAndVerifyClientCert}",
    );
    fs::copy(web.authority.pem(), web.folder().join("clients.pem")).unwrap();
    let _agent = web.start();
    assert_runs(&web.setup, &["healthcheck"]);
}

#[track_caller]
fn ask(agent: &TestAgent, url: &str, options: &[&str]) -> Output {
    // The environment of somebody else: no settings of the agent's.
    let elsewhere = Setup::new();
    elsewhere.verb(
        &[&["costs", "daily", "--output", "json", "--url", &url.replace("ADDR", &agent.addr().to_string())], options]
            .concat(),
    )
}

#[test]
fn an_address_is_trusted_by_the_authorities_that_are_given() {
    let web = Web::new(&format!("{TLS}basic_auth_users: {{alice: {CHEAP}}}\n"));
    let agent = web.start();
    let login = web.folder().join("login");
    fs::write(&login, format!("{LOGIN}\n")).unwrap();
    let (login, authority) = (login.display().to_string(), web.authority.pem().display().to_string());
    let all = ["--ca-file", &authority, "--user-file", &login];
    for url in ["https://ADDR", "https://ADDR/"] {
        let output = ask(&agent, url, &all);
        assert_eq!(
            (output.status.code(), String::from_utf8_lossy(&output.stdout).trim()),
            (Some(0), "{}"),
            "{}",
            said(&output)
        );
        // The file is readable by everybody, as files of tests are.
        assert!(said(&output).contains("readable by every user"), "{}", said(&output));
    }
    for (url, options) in [("https://ADDR", &all[2..]), ("https://ADDR", &all[..2]), ("http://ADDR", &all[2..])] {
        let output = ask(&agent, url, options);
        assert_eq!(output.status.code(), Some(1), "{url} {options:?}: {}", said(&output));
        assert!(!said(&output).contains("wonderland"));
    }
    let wrong = web.folder().join("wrong");
    fs::write(&wrong, "alice:wrong").unwrap();
    let output = ask(&agent, "https://ADDR", &["--ca-file", &authority, "--user-file", &wrong.display().to_string()]);
    assert!(output.status.code() == Some(1) && said(&output).contains("401"), "{}", said(&output));
    for options in
        [["--ca-file", "/nowhere.pem"], ["--user-file", "/nowhere"], ["--ca-file", &login], ["--user-file", &authority]]
    {
        let output = ask(&agent, "https://ADDR", &options);
        assert_eq!(output.status.code(), Some(2), "{options:?}: {}", said(&output));
    }
}

#[test]
fn a_certificate_that_signed_itself_is_trusted_by_itself() {
    let web = Web::new(TLS);
    sign_itself(web.folder(), "agent", "localhost");
    let agent = web.start();
    let itself = path(web.folder(), "agent.pem");
    let port = agent.addr().port();
    for (url, is_ok) in [(format!("https://localhost:{port}"), true), (format!("https://127.0.0.2:{port}"), false)] {
        let output = ask(&agent, &url, &["--ca-file", &itself]);
        assert_eq!(output.status.success(), is_ok, "{url}: {}", said(&output));
    }
}
