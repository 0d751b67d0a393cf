"""A model server that follows a script: for the demo, for trying a home out, and for tests. It contains no model.

It speaks OpenAI (chat completions, responses, embeddings, models) and Anthropic (messages), streaming and not, so that
everything between a client and a provider can run for real on one machine. Every answer says that it is scripted: in
`model` (`scripted...`), in `system_fingerprint` and in the header `x-scripted`.
"""
