//! Every table at the widths of people's windows, with what is usual and with the worst there can be.

use serde_json::{Value, json};

use super::answer::read;
use super::output::Screen;
use super::table::{Table, wrap};
use super::top::once;
use super::{budgets, check_config, costs, estimate, fleet, gate, prices, reprice, reservations, verify};
use crate::config::{self, Sources};
use crate::domain::{PeriodKind, PriceTag, Usd};
use crate::ledger::VerifyReport;
use crate::wire::{CostsByName, RepriceAnswer};

const WIDTHS: [usize; 3] = [60, 80, 120];
const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/golden/tables.txt");

/// A name of 128 bytes; of three bytes each and twice as wide; and in pictures.
fn long_names() -> [String; 4] {
    [
        "data-for-seo/serp/google/organic/live/advanced/".repeat(3)[..128].to_owned(),
        "x".repeat(128),
        "请求服务".repeat(10) + "请求",
        "👍🏽🎉".repeat(10),
    ]
}

fn budget(name: &str, service: Value, amounts: [&str; 5], percent: f64, state: &str) -> String {
    let [limit, spent, reserved, remaining, forecast] = amounts;
    format!(
        r#"{{"name":{name},"service":{service},"period":"daily","limit_usd":{limit},"spent_usd":{spent},"reserved_usd":{reserved},
        "remaining_usd":{remaining},"utilization_percent":{percent},"state":"{state}","period_start":"2026-11-22T00:00:00Z",
        "period_end":"2026-11-23T00:00:00Z","forecast_usd":{forecast},"exhausted_at":"2026-11-22T11:05:15.123456789Z"}}"#,
        name = json!(name),
    )
}

fn usual_budgets() -> Table {
    let budgets = [
        budget(
            "daily",
            Value::Null,
            ["50", "45.123456789012", "0", "4.876543210988", "108.24"],
            90.246913578024,
            "critical",
        ),
        budget("monthly", Value::Null, ["1000", "312.5", "0.02", "687.48", "1234.567"], 31.25, "ok"),
        budget("openai-daily", json!("openai"), ["20", "21.5", "0", "-1.5", "51.6"], 107.5, "exhausted"),
        budget("sendgrid-monthly", json!("sendgrid"), ["5", "0.0042", "0", "4.9958", "0.01"], 0.084, "ok"),
    ];
    budgets::show::table(read(&format!("[{}]", budgets.join(","))).unwrap())
}

fn budgets_of_keys_and_usage(names: [&str; 4]) -> Table {
    let key = |key: &str, percent: f64, state: &str| {
        format!(
            r#"{{"key":{},"spent_usd":4.123456,"reserved_usd":0,"remaining_usd":0.876544,"utilization_percent":{percent},"state":"{state}"}}"#,
            json!(key)
        )
    };
    let [cap, acme, globex, tokens] = names;
    let lead_cap = format!(
        r#"{{"name":{},"service":null,"period":"total","limit_usd":5,"utilization_percent":107.2,"state":"exhausted","period_start":null,
        "period_end":null,"forecast_usd":null,"exhausted_at":null,"each":"lead","action":"watch","keys":1234567,"keys_warning":12,
        "keys_exhausted":3,"fullest":[{},{}],"override":{{"configured_limit_usd":4,"reason":"the launch is tonight","actor":"ann",
        "timestamp":"2026-11-22T10:00:00Z","expires_at":"2026-11-22T18:00:00Z"}}}}"#,
        json!(cap),
        key(acme, 107.2, "exhausted"),
        key(globex, 82.4, "warning"),
    );
    let of_usage = format!(
        r#"{{"name":{},"service":null,"period":"hourly","limit_usage":{{"input_tokens":2000000,"output_tokens":500000}},
        "spent_usage":{{"input_tokens":1234567.5,"output_tokens":0}},"reserved_usage":{{"input_tokens":0,"output_tokens":1000}},
        "remaining_usage":{{"input_tokens":765432.5,"output_tokens":499000}},"utilization_percent":61.7,"state":"ok",
        "period_start":"2026-11-22T10:00:00Z","period_end":"2026-11-22T11:00:00Z","forecast_usd":null,"exhausted_at":null,
        "match":{{"model":["gpt-*"]}}}}"#,
        json!(tokens),
    );
    let usual = budget(globex, json!(acme), ["50", "45.123456", "0", "4.876544", "108.24"], 90.2, "critical");
    budgets::show::table(read(&format!("[{lead_cap},{of_usage},{usual}]")).unwrap())
}

fn limits_that_were_set() -> Table {
    let [name, ..] = long_names();
    let line = |budget: &str, limit: &str, actor: &str| {
        format!(
            r#"{{"budget":{},{limit},"reason":"the launch is tonight","actor":{},"timestamp":"2026-11-22T10:00:00.123456Z",
            "expires_at":"2026-11-22T18:00:00Z"}}"#,
            json!(budget),
            json!(actor)
        )
    };
    let lines = [
        line("daily", r#""limit_usd":null"#, ""),
        line("daily", r#""limit_usd":1000000000000.5"#, "ann"),
        line(&name, r#""limit_usage":{"input_tokens":2000000,"output_tokens":500000.5}"#, &name),
    ];
    budgets::history::table(read(&format!("[{}]", lines.join(","))).unwrap())
}

fn worst_budgets() -> Table {
    let amounts = ["1000000000000", "999999999999.999999999999", "0.000000000001", "-1000000000000", "123456789012345678"];
    let budgets = long_names().map(|name| budget(&name, json!(name), amounts, 1e26, "exhausted"));
    budgets::show::table(read(&format!("[{}]", budgets.join(","))).unwrap())
}

fn reservation(id: &str, name: &str, amount: &str, state: &str) -> String {
    let name = json!(name);
    format!(
        r#"{{"reservation_id":{id},"id":null,"service":{name},"operation":{name},"estimated_cost_usd":{amount},"state":"{state}",
        "critical":false,"created_at":"2026-11-22T10:00:00.123456789Z","expires_at":"2026-11-22T10:01:00.123456789Z",
        "worker":{name},"batch_id":{name},"lead_id":{name}}}"#,
        id = json!(id),
    )
}

fn usual_reservations() -> Table {
    let items = [
        reservation("0193a5f0-4c3b-7a1e-9d2f-1a2b3c4d5e6f", "openai", "0.02", "held"),
        reservation("job-7", "anthropic", "12.5", "expired"),
    ];
    reservations::table(read(&format!("[{}]", items.join(","))).unwrap())
}

fn worst_reservations() -> Table {
    let items = long_names().map(|name| reservation(&name, &name, "1000000000000", "committed"));
    reservations::table(read(&format!("[{}]", items.join(","))).unwrap())
}

fn check(answer: &Value) -> Table {
    gate::check::shown(read(&answer.to_string()).unwrap()).0
}

fn allowed() -> Table {
    check(&json!({"allowed": true, "reason": "Within budget"}))
}

fn refused() -> Table {
    check(&json!({"allowed": false, "reason": "Budget openai-daily would be exceeded: 0.25 USD left, 3.5 USD estimated",
        "budget": "openai-daily", "remaining_usd": 0.25, "period_end": "2026-11-23T00:00:00Z"}))
}

fn refused_at_worst() -> Table {
    let [name, ..] = long_names();
    let answer = format!(
        r#"{{"allowed":false,"reason":{},"budget":{},"remaining_usd":-999999999999.999999999999,
        "period_end":"2026-11-23T00:00:00Z"}}"#,
        json!("请求 why ".repeat(60)),
        json!(name),
    );
    gate::check::shown(read(&answer).unwrap()).0
}

fn gate_status() -> Table {
    let [name, ..] = long_names();
    let answer = json!({"scaling_gate_active": true, "reason": "Budget daily is at 92.5 % of its limit, threshold 90 %",
        "timestamp": "2026-11-22T10:00:00.123456789Z", "mode": "auto", "since": "2026-11-22T09:00:00Z", "expires_at": null,
        "budgets": [{"name": "daily", "utilization": 92.513, "threshold": 90.0},
            {"name": name, "utilization": 33.333333333333336, "threshold": 90.0}]});
    gate::status::table(read(&answer.to_string()).unwrap())
}

fn gate_history() -> Table {
    let [one, two, three, four] = long_names();
    let line = |actor: &str, reason: &str, active: bool| json!({"timestamp": "2026-11-22T10:00:00.123456789Z", "active": active, "reason": reason, "mode": "manual", "actor": actor});
    let answer = json!([
        line("", "Budget daily is at 92.5 % of its limit, threshold 90 %", true),
        line("ann", "provider is double billing", false),
        line(&one, &two, true),
        line(&three, &four.repeat(3), true),
    ]);
    gate::status::lines(read(&answer.to_string()).unwrap())
}

fn nested(answer: &str, names: &[&str]) -> Table {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    costs::tables::period(&read::<CostsByName>(answer).unwrap(), &names)
}

fn usual_costs() -> Table {
    let answer = r#"{"openai":{"chat":1234.5678,"embeddings":0.0042},"sendgrid":{"send":-0.000000000001}}"#;
    nested(answer, &["service", "operation"])
}

fn worst_costs() -> Table {
    let [one, two, three, four] = long_names().map(|name| json!(name));
    let amount = "999999999999999.999999999999";
    nested(
        &format!(r#"{{{one}:{{{two}:{amount},{three}:0.000000000001}},{four}:{{{one}:-{amount}}}}}"#),
        &["service", "operation"],
    )
}

fn history() -> Table {
    let [one, two, ..] = long_names().map(|name| json!(name));
    let answer = format!(
        r#"[{{"date":"2026-11-21","total_usd":0,"by":{{}}}},
        {{"date":"2026-11-22","total_usd":15.5,"by":{{"openai":10.5,"sendgrid":4,"anthropic":1}}}},
        {{"date":"2026-11-23","total_usd":1000000000010,"by":{{{one}:1000000000000,{two}:1,"c":2,"d":3,"e":4}}}}]"#
    );
    costs::tables::history(&read::<Vec<_>>(&answer).unwrap())
}

/// By an attribute whose name is one word of 200 bytes, as many as it may have.
fn by_an_attribute() -> Table {
    let [one, ..] = long_names().map(|name| json!(name));
    nested(
        &format!(r#"{{{one}:{{{one}:1000000000000}},"":{{"":-0.000000000001}}}}"#),
        &[&format!("attributes.{}", "a".repeat(200)), "lead"],
    )
}

fn spread(one: &str, many: &str) -> String {
    let [first, second, ..] = long_names().map(|name| json!(name));
    format!(
        r#"{{"{many}":4000000,"attributed_usd":999999999999.999999999999,"unattributed_usd":-0.000000000001,"total_usd":1000000000000,
        "mean_usd":0.000000000001,"median_usd":null,"p95_usd":1,"top":[{{"{one}":{first},"cost_usd":1000000000000}},{{"{one}":{second},"cost_usd":1}}]}}"#
    )
}

fn price_tag() -> PriceTag {
    let [name, version, ..] = long_names();
    PriceTag { name: name.into(), version: version.into(), date: "2026-11-22".parse().ok() }
}

fn of_a_model() -> Table {
    let tag = serde_json::to_string(&price_tag()).unwrap();
    let items = format!(
        r#"[{{"unit":{},"usd":0.000000000001,"per":1000000,"above":[{{"tokens":200000,"usd":123456789012.5}}],"price":{tag}}},
        {{"unit":"input_tokens","usd":2.5,"per":1,"price":{tag}}}]"#,
        json!(long_names()[1])
    );
    prices::show::table(read(&items).unwrap())
}

fn unpriced() -> Table {
    let [service, model, usage, other] = long_names();
    let item = |service: &str, model: &str| {
        json!({"service": service, "model": model, "usage": [usage, "input_tokens"],
        "events": 18_446_744_073_709_551_615_u64, "first": "2026-11-22T10:00:00Z", "last": "2026-11-22T10:00:00.5Z"})
    };
    prices::unpriced::table(read(&json!([item(&service, &model), item(&other, "")]).to_string()).unwrap())
}

fn verified() -> [Table; 2] {
    let report = VerifyReport {
        events: u64::MAX,
        events_pruned: 0,
        adjustments: 1,
        last_recorded_at: "2026-11-22T10:00:00Z".parse().ok(),
        budgets: 64,
        total_usd: Usd::parse("-999999999999.999999999999").unwrap(),
        time_zone: "America/Argentina/ComodRivadavia".into(),
        problems: long_names().to_vec(),
    };
    [verify::summary(&report), verify::problems(&report)]
}

fn settings() -> Table {
    let [_, name, ..] = long_names();
    let environment = [
        ("WEBHOOK_URL".to_owned(), format!("https://{}.example/x", &name[..60])),
        ("OPENAI_DAILY_CAP".to_owned(), "1e11".to_owned()),
    ];
    check_config::table(&config::load(&Sources { environment: environment.into(), ..Sources::default() }).unwrap())
}

fn repriced() -> Table {
    let usd = |text: &str| Usd::parse(text).unwrap();
    let (before_usd, after_usd) = (usd("999999999999.999999999999"), usd("-0.000000000001"));
    reprice::table(&RepriceAnswer { repriced: usize::MAX, unchanged: 0, unpriced: 1, before_usd, after_usd, next: None })
}

fn a_fleet(names: [&str; 3], ids: [&str; 2], amounts: [&str; 5]) -> Table {
    let ([shared, one, other], [limit, spent, held, leased, free]) = (names.map(|name| json!(name)), amounts);
    let agent = |name: &Value, id: &str, lag: &str| {
        format!(
            r#"{{"ledger_id":{},"name":{name},"version":"0.1.0","last_seen":"2026-11-22T10:00:00.123456Z","lag_seconds":{lag},
            "sums":1234567,"total_usd":{spent},"leased_usd":{leased}}}"#,
            json!(id)
        )
    };
    let answer = format!(
        r#"{{"up":false,"problem":"another agent speaks for this ledger, and was heard of 3 s ago","lag_seconds":0.4,
        "as_of":"2026-11-22T10:00:00Z","warnings":["The limits of daily differ: worker-1 has 50, worker-2 has 40; 40 holds"],
        "budgets":[{{"name":{shared},"period_start":"2026-11-22T00:00:00Z","period_end":"2026-11-23T00:00:00Z","limit_usd":{limit},
        "spent_usd":{spent},"held_usd":{held},"leased_usd":{leased},"free_usd":{free},"overrun_usd":0,"own_lease_usd":{leased}}}],
        "agents":[{},{}]}}"#,
        agent(&one, ids[0], "0.4"),
        agent(&other, ids[1], "123456.5"),
    );
    fleet::status::for_people(&read(&answer).unwrap())
}

fn usual_fleet() -> Table {
    let ids = ["00c5a1f2e3d4b596", "f2e3d4b59600c5a1"];
    a_fleet(["daily", "worker-1", "worker-2"], ids, ["50", "31.25", "0.12", "8.5", "10.13"])
}

fn worst_fleet() -> Table {
    let [one, two, three, _] = long_names();
    let amounts = ["1000000000000", "999999999999.999999999999", "0.000000000001", "1000000000000", "-1000000000000"];
    a_fleet([&one, &two, &three], ["00c5a1f2e3d4b596", "f2e3d4b59600c5a1"], amounts)
}

fn totals() -> Table {
    let amounts = ["1000000000000", "999999999999.999999999999", "0.000000000001", "-1000000000000", "123456789012345678"];
    let limits = read::<Vec<_>>(&format!("[{}]", budget("daily", Value::Null, amounts, 1e26, "exhausted"))).unwrap();
    let (today, month) = (Ok(Usd::parse("999999999999.999999999999").unwrap()), Err(String::new()));
    once::totals_table([("today", &today, PeriodKind::Daily), ("month", &month, PeriodKind::Monthly)], &limits)
}

fn newest_events() -> Table {
    let event = |name: &str, amount: &str| {
        let name = json!(name);
        format!(
            r#"{{"id":"e","service":{name},"operation":{name},"kind":"charge","amount_usd":{amount},"time":"2026-11-22T10:00:00.123456Z",
            "model":{name},"worker":{name},"lead_id":{name},"outcome":"error"}}"#
        )
    };
    let events: Vec<String> = long_names()
        .iter()
        .zip(["1", "-0.000000000001", "1000000000000", "0"])
        .map(|(name, amount)| event(name, amount))
        .collect();
    once::events_table(&read::<Vec<_>>(&format!("[{}]", events.join(","))).unwrap())
}

/// The rest of the tables: lines of one kind, or of settings, of which there will be more.
fn others() -> Vec<(&'static str, Table)> {
    let [verified, problems] = verified();
    vec![
        ("costs by an attribute", by_an_attribute()),
        ("costs leads", costs::spread::leads(&spread("lead", "leads")).unwrap()),
        ("costs batches", costs::spread::batches(&spread("batch", "batches")).unwrap()),
        ("prices show", of_a_model()),
        ("prices unpriced", unpriced()),
        ("estimate", estimate::table(Usd::parse("0.000000000001").unwrap(), &price_tag())),
        ("reprice", repriced()),
        ("verify", verified),
        ("verify, problems", problems),
        ("check-config", settings()),
        ("top, totals", totals()),
        ("top, events", newest_events()),
    ]
}

fn looked_at() -> Vec<(&'static str, Table)> {
    vec![
        ("budgets", usual_budgets()),
        ("budgets, worst", worst_budgets()),
        ("budgets of keys and usage", budgets_of_keys_and_usage(["lead-cap", "acme", "globex", "tokens-per-hour"])),
        ("budgets of keys and usage, worst", budgets_of_keys_and_usage(long_names().each_ref().map(String::as_str))),
        ("budgets history", limits_that_were_set()),
        ("gate check, allowed", allowed()),
        ("gate check, refused", refused()),
        ("gate check, worst", refused_at_worst()),
        ("gate status", gate_status()),
        ("gate history", gate_history()),
        ("reservations", usual_reservations()),
        ("reservations, worst", worst_reservations()),
        ("costs", usual_costs()),
        ("costs, worst", worst_costs()),
        ("costs history", history()),
        ("fleet status", usual_fleet()),
        ("fleet status, worst", worst_fleet()),
    ]
}

fn all() -> impl Iterator<Item = (&'static str, Table)> {
    looked_at().into_iter().chain(others())
}

#[test]
fn at_any_width_lines_fit_and_no_word_of_a_heading_is_cut() {
    for (name, table) in all() {
        let headings = table.headings_for_people();
        for columns in (60..=200).chain([1_000]) {
            let painted = table.paint(Screen::wide(columns));
            for line in painted.lines() {
                assert!(wrap::width(line) <= columns, "{name} at {columns}: {line}");
            }
            let words: Vec<&str> = painted.split(|char: char| !char.is_alphanumeric()).collect();
            for word in headings.iter().flat_map(|heading| heading.split('_')) {
                // An attribute's name may be longer than any line: then it goes on in the next one.
                let is_there = match word.strip_prefix("attributes.") {
                    Some(name) => painted.matches('a').count() >= name.len(),
                    None => words.iter().any(|found| found.eq_ignore_ascii_case(word)),
                };
                assert!(is_there, "{name} at {columns} has no {word}:\n{painted}");
            }
        }
    }
}

#[test]
fn a_window_that_is_no_window_is_no_panic() {
    for (_, table) in all() {
        (0..60).for_each(|columns| assert!(!table.paint(Screen::wide(columns)).is_empty()));
    }
}

#[test]
fn tables_look_as_somebody_has_looked_at_them() {
    let mut painted = String::new();
    for (name, table) in looked_at() {
        for columns in WIDTHS {
            painted += &format!("=== {name} at {columns}\n{}", table.paint(Screen::wide(columns)));
        }
    }
    let golden = std::fs::read_to_string(GOLDEN).unwrap_or_default();
    if painted != golden {
        let new = std::env::temp_dir().join("tables.txt");
        std::fs::write(&new, &painted).unwrap();
        panic!("tables look otherwise: look at {}, and if it is right, put it in place of {GOLDEN}", new.display());
    }
}
