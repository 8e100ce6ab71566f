//! The FOCUS export by the specification's own validator.
//!
//! Guards against: a column that is missing, misspelled or of another form than FOCUS 1.2 wants, whatever stands in the ledger.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{Setup, amounts_in, exact};

/// It asks that the column is empty for a charge without an invoice, and that it is not for one with: of every row, since it cannot
/// know which is which. Whatever stands there, one of the two fails.
const CANNOT_BE_KNOWN: &str = "InvoiceId-C-005-C";

/// Where `scripts/test` installs it.
fn validator() -> PathBuf {
    let installed = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/focus-validator");
    assert!(installed.exists(), "this test needs the FOCUS validator; scripts/test installs it (needs Python 3)");
    installed
}

#[test]
fn the_validator_accepts_the_export() {
    let setup = Setup::new();
    let agent = setup.start();
    let events = r#"[{"id":"1","service":"café, ☕","operation":"=chat","amount_usd":"0.000000000001","model":"m",
            "usage":{"tokens":7},"worker":"w","attributes":{"team":"a\"b"}},
        {"id":"2","service":"sendgrid","amount_usd":123.456},{"id":"3","service":"sendgrid","amount_usd":-0.5,"kind":"credit"},
        {"id":"2","service":"sendgrid","amount_usd":100,"revision":1}]"#;
    agent.costs(events).expect(200);
    let file = setup.folder().join("focus.csv");
    let exported = setup.verb(&["export", "--format", "focus", "--output-file", file.to_str().unwrap()]);
    assert!(exported.status.success(), "{}", String::from_utf8_lossy(&exported.stderr));

    let mut reader = csv::Reader::from_path(&file).unwrap();
    let cost = reader.headers().unwrap().iter().position(|heading| heading == "BilledCost").unwrap();
    let billed: Vec<String> = reader.records().map(|record| record.unwrap()[cost].to_owned()).collect();
    assert!(billed.iter().all(|cost| cost.split_once('.').unwrap().1.len() == 12), "{billed:?}");
    let total = billed.iter().fold(exact("0"), |sum, cost| sum + exact(cost));
    assert_eq!(total, amounts_in(&agent.get("/costs/daily")).into_values().fold(exact("0"), |sum, cost| sum + cost));

    let installed = validator();
    // It looks for one of its own files relative to where it is started.
    let packages = installed.join("lib");
    let packages = std::fs::read_dir(packages).unwrap().next().unwrap().unwrap().path().join("site-packages");
    let output = Command::new(installed.join("bin/focus-validator"))
        .current_dir(packages)
        .args(["--validate-version", "1.2.0.1", "--block-download", "--data-file"])
        .arg(&file)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    // It ends well whatever it finds.
    let line = said.lines().find(|line| line.starts_with("Total:"));
    let line = line.unwrap_or_else(|| panic!("no result: {said} {}", String::from_utf8_lossy(&output.stderr)));
    let passed = line.split("Pass: ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap();
    assert!(passed.parse::<u32>().unwrap() > 100, "{line}");
    let failed: Vec<&str> = said.lines().filter(|line| line.contains(": FAIL")).collect();
    assert!(failed.iter().all(|line| line.contains(CANNOT_BE_KNOWN)), "{failed:#?}");
}
