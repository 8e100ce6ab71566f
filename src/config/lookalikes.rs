//! Variables of the environment that look like settings of ours and are none: a brake that somebody believes to be there.
//!
//! The environment belongs to other programs, too, so a name must look much like one of ours. Three ways lead here: the words of
//! one of our names with a letter wrong (`DAILY_BUDGTE`) or in another order; one of our names, if it is one that nobody else would
//! choose, with a word more (`DAILY_BUDGET_USD`); and a name that ends nearly like a cap (`OPENAI_DAILY_CAPS`, `OPENAI_WEEKLY_CAP`).
//!
//! *Invariants.* Values are never part of what is said. What Kubernetes and Docker put there for a service is not looked at.

use std::fmt;

use super::budgets::caps;
use super::draft::Setting;
use super::settings::SETTINGS;
use super::sources::Sources;

/// Names that other programs have as well: with a word more they are most likely theirs.
const COMMON: &[&str] = &[
    "metrics_host",
    "metrics_port",
    "log_level",
    "log_format",
    "environment",
    "db_path",
    "api_token",
    "api_token_file",
    "allowed_hosts",
    "max_connections",
    "header_timeout_seconds",
    "body_timeout_seconds",
    "idle_timeout_seconds",
    "retention_days",
    "webhook_url",
    "webhook_format",
    "webhook_secret_file",
    "agent_name",
    "web_config_file",
];
/// What people put in front of a program's settings.
const PREFIXES: &[&str] = &["lead_factory_metrics_", "lead_factory_", "leadfactory_", "lfm_"];
/// Words for periods, and how settings call them. The last four have no caps, but tables of the file.
const OTHER_PERIODS: &[(&str, &str)] = &[
    ("day", "daily"),
    ("month", "monthly"),
    ("hour", "hourly"),
    ("hourly", "hourly"),
    ("week", "weekly"),
    ("weekly", "weekly"),
    ("quarter", "quarterly"),
    ("quarterly", "quarterly"),
    ("year", "yearly"),
    ("yearly", "yearly"),
    ("annual", "yearly"),
    ("total", "total"),
];
/// What is said of the currency, which is always the same.
const CURRENCIES: &[&str] = &["usd", "dollars", "dollar", "eur", "cents", "amount"];

/// A name of the environment, and the setting that was probably meant.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Lookalike {
    pub name: String,
    pub near: String,
    /// The period that it names, where only tables of the file have that.
    pub period: Option<&'static str>,
}

impl fmt::Display for Lookalike {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, near, period } = self;
        write!(formatter, "environment {name} is no setting and has no effect; did you mean {near}?")?;
        match period {
            Some(period) => write!(formatter, " A [[budget]] table of the settings file may have period = {period:?}"),
            None => Ok(()),
        }
    }
}

/// All of them, by name.
pub(super) fn find(sources: &Sources) -> Vec<Lookalike> {
    let names = sources.environment.keys().chain(&sources.not_utf8);
    let is_theirs = |name: &str| {
        let value = sources.environment.get(name).map_or("", String::as_str);
        value.trim().is_empty() && !sources.not_utf8.iter().any(|known| known == name)
            || is_of_a_service(name, value, sources)
    };
    let mut found: Vec<Lookalike> = names
        .filter(|name| !is_theirs(name))
        .filter_map(|name| Some(Lookalike { name: name.clone(), near: near(name)?, period: period_of_tables(name) }))
        .collect();
    found.sort_by(|one, other| one.name.cmp(&other.name));
    found
}

/// Kubernetes and Docker tell of a service by a family of names, one of which may be near to ours: `METRIC_PORT=tcp://…`.
fn is_of_a_service(name: &str, value: &str, sources: &Sources) -> bool {
    let is_address = ["tcp://", "udp://", "sctp://"].iter().any(|scheme| value.starts_with(scheme));
    let family = |end: &str| name.find(end).and_then(|at| name.get(..at));
    let of_service = ["_SERVICE_", "_PORT"].iter().filter_map(|end| family(end));
    is_address || of_service.into_iter().any(|service| sources.environment.contains_key(&format!("{service}_SERVICE_HOST")))
}

/// The setting that a name of the environment was probably meant to be; `None` for ours and for those of others.
fn near(name: &str) -> Option<String> {
    let key = name.to_ascii_lowercase().replace('-', "_");
    let is_ours = Setting::find(&key).is_some() || caps::is_cap(&key) || key == "config_file";
    // The standard has names of its own, and says that what is not known is to be let be.
    if key.starts_with("otel_") {
        return None;
    }
    if is_ours {
        // Names are read as they are written, but for caps.
        let upper = key.to_ascii_uppercase();
        let is_read = name == upper || caps::is_cap(&name.to_lowercase());
        return (!is_read && !COMMON.contains(&key.as_str()) && key != "config_file").then_some(upper);
    }
    let bare = PREFIXES.iter().find_map(|prefix| key.strip_prefix(prefix));
    if let Some(bare) = bare.filter(|bare| Setting::find(bare).is_some()) {
        return Some(bare.to_ascii_uppercase());
    }
    if let Some(cap) = near_cap(&key) {
        return Some(cap);
    }
    SETTINGS.iter().filter(|setting| !setting.is_otel()).map(|setting| setting.key).chain(["config_file"]).find_map(
        |known| {
            let is_near = is_misspelled(&key, known) || (!COMMON.contains(&known) && is_extended(&key, known));
            is_near.then(|| known.to_ascii_uppercase())
        },
    )
}

/// The cap that a name nearly is.
fn near_cap(key: &str) -> Option<String> {
    let mut words: Vec<&str> = key.split('_').collect();
    if words.last().is_some_and(|last| CURRENCIES.contains(last)) {
        words.pop();
    }
    let [service @ .., period, limit] = words.as_slice() else { return None };
    let has_currency = key.split('_').count() > words.len();
    let is_cap = matches!(*limit, "cap" | "caps" | "capp" | "cpa");
    // As the whole budget is called: of a service it is a cap.
    let is_budget = *limit == "budget" && service.len() <= 1 && period.ends_with("ly");
    let meant = ["daily", "monthly"].into_iter().find(|known| is_misspelled_word(period, known) || period == known);
    let meant = match meant {
        Some(meant) => meant,
        None => match OTHER_PERIODS.iter().find(|(word, _)| word == period)?.1 {
            "monthly" => "monthly",
            _ => "daily",
        },
    };
    if !(is_cap || is_budget || (has_currency && *limit == "cap")) {
        return None;
    }
    let meant = match service {
        [] => format!("{meant}_budget"),
        service => format!("{}_{meant}_cap", service.join("_")),
    };
    (meant != key).then(|| meant.to_ascii_uppercase())
}

/// The period in the name of a cap or a budget, where there are tables of it but no settings.
fn period_of_tables(name: &str) -> Option<&'static str> {
    let key = name.to_ascii_lowercase().replace('-', "_");
    let named = |(word, period): &(&str, &'static str)| key.split('_').any(|part| part == *word).then_some(*period);
    OTHER_PERIODS.iter().find_map(named).filter(|period| !matches!(*period, "daily" | "monthly"))
}

/// Whether a name has the words of ours, with a letter wrong here and there, without the lines between them, or in another order.
fn is_misspelled(key: &str, known: &str) -> bool {
    let (mut words, mut ours): (Vec<&str>, Vec<&str>) = (key.split('_').collect(), known.split('_').collect());
    if words.len() != ours.len() {
        return !COMMON.contains(&known) && key.replace('_', "") == known.replace('_', "");
    }
    let is_near = |(word, ours): (&&str, &&str)| {
        word == ours || is_misspelled_word(word, ours) || (!COMMON.contains(&known) && word.strip_suffix('s') == Some(*ours))
    };
    if words.iter().zip(&ours).all(is_near) {
        return true;
    }
    words.sort_unstable();
    ours.sort_unstable();
    !COMMON.contains(&known) && words == ours
}

/// Whether a word is another one with a letter wrong, or two of a long one. Short words are too near to each other to tell.
fn is_misspelled_word(word: &str, known: &str) -> bool {
    let letters_wrong_max = match known.len() {
        0..=3 => 0,
        4..=6 => 1,
        _ => 2,
    };
    let wrong = strsim::osa_distance(word, known);
    wrong > 0 && wrong <= letters_wrong_max
}

/// Whether a name is one of ours with a word more at its end.
fn is_extended(key: &str, known: &str) -> bool {
    let more = key.strip_prefix(known).and_then(|more| more.strip_prefix('_'));
    more.is_some_and(|more| !more.is_empty() && !more.contains('_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is in the environments of shells, services, containers and other programs.
    const OF_OTHERS: &str = "\
        PATH HOME USER SHELL TERM LANG LC_ALL TZ PWD OLDPWD SHLVL HOSTNAME LOGNAME MAIL EDITOR PAGER DISPLAY TMPDIR NO_COLOR \
        COLUMNS LINES XDG_RUNTIME_DIR DBUS_SESSION_BUS_ADDRESS HTTP_PROXY HTTPS_PROXY NO_PROXY SSL_CERT_FILE INVOCATION_ID \
        JOURNAL_STREAM NOTIFY_SOCKET MAINPID LISTEN_FDS CREDENTIALS_DIRECTORY RUST_LOG RUST_BACKTRACE PYTHONPATH VIRTUAL_ENV \
        NODE_ENV DATABASE_URL DB_HOST DB_PORT DB_PASS DB_PASSWORD DB_NAME DB_USER DB_HASH POSTGRES_DB POSTGRES_LOG_LEVEL \
        APP_TOKEN CI_TOKEN GITHUB_TOKEN SLACK_WEBHOOK_URL LOG_DIR LOG_FILE APP_ENVIRONMENT LOGLEVEL LISTEN_HOST METRICS_PATH \
        OPENAI_API_KEY OPENAI_DAILY_LIMIT DAILY_REPORT_TIME DAILY_DIGEST GOOGLE_ADS_DAILY_BUDGET MONTHLY_REPORT_RECIPIENTS \
        MARKET_CAP SMALL_CAP RATE_CAP NODE_CAP MARKETING_TOTAL_BUDGET ANNUAL_BUDGET TOTAL_BUDGET WEEKLY_REPORT REPORT_DAILY_MAP KUBERNETES_PORT_443_TCP OTEL_PYTHON_LOG_CORRELATION \
        OTEL_SERVICE_NAME WORKER_DAILY_TOKENS log_level http_proxy openai_daily_cap AWS_REGION AWS_ACCESS_KEY_ID S3_BUCKET \
        WEB_CONCURRENCY MALLOC_ARENA_MAX LD_PRELOAD FAKETIME";

    #[test]
    fn what_looks_like_ours_is_found_with_the_near_name() {
        for (name, expected) in [
            ("OPENAI_DAILY_CAPS", "OPENAI_DAILY_CAP"),
            ("DATA_FOR_SEO_MONTHLY_CAPS", "DATA_FOR_SEO_MONTHLY_CAP"),
            ("OPENAI_WEEKLY_CAP", "OPENAI_DAILY_CAP"),
            ("OPENAI_HOURLY_CAP", "OPENAI_DAILY_CAP"),
            ("OPENAI_MONTH_CAP", "OPENAI_MONTHLY_CAP"),
            ("OPENAI_DALY_CAP", "OPENAI_DAILY_CAP"),
            ("OPENAI_MONTLY_CAP", "OPENAI_MONTHLY_CAP"),
            ("OPENAI_DAILY_CAP_USD", "OPENAI_DAILY_CAP"),
            ("OPENAI_DAILY_BUDGET", "OPENAI_DAILY_CAP"),
            ("DAILY_CAP", "DAILY_BUDGET"),
            ("WEEKLY_CAP", "DAILY_BUDGET"),
            ("WEEKLY_BUDGET", "DAILY_BUDGET"),
            ("HOURLY_BUDGET_USD", "DAILY_BUDGET"),
            ("OPENAI_WEEKLY_BUDGET", "OPENAI_DAILY_CAP"),
            ("OPENAI_TOTAL_CAP", "OPENAI_DAILY_CAP"),
            ("SCALING_GATE_DAILY_TRESHOLD", "SCALING_GATE_DAILY_THRESHOLD"),
            ("DAILY_BUDGET_USD", "DAILY_BUDGET"),
            ("DAILY_BUDGTE", "DAILY_BUDGET"),
            ("DAYLY_BUDGET", "DAILY_BUDGET"),
            ("MONTHLY_BUDGETS", "MONTHLY_BUDGET"),
            ("FLEET_URLS", "FLEET_URL"),
            ("MAX_EVENT_USDS", "MAX_EVENT_USD"),
            ("BUDGET_DAILY", "DAILY_BUDGET"),
            ("DAILYBUDGET", "DAILY_BUDGET"),
            ("BUDGET_TIME_ZONE", "BUDGET_TIMEZONE"),
            ("LEAD_FACTORY_DAILY_BUDGET", "DAILY_BUDGET"),
            ("LEAD_FACTORY_DB_PATH", "DB_PATH"),
            ("CRITICAL_OPERATION", "CRITICAL_OPERATIONS"),
            ("SCALING_GATE_ENABLE", "SCALING_GATE_ENABLED"),
            ("LOG_LEVLE", "LOG_LEVEL"),
            ("ENVIROMENT", "ENVIRONMENT"),
            ("API_TOKENS", "API_TOKEN"),
            ("CONFIG_FIEL", "CONFIG_FILE"),
            ("daily_budget", "DAILY_BUDGET"),
            ("OPENAI-DAILY-CAP", "OPENAI_DAILY_CAP"),
        ] {
            assert_eq!(near(name).as_deref(), Some(expected), "{name}");
        }
        for setting in SETTINGS.iter() {
            assert_eq!(near(&setting.environment_name()), None, "{}", setting.key);
        }
    }

    #[test]
    fn a_period_that_only_tables_have_is_told() {
        let said = |name: &str| {
            let mut sources = Sources::default();
            sources.environment.insert(name.into(), "5".into());
            find(&sources).iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(
            said("OPENAI_WEEKLY_CAP"),
            "environment OPENAI_WEEKLY_CAP is no setting and has no effect; did you mean OPENAI_DAILY_CAP? \
             A [[budget]] table of the settings file may have period = \"weekly\""
        );
        assert!(said("ANNUAL_BUDGET").is_empty(), "other programs have plans, too");
        assert!(said("YEARLY_BUDGET").ends_with("period = \"yearly\""));
        assert!(said("OPENAI_MONTH_CAP").ends_with("did you mean OPENAI_MONTHLY_CAP?"));
    }

    #[test]
    fn what_others_have_is_let_be() {
        for name in OF_OTHERS.split_whitespace() {
            assert_eq!(near(name), None, "{name}");
        }
    }

    #[test]
    fn the_variables_of_a_service_are_no_settings() {
        let mut sources = Sources::default();
        for (name, value) in [
            ("METRIC_SERVICE_HOST", "10.0.0.7"),
            ("METRIC_SERVICE_PORT", "8000"),
            ("METRIC_PORT", "tcp://10.0.0.7:8000"),
            ("METRIC_PORT_8000_TCP", "tcp://10.0.0.7:8000"),
            ("METRIC_PORT_8000_TCP_ADDR", "10.0.0.7"),
            ("LEAD_FACTORY_METRICS_PORT", "tcp://10.0.0.8:8000"),
            ("LEAD_FACTORY_METRICS_SERVICE_HOST", "10.0.0.8"),
            ("OPENAI_SERVICE_HOST", "10.0.0.9"),
            ("DAILY_BUDGTE", " "),
        ] {
            sources.environment.insert(name.into(), value.into());
        }
        assert_eq!(find(&sources), [], "and what is empty is not set");
        sources.environment.insert("MONTHLY_BUDGTE".into(), "5".into());
        sources.environment.remove("DAILY_BUDGTE");
        sources.not_utf8.push("DAILY_BUDGTE".into());
        let names: Vec<String> = find(&sources).into_iter().map(|found| found.name).collect();
        assert_eq!(names, ["DAILY_BUDGTE", "MONTHLY_BUDGTE"]);
    }
}
