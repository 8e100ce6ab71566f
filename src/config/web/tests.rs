use std::path::PathBuf;

use super::*;

/// bcrypt of `wonderland`, as cheap as it gets.
const HASH: &str = "$2y$04$abcdefghijklmnopqrstuujZkTwHUiJ9XdZPwKfcfDo7dMp5DjlTu";

/// A folder with a certificate, its key, another key, and an authority of clients.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    let server = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    write("agent.crt", &server.cert.pem());
    write("agent.key", &server.signing_key.serialize_pem());
    write("other.key", &rcgen::KeyPair::generate().unwrap().serialize_pem());
    write("clients.pem", &rcgen::generate_simple_self_signed(["clients".to_owned()]).unwrap().cert.pem());
    write("garbage.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    write("empty.pem", "");
    folder
}

/// What is made of a file beside the certificates: its wrongs, each with line and column.
fn loaded(folder: &Path, text: &str) -> Result<Web, Vec<String>> {
    let path = folder.join("web.yml");
    std::fs::write(&path, text).unwrap();
    let prefix = format!("{}/", folder.display());
    let shown = |problem: &Problem| problem.to_string().replace(&prefix, "");
    load(&path, Origin::Default).map_err(|problems| problems.iter().map(shown).collect())
}

/// `tls_server_config` with the certificate and this.
fn with_tls(rest: &str) -> String {
    let rest: String = rest.lines().map(|line| format!("  {line}\n")).collect();
    format!("tls_server_config:\n  cert_file: agent.crt\n  key_file: agent.key\n{rest}")
}

/// What a file that is fine has: whether TLS, users, headers.
type Found = (bool, usize, usize);

#[test]
fn files_that_are_fine() {
    let folder = folder();
    let absolute = folder.path().join("agent.crt");
    let cases: Vec<(String, Found)> = vec![
        (String::new(), (false, 0, 0)),
        ("\u{feff}tls_server_config: {cert_file: agent.crt, key_file: agent.key}\r\nhttp_server_config:\r\n  http2: true\r\n".into(), (true, 0, 0)),
        ("# nothing\n".into(), (false, 0, 0)),
        ("---\n".into(), (false, 0, 0)),
        ("{}".into(), (false, 0, 0)),
        ("tls_server_config:\nhttp_server_config:\nbasic_auth_users:\n".into(), (false, 0, 0)),
        ("tls_server_config: {}\nhttp_server_config: {headers: {}}\nbasic_auth_users: {}\n".into(), (false, 0, 0)),
        (with_tls(""), (true, 0, 0)),
        (format!("tls_server_config: {{cert_file: {}, key_file: ./agent.key}}", absolute.display()), (true, 0, 0)),
        ("{\"tls_server_config\": {\"cert_file\": \"agent.crt\", \"key_file\": \"agent.key\"}}".into(), (true, 0, 0)),
        (with_tls("client_auth_type: NoClientCert"), (true, 0, 0)),
        (with_tls("client_auth_type: ''"), (true, 0, 0)),
        (with_tls("client_auth_type: RequestClientCert"), (true, 0, 0)),
        (with_tls("client_auth_type: RequireAnyClientCert"), (true, 0, 0)),
        // A name that Go never had, and that the ecosystem takes since its documentation once had it.
        (with_tls("client_auth_type: RequireClientCert"), (true, 0, 0)),
        (with_tls("client_auth_type: RequestClientCert\nclient_ca_file: clients.pem"), (true, 0, 0)),
        (with_tls("client_auth_type: RequireAnyClientCert\nclient_ca_file: clients.pem"), (true, 0, 0)),
        (with_tls("client_auth_type: VerifyClientCertIfGiven\nclient_ca_file: clients.pem"), (true, 0, 0)),
        (with_tls("client_auth_type: RequireAndVerifyClientCert\nclient_ca_file: clients.pem"), (true, 0, 0)),
        (with_tls("min_version: TLS12\nmax_version: TLS13"), (true, 0, 0)),
        (with_tls("min_version: TLS13"), (true, 0, 0)),
        (with_tls("max_version: TLS12"), (true, 0, 0)),
        (with_tls("min_version: TLS12\nmax_version: TLS12") + "http_server_config:\n  http2: false\n", (true, 0, 0)),
        ("http_server_config: {http2: true}".into(), (false, 0, 0)),
        ("http_server_config: {http2: Off}".into(), (false, 0, 0)),
        (
            "http_server_config:\n  headers:\n    X-Frame-Options: sameorigin\n    X-Content-Type-Options: nosniff\n    \
             X-XSS-Protection: 1\n    Strict-Transport-Security: max-age=63072000\n    \
             Content-Security-Policy: \"default-src 'none'\"\n"
                .into(),
            (false, 0, 5),
        ),
        // Without a value a header is not set.
        (
            "http_server_config: {headers: {X-Frame-Options: deny, X-XSS-Protection: '', Strict-Transport-Security: }}"
                .into(),
            (false, 0, 1),
        ),
        (format!("basic_auth_users:\n  alice: {HASH}\n"), (false, 1, 0)),
        (
            with_tls("") + &format!("basic_auth_users:\n  alice: {HASH}\n  'bob b.': '{HASH}'\n  7: \"{HASH}\"\n"),
            (true, 3, 0),
        ),
        // Dear ones are taken, and the older names of the format.
        (
            format!("basic_auth_users: {{a: {}, b: {}}}", HASH.replace("$04$", "$18$"), HASH.replace("$2y$", "$2a$")),
            (false, 2, 0),
        ),
    ];
    for (text, found) in cases {
        let web = loaded(folder.path(), &text).unwrap_or_else(|wrong| panic!("{text}\n{wrong:#?}"));
        assert_eq!((web.tls.is_some(), web.users.len(), web.headers.len()), found, "{text}");
    }
}

#[test]
fn the_example_of_the_reference_is_good() {
    let reference = include_str!("../../../docs/reference.md");
    let example = reference.split("```yaml\n").find(|text| text.starts_with("tls_server_config:")).unwrap();
    let example = example.split("```").next().unwrap();
    let folder = folder();
    let web = loaded(folder.path(), example).unwrap();
    assert_eq!((web.tls.is_some(), web.users.len(), web.headers.len()), (true, 1, 1));
    std::fs::copy(folder.path().join("clients.pem"), folder.path().join("clients.crt")).unwrap();
    loaded(folder.path(), &example.replace("\n  # ", "\n  ")).unwrap();
}

/// Checks what is said of each file, line for line.
#[track_caller]
fn assert_told(cases: &[(String, Vec<String>)]) {
    let folder = folder();
    let mut otherwise = Vec::new();
    for (text, told) in cases {
        let Err(wrong) = loaded(folder.path(), text) else { panic!("taken: {text}") };
        let told: Vec<String> = told.iter().map(|told| format!("web.yml:{told}")).collect();
        let all = wrong.concat();
        assert!(!all.contains("s3cret") && !all.contains("d0e") && !all.contains("$2y$"), "{all}");
        if wrong != told {
            otherwise.push((text, wrong, told));
        }
    }
    assert!(otherwise.is_empty(), "text, found, expected: {otherwise:#?}");
}

/// One thing said of `tls_server_config` as a whole.
fn at_tls(wrong: &str) -> String {
    format!("1:1: web_config_file tls_server_config.{wrong}")
}

#[test]
fn keys_of_others_are_refused_by_name() {
    let allowed = "allowed: cert_file, key_file, client_ca_file, client_auth_type, min_version, max_version";
    let in_tls = [
        ("cipher_suites", "cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256]"),
        ("cipher_suites", "cipher_suites:\n- TLS_AES_128_GCM_SHA2048"),
        ("curve_preferences", "curve_preferences:\n  - X25519\n  - CurveP256"),
        ("curve_preferences", "curve_preferences: [CurveP257]"),
        ("prefer_server_cipher_suites", "prefer_server_cipher_suites: false"),
        ("client_allowed_sans", "client_allowed_sans:\n- one\n- two"),
        ("client_ca", "client_ca: |\n  -----BEGIN CERTIFICATE-----"),
        ("key", "key: |\n  -----BEGIN PRIVATE KEY-----\n  s3cret"),
        ("cert", "cert: ''"),
    ];
    let mut cases: Vec<_> = in_tls
        .map(|(key, rest)| {
            let file = ["cert", "key", "client_ca"].contains(&key).then(|| format!(" (did you mean {key}_file?)"));
            let told = format!(
                "4:3: web_config_file tls_server_config.{key} is not supported{}; {allowed}",
                file.unwrap_or_default()
            );
            (with_tls(rest), vec![told])
        })
        .into();
    let sections = "allowed: tls_server_config, http_server_config, basic_auth_users";
    let headers = "allowed: Content-Security-Policy, Strict-Transport-Security, X-Content-Type-Options, X-Frame-Options, X-XSS-Protection";
    for (text, told) in [
        (
            "tls_server_config: {cert_filse: agent.crt}",
            format!(
                "1:21: web_config_file tls_server_config.cert_filse is not supported (did you mean cert_file?); {allowed}"
            ),
        ),
        (
            "rate_limit:\n  interval: 0\n  burst: 0\n",
            format!("1:1: web_config_file rate_limit is not supported; {sections}"),
        ),
        ("rate_limit: {interval: 1s, burst: 20}", format!("1:1: web_config_file rate_limit is not supported; {sections}")),
        (
            "http_server_config: {http3: true}",
            "1:22: web_config_file http_server_config.http3 is not supported (did you mean http2?); allowed: http2, headers"
                .into(),
        ),
        (
            "http_server_config: {headers: {Content-Type: foo}}",
            format!("1:32: web_config_file http_server_config.headers.Content-Type is not supported; {headers}"),
        ),
    ] {
        cases.push((text.into(), vec![told]));
    }
    assert_told(&cases);
}

#[test]
fn what_tls_cannot_be_made_of_is_told() {
    let versions = "is not supported; allowed: TLS12, TLS13";
    let auth_types = "is not supported; allowed: NoClientCert, RequestClientCert, RequireAnyClientCert, VerifyClientCertIfGiven, \
                      RequireAndVerifyClientCert";
    let without_type = at_tls("client_ca_file asks for a client_auth_type that uses it, such as RequireAndVerifyClientCert");
    let without_ca = |word: &str| vec![at_tls(&format!("client_auth_type {word} needs a client_ca_file to verify with"))];
    let value = |place: &str, rest: &str| vec![format!("{place}: web_config_file tls_server_config.{rest}")];
    let no_file = "cannot be read: No such file or directory (os error 2)";
    assert_told(&[
        (with_tls("min_version: TLS10"), value("4:16", &format!("min_version \"TLS10\" {versions}"))),
        (with_tls("max_version: TLS11"), value("4:16", &format!("max_version \"TLS11\" {versions}"))),
        (with_tls("min_version: TLS111"), value("4:16", &format!("min_version \"TLS111\" {versions}"))),
        (with_tls("min_version: TLS13\nmax_version: TLS12"), vec![at_tls("min_version is newer than max_version")]),
        (with_tls("client_auth_type: x"), value("4:21", &format!("client_auth_type \"x\" {auth_types}"))),
        (with_tls("client_ca_file: clients.pem"), vec![without_type.clone()]),
        (
            with_tls("client_ca_file: /dev/null"),
            vec![without_type.clone(), at_tls("client_ca_file /dev/null holds no certificate in PEM")],
        ),
        (with_tls("client_ca_file: clients.pem\nclient_auth_type: NoClientCert"), vec![without_type.clone()]),
        (with_tls("client_auth_type: RequireAndVerifyClientCert"), without_ca("RequireAndVerifyClientCert")),
        (with_tls("client_auth_type: VerifyClientCertIfGiven"), without_ca("VerifyClientCertIfGiven")),
        (
            with_tls("client_auth_type: RequireAnyClientCert\nclient_ca_file: none.pem"),
            vec![at_tls(&format!("client_ca_file none.pem {no_file}"))],
        ),
        (with_tls("client_ca_file: none.pem"), vec![without_type, at_tls(&format!("client_ca_file none.pem {no_file}"))]),
        (
            with_tls("client_auth_type: RequireAnyClientCert\nclient_ca_file: garbage.pem"),
            vec![at_tls("client_ca_file cannot be used: invalid peer certificate: BadEncoding")],
        ),
        ("tls_server_config: {cert_file: '', key_file: agent.key}".into(), vec![at_tls("cert_file is missing")]),
        ("tls_server_config: {cert_file: agent.crt, key_file: }".into(), vec![at_tls("key_file is missing")]),
        (
            "tls_server_config: {cert_file: '', key_file: ''}".into(),
            vec![at_tls("cert_file is missing"), at_tls("key_file is missing")],
        ),
        ("tls_server_config: {key_file: agent.key}".into(), vec![at_tls("cert_file is missing")]),
        // Whoever asks for a version asks for TLS.
        (
            "tls_server_config: {min_version: TLS13}".into(),
            vec![at_tls("cert_file is missing"), at_tls("key_file is missing")],
        ),
        (
            "tls_server_config: {cert_file: none.crt, key_file: none.key}".into(),
            vec![at_tls(&format!("cert_file none.crt {no_file}")), at_tls(&format!("key_file none.key {no_file}"))],
        ),
        (
            "tls_server_config: {cert_file: agent.crt, key_file: other.key}".into(),
            vec![at_tls("cert_file and key_file cannot be used: keys may not be consistent: KeyMismatch")],
        ),
        (
            "tls_server_config: {cert_file: empty.pem, key_file: agent.crt}".into(),
            vec![
                at_tls("cert_file empty.pem holds no certificate in PEM"),
                at_tls("key_file agent.crt holds no private key in PEM; one behind a password is not supported"),
            ],
        ),
        (
            with_tls("").replace("agent.crt", "[agent.crt]"),
            [value("2:14", "cert_file must be one value"), vec![at_tls("cert_file is missing")]].concat(),
        ),
    ]);
}

#[test]
fn what_no_header_or_user_can_be_is_told() {
    let cases = [
        ("http_server_config: {http2: 2}", "1:29: web_config_file http_server_config.http2 is \"2\"; allowed: true, false"),
        (
            "http_server_config: {headers: {X-Frame-Options: foo}}",
            "1:49: web_config_file http_server_config.headers.X-Frame-Options is \"foo\"; allowed: deny, sameorigin",
        ),
        (
            "http_server_config: {headers: {X-Content-Type-Options: sniff}}",
            "1:56: web_config_file http_server_config.headers.X-Content-Type-Options is \"sniff\"; allowed: nosniff",
        ),
        (
            "http_server_config: {headers: {Content-Security-Policy: \"a\\nb\"}}",
            "1:57: web_config_file http_server_config.headers.Content-Security-Policy has characters that no header may have",
        ),
        (
            "basic_auth_users: {john: d0e}",
            "1:26: web_config_file basic_auth_users.john is not a bcrypt hash, such as htpasswd -nB prints",
        ),
        (
            "basic_auth_users: {john: }",
            "1:24: web_config_file basic_auth_users.john is not a bcrypt hash, such as htpasswd -nB prints",
        ),
        (
            "basic_auth_users: {john: HASH31}",
            "1:26: web_config_file basic_auth_users.john has a bcrypt hash of cost 31; allowed: 4 to 18",
        ),
        (
            "basic_auth_users: {john: HASH03}",
            "1:26: web_config_file basic_auth_users.john has a bcrypt hash of cost 3; allowed: 4 to 18",
        ),
        (
            "basic_auth_users: {'a:b': HASH04}",
            "1:20: web_config_file basic_auth_users.a:b: a user's name has at least one character, and no colon",
        ),
        (
            "basic_auth_users: {'HASH04': john}",
            "1:84: web_config_file basic_auth_users.••• is not a bcrypt hash, such as htpasswd -nB prints",
        ),
        ("basic_auth_users: [john]", "1:19: web_config_file basic_auth_users must be a mapping of keys to values"),
    ];
    let with_hash = |text: &str| match text.split_once("HASH") {
        Some((before, rest)) => format!("{before}{}{}", HASH.replace("$04$", &format!("${}$", &rest[..2])), &rest[2..]),
        None => text.to_owned(),
    };
    assert_told(&cases.map(|(text, told)| (with_hash(text), vec![told.to_owned()])));
}

#[test]
fn what_is_no_such_yaml_is_told_by_its_place() {
    let cases = [
        ("tls_server_config: *tls", "1:20: web_config_file is not YAML: while parsing node, found unknown anchor"),
        ("tls_server_config: &tls {}", "1:20: web_config_file has an anchor or a tag; write the value without it"),
        ("basic_auth_users: !secret {}", "1:19: web_config_file has an anchor or a tag; write the value without it"),
        ("a: 1\na: 2\n", "2:1: web_config_file has a a second time"),
        ("a: 1\n---\nb: 2\n", "2:1: web_config_file begins a second document; there may be one"),
        ("hWkNKCp3fv\nTuEjdwNS8A\n", "1:1: web_config_file must be a mapping of keys to values"),
        ("- tls_server_config", "1:1: web_config_file must be a mapping of keys to values"),
        ("tls_server_config: [cert_file]", "1:20: web_config_file tls_server_config must be a mapping of keys to values"),
        (
            "tls_server_config: {",
            "2:1: web_config_file is not YAML: while parsing a node, did not find expected node content",
        ),
    ];
    assert_told(&cases.map(|(text, told)| (text.to_owned(), vec![told.to_owned()])));
    let folder = folder();
    for text in [
        format!("a: {}", "[".repeat(10_000)),
        format!("a: {}", "{a: ".repeat(10_000)),
        "\u{0}".into(),
        "? [a]\n: b\n".into(),
    ] {
        assert_eq!(loaded(folder.path(), &text).unwrap_err().len(), 1);
    }
    let everything = "tls: {}\nbasic_auth_users: {a: b}\nhttp_server_config: {http2: x}\n";
    assert_eq!(loaded(folder.path(), everything).unwrap_err().len(), 3, "all at once");
}

#[test]
fn a_file_that_is_not_there_is_told_where_it_is_named() {
    let path = PathBuf::from("/nowhere/web.yml");
    let problems = load(&path, Origin::Environment("WEB_CONFIG_FILE".into())).unwrap_err();
    let shown: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(
        shown,
        ["environment WEB_CONFIG_FILE: /nowhere/web.yml cannot be read: No such file or directory (os error 2)"]
    );
}

#[test]
fn passwords_without_tls_and_keys_for_everybody_are_told() {
    let folder = folder();
    let web = loaded(folder.path(), &format!("basic_auth_users: {{alice: {HASH}}}")).unwrap();
    assert!(
        web.warnings[0].ends_with("has users but no TLS: passwords go over the network as they are"),
        "{:?}",
        web.warnings
    );
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let key = folder.path().join("agent.key");
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
        let web = loaded(folder.path(), &with_tls("")).unwrap();
        assert!(web.warnings[0].contains("agent.key is readable by every user"), "{:?}", web.warnings);
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
        assert!(loaded(folder.path(), &with_tls("")).unwrap().warnings.is_empty());
    }
}

#[test]
fn clients_on_this_host_learn_what_the_agent_shows() {
    let folder = folder();
    let path = folder.path().join("web.yml");
    let own = |text: &str| {
        std::fs::write(&path, text).unwrap();
        own_tls(&path, Origin::Default)
    };
    assert!(own("").unwrap().is_none());
    let shown = own(&with_tls("")).unwrap().unwrap();
    assert_eq!((shown.chain.len(), shown.key.is_some()), (1, false));
    assert!(own(&with_tls("client_auth_type: RequireAnyClientCert")).unwrap().unwrap().key.is_some());
    // A running agent goes on with what it read before these were spoilt, and a probe of it with what can be read.
    let spoilt = own(&(with_tls("rate: 1") + "rate_limit: {}\n")).unwrap().unwrap();
    assert_eq!(spoilt.chain.len(), 1);
    let gone = own("tls_server_config: {cert_file: none.crt, key_file: none.key}").unwrap().unwrap();
    assert!(gone.chain.is_empty());
}
