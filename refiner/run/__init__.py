"""The one door for effects: reserve, look up, act, commit, settle, publish."""
