//! Coding agents, which tell of their calls as logs: rows of the table of senders.

use super::conventions::CONVENTIONS;
use super::record::Signal;
use super::sender::{Counts, Needs, Sender, When};
use crate::domain::Quality;

use When::{All, Always, Is, Named, Never, Scope};

/// Their spans, which repeat what their logs say.
pub(super) const CODING_AGENTS: Sender = Sender {
    name: "Claude Code, Codex and Gemini CLI",
    is_its: Scope(&["com.anthropic.claude_code", "codex", "gemini-cli", "gemini_cli"]),
    calls: Never,
    wrappers: Never,
    ..CONVENTIONS
};

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

/// Claude Code.
pub(super) const CLAUDE_CODE: Sender = Sender {
    name: "Claude Code",
    is_its: When::Any(&[
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
        cache_write_1h: &["cache_creation_1h_tokens"],
        output: &["output_tokens"],
        ..NOTHING
    },
    cost: &["cost_usd"],
    // It has prices of its own, and takes those of another model where it does not know one.
    quality: Quality::Estimated,
    ..AGENT_LOG
};

/// Codex.
pub(super) const CODEX: Sender = Sender {
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
};

/// Gemini CLI.
pub(super) const GEMINI_CLI: Sender = Sender {
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
};

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
