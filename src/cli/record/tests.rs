use std::io::{Read, Write};
use std::net::TcpListener;

use super::super::agent_args::parsed;
use super::*;

fn arguments(line: &[&str]) -> RecordArgs {
    parsed(&[&["--service", "openai", "--amount-usd", "1.50"], line].concat())
}

#[test]
fn only_what_was_given_is_sent() {
    assert_eq!(body(&arguments(&[]), "i").unwrap(), r#"{"service":"openai","amount_usd":"1.50","id":"i"}"#);
    let all = arguments(&[
        "--operation",
        "chat",
        "--source",
        "s",
        "--time",
        "2026-11-22T10:00:00Z",
        "--kind",
        "charge",
        "--worker",
        "w",
        "--batch-id",
        "b",
        "--lead-id",
        "l",
        "--model",
        "m",
        "--usage",
        "in=1",
        "--usage",
        "a=b=2.50",
        "--duration-seconds",
        "0.25",
        "--outcome",
        "error",
        "--attributes",
        "{\"a\": 1.10}",
        "--id",
        "i",
        "--revision",
        "2147483647",
    ]);
    assert_eq!(
        body(&all, "i").unwrap(),
        r#"{"service":"openai","amount_usd":"1.50","id":"i","operation":"chat","source":"s","time":"2026-11-22T10:00:00Z","kind":"charge","worker":"w","batch_id":"b","lead_id":"l","model":"m","usage":{"a=b":2.5,"in":1},"duration_seconds":0.25,"outcome":"error","attributes":{"a": 1.10},"revision":2147483647}"#
    );
    assert!(body(&arguments(&["--usage", "a=1", "--usage", "a=2"]), "i").is_err());
}

#[test]
fn it_is_sent_again_only_where_that_helps() {
    let again = |after| ClientError::TryAgain { said: "busy".into(), after };
    let mut answers = vec![
        Ok("done".to_owned()),
        Err(again(Some(Duration::from_secs(60)))),
        Err(ClientError::AnswerLost("lost".into())),
        Err(again(None)),
    ];
    let mut pauses = Vec::new();
    let answer = send(|| answers.pop().unwrap(), |pause| pauses.push(pause));
    assert_eq!(answer.unwrap(), "done");
    assert_eq!(pauses, [PAUSE_FIRST, PAUSE_FIRST * 2, PAUSE_MAX]);

    for settled in [ClientError::Refused("no".into()), ClientError::NotReached("gone".into())] {
        let mut settled = Some(settled);
        let answer = send(|| Err(settled.take().expect("asked once")), |_| panic!("no pause"));
        assert!(answer.is_err());
    }

    let mut tries = 0;
    let answer = send(
        || {
            tries += 1;
            Err(again(None))
        },
        |_| (),
    );
    assert!(answer.is_err());
    assert_eq!(tries, TRIES_MAX);
}

#[test]
fn an_unknown_outcome_names_the_id_to_use_again() {
    let said = with_id(ClientError::AnswerLost("lost".into()), "abc").to_string();
    assert!(said.contains("--id \"abc\""), "{said}");
    assert!(!with_id(ClientError::Refused("no".into()), "abc").to_string().contains("abc"));
}

#[test]
fn ids_are_version_7_and_carry_the_time() {
    let clock = Clock::manual("2026-11-22T10:00:00.5Z".parse().unwrap());
    let (one, two) = (new_id(&clock), new_id(&clock));
    assert_ne!(one, two);
    let id: uuid::Uuid = one.parse().unwrap();
    assert_eq!(id.get_version_num(), 7);
    assert_eq!(id.get_timestamp().unwrap().to_unix().0, 1_795_341_600);
}

/// Answers requests in turn, one connection each, and returns what it heard.
fn agent(answers: &'static [&'static str]) -> (String, thread::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let heard = thread::spawn(move || {
        let hear = |answer: &&str| {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            let mut buffer = [0; 4096];
            while !request.ends_with(b"}") {
                let count = stream.read(&mut buffer).unwrap();
                request.extend_from_slice(&buffer[..count]);
            }
            stream.write_all(answer.as_bytes()).unwrap();
            String::from_utf8(request).unwrap()
        };
        answers.iter().map(hear).collect()
    });
    (url, heard)
}

#[test]
fn a_lost_answer_is_asked_for_again_under_the_same_id() {
    let _installed_before = rustls::crypto::ring::default_provider().install_default();
    let (url, heard) =
        agent(&["", "HTTP/1.1 200 OK\r\ncontent-length: 29\r\nconnection: close\r\n\r\n{\"accepted\":0,\"duplicates\":1}"]);
    let arguments = arguments(&["--url", &url, "--token", "s3cret"]);
    let exit = run(&arguments, &Sources::default(), &Screen::plain()).unwrap();
    assert_eq!(exit, Exit::Done);
    let heard = heard.join().unwrap();
    assert_eq!(heard[0], heard[1], "the same request, id and all");
    assert!(heard[0].starts_with("POST /costs HTTP/1.1\r\n"));
    assert!(heard[0].contains("authorization: Bearer s3cret\r\n"));
}

#[test]
fn a_refusal_is_told_in_the_agents_words() {
    let _installed_before = rustls::crypto::ring::default_provider().install_default();
    let (url, heard) = agent(&["HTTP/1.1 409 Conflict\r\ncontent-length: 59\r\nconnection: close\r\n\r\n\
        {\"title\":\"Id conflict\",\"status\":409,\"detail\":\"used before\"}"]);
    let failure = run(&arguments(&["--url", &url]), &Sources::default(), &Screen::plain()).unwrap_err();
    assert_eq!(failure.to_string(), "Id conflict (409): used before");
    heard.join().unwrap();
}

#[test]
fn nobody_at_the_address_is_told_with_the_address() {
    let _installed_before = rustls::crypto::ring::default_provider().install_default();
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("http://{free}");
    let failure = run(&arguments(&["--url", &url]), &Sources::default(), &Screen::plain()).unwrap_err();
    assert_eq!(
        failure.to_string(),
        format!("cannot reach the agent at http://{free}/: Connection refused (os error 111). Is it running?")
    );
}
