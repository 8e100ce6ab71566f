//! The values while the layers are put on top of each other: the defaults first, and each stage's settings in their own type.
//!
//! *Invariants.* A default that a stage has in its own settings is taken from there; what belongs to no stage has it here.

use std::net::IpAddr;
use std::path::PathBuf;

use tracing::level_filters::LevelFilter;

use super::budgets::draft::BudgetDraft;
use super::fleet::draft::FleetDraft;
use super::otel::draft::OtelDraft;
use super::problem::Placed;
use super::spec::Spec;
use super::webhooks::draft::WebhookDraft;
use crate::api::{self, Token};
use crate::domain::{BudgetZone, PeriodKind};
use crate::pricing::PriceTable;
use crate::telemetry::{self, LogFormat};
use crate::views::tallies::KEYS_MAX;
use crate::views::{HOLDS_MAX, SeriesLimits};
use crate::{ingest, ledger, net};

/// Operations that look, pay or stop, as existing programs name them.
const CRITICAL_OPERATIONS: &[&str] = &["health_check", "metrics", "scaling_gate_status", "billing_status", "admin_*"];
/// Dollars a day over all services.
const DAILY_DOLLARS: i64 = 50;
/// Dollars a month over all services.
const MONTHLY_DOLLARS: i64 = 1_000;

/// One setting of the program.
pub type Setting = Spec<Draft>;

/// The values of all settings, and of the tables of the file.
#[derive(Clone, Debug)]
pub struct Draft {
    pub(super) host: IpAddr,
    pub(super) port: u16,
    pub(super) log_level: LevelFilter,
    /// `None`: as the terminal has it.
    pub(super) log_format: Option<LogFormat>,
    pub(super) environment: String,
    /// `None`: as the host is called.
    pub(super) agent_name: Option<String>,
    pub(super) zone: BudgetZone,
    pub(super) daily: BudgetDraft,
    pub(super) monthly: BudgetDraft,
    pub(super) gate_enabled: bool,
    pub(super) critical: Vec<String>,
    pub(super) token: Option<Token>,
    pub(super) token_file: Option<PathBuf>,
    pub(super) web_file: Option<PathBuf>,
    pub(super) net: net::Settings,
    pub(super) api: api::Settings,
    pub(super) ingest: ingest::Limits,
    pub(super) calls: ingest::CallSettings,
    pub(super) ledger: ledger::Settings,
    pub(super) series: SeriesLimits,
    pub(super) holds_max: usize,
    pub(super) budget_keys_max: usize,
    pub(super) webhook: WebhookDraft,
    pub(super) otel: OtelDraft,
    pub(super) fleet: FleetDraft,
    /// `[[budget]]`.
    pub(super) budgets: Vec<Placed<BudgetDraft>>,
    /// Those of the file before those of the environment.
    pub(super) caps: Vec<Placed<BudgetDraft>>,
    pub(super) prices_file: Option<PathBuf>,
    /// `[[price]]`.
    pub(super) prices: Vec<Placed<PriceTable>>,
    /// `[[webhook]]`.
    pub(super) webhooks: Vec<Placed<WebhookDraft>>,
}

impl Default for Draft {
    fn default() -> Self {
        let net = net::Settings::default();
        Self {
            host: net.listen.ip(),
            port: net.listen.port(),
            log_level: LevelFilter::INFO,
            log_format: None,
            environment: telemetry::Settings::default().environment,
            agent_name: None,
            zone: BudgetZone::UTC,
            daily: BudgetDraft::of_all_services(PeriodKind::Daily, DAILY_DOLLARS),
            monthly: BudgetDraft::of_all_services(PeriodKind::Monthly, MONTHLY_DOLLARS),
            gate_enabled: true,
            critical: CRITICAL_OPERATIONS.iter().map(|pattern| (*pattern).to_owned()).collect(),
            token: None,
            token_file: None,
            web_file: None,
            net,
            api: api::Settings::default(),
            ingest: ingest::Limits::default(),
            calls: ingest::CallSettings::default(),
            ledger: ledger::Settings::default(),
            series: SeriesLimits::default(),
            holds_max: HOLDS_MAX,
            budget_keys_max: KEYS_MAX,
            webhook: WebhookDraft::default(),
            otel: OtelDraft::default(),
            fleet: FleetDraft::default(),
            budgets: Vec::new(),
            caps: Vec::new(),
            prices_file: None,
            prices: Vec::new(),
            webhooks: Vec::new(),
        }
    }
}
