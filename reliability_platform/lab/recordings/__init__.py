"""Recordings: landed, audited days of any source, taken as the truth and replayed, clean or broken, in a home of the lab."""
