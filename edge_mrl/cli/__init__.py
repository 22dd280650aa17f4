"""The command line. Commands parse, call the library and print; no logic lives here."""
