"""How a row is spelled: one pure module per vendor's training line; no I/O but the Dataset's reading."""
