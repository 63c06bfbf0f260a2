"""What the files of a /net say, as values: the reading side of ip(3)'s formats.

Whoever made the text, a gateway of ours or another system: fields beyond those known are left
alone, and a line that can't be read is passed over, as readipifc(2) does. No file is read here.
"""
