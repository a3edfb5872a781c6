"""From sample files to a proposed contract, with the evidence for each line and a question where it is uncertain."""
