//! OpenTelemetry's conventions for generative AI under all names they ever had (<https://opentelemetry.io/docs/specs/semconv/gen-ai/>), and what is
//! near to them: the row that others are variants of.

use super::record::{KIND_SERVER, Signal};
use super::sender::{Counts, Cut, Needs, Sender, When};
use crate::domain::{Quality, Rank};

use When::{All, Always, Any, Is, Kind, Never, Not};

/// What adds up calls, by the conventions.
pub(super) const AGENTS: When =
    Is("gen_ai.operation.name", &["invoke_agent", "invoke_workflow", "execute_event_loop_cycle"]);
/// What is no call of a model.
pub(super) const NO_CALLS: When = Is(
    "gen_ai.operation.name",
    &[
        "execute_tool",
        "create_agent",
        "retrieval",
        "search_memory",
        "update_memory",
        "create_memory",
        "delete_memory",
        "plan",
    ],
);

/// OpenTelemetry's conventions, and what is near to them.
pub(super) const CONVENTIONS: Sender = Sender {
    name: "OpenTelemetry's conventions",
    signal: Signal::Spans,
    is_its: Always,
    calls: All(&[Not(&AGENTS), Not(&NO_CALLS), Not(&Kind(KIND_SERVER))]),
    wrappers: Any(&[AGENTS, Kind(KIND_SERVER)]),
    needs: Needs::CountsOrId,
    provider: &[("gen_ai.provider.name", Cut::Whole), ("gen_ai.system", Cut::Whole)],
    service_otherwise: "",
    model: &["gen_ai.response.model", "gen_ai.request.model"],
    operation: &["gen_ai.operation.name", "llm.request.type"],
    response_id: &["gen_ai.response.id"],
    service_tier: &[
        "openai.response.service_tier",
        "gen_ai.openai.response.service_tier",
        "anthropic.response.service_tier",
        "gen_ai.response.service_tier",
        "openai.request.service_tier",
        "gen_ai.openai.request.service_tier",
    ],
    response: &[],
    is_placed: true,
    own_key: None,
    counts: Counts {
        input: &["gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens", "llm.usage.prompt_tokens"],
        input_has_cached: Always,
        cached: &[
            "gen_ai.usage.cache_read.input_tokens",
            "gen_ai.usage.cache_read_input_tokens",
            "gen_ai.usage.input_tokens.cached",
            "gen_ai.usage.details.cache_read_tokens",
            "gen_ai.usage.details.cached_tokens",
            "gen_ai.usage.cached_tokens",
        ],
        cache_write: &[
            "gen_ai.usage.cache_write.input_tokens",
            "gen_ai.usage.cache_creation.input_tokens",
            "gen_ai.usage.cache_write_input_tokens",
            "gen_ai.usage.cache_creation_input_tokens",
            "gen_ai.usage.details.cache_write_tokens",
        ],
        cache_write_1h: &["anthropic.usage.cache_creation.ephemeral_1h_input_tokens"],
        more_input: &[],
        audio_input: &[
            "gen_ai.usage.input_audio_tokens",
            "gen_ai.usage.details.input_audio_tokens",
            "gen_ai.usage.input_token_details.audio_tokens",
        ],
        output: &["gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens", "llm.usage.completion_tokens"],
        reasoning: &[
            "gen_ai.usage.reasoning.output_tokens",
            "gen_ai.usage.reasoning_tokens",
            "gen_ai.usage.details.reasoning_tokens",
        ],
        output_has_reasoning: true,
        audio_output: &["gen_ai.usage.output_audio_tokens", "gen_ai.usage.details.output_audio_tokens"],
    },
    usage_text: &[],
    provider_metadata: &[],
    miscounts: Never,
    cost: &[
        "gen_ai.usage.cost",
        "operation.cost",
        "gen_ai.cost.total_cost",
        "usage.cost",
        "llm.cost.total",
        "cost_usd",
        "response_cost",
    ],
    cost_text: &[],
    duration_ms: &[],
    cache_hit: Is("litellm.cache_hit", &["true"]),
    fails: Never,
    quality: Quality::Exact,
    estimates: Never,
    rank: Rank::Usual,
};
