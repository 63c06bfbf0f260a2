"""GRE's conversations: packets of one encapsulated protocol, with one host or from anybody."""
