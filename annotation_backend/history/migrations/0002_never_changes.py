"""The database itself refuses to change an event, whoever asks it to.

Removal is refused by the model alone: a trigger for it would keep tests from emptying their tables, and whoever can
remove rows past the model can remove the trigger too.
"""

from django.db import migrations

_SQLITE = """
CREATE TRIGGER history_event_never_changes BEFORE UPDATE ON history_event
BEGIN SELECT RAISE(ABORT, 'an event never changes'); END
"""

_POSTGRESQL = """
CREATE FUNCTION history_event_never_changes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'an event never changes'; END $$;
CREATE TRIGGER history_event_never_changes BEFORE UPDATE ON history_event
FOR EACH ROW EXECUTE FUNCTION history_event_never_changes();
"""


def set_up(apps, schema_editor):
    """Sets the trigger up."""
    schema_editor.execute(_POSTGRESQL if schema_editor.connection.vendor == "postgresql" else _SQLITE)


def take_away(apps, schema_editor):
    """Takes it away."""
    is_postgresql = schema_editor.connection.vendor == "postgresql"
    schema_editor.execute(
        "DROP FUNCTION history_event_never_changes() CASCADE"
        if is_postgresql
        else "DROP TRIGGER history_event_never_changes"
    )


class Migration(migrations.Migration):
    dependencies = [("history", "0001_initial")]

    operations = [migrations.RunPython(set_up, take_away)]
