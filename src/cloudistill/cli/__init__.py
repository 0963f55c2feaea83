"""The command line: one thin command per verb; words for people on stderr, `--json` documents on stdout."""
