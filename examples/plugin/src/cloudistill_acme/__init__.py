"""Acme, a vendor that does not exist, as a platform of cloudistill: its facts, its format, its backend, an emulator."""
