"""The read layer: every question that a person or a program asks is one typed function here, for the command line, the API
and whatever else shows something.

Nothing here takes the writers' lease or opens the warehouse: answers come from the operations store, from what is
published, and from files that the last run left. What grows with the years is asked for page by page.
"""
