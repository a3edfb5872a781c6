"""Drills: something is lost for real on a clone of the home, recovered with the commands of an emergency, and compared."""
