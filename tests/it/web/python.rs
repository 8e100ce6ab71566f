//! The Python client in TLS, with a token.

use std::process::{Command, Output, Stdio};

use super::{CHEAP, LOGIN, TLS, Web};
use crate::support::tool;

const RECORD: &str = "from lead_factory_metrics import record, reserve, flush
record('openai', 'chat', '0.25', id='call-1')
with reserve('openai', 'chat', '0.5', on_unreachable='raise') as hold:
    hold.settle('0.5')
assert flush(timeout=20), 'not recorded'
";

#[test]
fn the_python_client_trusts_whom_it_is_told_to() {
    let web = Web::new(&format!("{TLS}basic_auth_users: {{alice: {CHEAP}}}\n")).env("API_TOKEN", "s3cret");
    let agent = web.start();
    let spool = tempfile::tempdir().unwrap();
    let run = |trusted: &str| -> Output {
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/clients/python/src");
        let mut python = Command::new(tool("python3"));
        python.args(["-c", RECORD]).env("PYTHONPATH", source).env("SSL_CERT_FILE", trusted).stdin(Stdio::null());
        python.env("LEAD_FACTORY_METRICS_URL", format!("https://localhost:{}", agent.addr().port()));
        python.env("LEAD_FACTORY_METRICS_TOKEN", "s3cret").env("LEAD_FACTORY_METRICS_SPOOL", spool.path());
        python.output().unwrap()
    };
    let daily = || web.curl(&agent).with(&["--user", LOGIN]).get("/costs/daily").expect(200).text();
    let refused = run("/dev/null");
    assert!(!refused.status.success(), "nobody vouches for the agent");
    assert_eq!(daily(), "{}");
    let recorded = run(&web.authority.pem().display().to_string());
    assert!(recorded.status.success(), "{}", String::from_utf8_lossy(&recorded.stderr));
    assert_eq!(daily(), r#"{"openai":0.75}"#);
}
