"""Exercises: files that ask, and a machine that knows the answer.

README.md in this folder describes the files, so that a teacher can add one. Reading order: `exercise` (what a
file says), `reading` (how it is read and checked), `variant` (the values that one person gets, and the right
answers that the machine gives for them), `judging` (an answer against them), `checks` (goals).
"""
