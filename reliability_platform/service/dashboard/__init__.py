"""The dashboard: pages for people, rendered on the server, at `/ui`.

Each page answers one question: a sentence, then a picture, then a table. A page is a module of `pages/`, which asks the
read layer and gives a typed view, and a template of the same name; `pages.PAGES` is the table of them. Nothing here takes
the writers' lease, nothing is loaded from elsewhere, and every text is escaped.
"""
