"""Starting what the processes of Twinstream run on."""
