//! Rankings and days of the page are those of the REST answers that they link to, digit for digit, and every link leads somewhere.
//!
//! Guards against: a sum that is made in another way for the page, a rounded number in place of the whole one, a name that is left out of the
//! total, a list that is in another order.

use std::collections::BTreeMap;

use serde_json::Value;
use serde_json::value::RawValue;

use super::driver::read;
use super::ledger;
use super::shown::{amount, answer_of, plain, rows, texts, value};
use crate::support::{Amount, TestAgent, amounts_in, exact};

/// What each key cost, whatever the depth: keys of several words are joined as the page shows them.
fn add_up(json: &RawValue, path: &[String], sums: &mut BTreeMap<String, Amount>) {
    if !json.get().starts_with('{') {
        *sums.entry(path.join(" · ")).or_default() += exact(json.get());
        return;
    }
    for (name, inner) in serde_json::from_str::<BTreeMap<String, Box<RawValue>>>(json.get()).unwrap() {
        add_up(&inner, &[path, &[name]].concat(), sums);
    }
}

#[derive(serde::Deserialize)]
struct Day {
    total_usd: Box<RawValue>,
    by: Box<RawValue>,
}

#[track_caller]
fn history(agent: &TestAgent, path: &str) -> Vec<Day> {
    serde_json::from_slice(&agent.get(path).expect(200).body).unwrap()
}

/// A table of names against the answer by day that it links to: the largest first, the rest in one row, and all of it below.
#[track_caller]
fn assert_ranking(agent: &TestAgent, section: &Value, month: &str, names_max: usize) {
    let mut sums = BTreeMap::new();
    for day in history(agent, answer_of(section, "/costs/history")) {
        add_up(&day.by, &[], &mut sums);
    }
    let total: Amount = sums.values().sum();
    let whole_month: Amount =
        amounts_in(&agent.get(&format!("/costs/monthly?month={month}")).expect(200)).into_values().sum();
    assert_eq!(total, whole_month, "{month}");
    let mut expected: Vec<(String, Amount)> = sums.into_iter().collect();
    expected.sort_by(|(left, more), (right, less)| less.cmp(more).then_with(|| left.cmp(right)));

    let rows = rows(section);
    let (last, rows) = rows.split_last().unwrap_or_else(|| panic!("no rows in {section}"));
    assert_eq!(amount(last), plain(&total), "all of it: {last:?}");
    let named = expected.len().min(names_max);
    for (row, (name, cost)) in rows.iter().zip(&expected[..named]) {
        let shown = row[0]["name"].as_str().unwrap();
        assert!(shown == name || (name.is_empty() && shown.starts_with("without ")), "{shown:?} in place of {name:?}");
        assert_eq!(amount(row), plain(cost), "{name}");
        if let Some(share) = row.iter().find(|cell| cell["text"].as_str().unwrap().ends_with('%')) {
            let share: f64 = value(share).unwrap().parse().unwrap();
            let expected: f64 = (cost * Amount::from(100) / &total).to_string().parse().unwrap();
            assert!((share - expected).abs() < 1e-9, "{name}: {share} is not {expected}");
        }
    }
    let rest: Amount = expected[named..].iter().map(|(_, cost)| cost).sum();
    match rows.len() - named {
        0 => assert_eq!(expected.len(), named, "the others are left out"),
        1 => assert_eq!(amount(rows[named]), plain(&rest), "the others: {:?}", rows[named]),
        more => panic!("{more} rows more than {named}"),
    }
}

#[test]
fn names_are_ranked_and_summed_as_on_rest_in_every_grouping_and_month() {
    let agent = ledger::full();
    let groupings = ["service", "operation", "worker", "batch", "lead", "model", "attributes.team"];
    let months = ["2026-11", "2026-10", "2026-09", "2026-08", "2026-01"];
    let asked: Vec<(&str, &str)> = groupings.iter().flat_map(|by| [(months[0], *by), (months[2], *by)]).collect();
    let asked = [asked, months.iter().map(|month| (*month, "service")).collect()].concat();
    let paths: Vec<String> = asked.iter().map(|(month, by)| format!("/?month={month}&by={by}")).collect();
    let pages = read(&agent.url(), &paths.iter().map(String::as_str).collect::<Vec<_>>());
    for ((month, by), page) in asked.iter().zip(&pages) {
        if *month == "2026-01" {
            assert_eq!(page["breakdown"]["values"], serde_json::json!([]), "no cost in that month: {}", page["breakdown"]);
            continue;
        }
        assert_ranking(&agent, &page["breakdown"], month, 20);
        if *by == "service" {
            assert_ranking(&agent, &page["models"], month, 20);
            assert_ranking(&agent, &page["workers"], month, 10);
        }
        let days = history(&agent, answer_of(&page["days"], "/costs/history"));
        let expected: Vec<&str> = days.iter().map(|day| day.total_usd.get()).collect();
        let shown = rows(&page["days"]);
        let (last, shown) = shown.split_last().unwrap();
        assert_eq!(shown.iter().map(|row| amount(row)).collect::<Vec<_>>(), expected, "{month}");
        let total: Amount = expected.iter().map(|digits| exact(digits)).sum();
        assert_eq!(amount(last), plain(&total), "{month}");
        let days = if *month == "2026-11" { 20 } else { expected.len() };
        assert_eq!(shown.len(), days);
    }
}

#[test]
fn every_link_of_the_page_leads_somewhere() {
    let agent = ledger::full();
    let pages = read(&agent.url(), &["/", "/?month=2026-09&by=attributes.team&refresh=10"]);
    let mut client = agent.client();
    let mut followed = 0;
    for page in &pages {
        for section in page.as_object().unwrap().values() {
            for link in texts(section, "links").into_iter().filter(|link| link.starts_with('/')) {
                let path = link.split('#').next().unwrap();
                let answer = client.request("GET", path, &[("Accept", "text/html")], b"").unwrap();
                assert_eq!(answer.status, 200, "{link}: {}", answer.text());
                followed += 1;
            }
        }
    }
    assert!(followed > 20, "{followed}");
}
