"""The settings that say how a task is solved, which whoever hands one in may choose; the others are the machine's."""

SOLVING = frozenset(
    (
        *("model", "critic_model", "updater_model", "base_url", "strategy", "answer_type", "chains", "max_iterations"),
        *("max_calls", "max_tokens", "max_cost", "max_time", "patience", "target", "until", "policy", "policies"),
        *("max_output_tokens", "temperature", "reasoning_effort", "seed", "concurrency", "vote", "code"),
    )
)
