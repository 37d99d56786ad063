"""How drafts, iterations and selection are combined, one file a strategy; the gate and the selection."""
