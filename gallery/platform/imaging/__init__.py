"""Looks into image files and makes renditions of them: what they are, how large, whether they are whole.

Every byte read here was sent by a stranger. What is known about a file comes from its content alone.
"""
