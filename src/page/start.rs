//! The next step of somebody whose ledger is empty: one line to record the first cost, by each road.

use maud::{Markup, html};

use super::pieces::section;

/// Where the agent is when nobody says where.
const ADDRESS_DEFAULT: &str = "http://localhost:8000";

/// What a sender must know.
#[derive(Clone, Debug, Default)]
pub struct Agent {
    /// Under which host and port the visitor reached it, where that may be told: it is known to be ours.
    pub host: Option<String>,
    /// Whether a write needs a token.
    pub needs_token: bool,
}

/// The section.
pub fn start(agent: &Agent) -> Markup {
    let url = agent.host.as_ref().map_or_else(|| ADDRESS_DEFAULT.to_owned(), |host| format!("http://{host}"));
    let token = if agent.needs_token { " -H \"Authorization: Bearer $API_TOKEN\"" } else { "" };
    let curl = format!(
        "curl {url}/costs -H 'Content-Type: application/json'{token} \\\n  -d '{{\"id\":\"first-1\",\"service\":\"openai\",\"operation\":\"chat\",\"amount_usd\":\"0.0015\"}}'"
    );
    let headers = if agent.needs_token { " OTEL_EXPORTER_OTLP_HEADERS=\"Authorization=Bearer%20$API_TOKEN\"" } else { "" };
    let otlp = format!("OTEL_EXPORTER_OTLP_ENDPOINT={url}{headers}");
    let litellm_headers = if agent.needs_token { ", headers={\"Authorization\": \"Bearer …\"}" } else { "" };
    let litellm = format!("GenericAPILogger(endpoint=\"{url}/ingest/litellm\", max_retries=5{litellm_headers})");
    let environment = if agent.needs_token { " LEAD_FACTORY_METRICS_TOKEN=\"$API_TOKEN\"" } else { "" };
    let python = format!(
        "LEAD_FACTORY_METRICS_URL={url}{environment} python3 -c \\\n  'from lead_factory_metrics import record; record(\"openai\", \"chat\", \"0.0015\")'"
    );
    let roads = [
        ("By hand, or from a script:", curl),
        ("From anything with OpenTelemetry, Claude Code and Codex included, in its environment:", otlp),
        ("From LiteLLM, as a callback:", litellm),
        ("From Python, after pip install ./clients/python:", python),
    ];
    let body = html! {
        p { "The ledger is empty. One of these lines records the first cost:" }
        dl.roads { @for (road, line) in &roads { dt { (road) } dd { pre tabindex="0" { (line) } } } }
        p.quiet { code { "docs/recording.md" } " has the lines for each SDK." }
        @if !agent.needs_token { p.quiet { "Without a token only this host may write: " code { "API_TOKEN" } " lets others." } }
    };
    section("start", "Record the first cost", None, &body)
}
