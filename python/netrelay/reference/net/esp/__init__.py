"""ESP's conversations: security associations of one direction each."""
