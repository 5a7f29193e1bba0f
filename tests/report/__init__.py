"""The pages, the looks at clips, the terminal, and the words."""
