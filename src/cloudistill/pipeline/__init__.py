"""What is done, in order: check, estimate, upload, submit, wait, deploy; and the record of it."""
