"""Healing: which action answers which failure, the actions themselves, and the proof that they helped."""
