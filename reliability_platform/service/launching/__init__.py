"""Long work that somebody asks for over the network: kept in the operations store, carried out by the commands of the
command line in a process of its own, so that neither the one who asks nor the server waits.
"""
