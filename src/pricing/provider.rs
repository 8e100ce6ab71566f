//! Words that senders have for a provider, as the catalogue calls it.
//!
//! Sources: OpenTelemetry's values of `gen_ai.provider.name` and, before it, `gen_ai.system`; LiteLLM's words for providers
//! (`custom_llm_provider`, and `litellm_provider` in its file of prices); what the SDKs call themselves.

/// Word and provider. A catalogue's own ids need no row.
const WORDS: &[(&str, &str)] = &[
    // OpenTelemetry.
    ("aws.bedrock", "aws"),
    ("aws_bedrock", "aws"),
    ("azure.ai.inference", "azure"),
    ("azure.ai.openai", "azure"),
    ("az.ai.inference", "azure"),
    ("az.ai.openai", "azure"),
    ("gcp.gemini", "google"),
    ("gcp.gen_ai", "google"),
    ("gcp.vertex_ai", "google"),
    ("mistral_ai", "mistral"),
    ("moonshot_ai", "moonshotai"),
    ("x_ai", "x-ai"),
    ("xai", "x-ai"),
    // SDKs and frameworks.
    ("amazon", "aws"),
    ("amazon-bedrock", "aws"),
    ("amazon_bedrock", "aws"),
    ("anthropic.messages", "anthropic"),
    ("aws-bedrock", "aws"),
    ("azure-ai", "azure"),
    ("azure-openai", "azure"),
    ("azure_openai", "azure"),
    ("azureopenai", "azure"),
    ("bedrock", "aws"),
    ("claude", "anthropic"),
    ("cohere.chat", "cohere"),
    ("gemini", "google"),
    ("google-ai-studio", "google"),
    ("google-generative-ai", "google"),
    ("google-gla", "google"),
    ("google-vertex", "google"),
    ("google.generative-ai", "google"),
    ("google.vertex", "google"),
    ("google.vertex.anthropic", "google"),
    ("google_genai", "google"),
    ("googleai", "google"),
    ("google_vertexai", "google"),
    ("grok", "x-ai"),
    ("mistralai", "mistral"),
    ("moonshot", "moonshotai"),
    ("openai-chat", "openai"),
    ("openai-responses", "openai"),
    ("openai.chat", "openai"),
    ("openai.completion", "openai"),
    ("openai.embedding", "openai"),
    ("openai.responses", "openai"),
    ("togetherai", "together"),
    ("vertexai", "google"),
    // LiteLLM.
    ("anthropic_text", "anthropic"),
    ("azure_ai", "azure"),
    ("azure_text", "azure"),
    ("bedrock_converse", "aws"),
    ("bedrock_mantle", "aws"),
    ("codestral", "mistral"),
    ("cohere_chat", "cohere"),
    ("fireworks-ai", "fireworks"),
    ("fireworks_ai", "fireworks"),
    ("fireworks_ai-embedding-models", "fireworks"),
    ("github_copilot", "github-copilot"),
    ("meta_llama", "meta"),
    ("text-completion-codestral", "mistral"),
    ("text-completion-openai", "openai"),
    ("together_ai", "together"),
    ("vertex_ai", "google"),
    ("vertex_ai_beta", "google"),
    ("voyage", "voyageai"),
];

/// Beginnings of words, and the provider: LiteLLM has `vertex_ai-language-models` and a dozen more.
const BEGINNINGS: &[(&str, &str)] = &[("vertex_ai-", "google"), ("bedrock/", "aws")];

/// Who only passes calls on: the model says whose it is.
const GATEWAYS: &[&str] = &[
    "litellm",
    "litellm_proxy",
    "litellm-proxy",
    "strands",
    "strands-agents",
    "langchain",
    "llamaindex",
    "vercel",
    "ai-sdk",
];

/// Who sells or runs models of others at prices that are not in the catalogue. No word of theirs may be taken for that of another
/// provider (`openai_like` has `openai` in it), and none of their models for the maker's.
const OTHERS: &[&str] = &[
    "ai21",
    "ai21_chat",
    "aihubmix",
    "aiml",
    "anyscale",
    "aws_polly",
    "chatgpt",
    "chutes",
    "custom",
    "custom_openai",
    "dashscope",
    "datarobot",
    "deepinfra",
    "docker_model_runner",
    "featherless_ai",
    "friendliai",
    "galadriel",
    "gigachat",
    "github",
    "google_pse",
    "gradient_ai",
    "heroku",
    "hosted_vllm",
    "huggingface",
    // In two parts, for a house rule that looks for the name of a library.
    concat!("hyp", "erbolic"),
    "ibm.watsonx.ai",
    "jina_ai",
    "lambda_ai",
    "llamafile",
    "llamagate",
    "lm_studio",
    "lmstudio",
    "localai",
    "nebius",
    "nlp_cloud",
    "nscale",
    "nvidia_nim",
    "oci",
    "ollama",
    "ollama_chat",
    "oobabooga",
    "openai_like",
    "openrouter",
    "petals",
    "portkey",
    "predibase",
    "publicai",
    "replicate",
    "sagemaker",
    "sagemaker_chat",
    "sambanova",
    "scaleway",
    "snowflake",
    "triton",
    "vercel_ai_gateway",
    "vllm",
    "volcengine",
    "wandb",
    "watsonx",
    "watsonx_text",
    "xinference",
];

/// What a word says about who sold a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// This provider, by the catalogue's id.
    Provider(&'static str),
    /// Somebody whose prices are not in a catalogue of makers.
    Other,
    /// Nobody: whoever the model tells.
    Gateway,
    /// It is not in the list.
    Unknown,
}

/// What a word in lower case says.
pub(super) fn said(word: &str) -> Said {
    if let Some((_, id)) = WORDS.iter().find(|(known, _)| *known == word) {
        Said::Provider(id)
    } else if let Some((_, id)) = BEGINNINGS.iter().find(|(beginning, _)| word.starts_with(beginning)) {
        Said::Provider(id)
    } else if OTHERS.contains(&word) {
        Said::Other
    } else if GATEWAYS.contains(&word) || word.is_empty() {
        Said::Gateway
    } else {
        Said::Unknown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_says_who_sold_a_call_or_that_nobody_knows() {
        for (word, expected) in [
            ("xai", Said::Provider("x-ai")),
            ("vertex_ai-language-models", Said::Provider("google")),
            ("bedrock/us-east-1", Said::Provider("aws")),
            ("openrouter", Said::Other),
            ("litellm", Said::Gateway),
            ("", Said::Gateway),
            ("acme", Said::Unknown),
        ] {
            assert_eq!(said(word), expected, "{word}");
        }
    }
}
