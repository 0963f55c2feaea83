"""What a vendor allows: dated facts in TOML, one file per platform, each table with its source."""
