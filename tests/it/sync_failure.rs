//! A sync fails: what the kernel dropped cannot be asked for again.
//!
//! Guards against: a database that goes on acknowledging after a failed fsync.

use std::time::Duration;

use crate::support::{Amount, Setup, amounts_in, exact};

const EVENTS_MAX: u64 = 500;

#[test]
fn after_a_failed_sync_nothing_is_answered_and_the_process_ends_for_a_restart() {
    let mut failed_while_running = 0;
    for first_failure in [1, 2, 3, 4, 6, 9, 20] {
        let setup = Setup::new();
        assert!(setup.start().terminate().success());
        // From that call on, for good: a disk that failed does not become whole.
        let failing = setup.clone().with_injected_faults(&[&format!("fsync,fdatasync:error=EIO:when={first_failure}+")]);
        let mut agent = match failing.try_start() {
            Ok(agent) => agent,
            Err(refused) => {
                assert_eq!(refused.status.code(), Some(1), "{}", refused.log);
                continue;
            }
        };
        failed_while_running += 1;
        let mut client = agent.client();
        let mut answered = Amount::default();
        let mut failed_at = None;
        for number in 1..=EVENTS_MAX {
            let body = format!(r#"{{"id":"{number}","service":"s","amount_usd":"0.{number:06}"}}"#);
            match client.request("POST", "/costs", &[("Content-Type", "application/json")], body.as_bytes()) {
                Ok(answer) if answer.status == 200 => {
                    assert!(failed_at.is_none(), "answered after the failed sync");
                    answered += exact(&format!("0.{number:06}"));
                }
                Ok(answer) => {
                    assert_eq!(answer.status, 503, "{}", answer.text());
                    failed_at.get_or_insert(number);
                }
                Err(_) => {
                    failed_at.get_or_insert(number);
                    break;
                }
            }
        }
        let failed_at = failed_at.unwrap_or_else(|| panic!("the sync from call {first_failure} on never failed"));
        let status = agent.wait_for_end(Duration::from_secs(15));
        assert!(status.code().is_some_and(|code| code != 0), "ends with an error for the supervisor: {status}");

        let agent = setup.start();
        let shown: Amount = amounts_in(&agent.get("/costs/daily")).into_values().sum();
        let unanswered = exact(&format!("0.{failed_at:06}"));
        assert!(shown == answered || shown == &answered + &unanswered, "{shown} instead of {answered}");
        // The retry of the unanswered one counts once, whatever became of it.
        agent.costs(format!(r#"{{"id":"{failed_at}","service":"s","amount_usd":"0.{failed_at:06}"}}"#)).expect(200);
        assert_eq!(amounts_in(&agent.get("/costs/daily")).into_values().sum::<Amount>(), answered + unanswered);
        drop(agent);
        setup.assert_verifies();
    }
    assert!(failed_while_running >= 3, "most of the syncs are those of recording");
}
