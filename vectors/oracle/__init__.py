"""Handfast, written a second time from the text of spec/: see check.py."""
