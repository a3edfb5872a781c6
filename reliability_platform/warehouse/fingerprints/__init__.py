"""What each build was made with: models, macros, contracts, checks, reference data, packages, settings, versions, and who
began it. What changed between two builds is a comparison of two such fingerprints; nobody has to remember.
"""
