"""Instructors: they name errors and write new problems."""
