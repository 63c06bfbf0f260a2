"""What conversations of every protocol that keeps messages apart have in common."""
