//! Who sends calls as spans and logs, and how each says what: the table. A new sender, or a new version of one, is a row.
//!
//! The rows are what the programs of autumn 2026 really send (`tests/captures/otlp`), and OpenTelemetry's `conventions`. The first row whose record it
//! is decides.

use std::collections::HashSet;
use std::sync::LazyLock;

use super::coding_agents::{CLAUDE_CODE, CODEX, CODING_AGENTS, GEMINI_CLI};
use super::conventions::{AGENTS, CONVENTIONS, NO_CALLS};
use super::record::{KIND_CLIENT, Record, Signal};
use super::sender::{Counts, Cut, Needs, Sender, When};
use crate::domain::{Quality, Rank};

use When::{All, Always, Any, Contains, Ends, Has, Is, Kind, NameEnds, Named, Never, Not, Scope};

/// A stream, as OpenLIT says it.
const STREAMED: When = Any(&[
    Is("gen_ai.request.stream", &["true"]),
    Is("gen_ai.request.is_stream", &["true"]),
    Is("gen_ai.is_streaming", &["true"]),
]);

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

/// Spans that say what they are about by themselves, whatever made them.
const LANGFUSE: Sender = Sender {
    name: "Langfuse",
    is_its: Any(&[Scope(&["langfuse-sdk"]), Has("langfuse.observation.type")]),
    calls: Is("langfuse.observation.type", &["generation", "embedding"]),
    wrappers: Never,
    needs: Needs::Nothing,
    model: &["langfuse.observation.model.name", "gen_ai.response.model", "gen_ai.request.model"],
    operation: &["langfuse.observation.type"],
    fails: Is("langfuse.observation.level", &["ERROR"]),
    usage_text: &["langfuse.observation.usage_details"],
    cost_text: &["langfuse.observation.cost_details"],
    ..CONVENTIONS
};

/// OpenInference, whatever it instruments.
const OPENINFERENCE: Sender = Sender {
    name: "OpenInference",
    is_its: Any(&[Scope(&["openinference.", "@arizeai/openinference"]), Has("openinference.span.kind")]),
    // LlamaIndex tells of its preparing a call as of another one.
    calls: All(&[
        Is("openinference.span.kind", &["LLM", "EMBEDDING", "RERANKER"]),
        Not(&NameEnds("._prepare_chat_with_tools")),
    ]),
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
};

/// It does not count what came from a cache, and of some calls says no more than that there was one.
const OPENLLMETRY_JS: Sender = Sender {
    name: "OpenLLMetry for JavaScript",
    is_its: Scope(&["@traceloop/"]),
    calls: All(&[CONVENTIONS.calls, Kind(KIND_CLIENT), Has("gen_ai.request.model")]),
    needs: Needs::Nothing,
    quality: Quality::Doubtful,
    rank: Rank::Lower,
    ..CONVENTIONS
};

/// The table.
pub(super) static SENDERS: &[Sender] = &[
    CODING_AGENTS,
    Sender { name: "Anthropic's SDKs", is_its: Scope(&["com.anthropic.sdk"]), rank: Rank::Higher, ..CONVENTIONS },
    // Streams come out three tokens too high, and nothing tells a stream from another call.
    Sender {
        name: "OpenLLMetry for Anthropic",
        is_its: Scope(&["opentelemetry.instrumentation.anthropic"]),
        quality: Quality::Doubtful,
        rank: Rank::Lower,
        ..CONVENTIONS
    },
    Sender {
        name: "OpenLLMetry for Anthropic, in JavaScript",
        is_its: Scope(&["@traceloop/instrumentation-anthropic"]),
        counts: Counts { input_has_cached: Never, ..CONVENTIONS.counts },
        ..OPENLLMETRY_JS
    },
    Sender {
        name: "OpenLLMetry for Google, in JavaScript",
        is_its: Scope(&["@traceloop/instrumentation-google"]),
        counts: Counts { output_has_reasoning: false, ..CONVENTIONS.counts },
        ..OPENLLMETRY_JS
    },
    OPENLLMETRY_JS,
    Sender {
        name: "OpenTelemetry for OpenAI, in JavaScript",
        is_its: Scope(&["@opentelemetry/instrumentation-openai"]),
        quality: Quality::Doubtful,
        rank: Rank::Lower,
        ..CONVENTIONS
    },
    // Before OpenInference, which writes a part of its counts beside them.
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
    // They leave out what came from a cache, unless they say so.
    Sender {
        name: "OpenInference for frameworks",
        is_its: All(&[
            Scope(&[
                "openinference.instrumentation.smolagents",
                "openinference.instrumentation.haystack",
                "openinference.instrumentation.openai_agents",
            ]),
            Not(&Has("llm.token_count.prompt_details.cache_read")),
        ]),
        quality: Quality::Doubtful,
        rank: Rank::Lower,
        ..OPENINFERENCE
    },
    Sender {
        name: "OpenInference for Bedrock, in JavaScript",
        is_its: Scope(&["@arizeai/openinference-instrumentation-bedrock"]),
        counts: Counts { input_has_cached: Never, ..OPENINFERENCE.counts },
        ..OPENINFERENCE
    },
    OPENINFERENCE,
    Sender {
        name: "Frameworks that know nothing of a cache",
        is_its: Any(&[
            Scope(&["opentelemetry.instrumentation.openai_v2", "semantic_kernel.", "azure.core.tracing"]),
            All(&[
                Scope(&["opentelemetry.util.genai.handler", "opentelemetry.instrumentation.bedrock"]),
                Not(&Has("gen_ai.usage.cache_read.input_tokens")),
                Not(&Has("gen_ai.usage.cache_read_input_tokens")),
            ]),
        ]),
        quality: Quality::Doubtful,
        rank: Rank::Lower,
        ..CONVENTIONS
    },
    // Of some calls they say no more than that there was one.
    Sender {
        name: "OpenLLMetry for OpenAI's agents and LlamaIndex",
        is_its: Scope(&["opentelemetry.instrumentation.openai_agents", "opentelemetry.instrumentation.llamaindex"]),
        calls: Is("gen_ai.operation.name", &["chat", "text_completion", "embeddings", "generate_content"]),
        needs: Needs::Nothing,
        quality: Quality::Doubtful,
        rank: Rank::Lower,
        ..CONVENTIONS
    },
    Sender {
        name: "LangSmith",
        is_its: Scope(&["langsmith"]),
        response: &["gen_ai.completion"],
        usage_text: &["langsmith.metadata.usage_metadata", "langsmith.usage_metadata"],
        ..CONVENTIONS
    },
    Sender {
        name: "Genkit",
        is_its: Scope(&["genkit-tracer"]),
        calls: Is("genkit:metadata:subtype", &["model", "embedder"]),
        wrappers: Never,
        needs: Needs::Nothing,
        provider: &[("genkit:name", Cut::Only('/'))],
        model: &["genkit:name"],
        operation: &["genkit:metadata:subtype"],
        response: &["genkit:output"],
        ..CONVENTIONS
    },
    Sender {
        name: "MLflow",
        is_its: Has("mlflow.spanType"),
        calls: Is("mlflow.spanType", &["\"CHAT_MODEL\"", "\"LLM\"", "\"EMBEDDING\""]),
        wrappers: Never,
        needs: Needs::Nothing,
        provider: &[("mlflow.llm.provider", Cut::Whole), ("mlflow.message.format", Cut::Whole)],
        model: &["mlflow.llm.model", "model"],
        operation: &["mlflow.spanType"],
        response: &["mlflow.spanOutputs"],
        usage_text: &["mlflow.chat.tokenUsage"],
        ..CONVENTIONS
    },
    Sender {
        name: "OpenLIT",
        is_its: Scope(&["openlit.", "@openlit/"]),
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
    // Its stand-in for OpenAI's client.
    Sender {
        name: "Langfuse for OpenAI",
        is_its: All(&[
            LANGFUSE.is_its,
            Named(&["OpenAI-generation", "OpenAI-embedding", "OpenAI.chat", "OpenAI.responses", "OpenAI.embeddings"]),
        ]),
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
    CLAUDE_CODE,
    CODEX,
    GEMINI_CLI,
    Sender {
        name: "OpenTelemetry's conventions, as logs",
        signal: Signal::Logs,
        // These details come beside a span that says the same: only by the response's id they are known for the same call. OpenLIT's do not say by
        // which rule they count, and Gemini's come beside a better log that has no such id.
        calls: Any(&[
            Not(&Named(&["gen_ai.client.inference.operation.details"])),
            All(&[Has("gen_ai.response.id"), Not(&Scope(&["openlit.", "gemini-cli", "gemini_cli"]))]),
        ]),
        wrappers: Never,
        needs: Needs::Counts,
        own_key: Some(("log", &[])),
        ..CONVENTIONS
    },
];

/// The sources of keys that senders make up themselves.
pub fn own_sources() -> impl Iterator<Item = &'static str> {
    SENDERS.iter().filter_map(|sender| sender.own_key.map(|(source, _)| source))
}

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
