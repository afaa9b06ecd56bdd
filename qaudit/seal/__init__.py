"""The format of seal.json, and the verification of a sealed report folder.

This package only reads. The files may come from anybody, so verification runs in a child process.
"""
