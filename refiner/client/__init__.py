"""Speaking to the service, with nothing but the standard library: whoever hands a run in starts at once."""
