"""What a person or a script reads: built from the store, the link and the settings. Views read, they never write."""
