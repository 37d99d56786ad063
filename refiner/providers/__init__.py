"""Whoever answers a prompt: OpenAI, Anthropic, any compatible server, and the embedded model."""
