"""One file per change of the tables, numbered, never edited after a release."""
