//! Ledgers to show: an empty one, and one with everything that a page can trip over.
//!
//! The wall clock stands still, so that every run shows the same page, whatever the time of day.

use std::fs;
use std::time::Duration;

use jiff::ToSpan;
use jiff::civil::{Date, date};
use serde_json::{Value, json};

use crate::support::{Rng, Setup, TestAgent, within};

/// The day that the page shows, and the time on it.
pub const TODAY: Date = date(2026, 11, 20);
const NOW: &str = "2026-11-20 12:34:56";
/// So many days have costs, more than the page's three months before today.
pub const DAYS: i64 = 92;
const SERVICES: u64 = 200;
const MODELS: u64 = 45;
const WORKERS: u64 = 60;
const LEADS: u64 = 300;
const EVENTS: u64 = 6_000;
const HOLDS: u64 = 40;

/// Names that break a page which does not escape, wrap, isolate or tell apart. Services are at most 128 bytes.
const HOSTILE: [&str; 16] = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "</title></style></svg><svg onload=alert(1)>",
    "';alert(1)//\\",
    "&amp;&lt;b&gt;",
    "WWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWW",
    "שירות-עברי",
    "خدمة (عربية)",
    "🚀💸🇩🇪",
    "Z\u{337}\u{322}a\u{337}\u{321}l\u{337}\u{322}g\u{337}\u{322}o\u{337}",
    "a,b=c&d?e#f%00/../+ g",
    "other",
    "=1+1",
    "__proto__",
    "請求書サービス請求書サービス請求書サービス請求書サービス",
    "{{7*7}} ${7*7} [x](javascript:alert(1))",
];

/// What a name may not have, but a reason may.
const HOSTILE_REASON: &str = "\u{202e}reversed\u{202c} <b>bold</b> \"quoted\" \u{200b}RRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRR";

/// An agent that has just been started for the first time.
pub fn empty() -> TestAgent {
    Setup::new().with_wall_clock(NOW).start()
}

/// An agent with three months of costs, 200 services, and something of everything else.
pub fn full() -> TestAgent {
    let setup = budgets(Setup::new())
        .env("MAX_EVENT_AGE_SECONDS", "34560000")
        // Nobody answers there, which is something to tell.
        .env("WEBHOOK_URL", "http://127.0.0.1:9/")
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
        .with_wall_clock("2026-11-19 13:05:00");
    let agent = setup.start();
    for (time, state) in [("13:05", "active"), ("15:40", "inactive"), ("19:00", "auto"), ("23:10", "active")] {
        fs::write(setup.wall_clock(), format!("2026-11-19 {time}:00")).unwrap();
        set_gate(&agent, state);
    }
    fs::write(setup.wall_clock(), "2026-11-20 06:30:00").unwrap();
    set_gate(&agent, "auto");
    fs::write(setup.wall_clock(), NOW).unwrap();
    let events: Vec<Value> = costs();
    for part in events.chunks(1_000) {
        agent.costs(Value::from(part).to_string()).expect(200);
    }
    hold(&agent);
    let order = json!({ "limit_usd": 120, "reason": HOSTILE_REASON, "actor": "ann <ann@example.com>", "expires_in_seconds": 86_400 });
    put(&agent, "/budgets/week", &order);
    agent
}

fn put(agent: &TestAgent, path: &str, body: &Value) {
    let answer = agent.client().request("PUT", path, &[("Content-Type", "application/json")], body.to_string().as_bytes());
    answer.unwrap().expect(200);
}

fn set_gate(agent: &TestAgent, state: &str) {
    put(agent, "/scaling-gate", &json!({ "state": state, "reason": HOSTILE_REASON, "actor": HOSTILE[0] }));
}

/// Budgets of every kind, in every state.
fn budgets(setup: Setup) -> Setup {
    let table = |name: &str, rest: &str| format!("[[budget]]\nname = {}\n{rest}\n", json!(name));
    let tables = [
        table("hour", "period = \"hourly\"\nlimit_usd = 3"),
        table("week", "period = \"weekly\"\nlimit_usd = 200\nwarn_at = [0.5, 0.75]"),
        table("quarter", "period = \"quarterly\"\nlimit_usd = 30000"),
        table("year", "period = \"yearly\"\nlimit_usd = 20000"),
        table("all", "period = \"total\"\nlimit_usd = 100000"),
        table("nothing", "period = \"daily\"\nlimit_usd = 0\nservice = \"service-7\""),
        table("used up", "period = \"monthly\"\nlimit_usd = 5\nservice = \"service-1\""),
        table("watched", "period = \"daily\"\nlimit_usd = 1\naction = \"watch\"\nmatch = { operation = \"em*\" }"),
        table("each worker", "period = \"monthly\"\nlimit_usd = 20\neach = \"worker\""),
        table("each lead", "period = \"total\"\nlimit_usd = 2.5\neach = \"lead\""),
        table("tokens", "period = \"daily\"\nlimit_usage = { input_tokens = 2_000_000, output_tokens = 100_000 }"),
        table("tokens of a model", "period = \"daily\"\nlimit_usage = { input_tokens = 1000 }\neach = \"model\""),
        table(HOSTILE[0], "period = \"daily\"\nlimit_usd = 0.000000000001\nmatch = { model = [\"model-1\", \"model-2*\"] }"),
        table(HOSTILE[5], "period = \"weekly\"\nlimit_usd = 1000\nmatch = { worker = \"*\" }"),
    ];
    let setup = setup.env("DAILY_BUDGET", "60").env("MONTHLY_BUDGET", "1500").env("OPENAI_DAILY_CAP", "20");
    tables.into_iter().fold(setup, Setup::setting)
}

/// Names by number: hostile ones first, which thereby cost most and are shown.
fn name(kind: &str, number: u64) -> String {
    match HOSTILE.get(usize::try_from(number / 2).unwrap()) {
        Some(hostile) if number % 2 == 1 => (*hostile).to_owned(),
        _ => format!("{kind}-{number}"),
    }
}

/// A number below `bound`, smaller ones more often.
fn skewed(rng: &mut Rng, bound: u64) -> u64 {
    let first = rng.below(bound);
    rng.below(first + 1)
}

fn costs() -> Vec<Value> {
    let mut rng = Rng::new(14);
    let mut events: Vec<Value> = (0..EVENTS).map(|number| cost(&mut rng, number)).collect();
    events.extend((0..SERVICES).map(|number| {
        json!({ "id": format!("each-{number}"), "service": name("service", number), "amount_usd": "0.010000000001" })
    }));
    // A day that credits outweigh, one of a single huge cost, a service that comes to nothing, and the smallest amount.
    events.extend([
        json!({ "service": "openai", "operation": "chat", "amount_usd": "-70.25", "kind": "credit", "time": "2026-11-11T10:00:00Z" }),
        json!({ "service": "gpu", "amount_usd": "9876.543210987654", "time": "2026-09-15T10:00:00Z" }),
        json!({ "service": "zero", "amount_usd": "1.5" }),
        json!({ "service": "zero", "amount_usd": "-1.5", "kind": "credit" }),
        json!({ "service": "tiny", "amount_usd": "0.000000000001" }),
    ]);
    let without_price = |number: usize| {
        json!({ "id": format!("unpriced-{number}"), "service": "acme", "operation": "chat", "model": name("unheard-of", number as u64),
            "usage": { "input_tokens": 1_000 * number, "output_tokens": 10 } })
    };
    events.extend((0..40).map(without_price));
    events
}

fn cost(rng: &mut Rng, number: u64) -> Value {
    let back = i64::try_from(rng.below(u64::try_from(DAYS).unwrap())).unwrap();
    let day = TODAY.saturating_sub(back.days());
    let time = if back == 0 {
        format!("{day}T{:02}:10:00Z", rng.below(12))
    } else {
        format!("{day}T{:02}:30:00.5Z", rng.below(24))
    };
    let service = skewed(rng, SERVICES);
    let operation = ["chat", "embeddings", "search", "<i>send</i>"][usize::try_from(rng.below(4)).unwrap()];
    let mut event = json!({
        "id": format!("{}-{number}", HOSTILE[usize::try_from(number).unwrap() % HOSTILE.len()]), "time": time,
        "service": if service == 0 { "openai".to_owned() } else { name("service", service) },
        "operation": operation,
        "amount_usd": format!("{}.{:012}", skewed(rng, 2), skewed(rng, 999_999_999_999)),
        "outcome": if rng.below(20) == 0 { "error" } else { "ok" },
        "usage": { "input_tokens": rng.below(9_000), "output_tokens": rng.below(900) },
    });
    for (field, kind, count) in
        [("worker", "worker", WORKERS), ("model", "model", MODELS), ("lead_id", "lead", LEADS), ("batch_id", "run", 30)]
    {
        // Some say nothing of it.
        if rng.below(8) > 0 {
            event[field] = name(kind, skewed(rng, count)).into();
        }
    }
    event
}

/// Open holds, some that are over, and critical ones beyond every limit.
fn hold(agent: &TestAgent) {
    let mut client = agent.client();
    for number in 0..HOLDS {
        let hostile = HOSTILE[usize::try_from(number).unwrap() % HOSTILE.len()];
        let body = json!({
            "id": format!("{hostile}-hold-{number}"), "service": name("service", number + 40), "operation": "health_check", "worker": hostile,
            "estimated_cost_usd": format!("0.{:012}", number + 1), "ttl_seconds": if number < 5 { 1 } else { 3_600 + number },
        });
        client.post("/reservations", "application/json", body.to_string()).expect(201);
    }
    within(Duration::from_secs(20), "short holds are over", || {
        let expired = agent.get("/reservations?state=expired").expect(200).json();
        (expired.as_array().unwrap().len() == 5).then_some(())
    });
}
