"""What the platform knows of its sources: their contracts, the batches that they deliver, and how they are asked.

What belongs here: the interface and the kinds. What a source of some kind does stands with the kind; the lab has one that
simulates.
"""
