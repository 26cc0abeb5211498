"""Speed and accuracy of registration, on pairs whose motion is known."""
