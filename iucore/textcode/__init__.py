"""Documents as text: cut into pieces, written back as files."""
