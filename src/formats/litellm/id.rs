//! The ids under which LiteLLM tells a call.

use std::borrow::Cow;

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// LiteLLM's id of a response is the provider's in an envelope of its own.
const ENVELOPE: &str = "resp_";
/// What the envelope begins with.
const CONTENT: &str = "litellm:custom_llm_provider:";
/// Ids are longer by a third in the envelope; nothing that is longer is one.
const ENVELOPE_BYTES_MAX: usize = 2_048;

const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The provider's own id, as other roads know it, and who the provider is, as far as the id says so; empty where it does not.
///
/// LiteLLM hands out ids of OpenAI's responses as `resp_` and, in base64, `litellm:custom_llm_provider:…;model_id:…;response_id:…`.
pub(in crate::formats) fn provider_and_id(id: Cow<'_, str>) -> (String, Cow<'_, str>) {
    match opened(&id) {
        Some((provider, real)) => (provider, Cow::Owned(real)),
        None => (String::new(), id),
    }
}

fn opened(id: &str) -> Option<(String, String)> {
    let envelope = id.strip_prefix(ENVELOPE).filter(|envelope| envelope.len() <= ENVELOPE_BYTES_MAX)?;
    let content = String::from_utf8(LENIENT.decode(envelope).ok()?).ok()?;
    let (provider, rest) = content.strip_prefix(CONTENT)?.split_once(";model_id:")?;
    let (_, real) = rest.split_once(";response_id:")?;
    // What follows is LiteLLM's own, such as the id of a container.
    let real = real.split(';').next().filter(|real| !real.is_empty())?;
    let provider = if provider == "None" { "" } else { provider };
    Some((provider.to_owned(), real.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_envelope_of_a_response_is_opened() {
        let encode = |content: &str| format!("resp_{}", base64::engine::general_purpose::STANDARD.encode(content));
        let whole = encode("litellm:custom_llm_provider:openai;model_id:None;response_id:resp_1");
        let unknown = encode("litellm:custom_llm_provider:None;model_id:a;response_id:resp_12;more:b");
        let unpadded = encode("litellm:custom_llm_provider:azure;model_id:;response_id:resp_123");
        for (id, provider, real) in [
            (whole.as_str(), "openai", "resp_1"),
            (&unknown, "", "resp_12"),
            (unpadded.trim_end_matches('='), "azure", "resp_123"),
            (
                "resp_bGl0ZWxsbTpjdXN0b21fbGxtX3Byb3ZpZGVyOm9wZW5haTttb2RlbF9pZDpOb25lO3Jlc3BvbnNlX2lkOnJlc3BfQTY0Mg==",
                "openai",
                "resp_A642",
            ),
            ("resp_0aa1", "", "resp_0aa1"),
            ("chatcmpl-1", "", "chatcmpl-1"),
            (&encode("litellm:custom_llm_provider:openai;model_id:None;response_id:"), "", ""),
            (&encode("something else"), "", ""),
        ] {
            let (found, response) = provider_and_id(id.into());
            assert_eq!((found.as_str(), &*response), (provider, if real.is_empty() { id } else { real }), "{id}");
        }
    }
}
