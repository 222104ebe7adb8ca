"""What the gallery is measured against: the same task, done in the obvious way."""
