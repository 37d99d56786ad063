"""Questions and programs with what is right: files of the user's, in any form, as items."""
