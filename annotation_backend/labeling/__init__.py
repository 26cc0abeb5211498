"""Label Studio: its process, project and tasks, its ML backend protocol, and the annotations that come back."""
