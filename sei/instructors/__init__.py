"""Instructors: who names errors and writes new problems."""
