"""Batches: whatever IN is, as a stream of records; classified in chunks, on one machine or a cluster; joined to OUT."""
