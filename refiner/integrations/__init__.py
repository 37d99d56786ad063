"""Programs of other frameworks, refined; each needs an extra of its name."""
