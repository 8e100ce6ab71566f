//! Who sends calls as spans and logs, and how each says what: the table. A new sender, or a new version of one, is a row.
//!
//! The rows are what the programs of autumn 2026 really send (`tests/captures/otlp`), and OpenTelemetry's `conventions`. The first row whose record it
//! is decides.

use std::collections::HashSet;
use std::sync::LazyLock;

use super::conventions::{AGENTS, CONVENTIONS, NO_CALLS};
use super::record::{Record, Signal};
use super::sender::{Counts, Cut, Needs, Sender, When};
use crate::domain::{Quality, Rank};

use When::{All, Always, Any, Contains, Ends, Has, Is, Named, Never, Not, Scope};

/// A stream, as OpenLIT says it.
const STREAMED: When = Any(&[Is("gen_ai.request.stream", &["true"]), Is("gen_ai.is_streaming", &["true"])]);

/// Version 5 of Vercel's AI SDK, by the names that it counts under. It leaves out what was cached, but in streams, and there Anthropic's cache writes
/// and Google's thoughts. Version 6 says what was not cached; embeddings have neither.
const VERCEL_5: When = All(&[
    Not(&Has("ai.usage.inputTokenDetails.noCacheTokens")),
    Any(&[
        Has("ai.usage.promptTokens"),
        All(&[
            Has("ai.usage.inputTokens"),
            Any(&[Contains("ai.model.provider", "anthropic"), Contains("ai.model.provider", "google")]),
        ]),
    ]),
]);

/// Spans that repeat what their program's logs say.
const NEVER: Sender = Sender { calls: Never, wrappers: Never, ..CONVENTIONS };

/// What is common to the logs of coding agents.
const AGENT_LOG: Sender = Sender {
    signal: Signal::Logs,
    wrappers: Never,
    provider: &[],
    model: &["model"],
    operation: &[],
    response_id: &[],
    is_placed: false,
    cost: &[],
    duration_ms: &["duration_ms"],
    ..CONVENTIONS
};

/// Spans that say what they are about by themselves, whatever made them.
const LANGFUSE: Sender = Sender {
    name: "Langfuse",
    is_its: Any(&[Scope(&["langfuse-sdk"]), Has("langfuse.observation.type")]),
    calls: Is("langfuse.observation.type", &["generation", "embedding"]),
    wrappers: Never,
    needs: Needs::Nothing,
    model: &["langfuse.observation.model.name", "gen_ai.response.model", "gen_ai.request.model"],
    operation: &["langfuse.observation.type"],
    usage_text: &["langfuse.observation.usage_details"],
    cost_text: &["langfuse.observation.cost_details"],
    ..CONVENTIONS
};

/// The table.
pub(super) static SENDERS: &[Sender] = &[
    Sender {
        name: "Claude Code, Codex and Gemini CLI",
        is_its: Scope(&["com.anthropic.claude_code", "codex", "gemini-cli", "gemini_cli"]),
        ..NEVER
    },
    Sender { name: "Anthropic's SDKs", is_its: Scope(&["com.anthropic.sdk"]), rank: Rank::Higher, ..CONVENTIONS },
    // Streams come out three tokens too high, and nothing tells a stream from another call.
    Sender {
        name: "OpenLLMetry for Anthropic",
        is_its: Scope(&["opentelemetry.instrumentation.anthropic"]),
        quality: Quality::Doubtful,
        rank: Rank::Lower,
        ..CONVENTIONS
    },
    // It does not count what came from a cache.
    Sender {
        name: "OpenLLMetry for JavaScript",
        is_its: Scope(&["@traceloop/"]),
        quality: Quality::Doubtful,
        rank: Rank::Lower,
        ..CONVENTIONS
    },
    Sender {
        name: "OpenInference",
        is_its: Any(&[Scope(&["openinference.", "@arizeai/openinference"]), Has("openinference.span.kind")]),
        calls: Is("openinference.span.kind", &["LLM", "EMBEDDING", "RERANKER"]),
        wrappers: Never,
        needs: Needs::Nothing,
        provider: &[("llm.provider", Cut::Whole), ("llm.system", Cut::Whole)],
        model: &[
            "llm.response.model_name",
            "llm.model_name",
            "embedding.model_name",
            "reranker.model_name",
            "llm.request.model_name",
        ],
        operation: &["openinference.span.kind"],
        response_id: &["gen_ai.response.id", "llm.response.id"],
        response: &["output.value"],
        counts: Counts {
            input: &["llm.token_count.prompt"],
            cached: &["llm.token_count.prompt_details.cache_read"],
            cache_write: &["llm.token_count.prompt_details.cache_write"],
            audio_input: &["llm.token_count.prompt_details.audio"],
            output: &["llm.token_count.completion"],
            reasoning: &["llm.token_count.completion_details.reasoning"],
            audio_output: &["llm.token_count.completion_details.audio"],
            ..CONVENTIONS.counts
        },
        cost: &["llm.cost.total"],
        ..CONVENTIONS
    },
    Sender {
        name: "OpenLIT",
        is_its: Scope(&["openlit."]),
        counts: Counts { input_has_cached: Not(&Is("gen_ai.provider.name", &["anthropic"])), ..CONVENTIONS.counts },
        // Without the provider's counts it takes its own tokenizer's.
        estimates: All(&[STREAMED, Not(&Has("gen_ai.usage.cache_read.input_tokens"))]),
        ..CONVENTIONS
    },
    Sender {
        name: "pydantic-ai",
        is_its: Scope(&["pydantic-ai", "pydantic_ai"]),
        calls: All(&[Not(&AGENTS), Not(&NO_CALLS), Has("gen_ai.request.model")]),
        needs: Needs::Nothing,
        ..CONVENTIONS
    },
    // Streams: a span that says neither counts nor an id, and one without duration that says all.
    Sender { name: "logfire", is_its: Scope(&["logfire"]), ..CONVENTIONS },
    Sender {
        name: "Strands",
        is_its: Any(&[Scope(&["strands"]), Is("gen_ai.system", &["strands-agents"])]),
        calls: Is("gen_ai.operation.name", &["chat"]),
        needs: Needs::Nothing,
        ..CONVENTIONS
    },
    Sender {
        name: "Vercel AI SDK",
        is_its: Has("ai.operationId"),
        calls: Ends("ai.operationId", &[".doGenerate", ".doStream", ".doEmbed", ".doRerank"]),
        wrappers: Always,
        needs: Needs::Nothing,
        provider: &[("ai.model.provider", Cut::Before('.')), ("gen_ai.system", Cut::Before('.'))],
        model: &["ai.response.model", "gen_ai.response.model", "ai.model.id", "gen_ai.request.model"],
        operation: &["ai.operationId"],
        response_id: &["ai.response.id", "gen_ai.response.id"],
        counts: Counts {
            input: &["ai.usage.inputTokens", "ai.usage.promptTokens", "ai.usage.tokens", "gen_ai.usage.input_tokens"],
            cached: &["ai.usage.inputTokenDetails.cacheReadTokens", "ai.usage.cachedInputTokens"],
            cache_write: &["ai.usage.inputTokenDetails.cacheWriteTokens"],
            output: &["ai.usage.outputTokens", "ai.usage.completionTokens", "gen_ai.usage.output_tokens"],
            reasoning: &["ai.usage.outputTokenDetails.reasoningTokens", "ai.usage.reasoningTokens"],
            ..CONVENTIONS.counts
        },
        provider_metadata: &["ai.response.providerMetadata"],
        miscounts: VERCEL_5,
        ..CONVENTIONS
    },
    // Its stand-in for OpenAI's client.
    Sender {
        name: "Langfuse for OpenAI",
        is_its: All(&[LANGFUSE.is_its, Named(&["OpenAI-generation", "OpenAI-embedding"])]),
        service_otherwise: "openai",
        ..LANGFUSE
    },
    LANGFUSE,
    Sender {
        name: "LiteLLM",
        is_its: Scope(&["litellm"]),
        calls: Not(&Named(&["raw_gen_ai_request"])),
        wrappers: Never,
        needs: Needs::Counts,
        provider: &[
            ("gen_ai.provider.name", Cut::Whole),
            ("gen_ai.system", Cut::Whole),
            ("litellm.provider.model", Cut::Only('/')),
        ],
        usage_text: &["metadata.usage_object"],
        cost: &["gen_ai.cost.total_cost"],
        // Of a stream without the provider's counts it counts the tokens itself, and knows nothing of a cache.
        estimates: All(&[
            Is("llm.is_streaming", &["true"]),
            Contains("metadata.usage_object", "'prompt_tokens_details': None"),
        ]),
        ..CONVENTIONS
    },
    CONVENTIONS,
    Sender {
        name: "Claude Code",
        is_its: Any(&[
            Named(&["claude_code.api_request"]),
            All(&[Scope(&["com.anthropic.claude_code"]), Named(&["api_request"])]),
        ]),
        calls: Always,
        needs: Needs::Counts,
        service_otherwise: "anthropic",
        own_key: Some(("claude_code", &["request_id"])),
        counts: Counts {
            input: &["input_tokens"],
            input_has_cached: Never,
            cached: &["cache_read_tokens"],
            cache_write: &["cache_creation_tokens"],
            output: &["output_tokens"],
            ..NOTHING
        },
        cost: &["cost_usd"],
        // It has prices of its own, and takes those of another model where it does not know one.
        quality: Quality::Estimated,
        ..AGENT_LOG
    },
    Sender {
        name: "Codex",
        is_its: Named(&["codex.sse_event", "codex.websocket_event"]),
        calls: Is("event.kind", &["response.completed"]),
        needs: Needs::Counts,
        service_otherwise: "openai",
        own_key: Some(("codex", &["conversation.id", "event.timestamp"])),
        counts: Counts {
            input: &["input_token_count"],
            cached: &["cached_token_count"],
            cache_write: &["cache_write_token_count"],
            output: &["output_token_count"],
            reasoning: &["reasoning_token_count"],
            ..NOTHING
        },
        ..AGENT_LOG
    },
    Sender {
        name: "Gemini CLI",
        is_its: Named(&["gemini_cli.api_response"]),
        calls: Always,
        needs: Needs::Counts,
        service_otherwise: "google",
        own_key: Some(("gemini_cli", &["prompt_id", "event.timestamp"])),
        counts: Counts {
            input: &["input_token_count"],
            cached: &["cached_content_token_count"],
            more_input: &["tool_token_count"],
            output: &["output_token_count"],
            reasoning: &["thoughts_token_count"],
            output_has_reasoning: false,
            ..NOTHING
        },
        ..AGENT_LOG
    },
    Sender {
        name: "OpenTelemetry's conventions, as logs",
        signal: Signal::Logs,
        // It comes beside a span that says the same, or beside a better log.
        calls: Not(&Named(&["gen_ai.client.inference.operation.details"])),
        wrappers: Never,
        needs: Needs::Counts,
        own_key: Some(("log", &[])),
        ..CONVENTIONS
    },
];

/// No counts at all.
const NOTHING: Counts = Counts {
    input: &[],
    input_has_cached: Always,
    cached: &[],
    cache_write: &[],
    cache_write_1h: &[],
    more_input: &[],
    audio_input: &[],
    output: &[],
    reasoning: &[],
    output_has_reasoning: true,
    audio_output: &[],
};

/// Every attribute that a row looks at.
static KNOWN: LazyLock<HashSet<&'static str>> = LazyLock::new(|| SENDERS.iter().flat_map(Sender::names).collect());

/// Whether a row looks at attributes of this name.
pub(super) fn is_known(name: &str) -> bool {
    KNOWN.contains(name)
}

/// Whose record it is.
pub(super) fn sender_of(record: &Record<'_>, signal: Signal, scope: &str) -> Option<&'static Sender> {
    SENDERS.iter().find(|sender| sender.signal == signal && sender.is_its.holds(record, scope))
}
