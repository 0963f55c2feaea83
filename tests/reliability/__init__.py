"""The fault matrix, row by row: what must hold whatever goes wrong."""
