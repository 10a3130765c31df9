"""Mermaid's `erDiagram`: a parser for the language of Mermaid 11.17, and a line reader for texts that do not parse.

    diagram.py      what a diagram says: entities, attributes, relations
    preprocess.py   what Mermaid takes away before it parses: front matter, directives, comments
    lexer.py        text to tokens
    parser.py       tokens to a diagram, or ErSyntaxError
    line_reader.py  whatever lines of a broken diagram can still be read

It judges and reads; it draws nothing. Every pass is linear in the length of the text.
"""

from .diagram import Attribute, Diagram, Entity, Relation
from .line_reader import read_lines
from .parser import ErSyntaxError, parse

__all__ = ["Attribute", "Diagram", "Entity", "ErSyntaxError", "Relation", "parse", "read_lines"]
