"""From a delivery to bronze: atomic batch files with manifests, and admission of each file by itself."""
