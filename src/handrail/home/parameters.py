"""Names of model parameters by dialect, as the providers document them: what a release may set without a note.

Sources: the parameter types of the official clients openai 3.54.0 (chat completions, responses, embeddings) and
anthropic 2.12.0 (messages, beta included), with the sampling parameters that older Claude models take
(docs.anthropic.com/en/api/messages). Azure OpenAI adds `data_sources` (learn.microsoft.com, "Azure OpenAI on your
data"). A test holds the lists against the clients that are installed. A name that is not here may be new: it passes.
"""

from handrail.policy.ruleset import Dialect

_OPENAI = frozenset(
    {
        "access_programs", "audio", "background", "background_options", "context_management", "conversation",
        "dimensions", "encoding_format", "frequency_penalty", "function_call", "functions", "image", "include", "input",
        "instructions", "logit_bias", "logprobs", "max_completion_tokens", "max_output_tokens", "max_tokens",
        "max_tool_calls", "messages", "metadata", "modalities", "model", "moderation", "n", "parallel_tool_calls",
        "prediction", "presence_penalty", "previous_response_id", "prompt", "prompt_cache_key", "prompt_cache_options",
        "prompt_cache_retention", "reasoning", "reasoning_effort", "response_format", "safety_identifier", "seed",
        "service_tier", "stop", "store", "stream", "stream_options", "temperature", "text", "tool_choice", "tools",
        "top_logprobs", "top_p", "truncation", "user", "verbosity", "web_search_options",
    }
)  # fmt: skip
_ANTHROPIC = frozenset(
    {
        "betas", "billing_policy", "cache_control", "compaction", "container", "context_management", "diagnostics",
        "fallback_credit_token", "fallbacks", "inference_geo", "max_tokens", "mcp_servers", "messages", "metadata",
        "model", "output_config", "service_tier", "speed", "stop_sequences", "stream", "system", "temperature",
        "thinking", "thread", "tool_choice", "tools", "top_k", "top_p", "user_profile_id", "workspace_id",
    }
)  # fmt: skip

DOCUMENTED: dict[Dialect, frozenset[str]] = {
    Dialect.OPENAI: _OPENAI,
    Dialect.AZURE: _OPENAI | {"data_sources"},
    Dialect.ANTHROPIC: _ANTHROPIC,
}
