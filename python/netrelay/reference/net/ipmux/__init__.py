"""IPmux's conversations: whole IP packets of which a filter says yes."""
