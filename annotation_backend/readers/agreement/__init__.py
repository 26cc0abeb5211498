"""How far readers of one case agree, worked out when readings are handed in. Imports `readers.models`."""
