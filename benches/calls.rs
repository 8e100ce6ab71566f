//! The promise: calls that gateways log are recorded as quickly as their conversations can be read past.

use crate::agent::Agent;
use crate::http::{HttpAnswers, post_to};
use crate::load::Load;
use crate::template::{ID_PLACE, Template};
use crate::trial::Demand::AtLeast;
use crate::trial::{Bar, Bench, Contender, Figure, Trial};

const LITELLM: &str = "LiteLLM payloads";
/// LiteLLM's default.
const CALLS_PER_BODY: usize = 512;
/// Bytes of a payload: a short one, with the facts about its model left out.
const PAYLOAD_BYTES: usize = 2_048;
const CONNECTIONS: usize = 4;

pub fn trials(bench: &Bench) -> Vec<Trial> {
    let site = bench.site();
    let load = Load {
        connections: CONNECTIONS,
        requests: vec![Template::new(post_to("/ingest/litellm", "application/json", &body()))],
        answers: HttpAnswers::expecting(r#"{"accepted":512,"duplicates":0,"revised":0,"ignored":0,"rejected":0}"#),
        events_per_request: CALLS_PER_BODY as f64,
    };
    let agent = Contender::agent(LITELLM, move |pace| {
        let agent = Agent::start_empty(&site)?;
        load.run(agent.address, pace, || agent.cpu())
    });
    vec![Trial {
        name: "litellm",
        title: format!("{CALLS_PER_BODY} payloads of {PAYLOAD_BYTES} bytes a request, connections: {CONNECTIONS}"),
        contenders: vec![agent],
        bars: vec![Bar::alone(Figure::Rate, LITELLM, AtLeast(60_000.0))],
    }]
}

/// Payloads with new ids each time, and without times, so that they are never too old.
fn body() -> String {
    let call = |number: usize| {
        let usage = r#"{"completion_tokens":50,"prompt_tokens":1000,"total_tokens":1050,"completion_tokens_details":{"reasoning_tokens":20},"prompt_tokens_details":{"audio_tokens":0,"cached_tokens":800}}"#;
        let head = format!(
            r#"{{"id":"{ID_PLACE}","litellm_call_id":"call-{number}","call_type":"acompletion","cache_hit":null,"stream":null,"status":"success","custom_llm_provider":"openai","model":"gpt-4o","metadata":{{"user_api_key_hash":null,"user_api_key_alias":"worker-{}","spend_logs_metadata":{{"lead_id":"lead-{number}"}},"usage_object":{usage}}},"response_cost":0.0020000000000000005,"prompt_tokens":1000,"completion_tokens":50,"response":{{"model":"gpt-4o-2024-08-06","usage":{usage},"choices":[{{"message":{{"role":"assistant","content":"hi"}}}}]}},"messages":[{{"role":"user","content":""#,
            number % 8
        );
        let tail = r#""}]}"#;
        let text = r#"A question with \"quotes\", some of them twice. "#;
        let text: String = text.chars().cycle().take(PAYLOAD_BYTES - head.len() - tail.len()).collect();
        // An escape that was cut in two would be none.
        format!("{head}{}{tail}", text.trim_end_matches('\\'))
    };
    format!("[{}]", (0..CALLS_PER_BODY).map(call).collect::<Vec<_>>().join(","))
}
