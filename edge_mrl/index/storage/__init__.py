"""The SQLite file: opening, schema, documents, segments."""
