"""Rules that the past of a source has kept without exception: proposed with their evidence, taken in by a person.

What belongs here: finding them, leaving out what follows from another, and writing the chosen ones into a contract. What a
rule is stands in `contracts.relations`; nothing here changes what is checked.
"""
