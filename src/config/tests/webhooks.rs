//! Receivers of messages, and that nothing about them that is secret is ever printed.

use super::super::SECRET_FILE_BYTES_MAX;
use super::*;
use crate::notify::WEBHOOKS_MAX;
use crate::notify::WebhookFormat;

/// Writes a secret that only its owner can read, and gives its path.
fn secret_file(folder: &Path, content: impl AsRef<[u8]>) -> String {
    let path = folder.join("secret");
    std::fs::write(&path, content).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o400)).unwrap();
    }
    path.display().to_string()
}

/// What is said about a file of a secret.
#[track_caller]
fn said_about(content: impl AsRef<[u8]>) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let path = secret_file(folder.path(), content);
    let problems = environment_problems(&[("WEBHOOK_URL", "https://a.example/"), ("WEBHOOK_SECRET_FILE", &path)]);
    problems.iter().map(|problem| problem.replace(&path, "FILE")).collect()
}

#[test]
fn the_settings_and_the_tables_make_one_list() {
    let folder = tempfile::tempdir().unwrap();
    let path = secret_file(folder.path(), "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n");
    let text = format!(
        "[[webhook]]\nurl = 'http://10.0.0.1:9000/hook?a=b'\nsecret_file = '{path}'\n\
         [[webhook]]\nurl = 'https://hooks.slack.example/T0/B0/s3cret'\nformat = 'Slack'\n"
    );
    let mut sources = with_file(folder.path(), &text);
    sources.environment = environment(&[("WEBHOOK_URL", "https://first.example/s3cret")]).environment;
    let config = load(&sources).unwrap();
    let found: Vec<_> = config
        .webhooks
        .iter()
        .map(|webhook| (webhook.url.as_str(), webhook.format, webhook.secret.as_ref().map(|secret| secret.0.len())))
        .collect();
    assert_eq!(
        found,
        [
            ("https://first.example/s3cret", WebhookFormat::Json, None),
            ("http://10.0.0.1:9000/hook?a=b", WebhookFormat::Json, Some(24)),
            ("https://hooks.slack.example/T0/B0/s3cret", WebhookFormat::Slack, None),
        ]
    );
    assert!(config.warnings.is_empty(), "{:?}", config.warnings);
    let shown = format!("{:?}{:?}", config.shown, config.shown_webhooks);
    assert!(!shown.contains("s3cret") && shown.contains("https://hooks.slack.example/•••"), "{shown}");
}

#[test]
fn a_secret_is_read_as_the_specification_writes_it() {
    let folder = tempfile::tempdir().unwrap();
    for (content, key) in [
        // 24 bytes, the key of the specification's own example.
        (
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            &b"\x31\xf2\x90\xf6\xbf\x06\x29\x8a\xab\x4f\x08\xd4\x3c\x3f\x08\x2c\xf6\x48\xa3\x62\xda\x2d\xa4\xb0"[..],
        ),
        ("  whsec_YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eQ==\r\n", b"abcdefghijklmnopqrstuvwxy"),
        ("whsec_YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eQ", b"abcdefghijklmnopqrstuvwxy"),
        ("taken to the letter, as it is\n", b"taken to the letter, as it is"),
    ] {
        let path = secret_file(folder.path(), content);
        let config = load(&environment(&[("WEBHOOK_URL", "https://a.example/"), ("WEBHOOK_SECRET_FILE", &path)])).unwrap();
        assert_eq!(config.webhooks[0].secret.as_ref().unwrap().0, key, "{content}");
        std::fs::remove_file(path).unwrap();
    }
}

#[test]
fn a_bad_secret_is_refused_without_showing_it() {
    for (content, said) in [
        (" \n".to_owned(), "contains no secret"),
        ("s3cret".into(), "contains a secret of 6 bytes; allowed: 24 to 64"),
        ("s3cret".repeat(11), "contains a secret of 66 bytes; allowed: 24 to 64"),
        ("whsec_s3cr".into(), "contains a secret of 3 bytes; allowed: 24 to 64"),
        ("whsec_s3cret!".into(), "contains a secret that is not base64 after its whsec_"),
        (
            "whsk_s3crets3crets3crets3cret".into(),
            "contains an asymmetric key; messages are signed with a secret that begins with whsec_",
        ),
        ("s3cret-one-s3cret-one-s3cret\ns3cret-two".into(), "contains more than one line, or a control character"),
        ("s".repeat(1 + usize::try_from(SECRET_FILE_BYTES_MAX).unwrap()), "cannot be read: it is larger than 1024 bytes"),
    ] {
        assert_eq!(said_about(&content), [format!("environment WEBHOOK_SECRET_FILE: FILE {said}")]);
    }
    assert_eq!(said_about([0xff; 30]), ["environment WEBHOOK_SECRET_FILE: FILE cannot be read: it is not UTF-8 text"]);
    assert_eq!(
        file_problems("[[webhook]]\nurl = 'https://a.example/'\nsecret_file = '/nowhere'"),
        ["agent.toml:1:1: webhook secret_file /nowhere cannot be read: No such file or directory (os error 2)"]
    );
}

#[test]
fn a_bad_url_is_refused_without_showing_it() {
    for (url, said) in [
        ("s3cret", "is not a URL: relative URL without a base"),
        ("https://", "is not a URL: empty host"),
        ("https://h:s3cret/", "is not a URL: invalid port number"),
        ("ftp://h/s3cret", "does not begin with http:// or https://"),
        ("https://u:s3cret@h/", "contains a user name or a password"),
        ("https://u@h/s3cret", "contains a user name or a password"),
        ("https://h/#s3cret", "contains a fragment, which is never sent"),
        ("https://h/s3 cret", "contains a space or a control character"),
    ] {
        let allowed = "allowed: a URL that begins with http:// or https://, without user name, password and fragment";
        assert_eq!(environment_problems(&[("WEBHOOK_URL", url)]), [format!("environment WEBHOOK_URL: {said}; {allowed}")]);
        let table = format!("[[webhook]]\nurl = {url:?}");
        assert_eq!(file_problems(&table), [format!("agent.toml:2:7: webhook url {said}; {allowed}")]);
    }
    assert_eq!(
        file_problems("[[webhook]]\nurl = ['s3cret']"),
        ["agent.toml:2:7: webhook url must be a string, in quotes, not an array"]
    );
}

#[test]
fn a_bad_url_does_not_hide_what_is_wrong_with_its_secret() {
    let problems = environment_problems(&[("WEBHOOK_URL", "nonsense"), ("WEBHOOK_SECRET_FILE", "/nowhere")]);
    assert!(problems[0].starts_with("environment WEBHOOK_URL: is not a URL"), "{problems:?}");
    assert!(problems[1].starts_with("environment WEBHOOK_SECRET_FILE: /nowhere cannot be read"), "{problems:?}");
    assert_eq!(problems.len(), 2);
}

#[test]
fn what_has_no_effect_is_said() {
    let config = load(&environment(&[("WEBHOOK_FORMAT", "json"), ("WEBHOOK_SECRET_FILE", "/nowhere")])).unwrap();
    assert_eq!(
        config.warnings,
        ["webhook_format has no effect without webhook_url", "webhook_secret_file has no effect without webhook_url"]
    );
}

#[test]
fn a_receiver_that_is_named_twice_is_said_without_its_path() {
    let folder = tempfile::tempdir().unwrap();
    let table = "[[webhook]]\nurl = 'https://a.example/s3cret'\n";
    for (second, said) in
        [(String::new(), "each message is sent once"), ("format = 'slack'\n".into(), "each message is sent twice")]
    {
        let warnings = load(&with_file(folder.path(), &format!("{table}{table}{second}"))).unwrap().warnings;
        assert_eq!(warnings.len(), 1);
        assert!(warnings[0].contains("agent.toml:3:1: same webhook") && !warnings[0].contains("s3cret"));
        assert!(warnings[0].ends_with(said), "{warnings:?}");
    }
}

#[test]
fn receivers_are_bounded() {
    let tables = |count: usize| -> String {
        (0..count).map(|index| format!("[[webhook]]\nurl = 'https://a.example/{index}'\n")).collect()
    };
    let folder = tempfile::tempdir().unwrap();
    let mut sources = with_file(folder.path(), &tables(WEBHOOKS_MAX));
    assert_eq!(load(&sources).unwrap().webhooks.len(), WEBHOOKS_MAX);
    sources.environment = environment(&[("WEBHOOK_URL", "https://b.example/")]).environment;
    let problems = load(&sources).unwrap_err().to_string();
    assert!(problems.ends_with("is one webhook too many: there are 17; the maximum is 16"), "{problems}");
    assert_eq!(file_problems(&tables(WEBHOOKS_MAX + 1)), ["agent.toml:33:1: webhook appears 17 times; the maximum is 16"]);
}

#[cfg(unix)]
#[test]
fn a_secret_that_everybody_can_read_is_a_warning() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = secret_file(folder.path(), "s3cret-s3cret-s3cret-s3cret");
    let sources = environment(&[("WEBHOOK_URL", "https://a.example/"), ("WEBHOOK_SECRET_FILE", &path)]);
    for (mode, warnings) in [(0o644, 1), (0o440, 0)] {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        let found = load(&sources).unwrap().warnings;
        assert_eq!(found.len(), warnings, "{mode:o}");
        assert!(!format!("{found:?}").contains("s3cret"));
    }
}

#[test]
fn the_example_of_the_reference_is_good() {
    let text = include_str!("../../../docs/reference.md");
    let example = text.split("```toml\n").find(|block| block.starts_with("# agent.toml")).unwrap();
    let example = example.split("```").next().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = secret_file(folder.path(), "one-token-or-secret-of-32-bytes!");
    let example = example.replace("/run/secrets/agent-tokens", &path).replace("/run/secrets/webhook", &path);
    let config = load(&with_file(folder.path(), &example)).unwrap();
    let names: Vec<&str> = config.policy.budgets.iter().map(|budget| budget.name.as_str()).collect();
    assert_eq!(names, ["daily", "monthly", "images", "night-runs", "tokens", "openai-daily"]);
    assert_eq!((config.webhooks.len(), config.api.tokens.len(), config.writer.holds_max), (2, 1, 50_000));
    assert!(config.warnings.is_empty(), "{:?}", config.warnings);
}

#[test]
fn a_receiver_may_choose_what_it_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let table = "openai_daily_cap = 1\n[[webhook]]\nurl = 'https://a.example/'\n";
    let with = |keys: &str| load(&with_file(folder.path(), &format!("{table}{keys}")));
    let config = with("events = ['budget.*', 'GATE.active']\nbudgets = 'OpenAI-*'").unwrap();
    assert_eq!(config.warnings, Vec::<String>::new());
    let receiver = &config.writer.receivers[0];
    let told = [
        ("budget.warning", Some("openai-daily")),
        ("budget.warning", Some("daily")),
        ("gate.active", None),
        ("gate.inactive", None),
    ]
    .map(|(kind, budget)| receiver.wants(kind, budget));
    assert_eq!(told, [true, false, true, false]);
    let shown = &config.shown_webhooks[0];
    assert_eq!(
        (shown.events.as_slice(), shown.budgets.as_slice()),
        (&["budget.*".to_owned(), "GATE.active".into()][..], &["OpenAI-*".to_owned()][..])
    );
    assert_eq!(config.waiting_for_a_restart(&with("").unwrap()), ["webhook"]);
    let [here, below] =
        ["", "# of the team\n"].map(|above| load(&with_file(folder.path(), &format!("{above}{table}"))).unwrap());
    assert_eq!(here.waiting_for_a_restart(&below), Vec::<&str>::new(), "a line above changes nothing");

    let problems = |keys: &str| with(keys).unwrap_err().0.iter().map(ToString::to_string).collect::<Vec<_>>();
    let found = problems("events = ['budget.*', 'budget.exausted', 5]\nbudgets = []\nevnets = 'x'");
    let ends = [
        "4:23: webhook events \"budget.exausted\" is no type of message; allowed: budget.warning, budget.critical, budget.exhausted, gate.active, gate.inactive, * for any text",
        "4:42: webhook events must be a string, or an array of strings, not an integer",
        "5:11: webhook budgets must not be empty",
        "6:1: webhook has no key \"evnets\"; did you mean events?",
    ];
    assert!(found.len() == 4 && found.iter().zip(ends).all(|(found, end)| found.ends_with(end)), "{found:#?}");
    let doubts = with("budgets = ['daily', 'team-*']").unwrap().warnings;
    assert!(
        doubts.len() == 1 && doubts[0].ends_with("agent.toml:2:1: webhook budgets \"team-*\" matches no budget"),
        "{doubts:?}"
    );
}
