"""Roles, readers, splits: from the files a user names to strict, aligned rows."""
