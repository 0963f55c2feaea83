"""What we speak of: examples, references, jobs, findings and errors. No vendor, no I/O but reading lines."""
