"""A data platform that breaks itself on purpose and proves that it heals."""
