"""The ground floor: what a volume, a mask, a case and a release are. Imports nothing of the floors above."""
