"""How a vendor is asked: one module per vendor, over the vendor's own SDK."""
