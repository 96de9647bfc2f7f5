"""What a person starts: one folder or file a job."""
