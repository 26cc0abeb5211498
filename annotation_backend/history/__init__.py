"""History: raw events of people's work, kept for ever, and the active time that they tell of."""
