"""How a vendor is asked: one package per vendor, over the vendor's own SDK."""
