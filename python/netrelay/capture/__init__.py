"""Frames that a gateway's interface saw, as people and other programs want them.

`pcapng` writes the file that tshark opens, `filters` says which frames are wanted, `summary` puts
one into a line. Nothing here knows 9P: frames come in as bytes.
"""
