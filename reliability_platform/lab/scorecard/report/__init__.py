"""The report: one HTML file that tells a run and a campaign to somebody who has nothing but a browser."""
