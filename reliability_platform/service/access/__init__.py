"""Who may do what: roles, the acts that each may do, and the tokens by which somebody shows which role he has."""
