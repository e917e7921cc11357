"""Results in a database: `sqlite:` and `postgresql:`. Importing a room of this needs SQLAlchemy."""
