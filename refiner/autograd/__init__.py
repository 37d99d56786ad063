"""The computation graph: variables, operations forward and backward, textual losses, textual gradient descent."""
