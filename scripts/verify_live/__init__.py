"""Settles on real accounts what cloudistill takes for true and no document says."""
