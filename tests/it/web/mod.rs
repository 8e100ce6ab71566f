//! `WEB_CONFIG_FILE`: TLS, logins and headers, as curl, Prometheus and the command line meet them.
//!
//! Guards against: a certificate that only a restart renews, a spoilt file that takes a running agent down, clients that hold a port by not
//! shaking hands, guesses that take the machine, a password that writes.

mod cli;
mod client_certificates;
mod grpc;
mod guesses;
mod logins;
mod prometheus;
mod python;
mod rotation;
mod tls;

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, ClientConnection, RootCertStore};

use crate::support::{Authority, Response, Setup, TestAgent, try_run};

/// bcrypt of `wonderland`, as cheap as it gets.
const CHEAP: &str = "$2y$04$abcdefghijklmnopqrstuujZkTwHUiJ9XdZPwKfcfDo7dMp5DjlTu";
/// The same as people make it: some 50 ms.
const USUAL: &str = "$2y$10$abcdefghijklmnopqrstuuwmjOOgyx/jknFqeF8sHrF2cGgSECl/q";
const TLS: &str = "tls_server_config: {cert_file: agent.pem, key_file: agent.key}\n";
const LOGIN: &str = "alice:wonderland";

/// An agent-to-be with a web configuration, and who signed its certificate.
struct Web {
    setup: Setup,
    authority: Authority,
}

impl Web {
    /// A folder with a certificate for localhost, and a web configuration of this text.
    fn new(text: &str) -> Self {
        let (setup, authority) = (Setup::new(), Authority::new());
        authority.sign(setup.folder(), "agent", "localhost");
        let web = Self { setup, authority };
        web.write(text);
        Self { setup: web.setup.env("WEB_CONFIG_FILE", "web.yml"), ..web }
    }

    fn env(self, name: &str, value: &str) -> Self {
        Self { setup: self.setup.env(name, value), ..self }
    }

    fn write(&self, text: &str) {
        fs::write(self.folder().join("web.yml"), text).unwrap();
    }

    fn folder(&self) -> &Path {
        self.setup.folder()
    }

    #[track_caller]
    fn start(&self) -> TestAgent {
        self.setup.start()
    }

    /// One end of a connection that trusts the authority, before its first byte.
    fn client(&self) -> ClientConnection {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(self.authority.pem()).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = config.with_root_certificates(roots).with_no_client_auth();
        ClientConnection::new(config.into(), "localhost".try_into().unwrap()).unwrap()
    }

    /// curl, asking in TLS and trusting the authority.
    fn curl(&self, agent: &TestAgent) -> Curl {
        Curl { arguments: Vec::new(), scheme: "https", addr: agent.addr() }
            .with(&["--cacert", &self.authority.pem().display().to_string()])
    }
}

/// The real curl.
#[derive(Clone)]
struct Curl {
    arguments: Vec<String>,
    scheme: &'static str,
    addr: SocketAddr,
}

impl Curl {
    /// Without TLS.
    fn plain(addr: SocketAddr) -> Self {
        Self { arguments: Vec::new(), scheme: "http", addr }
    }

    fn with(mut self, arguments: &[&str]) -> Self {
        self.arguments.extend(arguments.iter().map(|argument| (*argument).to_owned()));
        self
    }

    /// What it says of a path, or its exit code.
    fn ask(&self, path: &str) -> Result<Response, i32> {
        let url = format!("{}://{}{path}", self.scheme, self.addr);
        let mut arguments = vec!["--silent", "--show-error", "--max-time", "30", "--include", "--http1.1"];
        arguments.extend(self.arguments.iter().map(String::as_str));
        arguments.push(&url);
        let output = try_run("curl", &arguments);
        if !output.status.success() {
            return Err(output.status.code().unwrap());
        }
        let text = String::from_utf8(output.stdout).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let header = |line: &str| line.split_once(": ").map(|(name, value)| (name.to_owned(), value.to_owned()));
        Ok(Response { status, headers: lines.filter_map(header).collect(), body: body.into() })
    }

    #[track_caller]
    fn get(&self, path: &str) -> Response {
        self.ask(path).unwrap_or_else(|code| panic!("curl {path} ended with {code}"))
    }
}

/// The path of a file in a folder, as an argument.
fn path(folder: &Path, file: &str) -> String {
    let path: PathBuf = folder.join(file);
    path.display().to_string()
}
